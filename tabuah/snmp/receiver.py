"""The side that receives informs: it proves who sent them, and says what to answer.

Of an inform the receiver is the authoritative engine: its ID, boots and time are in every
message, and its keys are localised to its own ID. `Receiver.receive` opens a datagram in the
order of RFC 3414 section 3.2; `Receiver.answer` makes the Response, once the caller has the
inform on disk.

What is refused is counted, and mostly answered by a Report (see `reporting`). Reports to what
proved nothing are rationed by source, those to what is authentic by user (see `policer`): whoever
has recorded an inform can send it again, from any address.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from tabuah.errors import DecodeError
from tabuah.snmp import ber, message, reporting, usm
from tabuah.snmp.message import Message, Scope
from tabuah.snmp.pdu import Pdu, PduType, VarBind, decode_bindings, open_pdu
from tabuah.snmp.policer import Policer, Rate
from tabuah.snmp.usm import NOBODY, EngineTime, Level, Stat, UsmUser

EACH_USER: Final = Rate(per_second=2, burst=10)
"""Reports to one user's authentic messages: an office needs one, again when it is lost."""
ALL_USERS: Final = Rate(per_second=1e6, burst=1e6)
"""After a restart of ours all offices need theirs at once."""
MOST_USERS: Final = 200_000

Keys = Callable[[str], UsmUser | None]
"""The user of that name, with keys localised to the receiver's engine ID; None = unknown."""
Own = Callable[[bytes, int], bytes | None]
"""What the caller wants of bindings (octets, and where in them they begin) that it can read by
itself; None = they are to be decoded."""


class Reason(Enum):
    """Why a datagram was refused. The value is the word in metrics."""

    MALFORMED = "malformed"
    WRONG_VERSION = "wrong_version"
    """SNMPv1 or SNMPv2c, which prove nothing."""
    UNKNOWN_ENGINE = "unknown_engine"
    """Meant for another engine, or a probe for our engine ID."""
    UNKNOWN_USER = "unknown_user"
    UNSUPPORTED_LEVEL = "unsupported_level"
    """Not authenticated, or in plain where the user has a privacy key."""
    WRONG_DIGEST = "wrong_digest"
    NOT_IN_WINDOW = "not_in_window"
    """Authentic, but a replay, or from a sender that does not know our time: see `resync`."""
    DECRYPTION = "decryption"
    WRONG_PDU = "wrong_pdu"
    """Authentic, but no inform."""


STAT_OF: Final[dict[Reason, Stat]] = {
    Reason.UNKNOWN_ENGINE: Stat.UNKNOWN_ENGINE_IDS,
    Reason.UNKNOWN_USER: Stat.UNKNOWN_USER_NAMES,
    Reason.UNSUPPORTED_LEVEL: Stat.UNSUPPORTED_LEVELS,
    Reason.WRONG_DIGEST: Stat.WRONG_DIGESTS,
    Reason.NOT_IN_WINDOW: Stat.NOT_IN_TIME_WINDOWS,
    Reason.DECRYPTION: Stat.DECRYPTION_ERRORS,
}
"""The counter of usmStats in which a refusal counts; the other reasons have none."""


class Inform(NamedTuple):
    """An authentic inform, not answered yet."""

    user: UsmUser
    msg_id: int
    level: Level
    max_size: int
    """What the sender can receive, in octets."""
    scope: Scope
    scoped: bytes
    """The scoped PDU's octets, in plain."""
    request_id: int
    error_status: int
    error_index: int
    own: bytes | None
    """What `Own` made of the bindings."""
    varbinds: tuple[VarBind, ...]
    """Decoded where `own` is None, else empty."""

    @property
    def pdu(self) -> Pdu:
        """The PDU, as far as its bindings were decoded."""
        head = (self.request_id, self.error_status, self.error_index)
        return Pdu(PduType.INFORM, *head, self.varbinds)


