"""A whole SNMP engine of our codec, for peers to talk to: it answers all that asks.

The collector's own receiver takes informs of one security level alone. This one takes every PDU
type at every level, so that a peer's encoding is read, and ours is read by a peer.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tabuah.errors import DecodeError
from tabuah.snmp import message, reporting
from tabuah.snmp.message import Message, ScopedPdu
from tabuah.snmp.pdu import CONFIRMED, Pdu, PduType, Tag, VarBind
from tabuah.snmp.usm import Auth, Level, Stat, UsmUser
from tests.support.snmp_ends import ENGINE_ID, ENGINE_TIME

ANSWER = (VarBind((1, 3, 6, 1, 2, 1, 1, 6, 0), Tag.OCTET_STRING, b"arosuka"),)
"""What a GET, GETNEXT or GETBULK is told, whatever it asked."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One user, with keys for whatever engine is authoritative."""

    name: str
    auth: Auth | None = None
    auth_ku: bytes = b""
    priv_ku: bytes = b""

    def at(self, engine_id: bytes) -> UsmUser:
        """Return the user localised to that engine."""
        return UsmUser.from_ku(self.name, self.auth, self.auth_ku, self.priv_ku, engine_id)


@dataclass(slots=True)
class Responder:
    """What it was told, all of it authentic."""

    port: int
    taken: list[tuple[Level | None, Pdu]] = field(default_factory=list)
    """Each PDU and its level; None = over SNMPv2c."""
    broken: list[str] = field(default_factory=list)


def take(responder: Responder, credentials: Credentials, datagram: bytes) -> bytes | None:
    """Return the answer to a datagram; None to one that wants none."""
    if message.version(datagram) == message.V2C:
        community, pdu = message.decode_community(datagram)
        responder.taken.append((None, pdu))
        return message.encode_community(community, _response(pdu)) if _asks(pdu) else None
    received = message.decode(datagram)
    engine_id = received.security.engine_id
    if engine_id != ENGINE_ID and (received.reportable or not engine_id):
        return reporting.plain(
            received, Stat.UNKNOWN_ENGINE_IDS, 1, engine_id=ENGINE_ID, stamp=ENGINE_TIME, most=1472
        )
    user = credentials.at(engine_id)
    if received.security.user != user.name:
        raise DecodeError(f"user {received.security.user}")
    if received.level and not user.verifies(datagram, received.mac_at, received.security.mac):
        raise DecodeError("wrong digest")
    if (
        received.level
        and engine_id == ENGINE_ID
        and not ENGINE_TIME.accepts(received.security.stamp)
    ):
        return reporting.authentic(
            received, Stat.NOT_IN_TIME_WINDOWS, 1, user=user, stamp=ENGINE_TIME, most=1472
        )
    scope = message.decode_scoped(message.decrypt(received, user))
    responder.taken.append((received.level, scope.pdu))
    return _answer(received, user, scope) if _asks(scope.pdu) else None


def _asks(pdu: Pdu) -> bool:
    return pdu.type in CONFIRMED


def _response(pdu: Pdu) -> Pdu:
    said = pdu.varbinds if pdu.type is PduType.INFORM else ANSWER
    return Pdu(PduType.RESPONSE, pdu.request_id, varbinds=said)


def _answer(received: Message, user: UsmUser, scope: ScopedPdu) -> bytes:
    return message.encode(
        message.encode_scoped(scope._replace(pdu=_response(scope.pdu))),
        msg_id=received.msg_id,
        user=user,
        level=received.level,
        engine_id=ENGINE_ID,
        stamp=ENGINE_TIME,
        salt=received.msg_id.to_bytes(8, "big"),
        reportable=False,
    )


@contextmanager
def responding(credentials: Credentials) -> Iterator[Responder]:
    """Answer on a port of loopback, in a thread."""
    done = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        responder = Responder(int(sock.getsockname()[1]))

        def loop() -> None:
            while not done.is_set():
                try:
                    datagram, source = sock.recvfrom(65535)
                except TimeoutError:
                    continue
                try:
                    answer = take(responder, credentials, datagram)
                except DecodeError as error:
                    responder.broken.append(str(error))
                    continue
                if answer is not None:
                    sock.sendto(answer, source)

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield responder
        finally:
            done.set()
            thread.join()
