"""The side that asks: GET, GETNEXT, GETBULK, SET and INFORM, over SNMPv2c or SNMPv3; and traps.

Two classes with the same methods turn PDUs into datagrams and datagrams into answers. When to
send again, and when to give up, is the caller's: `resend` and `forget`.

In SNMPv3 the one who answers is authoritative. What a client must know of it comes in two steps:

* its engine ID. Pinned: never asked for, never changed. Otherwise the first datagram is a probe,
  and the first Report to it says the ID, unauthenticated (RFC 3414 section 4);
* its boots and time. The first real message is sent with 0, 0; the authoritative side refuses it
  with an authenticated Report, and from this one alone the clock is taken.

A discovered engine ID stays too. A device that was exchanged for another shows as
`Reason.UNKNOWN_ENGINE`, one that lost its boots as `Reason.STALE`: make a new client then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from tabuah import draw
from tabuah.errors import DecodeError
from tabuah.snmp import message, usm
from tabuah.snmp.message import Message, ScopedPdu
from tabuah.snmp.pdu import CONFIRMED, Pdu, PduType
from tabuah.snmp.usm import NOBODY, Auth, EngineTime, Level, PeerClock, Stat, UsmUser

MAX_OUTSTANDING = 1024
"""Requests that wait for their answer; beyond it the oldest is forgotten."""
_MAX_TRANSMISSIONS = 64
"""Datagrams of one request whose answer still counts: at two a second, half a minute's."""
_MAX_FOLLOW_UPS = 3
"""Datagrams that Reports may draw from one of ours: probe, first contact, corrected clock."""


class Reason(Enum):
    """Why a datagram was ignored.

    From UNKNOWN_ENGINE on it is what a Report of the other side says. Unless authenticated, and
    mostly it cannot be, that is a hint for a person, which anyone on the path could have sent.
    """

    MALFORMED = auto()
    WRONG_VERSION = auto()
    WRONG_COMMUNITY = auto()
    UNEXPECTED = auto()
    """Answers nothing that waits: a duplicate, a late one, or a forgery."""
    OTHER_ENGINE = auto()
    OTHER_USER = auto()
    BELOW_LEVEL = auto()
    """An answer less protected than the question."""
    BAD_DIGEST = auto()
    STALE = auto()
    """Authentic, but from outside the time window: a replay."""
    WRONG_PDU = auto()
    UNKNOWN_ENGINE = auto()
    UNKNOWN_USER = auto()
    UNSUPPORTED_LEVEL = auto()
    WRONG_DIGEST = auto()
    NOT_IN_WINDOW = auto()
    DECRYPTION = auto()
    OTHER_REPORT = auto()


_HINT_OF: dict[tuple[int, ...], Reason] = {
    Stat.UNKNOWN_ENGINE_IDS.value: Reason.UNKNOWN_ENGINE,
    Stat.UNKNOWN_USER_NAMES.value: Reason.UNKNOWN_USER,
    Stat.UNSUPPORTED_LEVELS.value: Reason.UNSUPPORTED_LEVEL,
    Stat.WRONG_DIGESTS.value: Reason.WRONG_DIGEST,
    Stat.NOT_IN_TIME_WINDOWS.value: Reason.NOT_IN_WINDOW,
    Stat.DECRYPTION_ERRORS.value: Reason.DECRYPTION,
}


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to the request of the same request-id, which is forgotten now."""

    pdu: Pdu
    sent_at: float | None = None
    """When the very datagram that it answers was made, on the caller's clock: v3's msgID tells
    repeated ones apart, so that a round trip is exact. None over v2c."""


@dataclass(frozen=True, slots=True)
class Transmit:
    """A datagram to send at once: the exchange goes on."""

    datagram: bytes
    request_id: int
    sent_at: float
    """When the one was made, on the caller's clock, that drew this: a round trip is known."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """The datagram changes nothing."""

    reason: Reason


Outcome = Answered | Transmit | Ignored


