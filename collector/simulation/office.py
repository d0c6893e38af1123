"""One simulated office: what it reports, keeps, and sends when. Pure: it is told the time.

It keeps to what an agent does (`agent.courier`, which no program may import but the agent): two
lanes, retries, reports upon the last one that was acknowledged, history within its share of the
line and as many informs of it under way as acknowledgements come back. It leaves out what only
matters on a real host: nothing is written to a disk, and its report says that all is well.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from collector.simulation import sample
from collector.simulation.sample import Moment
from tabuah import notification
from tabuah.report import Occasion, ReportId
from tabuah.snmp.pdu import Pdu, PduType

if TYPE_CHECKING:
    from tabuah.block import Packed
    from tabuah.snmp.usm import UsmUser

RETRY_LEAST_S: Final = 0.5
RETRY_UNKNOWN_S: Final = 1.0
RETRY_UNKNOWN_MOST_S: Final = 8.0
"""Until a round trip is known, each retry waits twice as long as the one before."""
KEEP_AFTER_S: Final = 3.0
"""An unanswered report that is older survives a power cut: it is in the spool."""
HISTORY_OCTETS: Final = 2_400
"""Of packed reports in one inform; they deflate to a third."""
WINDOW_MOST: Final = 8
RETURN_SPREAD_S: Final = 2.0
"""History begins within so many seconds after a return, each office at a moment of its own."""
HISTORY_OCTETS_PER_S: Final = 12_500
"""A tenth of an uplink of 1 Mbit/s, what an agent takes of a line whose speed nobody wrote down."""
BURST_S: Final = 1.0
"""So much of it may leave at once."""
BOOTED_S: Final = 30.0
"""An office's uptime when it begins."""


@dataclass(frozen=True, slots=True)
class Boot:
    """One life of an office's machine, and the agent's epoch in it."""

    id: bytes
    epoch: int
    began: float
    """Monotonic seconds."""
    wall_ahead_s: float
    """Its wall clock minus the monotonic one."""
    dark: bool = False
    """The power was away before it, for the router too."""


@dataclass(slots=True, eq=False)
class Flight:
    """Reports on their way in one inform."""

    reports: tuple[Packed, ...]
    history: bool
    request_id: int
    base: Packed | None = None
    """What the live report rests on, as it was encoded last."""
    first_sent: float = 0.0
    last_sent: float = -math.inf
    tries: int = 0
    declined: bool = False
    boots: int = 0
    """Of the collector's clock as its last datagram was stamped; 0 = it was not known."""
    msg_ids: list[int] = field(default_factory=list)
    """Of its datagrams, whose answers still count."""


@dataclass(slots=True)
class _Past:
    """What was in the spool at the start; made when it is sent, for it may be millions."""

    boot: Boot
    began: float
    left: int = 0
    seq: int = 0


