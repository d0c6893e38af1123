"""What leaves next, and when: the decisions of the report path, without socket, clock or disk.

Two lanes. The *live* lane carries the newest report: it goes out when it is made, and again
every `max(0.5 s, 1.5 x smoothed RTT)` until it is acknowledged or a newer one takes its
place. The *history* lane carries what the spool holds, oldest first, and only while the live
lane is being answered: on a dead line it is silent.

A report is *kept* (written to the spool, fsynced) when it has gone unanswered for `KEEP_AFTER`,
or is overtaken: a healthy line writes nothing to flash, and a killed agent loses one report.

The edge (`agent.sender`) asks `next(now)` until it is told to wait:

    Send(flight)     transmit it (again), then tell `sent`
    Keep(flight)     write its report to the spool
    Load(limit)      read the oldest kept reports, at most `limit` octets; then tell `loaded`
    Discard(flight)  its reports are acknowledged: take them out of the spool
    Cycle()          the first answer after a gap: measure and report now
    Wait(until)      nothing before that time, unless something is offered or answered
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabuah.block import Packed

KEEP_AFTER: Final = 3.0
"""Seconds without an answer after which a live report is written to flash."""
RETRY_LEAST: Final = 0.5
RETRY_UNKNOWN: Final = 1.0
"""Seconds between tries until a round trip is known (RFC 6298 2.1)."""
BLOCK_MOST: Final = 900
"""Octets of history in one inform: with SNMP's own at most 1,200 of UDP payload."""
BLOCK_LEAST: Final = 225
"""Halving stops here; a single report goes out whatever its size."""
LOAD_AGAIN_AFTER: Final = 10.0
"""Seconds after which a spool that could not be read is asked again."""
HALVE_AFTER: Final = 2
"""Unanswered tries of a large inform after which smaller ones are tried."""


@dataclass(slots=True, eq=False)
class Flight:
    """Reports on their way in one inform."""

    reports: tuple[Packed, ...]
    history: bool
    request_id: int = 0
    """Given by the edge at the first transmission."""
    first_sent: float = 0.0
    last_sent: float = 0.0
    tries: int = 0
    kept: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Transmit these reports."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Keep:
    """Write this live report to the spool."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Load:
    """Read the oldest kept reports: at least one, else at most `limit` octets."""

    limit: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Take these acknowledged reports out of the spool."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Cycle:
    """Make a report now, out of turn."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`; None = before something happens."""

    until: float | None


Step = Send | Keep | Load | Discard | Cycle | Wait


