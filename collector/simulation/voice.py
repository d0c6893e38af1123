"""The simulated offices' SNMPv3: seals what they send, opens what comes back. Pure.

Each office has its keys. They share what one process may know once: the collector's clock, and one
count of message IDs, by which an answer finds what it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from tabuah.errors import DecodeError
from tabuah.snmp import message
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import PduType, open_pdu
from tabuah.snmp.usm import SALT_OCTETS, EngineTime, Level, PeerClock

if TYPE_CHECKING:
    from tabuah.snmp.message import Message
    from tabuah.snmp.pdu import Pdu
    from tabuah.snmp.usm import UsmUser

UNKNOWN: Final = EngineTime(0, 0)
"""What is stamped by whoever has not heard the collector's clock: it answers with its time."""


class Sealed(NamedTuple):
    """A datagram, and what its answer will be known by."""

    msg_id: int
    datagram: bytes
    boots: int
    """Of the collector's clock as it is stamped; 0 = it is not known."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The reports of that request are on disk."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Declined:
    """The request was understood and is to be sent again, whole."""

    request_id: int


class Resync:
    """The collector has told its time, authentically: send again."""


class WrongMac:
    """The answer is not from who has the office's key."""


class Refused:
    """The collector does not listen, and says why, unauthenticated: the office is new to it."""


class Unreadable:
    """It is no answer."""


Heard = Acknowledged | Declined | Resync | WrongMac | Refused | Unreadable


class Voice:
    """Speaks for all offices with one collector."""

    def __init__(self, engine_id: bytes, salt: int) -> None:
        """Prepare; salts begin with a random number of 64 bits."""
        self._engine_id = engine_id
        self._salt = salt
        self._count = 0
        self._clock = PeerClock()

    def seal(self, user: UsmUser, pdu: Pdu, now: float, *, knows_time: bool) -> Sealed:
        """Return the PDU in a datagram of that office, for when it is `now`."""
        self._count += 1
        msg_id = self._count % 2**31
        salt = (self._salt + self._count) % 2**64
        stamp = self._clock.at(now) if knows_time else UNKNOWN
        datagram = message.encode(
            message.encode_scoped(ScopedPdu(self._engine_id, b"", pdu)),
            msg_id=msg_id,
            user=user,
            level=Level.AUTH_PRIV,
            engine_id=self._engine_id,
            stamp=stamp,
            salt=salt.to_bytes(SALT_OCTETS, "big"),
            reportable=True,
        )
        return Sealed(msg_id, datagram, stamp.boots)

    def boots(self, now: float) -> int:
        """Return how often the collector has booted, as far as it is known."""
        return self._clock.at(now).boots

    def hear(
        self, datagram: bytes, received: Message, user: UsmUser, now: float, *, check: bool
    ) -> Heard:
        """Return what a datagram says that answers one of the office whose `user` that is.

        Args:
            datagram: as it came.
            received: the same, decoded.
            user: the office's.
            now: monotonic seconds.
            check: whether to verify the MAC of an answer. That of who tells the time always is.
        """
        is_answer = received.level is Level.AUTH_PRIV
        if received.level is Level.NO_AUTH_NO_PRIV:
            return Refused()
        if (check or not is_answer) and not user.verifies(
            datagram, received.mac_at, received.security.mac
        ):
            return WrongMac()
        try:
            if not is_answer:
                said = message.decode_scoped(received.payload).pdu
                if said.type is not PduType.REPORT:
                    return Unreadable()
                self._clock.hear(received.security.stamp, now)
                return Resync()
            scoped = message.decrypt(received, user)
            head = open_pdu(scoped, message.open_scope(scoped).pdu_at)
        except DecodeError:
            return Unreadable()
        if head.type is not PduType.RESPONSE:
            return Unreadable()
        if head.error_status:
            return Declined(head.request_id)
        return Acknowledged(head.request_id)