class CommunityClient:
    """Asks over SNMPv2c (RFC 1901)."""

    def __init__(self, community: str) -> None:
        self._community = community.encode()
        self._waiting: dict[int, Pdu] = {}

    def send(self, pdu: Pdu, now: float) -> bytes:
        """Return the datagram that asks `pdu`, and wait for its answer.

        Raises:
            ValueError: if the PDU is none that is answered, or cannot be encoded.
        """
        _demand_confirmed(pdu)
        datagram = message.encode_community(self._community, pdu)
        _drop_oldest(self._waiting)
        self._waiting[pdu.request_id] = pdu
        return datagram

    def resend(self, request_id: int, now: float) -> bytes:
        """Return a datagram that asks the same again.

        Raises:
            KeyError: if no such request waits.
        """
        return self.send(self._waiting[request_id], now)

    def forget(self, request_id: int) -> None:
        """Wait no longer for the answer to that request."""
        self._waiting.pop(request_id, None)

    def receive(self, datagram: bytes, now: float) -> Outcome:
        """Return the answer that the datagram holds, or why there is none."""
        try:
            if message.version(datagram) != message.V2C:
                return Ignored(Reason.WRONG_VERSION)
            community, pdu = message.decode_community(datagram)
        except DecodeError:
            return Ignored(Reason.MALFORMED)
        if community != self._community:
            return Ignored(Reason.WRONG_COMMUNITY)
        if pdu.type is not PduType.RESPONSE:
            return Ignored(Reason.WRONG_PDU)
        if pdu.request_id not in self._waiting:
            return Ignored(Reason.UNEXPECTED)
        self.forget(pdu.request_id)
        return Answered(pdu)


@dataclass(slots=True)
class _Request:
    pdu: Pdu
    boots: int = 0
    """Of the engine's clock as it was stamped last; 0 = it was not known."""
    msg_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Sent:
    request_id: int
    at: float
    probe: bool
    follow_ups: int
    boots: int


