"""Opens the datagram of a foreign device: pysnmp decodes what it says, our own codec proves who.

The proof is not left to pysnmp 7.1: of a trap, whose sender is the authoritative engine, it takes
the sender's clock over before it compares it, so that every replay is in its window, and it passes
a message unproved that claims to be signed and names no user. So of SNMPv3 only what a known user
signed, and encrypted if it has a privacy key, is decoded at all. Any community is taken: it proves
nothing.

A v2c inform is answered as RFC 3416 section 4.2.7 asks. A v3 inform is not, since for it we should
be the authoritative engine: devices are to send traps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from pyasn1.codec.ber import decoder
from pyasn1.error import PyAsn1Error
from pyasn1.type.univ import OctetString
from pysnmp.error import PySnmpError
from pysnmp.proto import api
from pysnmp.proto.proxy import rfc2576

from collector.traps.trap import MOST_TEXT, MOST_VARIABLES, Trap
from tabuah.errors import DecodeError
from tabuah.snmp import ber, message
from tabuah.snmp.pdu import PduType
from tabuah.snmp.usm import Auth, UsmUser, password_to_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tabuah.snmp.message import Message

V1 = api.PROTOCOL_MODULES[api.SNMP_VERSION_1]
V2 = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]

MOST_OCTETS: Final = 2048
"""Of a datagram: decoding takes 10 ms of CPU a thousand, and a trap has some hundreds."""
ENGINES_MOST: Final = 1024
"""Engines whose localised keys are remembered."""

SYS_UP_TIME: Final = "1.3.6.1.2.1.1.3.0"
TRAP_OID: Final = "1.3.6.1.6.3.1.1.4.1.0"
TRAP_ADDRESS: Final = "1.3.6.1.6.3.18.1.3.0"
_UNSAID: Final = frozenset(
    {SYS_UP_TIME, TRAP_OID, TRAP_ADDRESS, "1.3.6.1.6.3.18.1.4.0", "1.3.6.1.6.3.1.1.4.3.0"}
)
"""Variables that say what the trap is, or hold the community."""

_FAULTS: Final = (
    PyAsn1Error,
    PySnmpError,
    DecodeError,
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)
"""What pyasn1 and pysnmp raise of octets that are no trap, as fuzzing them showed."""


class Refusal(Enum):
    """Why a datagram is no trap for us. The value is the word in metrics."""

    MALFORMED = "malformed"
    UNKNOWN_USER = "unknown_user"
    BAD_AUTH = "bad_auth"
    """The digest is wrong, or it is not signed and encrypted as that user's is."""
    UNSUPPORTED = "unsupported"
    """No trap: a request, or an inform of version 3."""
    LIMITED = "limited"
    """Its user has sent too many."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user who signs traps, with its passwords."""

    name: str
    auth: Auth
    auth_password: str = field(repr=False)
    priv_password: str | None = field(default=None, repr=False)
    """None = it does not encrypt."""

    @classmethod
    def of(cls, name: str, auth: str, auth_password: str, priv_password: str | None) -> Credentials:
        """Return the credentials of a user; `auth` is sha1 or sha256."""
        kind = {"sha1": Auth.SHA1_96, "sha256": Auth.SHA256_192}[auth]
        return cls(name, kind, auth_password, priv_password)

    def keys(self) -> tuple[bytes, bytes]:
        """Return the passwords' keys Ku, the second empty without privacy: each hashes 1 MiB."""
        priv = self.priv_password
        return (
            password_to_key(self.auth_password.encode(), self.auth),
            b"" if priv is None else password_to_key(priv.encode(), self.auth),
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A trap, and what is to be answered, if anything."""

    trap: Trap
    reply: bytes | None = None


class Opener:
    """Opens datagrams, with the keys of the users it knows."""

    def __init__(
        self,
        users: Iterable[Credentials] = (),
        allows_user: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Prepare; `allows_user` rations what was proved, before it is decoded."""
        self._known: Mapping[str, Credentials] = {user.name: user for user in users}
        self._allows_user = allows_user
        self._keys: dict[str, tuple[bytes, bytes]] = {}
        """Of the users that were named so far: to make those of thousands takes half a minute."""
        self._localised: dict[tuple[str, bytes], UsmUser] = {}

    def open(self, datagram: bytes, source: str, at_ms: int) -> Opened | Refusal:
        """Return the trap that a datagram holds, or why it holds none; raises nothing."""
        if len(datagram) > MOST_OCTETS:
            return Refusal.MALFORMED
        try:
            version = message.version(datagram)
            if version == message.V3:
                return self._signed(datagram, source, at_ms)
            return _plain(datagram, version, source, at_ms)
        except _FAULTS:
            return Refusal.MALFORMED

    def _signed(self, datagram: bytes, source: str, at_ms: int) -> Opened | Refusal:
        received = message.decode(datagram)
        security = received.security
        credentials = self._known.get(security.user)
        if credentials is None:
            return Refusal.UNKNOWN_USER
        user = self._user(credentials, received)
        proved = user.verifies(datagram, received.mac_at, security.mac)
        if received.level is not user.level or not proved:
            return Refusal.BAD_AUTH
        if not self._allows_user(user.name):
            return Refusal.LIMITED
        scoped = message.decrypt(received, user)
        at = message.open_scope(scoped).pdu_at
        if scoped[at] != PduType.TRAP:
            return Refusal.UNSUPPORTED
        pdu, _ = decoder.decode(scoped[at:], asn1Spec=V2.SNMPv2TrapPDU())
        stamp = security.stamp
        proof = (user.name, security.engine_id.hex(), stamp.boots, stamp.time)
        return Opened(_trap(pdu, at_ms, source, "3", proof))

    def _user(self, credentials: Credentials, received: Message) -> UsmUser:
        key = (credentials.name, received.security.engine_id)
        found = self._localised.get(key)
        if found is None:
            name, auth = credentials.name, credentials.auth
            keys = self._keys.get(name)
            if keys is None:
                keys = self._keys[name] = credentials.keys()
            found = UsmUser.from_ku(name, auth, *keys, received.security.engine_id)
            if len(self._localised) >= ENGINES_MOST:
                del self._localised[next(iter(self._localised))]
            self._localised[key] = found
        return found


def _plain(datagram: bytes, version: int, source: str, at_ms: int) -> Opened | Refusal:
    if version not in (api.SNMP_VERSION_1, api.SNMP_VERSION_2C):
        return Refusal.MALFORMED
    v1 = version == api.SNMP_VERSION_1
    module = V1 if v1 else V2
    told, rest = decoder.decode(datagram, asn1Spec=module.Message())
    pdu = module.apiMessage.get_pdu(told)
    if v1:
        if not pdu.isSameTypeWith(V1.TrapPDU()):
            return Refusal.UNSUPPORTED
        as_v2 = rfc2576.v1_to_v2(pdu)  # type: ignore[no-untyped-call]
        return Opened(_trap(as_v2, at_ms, source, "1"))
    if pdu.isSameTypeWith(V2.SNMPv2TrapPDU()):
        return Opened(_trap(pdu, at_ms, source, "2c"))
    if pdu.isSameTypeWith(V2.InformRequestPDU()):
        reply = _response(datagram[: len(datagram) - len(rest)])
        return Opened(_trap(pdu, at_ms, source, "2c"), reply)
    return Refusal.UNSUPPORTED


def _response(inform: bytes) -> bytes:
    """Return the inform with its PDU's tag turned into a Response's: that is its answer."""
    at, stop = ber.enter(inform, 0, len(inform), ber.SEQUENCE)
    for _ in ("version", "community"):
        _, _, at = ber.read(inform, at, stop)
    return inform[:at] + bytes((PduType.RESPONSE,)) + inform[at + 1 :]


def _trap(
    pdu: object,
    at_ms: int,
    source: str,
    version: str,
    proof: tuple[str, str, int, int] = ("", "", 0, 0),
) -> Trap:
    binds = [(str(oid), value) for oid, value in V2.apiPDU.get_varbinds(pdu)]
    first = dict(reversed(binds))
    agent = first.get(TRAP_ADDRESS)
    # Without it the PDU is no trap (RFC 3416 section 4.2.6).
    oid = first[TRAP_OID]
    ticks = first.get(SYS_UP_TIME)
    variables = [(oid, _text(value)) for oid, value in binds if oid not in _UNSAID]
    user, engine_id, boots, time = proof
    return Trap(
        at_ms=at_ms,
        source=source,
        version=version,
        oid=str(V2.ObjectIdentifier(oid))[:MOST_TEXT],
        variables=tuple((oid[:MOST_TEXT], text) for oid, text in variables[:MOST_VARIABLES]),
        uptime_ticks=None if ticks is None else int(ticks) % 2**32,
        agent="" if agent is None else _address(agent),
        user=user,
        engine_id=engine_id,
        boots=boots,
        time=time,
    )


def _text(value: object) -> str:
    """Return a value as people read it: octets that are no text in hexadecimal."""
    if isinstance(value, V2.IpAddress):
        return _address(value)
    if isinstance(value, OctetString):
        octets = bytes(value)
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            text = ""
        return (
            text[:MOST_TEXT]
            if text.isprintable() and (text or not octets)
            else (f"0x{octets[: MOST_TEXT // 2 - 1].hex()}")
        )
    return str(value)[:MOST_TEXT]


def _address(value: object) -> str:
    if isinstance(value, V1.NetworkAddress):
        value = value.getComponent()
    octets = bytes(value) if isinstance(value, OctetString) else b""
    found = ".".join(map(str, octets)) if len(octets) == 4 else ""
    return "" if found == "0.0.0.0" else found  # noqa: S104 - that means: it does not say