@dataclass(frozen=True, slots=True)
class Refused:
    """A datagram that was not accepted, and the Report to send back, if any."""

    reason: Reason
    reply: bytes | None = None
    resync: bool = False
    """Not in window because the sender has not yet heard of this start of ours: its first contact,
    or its first since. (A recording from before our start looks the same.)"""
    claimed: str = ""
    """The user that it names: anyone's word, as far as it could be read."""


_RESPONSE: Final = int(PduType.RESPONSE)
_NO_INDEX_NO_BINDINGS: Final = ber.integer(0) + ber.tlv(ber.SEQUENCE, b"")


@lru_cache(maxsize=32)
def _outcome(error_status: int) -> bytes:
    """Return what follows a response's request ID."""
    return ber.integer(error_status) + _NO_INDEX_NO_BINDINGS


@dataclass(frozen=True, slots=True)
class _Arrival:
    received: Message
    size: int
    engine_time: EngineTime
    now: float
    source: str


class Receiver:
    """The authoritative engine of our informs."""

    def __init__(
        self,
        engine_id: bytes,
        keys: Keys,
        *,
        own: Own = lambda _, __: None,
        policer: Policer | None = None,
        seed: int | None = None,
    ) -> None:
        """Prepare to receive.

        Args:
            engine_id: ours, 5 to 32 octets; of at most 16, net-snmp's 64-octet probe can be
                answered within its size and a half.
            keys: looks a user up; called for each datagram that names our engine.
            own: reads bindings of the caller's own, so that they need not be decoded.
            policer: rations the Reports to the unauthenticated.
            seed: where salts begin; drawn at random, but for tests.

        Raises:
            ValueError: if the engine ID has a wrong size.
        """
        if not 5 <= len(engine_id) <= usm.MAX_ENGINE_ID_OCTETS:
            raise ValueError("an engine ID has 5 to 32 octets (RFC 3411)")
        self._engine_id = engine_id
        self._keys = keys
        self._own = own
        self._policer = Policer() if policer is None else policer
        self._users = Policer(EACH_USER, ALL_USERS, MOST_USERS)
        self._salt = secrets.randbits(64) if seed is None else seed
        self.refused: dict[Reason, int] = dict.fromkeys(Reason, 0)
        """Datagrams refused since the start, by reason; those of RFC 3414 are its usmStats."""
        self.unreported = 0
        """Reports withheld: too many, or too large."""

    def receive(
        self, datagram: bytes, engine_time: EngineTime, now: float, source: str = ""
    ) -> Inform | Refused:
        """Return the inform that the datagram is, or why it is refused.

        Args:
            datagram: as it came.
            engine_time: our own boots, and seconds since.
            now: monotonic seconds, for the ration of Reports.
            source: the sender's address, for the same; empty puts all in one bucket.
        """
        try:
            received = message.decode(datagram)
        except DecodeError:
            return self._refuse(_unreadable(datagram))
        reason, user = self._judge(datagram, received, engine_time)
        if reason is not None:
            arrival = _Arrival(received, len(datagram), engine_time, now, source)
            return self._refuse(reason, arrival, user)
        try:
            scoped = message.decrypt(received, user)
            scope = message.open_scope(scoped)
        except DecodeError:
            arrival = _Arrival(received, len(datagram), engine_time, now, source)
            private = received.level is Level.AUTH_PRIV
            return self._refuse(Reason.DECRYPTION if private else Reason.MALFORMED, arrival)
        try:
            kind, request_id, error_status, error_index, at = open_pdu(scoped, scope.pdu_at)
            own = self._own(scoped, at)
            varbinds = decode_bindings(scoped, at) if own is None else ()
        except DecodeError:
            return self._refuse(Reason.MALFORMED)
        if kind is not PduType.INFORM:
            return self._refuse(Reason.WRONG_PDU)
        return Inform(
            user,
            received.msg_id,
            received.level,
            received.max_size,
            scope,
            scoped,
            request_id,
            error_status,
            error_index,
            own,
            varbinds,
        )

    def refuse(self, inform: Inform, engine_time: EngineTime, error_status: int) -> bytes:
        """Return the Response that says why the inform is not taken (RFC 3416 section 3)."""
        context = inform.scoped[_context_at(inform.scoped) : inform.scope.pdu_at]
        pdu = ber.integer(inform.request_id) + _outcome(error_status)
        scoped = ber.tlv(ber.SEQUENCE, context + ber.tlv(_RESPONSE, pdu))
        return self._respond(inform, scoped, engine_time)

    def answer(self, inform: Inform, engine_time: EngineTime, *, echo: bool) -> bytes:
        """Return the Response that acknowledges the inform.

        With `echo` it repeats the variables, as RFC 3416 section 4.2.7 asks; without, or if the
        sender cannot receive so much, it has none.
        """
        if echo and not (inform.error_status or inform.error_index):
            # The same scoped PDU with its tag turned: nothing needs encoding.
            at = inform.scope.pdu_at
            scoped = inform.scoped[:at] + bytes((PduType.RESPONSE,)) + inform.scoped[at + 1 :]
            datagram = self._respond(inform, scoped, engine_time)
            if len(datagram) <= inform.max_size:
                return datagram
        return self.refuse(inform, engine_time, 0)

    def _judge(
        self, datagram: bytes, received: Message, engine_time: EngineTime
    ) -> tuple[Reason | None, UsmUser]:
        security = received.security
        if security.engine_id != self._engine_id:
            return Reason.UNKNOWN_ENGINE, NOBODY
        user = self._keys(security.user)
        if user is None:
            return Reason.UNKNOWN_USER, NOBODY
        if not received.level or received.level is not user.level:
            return Reason.UNSUPPORTED_LEVEL, user
        if not user.verifies(datagram, received.mac_at, security.mac):
            return Reason.WRONG_DIGEST, user
        if not engine_time.accepts(security.stamp):
            return Reason.NOT_IN_WINDOW, user
        return None, user

    def _refuse(
        self, reason: Reason, arrival: _Arrival | None = None, user: UsmUser = NOBODY
    ) -> Refused:
        self.refused[reason] += 1
        stat = STAT_OF.get(reason)
        if arrival is None or stat is None or not reporting.wanted(arrival.received):
            late = arrival is not None and _resync(reason, arrival.received, arrival.engine_time)
            claimed = "" if arrival is None else arrival.received.security.user
            return Refused(reason, resync=late, claimed=claimed)
        received, stamp, count = arrival.received, arrival.engine_time, self.refused[reason]
        most = reporting.most_octets(received, arrival.size)
        reply = None
        if reason is Reason.NOT_IN_WINDOW:
            if self._users.allows(user.name, arrival.now):
                reply = reporting.authentic(
                    received, stat, count, user=user, stamp=stamp, most=most
                )
        elif self._policer.allows(arrival.source, arrival.now):
            reply = reporting.plain(
                received, stat, count, engine_id=self._engine_id, stamp=stamp, most=most
            )
        self.unreported += reply is None
        resync = _resync(reason, received, stamp)
        return Refused(reason, reply, resync=resync, claimed=received.security.user)

    def _respond(self, inform: Inform, scoped: bytes, engine_time: EngineTime) -> bytes:
        self._salt = (self._salt + 1) % 2**64
        return message.encode(
            scoped,
            msg_id=inform.msg_id,
            user=inform.user,
            level=inform.level,
            engine_id=self._engine_id,
            stamp=engine_time,
            salt=self._salt.to_bytes(usm.SALT_OCTETS, "big"),
            reportable=False,
        )


def _unreadable(datagram: bytes) -> Reason:
    """Return why a datagram that is no message of SNMPv3 is refused."""
    try:
        other = message.version(datagram) != message.V3
    except DecodeError:
        other = False
    return Reason.WRONG_VERSION if other else Reason.MALFORMED


def _context_at(scoped: bytes) -> int:
    return 2 if scoped[1] < 0x80 else 2 + (scoped[1] & 0x7F)


def _resync(reason: Reason, received: Message, engine_time: EngineTime) -> bool:
    stamp = received.security.stamp
    first = stamp == EngineTime(0, 0)
    return reason is Reason.NOT_IN_WINDOW and (first or stamp.boots < engine_time.boots)