@dataclass(slots=True)
class Courier:
    """The state of both lanes. All times are of one monotonic clock, in seconds."""

    backlog: int = 0
    """Reports in the spool that nobody has acknowledged."""
    srtt_s: float | None = None
    """Smoothed round trip (RFC 6298, alpha 1/8)."""
    _live: Flight | None = None
    _batch: Flight | None = None
    _loading: bool = False
    _load_after: float = 0.0
    _block_limit: int = BLOCK_MOST
    _alive: bool = False
    """The newest report that had its time was answered."""
    _missed: bool = False
    """A report was overtaken unanswered: the next answer ends a gap."""
    _steps: deque[Step] = field(default_factory=deque)

    @property
    def retry_s(self) -> float:
        """Seconds between tries."""
        if self.srtt_s is None:
            return RETRY_UNKNOWN
        return max(RETRY_LEAST, 1.5 * self.srtt_s)

    @property
    def live_pending(self) -> bool:
        """Whether the newest report still waits for its answer."""
        return self._live is not None

    def offer(self, report: Packed) -> Flight | None:
        """Take a new live report; return the one before, if unanswered: it becomes history."""
        overtaken = self._live
        if overtaken is not None:
            self._alive = False
            self._missed = True
            self._keep(overtaken)
        self._live = Flight((report,), history=False)
        return overtaken

    def sent(self, flight: Flight, now: float) -> None:
        """Note a transmission."""
        if flight.tries == 0:
            flight.first_sent = now
        flight.tries += 1
        flight.last_sent = now

    def loaded(self, reports: Sequence[Packed]) -> None:
        """Take what the spool gave for `Load`; nothing means that it is empty."""
        self._loading = False
        if reports:
            self._batch = Flight(tuple(reports), history=True, kept=True)
        else:
            self.backlog = 0

    def load_failed(self, now: float) -> None:
        """Note that the spool could not be read; it is asked again, but not at once."""
        self._loading = False
        self._load_after = now + LOAD_AGAIN_AFTER

    def refused(self, request_id: int) -> None:
        """Note that a flight was answered, but not taken: it goes out again as a new request.

        The first time at once: the line is well. After that at the pace of retries, lest two ends
        that do not agree keep it busy.
        """
        for flight in (self._live, self._batch):
            if flight is not None and flight.request_id == request_id:
                flight.request_id = 0
                if not flight.refused:
                    flight.refused = True
                    flight.last_sent = -math.inf

    def answered(self, request_id: int, round_trip_s: float) -> Flight | None:
        """Note an acknowledgement; return the flight, None if it is overtaken or unknown.

        Args:
            request_id: of the flight.
            round_trip_s: from the very transmission that was answered, be it a repeated one.
        """
        for flight in (self._live, self._batch):
            if flight is not None and flight.tries and flight.request_id == request_id:
                break
        else:
            return None
        self._measure(round_trip_s)
        if flight is self._live:
            self._live = None
            self._alive = True
        else:
            self._batch = None
            self._block_limit = min(BLOCK_MOST, self._block_limit * 2)
        if flight.kept:
            self.backlog = max(0, self.backlog - len(flight.reports))
            self._steps.append(Discard(flight))
        if self._missed:
            self._missed = False
            self._steps.append(Cycle())
        return flight

    def flush(self) -> None:
        """Keep the live report, if unanswered: the agent stops."""
        if self._live is not None:
            self._keep(self._live)

    def next(self, now: float) -> Step:
        """Return the next thing to do; call until `Wait`."""
        if self._steps:
            return self._steps.popleft()
        live, batch = self._live, self._batch
        if live is not None:
            if live.tries and now - live.first_sent >= KEEP_AFTER and not live.kept:
                self._keep(live)
                return self._steps.popleft()
            if self._due(live, now):
                return Send(live)
        if self._line_answers(now):
            if batch is not None and self._due(batch, now):
                if batch.tries < HALVE_AFTER or len(batch.reports) == 1:
                    return Send(batch)
                # Large datagrams may be what this line loses: load fewer of the same reports.
                self._block_limit = max(BLOCK_LEAST, self._block_limit // 2)
                self._batch = None
            ready = not self._loading and now >= self._load_after
            if self._batch is None and self.backlog and ready:
                self._loading = True
                return Load(self._block_limit)
        return Wait(self._wake(now))

    def _keep(self, flight: Flight) -> None:
        if not flight.kept:
            flight.kept = True
            self.backlog += len(flight.reports)
            self._steps.append(Keep(flight))

    def _due(self, flight: Flight, now: float) -> bool:
        return flight.tries == 0 or now >= flight.last_sent + self.retry_s

    def _line_answers(self, now: float) -> bool:
        """Whether the live lane is answered; one that is out for two retries no longer is."""
        live = self._live
        waiting = live is not None and live.tries and now >= live.first_sent + 2 * self.retry_s
        return self._alive and not waiting

    def _wake(self, now: float) -> float | None:
        times = []
        if self._live is not None:
            times.append(self._live.last_sent + self.retry_s)
            if not self._live.kept:
                times.append(self._live.first_sent + KEEP_AFTER)
        if self._batch is not None and self._line_answers(now):
            times.append(self._batch.last_sent + self.retry_s)
        if self.backlog and now < self._load_after:
            times.append(self._load_after)
        return min(times, default=None)

    def _measure(self, round_trip_s: float) -> None:
        if self.srtt_s is None:
            self.srtt_s = round_trip_s
        else:
            self.srtt_s += (round_trip_s - self.srtt_s) / 8