class Office:
    """The state of one office. All times are of one monotonic clock, in seconds."""

    __slots__ = (
        "_alive", "_base", "_batches", "_boot", "_draw", "_history_after", "_interval_s", "_kept",
        "_paced_until", "_past", "_request_id", "_seq", "_srtt_s", "_unheard", "_window",
        "alarm", "heard", "knows_time", "live", "missed", "number", "powered", "site", "user",
    )  # fmt: skip

    def __init__(
        self, number: int, site: str, user: UsmUser, boot: Boot, *, interval_s: float, draw: float
    ) -> None:
        """Begin.

        Args:
            number: among the simulated ones, from 0.
            site: its code.
            user: its keys.
            boot: its machine's life.
            interval_s: between its reports.
            draw: from 0 to 1, where in RETURN_SPREAD_S its history begins.
        """
        self.number = number
        self.site = site
        self.user = user
        self.live: Flight | None = None
        self.knows_time = False
        """Whether it has heard the collector's clock since it booted."""
        self.powered = True
        self.heard = False
        """Whether a live report was acknowledged since it booted."""
        self.missed = False
        """A report was overtaken unanswered: the next answer ends a gap."""
        self.alarm = math.inf
        """When the driver will look at it next."""
        self._interval_s = interval_s
        self._draw = draw
        self._boot = boot
        self._seq = 0
        self._request_id = 0
        self._base: Packed | None = None
        self._srtt_s: float | None = None
        self._unheard = 0
        self._alive = False
        self._kept: deque[Packed] = deque()
        self._past = _Past(boot, 0.0)
        self._batches: list[Flight] = []
        self._window = 1
        self._history_after = 0.0
        self._paced_until = 0.0

    @property
    def retry_s(self) -> float:
        """Seconds between tries."""
        if self._srtt_s is None:
            return min(RETRY_UNKNOWN_S * 2.0**self._unheard, RETRY_UNKNOWN_MOST_S)
        return max(RETRY_LEAST_S, 1.5 * self._srtt_s)

    @property
    def backlog(self) -> int:
        """How many reports wait in its spool, those under way not among them."""
        return self._past.left + len(self._kept)

    @property
    def base(self) -> Packed | None:
        """What the next live report may rest on: the last one that was acknowledged."""
        return self._base

    # --- what happens at the office -----------------------------------------------------

    def fill(self, reports: int, began: float) -> None:
        """Have so many reports in the spool, one each interval from `began` on, of this boot."""
        self._past = _Past(self._boot, began, reports)
        self._seq += reports

    def cycle(self, now: float, occasion: Occasion = Occasion.CYCLE) -> Packed:
        """Return a new report."""
        self._seq += 1
        srtt_ms = round((self._srtt_s or 0.0) * 1000)
        id_ = ReportId(self.site, self._boot.epoch, self._seq)
        return sample.packed(id_, self._boot.id, self._moment(self._boot, now, srtt_ms), occasion)

    def flight(self, made: Packed) -> Flight:
        """Return a live report ready to be sent, then or later."""
        return Flight((made,), history=False, request_id=self._next_id())

    def offer(self, flight: Flight) -> Flight | None:
        """Take a new report as the live one; return the one before, if it becomes history."""
        overtaken = self.live
        if overtaken is not None:
            self._kept.extend(overtaken.reports)
            self._alive = False
            self.missed = True
            # The collector may hold it, and let go of what was acknowledged before it.
            self._base = None
        self.live = flight
        return overtaken

    def lose_power(self, now: float) -> tuple[list[Flight], int]:
        """Stop; return the flights that nobody will answer, and how many reports are lost."""
        flights, lost = list(self._batches), 0
        for batch in reversed(self._batches):
            self._kept.extendleft(reversed(batch.reports))
        if self.live is not None:
            flights.append(self.live)
            if self.live.tries and now - self.live.first_sent >= KEEP_AFTER_S:
                self._kept.extend(self.live.reports)
            else:
                lost = 1
        self._batches, self.live, self.powered = [], None, False
        return flights, lost

    def boot(self, boot: Boot) -> None:
        """Begin anew: what is in the spool is all that is left of before."""
        self._boot = boot
        self._seq = 0
        self._base = self._srtt_s = None
        self._unheard = 0
        self._alive = self.missed = self.knows_time = self.heard = False
        self.powered = True

    # --- what leaves ----------------------------------------------------------------------

    def next(self, now: float) -> Flight | None:
        """Return what is to be sent now (again); None = nothing before `wake`."""
        live = self.live
        if live is not None and now >= live.last_sent + self.retry_s:
            return live
        if not self._line_answers(now) or now < max(self._history_after, self._paced_until):
            return None
        for batch in self._batches:
            if now >= batch.last_sent + self.retry_s:
                return batch
        return self._load() if len(self._batches) < self._window and self.backlog else None

    def wake(self, now: float) -> float:
        """Return when to ask `next` again, unless something happens before; infinity = never."""
        at = math.inf if self.live is None else self.live.last_sent + self.retry_s
        if self._line_answers(now):
            begin = max(self._history_after, self._paced_until)
            for batch in self._batches:
                at = min(at, max(begin, batch.last_sent + self.retry_s))
            if self.backlog and len(self._batches) < self._window:
                at = min(at, begin)
        return at

    def sent(self, flight: Flight, now: float, octets: int) -> None:
        """Note a transmission of so many octets of IP."""
        if flight.tries == 0:
            flight.first_sent = now
        elif flight.history:
            self._window = max(1, self._window // 2)
        elif self._srtt_s is None:
            self._unheard = min(self._unheard + 1, 3)
        flight.tries += 1
        flight.last_sent = now
        self._paced_until = max(self._paced_until, now - BURST_S) + octets / HISTORY_OCTETS_PER_S

    def pdu(self, flight: Flight) -> Pdu:
        """Return the inform of a flight; a live one rests on what was acknowledged last."""
        flight.base = None if flight.history else self._base
        first = flight.reports[0]
        binds = notification.varbinds(
            self.site,
            first.uptime_ms,
            sample.facts(first.epoch % sample.VARIANTS, first.seq),
            flight.reports,
            history=flight.history,
            base=flight.base,
        )
        return Pdu(PduType.INFORM, flight.request_id, varbinds=binds)

    def presume(self, made: Packed | None) -> None:
        """Let the next report rest on this one, as if it had been acknowledged."""
        self._base = made

    # --- what comes back --------------------------------------------------------------------

    def acknowledged(self, flight: Flight, round_trip_s: float, now: float) -> bool:
        """Note that a flight's reports are stored; return False if it is overtaken or known."""
        if flight is not self.live and flight not in self._batches:
            return False
        if self._srtt_s is None:
            self._srtt_s = round_trip_s
        else:
            self._srtt_s += (round_trip_s - self._srtt_s) / 8
        if flight is self.live:
            self.live = None
            self._base = flight.reports[0]
            if not self._alive:
                self._alive = True
                self._window = 1
                self._history_after = now + RETURN_SPREAD_S * self._draw
        else:
            self._batches.remove(flight)
            self._window = min(WINDOW_MOST, self._window + 1)
        return True

    def told(self, round_trip_s: float) -> None:
        """Note that the collector has told its time: a round trip, if none is known."""
        self.knows_time = True
        if self._srtt_s is None:
            self._srtt_s = round_trip_s

    def declined(self, flight: Flight) -> bool:
        """Note that a flight is to be sent whole; return False if it is overtaken or known.

        The first time at once, then at the pace of retries.
        """
        if flight is not self.live and flight not in self._batches:
            return False
        self._base = None
        flight.request_id = self._next_id()
        if not flight.declined:
            flight.declined = True
            flight.last_sent = -math.inf
        return True

    # --- its own ----------------------------------------------------------------------------

    def _line_answers(self, now: float) -> bool:
        """Whether live reports are answered; one that is out for two retries no longer is."""
        live = self.live
        waiting = live is not None and live.tries and now >= live.first_sent + 2 * self.retry_s
        return self._alive and not waiting

    def _load(self) -> Flight:
        reports: list[Packed] = []
        octets = 0
        while self.backlog and (not reports or octets < HISTORY_OCTETS):
            reports.append(self._oldest())
            octets += len(reports[-1].octets)
        batch = Flight(tuple(reports), history=True, request_id=self._next_id())
        self._batches.append(batch)
        return batch

    def _oldest(self) -> Packed:
        past = self._past
        # What came back from a flight that a power cut ended is older than what is not made yet.
        if not past.left or (self._kept and self._kept[0].epoch == past.boot.epoch):
            return self._kept.popleft()
        at = past.began + past.seq * self._interval_s
        past.seq += 1
        past.left -= 1
        id_ = ReportId(self.site, past.boot.epoch, past.seq)
        return sample.packed(id_, past.boot.id, self._moment(past.boot, at), Occasion.CYCLE)

    def _moment(self, boot: Boot, at: float, srtt_ms: int = 0) -> Moment:
        return Moment(
            wall_ms=max(0, round((at + boot.wall_ahead_s) * 1000)),
            uptime_ms=max(0, round((at - boot.began) * 1000)),
            interval_ms=round(self._interval_s * 1000),
            srtt_ms=srtt_ms,
            backlog=self.backlog,
            dark=boot.dark,
        )

    def _next_id(self) -> int:
        self._request_id += 1
        return self._request_id