class UsmClient:
    """Asks over SNMPv3 with the user-based security model."""

    def __init__(
        self,
        user: str,
        auth: Auth | None,
        auth_ku: bytes,
        priv_ku: bytes,
        engine_id: bytes | None,
        *,
        context_name: bytes = b"",
        seed: int | None = None,
        short_ids: bool = False,
    ) -> None:
        """Prepare to speak as `user`.

        Args:
            user: the name.
            auth: None speaks without authentication.
            auth_ku: Ku, see `usm.password_to_key`; not localised.
            priv_ku: the same for privacy; empty speaks without.
            engine_id: the authoritative engine's, pinned; None discovers it.
            context_name: the context of all requests.
            seed: where message IDs and salts begin; drawn at random, but for tests.
            short_ids: begin message IDs low, which saves octets both ways. A guess of one forges
                nothing: answers are believed by their MAC.
        """
        self._credentials = (user, auth, auth_ku, priv_ku)
        self._context_name = context_name
        self._counter = draw.bits(64) if seed is None else seed
        self._first_id = self._counter & ~0x3FFF if short_ids else 0
        self._requests: dict[int, _Request] = {}
        self._sent: dict[int, _Sent] = {}
        self._clock = PeerClock()
        self._pinned = engine_id is not None
        self._engine_id = b""
        self._user = NOBODY
        if engine_id is not None:
            self._know(engine_id)

    @property
    def engine_id(self) -> bytes:
        """The authoritative engine's ID; empty while it is not known."""
        return self._engine_id

    def tell_time(self, stamp: EngineTime, now: float) -> None:
        """Take the engine's clock from who has heard an authentic stamp of it."""
        self._clock.hear(stamp, now)

    def clock(self, now: float) -> EngineTime:
        """Return the engine's clock as far as it is known; 0, 0 while it is not."""
        return self._clock.at(now)

    def send(self, pdu: Pdu, now: float) -> bytes:
        """Return the datagram that asks `pdu`, or that finds out what must be known before it.

        Raises:
            ValueError: if the PDU is none that is answered, or cannot be encoded.
        """
        _demand_confirmed(pdu)
        self.forget(pdu.request_id)
        if len(self._requests) >= MAX_OUTSTANDING:
            self.forget(next(iter(self._requests)))
        request = _Request(pdu)
        datagram = self._transmit(request, now)
        self._requests[pdu.request_id] = request
        return datagram

    def resend(self, request_id: int, now: float) -> bytes:
        """Return a fresh datagram that asks the same; answers to the earlier ones still count.

        Raises:
            KeyError: if no such request waits.
        """
        return self._transmit(self._requests[request_id], now)

    def forget(self, request_id: int) -> None:
        """Wait no longer for the answer to that request."""
        request = self._requests.pop(request_id, None)
        if request is not None:
            for msg_id in request.msg_ids:
                self._sent.pop(msg_id, None)

    def receive(self, datagram: bytes, now: float) -> Outcome:
        """Return the answer that the datagram holds, what to send next, or why it is ignored."""
        try:
            if message.version(datagram) != message.V3:
                return Ignored(Reason.WRONG_VERSION)
            received = message.decode(datagram)
            sent = self._sent.get(received.msg_id)
            if sent is None:
                self._overhear(datagram, received, now)
                return Ignored(Reason.UNEXPECTED)
            if received.level is Level.NO_AUTH_NO_PRIV:
                return self._receive_plain(received, sent, now)
            return self._receive_authentic(datagram, received, sent, now)
        except DecodeError:
            return Ignored(Reason.MALFORMED)

    def _overhear(self, datagram: bytes, received: Message, now: float) -> None:
        """Take the time from what answers nothing that waits, if it is authentic.

        That is no matter of whom it answers (RFC 3414 section 3.2 7b). Else who asks anew more
        often than the other's Reports take would never learn the time.
        """
        security = received.security
        if (
            received.level is not Level.NO_AUTH_NO_PRIV
            and (security.engine_id, security.user) == (self._engine_id, self._user.name)
            and self._user.verifies(datagram, received.mac_at, security.mac)
        ):
            self._clock.hear(security.stamp, now)

    def _receive_plain(self, received: Message, sent: _Sent, now: float) -> Outcome:
        pdu = message.decode_scoped(received.payload).pdu
        engine_id = received.security.engine_id
        if pdu.type is PduType.REPORT:
            hint = _hint(pdu)
            if sent.probe and hint is Reason.UNKNOWN_ENGINE:
                if not self._engine_id and 5 <= len(engine_id) <= usm.MAX_ENGINE_ID_OCTETS:
                    self._know(engine_id)
                if engine_id and engine_id == self._engine_id:
                    return self._follow_up(received, sent, now, Reason.UNKNOWN_ENGINE)
            return Ignored(hint)
        if sent.probe or self._user.level is not Level.NO_AUTH_NO_PRIV:
            return Ignored(Reason.BELOW_LEVEL)
        return self._answer(received, sent, pdu)

    def _receive_authentic(
        self, datagram: bytes, received: Message, sent: _Sent, now: float
    ) -> Outcome:
        security = received.security
        if security.engine_id != self._engine_id:
            return Ignored(Reason.OTHER_ENGINE)
        if security.user != self._user.name:
            return Ignored(Reason.OTHER_USER)
        if not self._user.verifies(datagram, received.mac_at, security.mac):
            return Ignored(Reason.BAD_DIGEST)
        if not self._clock.hear(security.stamp, now):
            return Ignored(Reason.STALE)
        if received.level > self._user.level:
            return Ignored(Reason.MALFORMED)  # encrypted with a key that we never had
        pdu = message.decode_scoped(message.decrypt(received, self._user)).pdu
        if pdu.type is PduType.REPORT:
            hint = _hint(pdu)
            if hint is Reason.NOT_IN_WINDOW:
                return self._follow_up(received, sent, now, hint)
            return Ignored(hint)
        if received.level < self._user.level:
            return Ignored(Reason.BELOW_LEVEL)
        if self._pinned and not sent.boots:
            # What is stamped 0, 0 is refused, never answered: this was said to an earlier client,
            # whose message IDs may have been the same. (Some devices' own boots stay 0.)
            return Ignored(Reason.STALE)
        return self._answer(received, sent, pdu)

    def _answer(self, received: Message, sent: _Sent, pdu: Pdu) -> Outcome:
        if received.security.engine_id != self._engine_id:
            return Ignored(Reason.OTHER_ENGINE)
        if received.security.user != self._user.name:
            return Ignored(Reason.OTHER_USER)
        if pdu.type is not PduType.RESPONSE:
            return Ignored(Reason.WRONG_PDU)
        if pdu.request_id != sent.request_id:
            return Ignored(Reason.UNEXPECTED)
        self.forget(sent.request_id)
        return Answered(pdu, sent.at)

    def _follow_up(self, received: Message, sent: _Sent, now: float, reason: Reason) -> Outcome:
        # One Report draws one datagram, so a duplicated one draws no second.
        del self._sent[received.msg_id]
        if sent.follow_ups >= _MAX_FOLLOW_UPS:
            return Ignored(reason)
        request = self._requests[sent.request_id]
        request.msg_ids.remove(received.msg_id)
        if sent.boots != request.boots == self._clock.at(now).boots:
            # It has gone out by the right clock since: what was sent before it is settled.
            return Ignored(Reason.UNEXPECTED)
        again = self._transmit(request, now, sent.follow_ups + 1)
        return Transmit(again, sent.request_id, sent.at)

    def _know(self, engine_id: bytes) -> None:
        self._engine_id = engine_id
        self._user = UsmUser.from_ku(*self._credentials, engine_id)

    def _transmit(self, request: _Request, now: float, follow_ups: int = 0) -> bytes:
        probe = not self._engine_id
        pdu = Pdu(PduType.GET, request.pdu.request_id) if probe else request.pdu
        self._counter = (self._counter + 1) % 2**64
        msg_id = (self._counter - self._first_id) % 2**31
        stamp = self._clock.at(now)
        datagram = message.encode(
            message.encode_scoped(ScopedPdu(self._engine_id, self._context_name, pdu)),
            msg_id=msg_id,
            user=self._user,
            level=self._user.level,
            engine_id=self._engine_id,
            stamp=stamp,
            salt=self._counter.to_bytes(usm.SALT_OCTETS, "big"),
            reportable=True,
        )
        self._sent[msg_id] = _Sent(pdu.request_id, now, probe, follow_ups, stamp.boots)
        request.boots = stamp.boots
        request.msg_ids.append(msg_id)
        if len(request.msg_ids) > _MAX_TRANSMISSIONS:
            self._sent.pop(request.msg_ids.pop(0), None)
        return datagram


