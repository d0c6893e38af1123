"""What one who sits on the line, and has no key, makes of the datagrams that pass. Pure.

Each maker takes captured datagrams and dice, and returns one that nobody may accept: none is
octet for octet what was captured, but for the replays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from fuzz import trees
from tabuah.errors import DecodeError
from tabuah.snmp import ber, message, usm
from tabuah.snmp.message import Message, ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.usm import NOBODY, Auth, EngineTime, Level, Stat, UsmUser

MOST_OCTETS = 1472
Maker = Callable[[Random], bytes]


@dataclass(frozen=True, slots=True)
class Captured:
    """What was seen on the line."""

    datagrams: Sequence[bytes]
    others: Sequence[bytes]
    """Of another conversation: parts of them are spliced in."""


def mutated(captured: Captured, dice: Random) -> bytes:
    """Return a captured datagram with some of its octets, lengths, tags or fields changed."""
    original = dice.choice(captured.datagrams)
    match dice.randrange(8):
        case 0 | 1:
            made = _turned(original, dice)
        case 2:
            made = original[: dice.randrange(len(original))]
        case 3 | 4:
            made = trees.mutate(original, dice, MOST_OCTETS)
        case 5:
            other = dice.choice(captured.others)
            made = original[: dice.randrange(len(original))] + other[dice.randrange(len(other)) :]
        case 6:
            made = original + dice.randbytes(dice.randint(1, 20))
        case _:
            made = refielded(original, dice)
    return made if made not in captured.datagrams else _turned(original, dice)


def _turned(data: bytes, dice: Random) -> bytes:
    changed = bytearray(data)
    at = dice.randrange(len(changed))
    changed[at] ^= 1 << dice.randrange(8)
    return bytes(changed)


def refielded(datagram: bytes, dice: Random) -> bytes:
    """Return a captured datagram that is well formed, but for one field that was exchanged."""
    try:
        received = message.decode(datagram)
    except DecodeError:
        return _turned(datagram, dice)
    security = received.security
    match dice.randrange(9):
        case 0:
            security = security._replace(mac=bytes(len(security.mac)))
        case 1:
            security = security._replace(mac=security.mac[: dice.randrange(len(security.mac) or 1)])
        case 2:
            security = security._replace(mac=security.mac + dice.randbytes(4))
        case 3:
            shift = dice.choice((-1000, -151, -1, 1, 151, 1000))
            stamp = security.stamp._replace(time=max(0, security.stamp.time + shift))
            security = security._replace(stamp=stamp)
        case 4:
            boots = dice.choice(
                (0, 1, security.stamp.boots - 1, security.stamp.boots + 1, usm.MAX_INT)
            )
            security = security._replace(stamp=security.stamp._replace(boots=max(0, boots)))
        case 5:
            security = security._replace(engine_id=security.engine_id[:-1] + dice.randbytes(1))
        case 6:
            security = security._replace(user=dice.choice(_names(security.user)))
        case 7:
            security = security._replace(salt=dice.randbytes(dice.choice((0, 4, 8, 9))))
        case _:
            return _packed(received, security, dice.choice((0, 1, 2, 4, 5, 6, 0xFF)))
    return _packed(received, security, received.level | (4 if received.reportable else 0))


def _names(name: str) -> list[str]:
    site, _, generation = name.partition("#")
    return ["", "root", site, f"{site}#{int(generation or 0) + 1}", f"{site}#999999999", f"{name} "]


def _packed(received: Message, security: usm.SecurityParameters, flags: int) -> bytes:
    header = ber.tlv(
        ber.SEQUENCE,
        ber.integer(received.msg_id)
        + ber.integer(received.max_size)
        + bytes((ber.OCTET_STRING, 1, flags))
        + ber.integer(message.USM_MODEL),
    )
    private = received.level is Level.AUTH_PRIV
    payload = ber.octets(received.payload) if private else received.payload
    return ber.tlv(
        ber.SEQUENCE,
        ber.integer(message.V3) + header + ber.octets(usm.encode_security(security)) + payload,
    )


@dataclass(frozen=True, slots=True)
class Thief:
    """Knows all that travels in plain, another office's key, and what a report looks like."""

    engine_id: bytes
    user: str
    """Whom it plays."""
    ku: bytes
    """Not that user's."""
    pdus: tuple[Pdu, ...]
    """What it would like to be believed."""

    def forge(self, captured: Captured, dice: Random) -> bytes:
        """Return a datagram made from nothing: right in all but what only the key can make."""
        seen = message.decode(dice.choice(captured.datagrams))
        pdu = replace(dice.choice(self.pdus), request_id=dice.randrange(1, 2**31))
        mine = UsmUser.from_ku(self.user, Auth.SHA256_192, self.ku, self.ku, self.engine_id)
        weak = UsmUser.from_ku(self.user, Auth.SHA1_96, self.ku[:20], self.ku[:20], self.engine_id)
        level = Level.AUTH_PRIV
        user, engine_id, stamp = mine, self.engine_id, seen.security.stamp
        match dice.randrange(8):
            case 0:
                level = Level.AUTH_NO_PRIV
            case 1:
                user, level = UsmUser(self.user), Level.NO_AUTH_NO_PRIV
            case 2:
                user = weak
            case 3:
                user, engine_id, level = NOBODY, b"", Level.NO_AUTH_NO_PRIV
            case 4:
                engine_id = dice.randbytes(17)
            case 5:
                stamp = EngineTime(dice.randrange(2**31), dice.randrange(2**31))
            case 6:
                return message.encode_community(b"public", pdu)
            case _:
                pass
        return message.encode(
            message.encode_scoped(ScopedPdu(engine_id, b"", pdu)),
            msg_id=seen.msg_id,
            user=user,
            level=level,
            engine_id=engine_id,
            stamp=stamp,
            salt=dice.randbytes(8),
            reportable=dice.random() < 0.8,
        )


def probe(dice: Random) -> bytes:
    """Return a request for our engine ID, as any manager begins with one."""
    return message.encode(
        message.encode_scoped(ScopedPdu(b"", b"", Pdu(PduType.GET, dice.randrange(2**31)))),
        msg_id=dice.randrange(2**31),
        user=NOBODY,
        level=Level.NO_AUTH_NO_PRIV,
        engine_id=b"",
        stamp=EngineTime(0, 0),
        salt=b"",
        reportable=True,
    )


def lies() -> tuple[Pdu, ...]:
    """Return what an agent should be made to believe: it was heard, or its key is no good."""
    reports = (
        Pdu(PduType.REPORT, 0, varbinds=(VarBind(stat.value, Tag.COUNTER32, 1),)) for stat in Stat
    )
    return (Pdu(PduType.RESPONSE, 0), Pdu(PduType.RESPONSE, 0, 16), *reports)