Client = CommunityClient | UsmClient


def community_trap(community: str, pdu: Pdu) -> bytes:
    """Return a datagram of SNMPv2c that carries a TRAP; nobody answers it.

    Raises:
        ValueError: if the PDU is no TRAP, or cannot be encoded.
    """
    _demand_trap(pdu)
    return message.encode_community(community.encode(), pdu)


def usm_trap(
    user: UsmUser, engine_id: bytes, engine_time: EngineTime, pdu: Pdu, *, msg_id: int, salt: bytes
) -> bytes:
    """Return a datagram of SNMPv3 that carries a TRAP; nobody answers it.

    Of a trap the sender is authoritative: engine ID and time are our own, and `user` has keys
    localised to that engine ID. The salt's 8 octets must not repeat within a second.

    Raises:
        ValueError: if the PDU is no TRAP, or cannot be encoded.
    """
    _demand_trap(pdu)
    return message.encode(
        message.encode_scoped(ScopedPdu(engine_id, b"", pdu)),
        msg_id=msg_id,
        user=user,
        level=user.level,
        engine_id=engine_id,
        stamp=engine_time,
        salt=salt,
        reportable=False,
    )


def _hint(report: Pdu) -> Reason:
    names = [varbind.oid for varbind in report.varbinds]
    return _HINT_OF.get(names[0], Reason.OTHER_REPORT) if names else Reason.OTHER_REPORT


def _demand_confirmed(pdu: Pdu) -> None:
    if pdu.type not in CONFIRMED:
        raise ValueError(f"nobody answers a {pdu.type.name}")


def _demand_trap(pdu: Pdu) -> None:
    if pdu.type is not PduType.TRAP:
        raise ValueError(f"a {pdu.type.name} is no trap")


def _drop_oldest(waiting: dict[int, Pdu]) -> None:
    if len(waiting) >= MAX_OUTSTANDING:
        del waiting[next(iter(waiting))]
