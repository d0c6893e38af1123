"""What leaves next, and when: the decisions of the report path, without socket, clock or disk.

Two lanes. The *live* lane carries the newest report: it goes out when it is made, and again
every `max(0.5 s, 1.5 x smoothed RTT)` until it is acknowledged or a newer one takes its
place; before anything was ever heard, after 1, 2, 4 and 8 s. The *history* lane carries what
the spool holds, oldest first, many reports in one inform and several informs at once, beside the
live lane and only while that one is being answered: on a dead line it is silent. It takes a share
of the line and no more (`agent.pacing`), has as many informs under way as acknowledgements come
back, and begins after a return at a moment of its own, lest ten thousand offices that return
together speak at once.

A report is *kept* (written to the spool, fsynced) when it has gone unanswered for `KEEP_AFTER`,
or is overtaken: a healthy line writes nothing to flash, and a killed agent loses one report.

The edge (`agent.sender`) asks `next(now)` until it is told to wait:

    Send(flight)       transmit it (again), then tell `sent`
    Keep(flight)       write its report to the spool
    Load(limit, skip)  read the oldest kept reports but `skip`; then tell `loaded`
    Discard(flight)    its reports are acknowledged: take them out of the spool
    Forget(flight)     expect no answer to it any more: its reports will go another way
    Cycle()            the first answer after a gap: measure and report now
    Wait(until)        nothing before that time, unless something is offered or answered
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent.pacing import SHARE, Bucket, bucket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabuah.block import Packed

KEEP_AFTER: Final = 3.0
"""Seconds without an answer after which a live report is written to flash."""
RETRY_LEAST: Final = 0.5
RETRY_UNKNOWN: Final = 1.0
"""Seconds to the first retry until a round trip is known (RFC 6298 2.1)..."""
RETRY_UNKNOWN_MOST: Final = 8.0
"""... and to later ones, each twice as long: when the power returns, ten thousand agents speak at
once to one collector that must first tell each its time, and is not to be kept busy by retries."""
PAYLOAD_MOST: Final = 1_200
"""Octets of UDP payload of an inform that holds several reports."""
ENVELOPE_MOST: Final = 304
"""Octets of SNMP's own in it at most, without the office's name, which is in it twice."""
BLOCK_MOST: Final = 860
"""Octets of history in one inform, where nothing is known of the office's name."""
BLOCK_LEAST: Final = 215
"""Halving stops here; a single report goes out whatever its size."""
LOAD_AGAIN_AFTER: Final = 10.0
"""Seconds after which a spool that could not be read is asked again."""
HALVE_AFTER: Final = 2
"""Unanswered tries of a large inform after which smaller ones are tried."""
WINDOW_MOST: Final = 8
"""Informs of history under way at one time."""
RETURN_SPREAD_S: Final = 2.0
"""History begins again within so many seconds after a return, each office at its own moment."""


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
    unheard: int = 0
    """Tries since one as large, sent no sooner, was answered."""
    kept: bool = False
    refused: bool = False
    base: Packed | None = None
    """The report that the other end holds, and that this one was fitted upon."""


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
    """Read the oldest kept reports: at least one, else as many as make a block of `limit`."""

    limit: int
    skip: frozenset[tuple[int, int]] = frozenset()
    """Epoch and seq of those that are under way."""


@dataclass(frozen=True, slots=True)
class Discard:
    """Take these acknowledged reports out of the spool."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Forget:
    """Expect no answer to it any more."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Cycle:
    """Make a report now, out of turn."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`; None = before something happens."""

    until: float | None


Step = Send | Keep | Load | Discard | Forget | Cycle | Wait


def block_most(site: str) -> int:
    """Return how many octets of history an inform of that office has room for."""
    return PAYLOAD_MOST - ENVELOPE_MOST - 2 * len(site.encode())


@dataclass(slots=True)
class Courier:
    """The state of both lanes. All times are of one monotonic clock, in seconds."""

    draw: Callable[[], float] = lambda: 0.0
    """Gives a number from 0 to 1: where in `RETURN_SPREAD_S` history begins."""
    bucket: Bucket = field(default_factory=lambda: bucket(None, SHARE))
    """Of the circuit in use; the edge changes it with the circuit."""
    block_most: int = BLOCK_MOST
    """Octets of history in one inform: see `block_most`."""
    backlog: int = 0
    """Reports in the spool that nobody has acknowledged."""
    srtt_s: float | None = None
    """Smoothed round trip (RFC 6298, alpha 1/8)."""
    _unheard: int = 0
    """Retries while no round trip is known."""
    _live: Flight | None = None
    _batches: list[Flight] = field(default_factory=list)
    """History under way, oldest first."""
    _window: int = 1
    """How many of them there may be: one more with each acknowledgement, half after a loss."""
    _loading: bool = False
    _load_after: float = 0.0
    _history_after: float = 0.0
    _block_limit: int = 0
    """What it is now."""
    _alive: bool = False
    """The newest report that had its time was answered."""
    _missed: bool = False
    """A report was overtaken unanswered: the next answer ends a gap."""
    _steps: deque[Step] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Begin with the largest informs."""
        self._block_limit = self.block_most

    @property
    def retry_s(self) -> float:
        """Seconds between tries."""
        if self.srtt_s is None:
            return min(RETRY_UNKNOWN * 2.0**self._unheard, RETRY_UNKNOWN_MOST)
        return max(RETRY_LEAST, 1.5 * self.srtt_s)

    @property
    def live_pending(self) -> bool:
        """Whether the newest report still waits for its answer."""
        return self._live is not None

    @property
    def backlog_then(self) -> int:
        """What the backlog is once the next report is offered: one that it overtakes is kept."""
        overtaken = self._live is not None and not self._live.kept
        return self.backlog + overtaken

    def offer(self, report: Packed) -> Flight | None:
        """Take a new live report; return the one before, if unanswered: it becomes history."""
        overtaken = self._live
        if overtaken is not None:
            self._alive = False
            self._missed = True
            self._keep(overtaken)
        self._live = Flight((report,), history=False)
        return overtaken

    def sent(self, flight: Flight, now: float, octets: int) -> None:
        """Note a transmission, and what it takes of the line, in octets of IP."""
        if flight.tries == 0:
            flight.first_sent = now
        elif flight.history:
            self._window = max(1, self._window // 2)
        elif self.srtt_s is None:
            self._unheard = min(self._unheard + 1, 3)
        flight.tries += 1
        flight.unheard += 1
        flight.last_sent = now
        self.bucket.take(octets, now)

    def loaded(self, reports: Sequence[Packed], now: float, base: Packed | None = None) -> None:
        """Take what the spool gave for `Load`, fitted upon `base`; nothing means that is all."""
        self._loading = False
        if reports:
            self._batches.append(Flight(tuple(reports), history=True, kept=True, base=base))
        else:
            self.backlog = self._under_way()
            self._load_after = now + LOAD_AGAIN_AFTER

    def load_failed(self, now: float) -> None:
        """Note that the spool could not be read; it is asked again, but not at once."""
        self._loading = False
        self._load_after = now + LOAD_AGAIN_AFTER

    def told(self, round_trip_s: float) -> None:
        """Note that the centre, not knowing whether we are there, has told its time.

        That is no acknowledgement, but a round trip, if none is known.
        """
        if self.srtt_s is None:
            self.srtt_s = round_trip_s

    def refused(self, request_id: int) -> Flight | None:
        """Note that a flight was answered, but not taken; return it, None if it is unknown.

        A live report goes out again as a new request: the first time at once, for the line is
        well, after that at the pace of retries, lest two ends that do not agree keep it busy.
        History that does not rest on another report does the same; other history is read again.
        """
        flight = self._find(request_id)
        if flight is None:
            return None
        if flight.base is not None and flight.history:
            self._give_up(flight)
            return flight
        flight.request_id = 0
        if not flight.refused:
            flight.refused = True
            flight.last_sent = -math.inf
        return flight

    def answered(self, request_id: int, round_trip_s: float, now: float) -> Flight | None:
        """Note an acknowledgement; return the flight, None if it is overtaken or unknown.

        Args:
            request_id: of the flight.
            round_trip_s: from the very transmission that was answered, be it a repeated one.
            now: when it came.
        """
        flight = self._find(request_id)
        if flight is None:
            return None
        self._measure(round_trip_s)
        if flight is self._live:
            self._live = None
            if not self._alive:
                self._alive = True
                self._window = 1
                self._history_after = now + RETURN_SPREAD_S * self.draw()
        else:
            self._batches.remove(flight)
            self._window = min(WINDOW_MOST, self._window + 1)
            self._block_limit = min(self.block_most, self._block_limit * 2)
            for other in self._batches:
                if (
                    len(other.reports) <= len(flight.reports)
                    and other.last_sent <= flight.last_sent
                ):
                    other.unheard = 0  # it is lost by chance, not for its size
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
        live = self._live
        if live is not None:
            if live.tries and now - live.first_sent >= KEEP_AFTER and not live.kept:
                self._keep(live)
                return self._steps.popleft()
            if self._due(live, now):
                return Send(live)
        step = self._history(now) if self._line_answers(now) else None
        return Wait(self._wake(now)) if step is None else step

    def _history(self, now: float) -> Step | None:
        if now < self._history_after:
            return None
        if self.bucket.wait_s(now) <= 0:
            for batch in self._batches:
                if self._due(batch, now):
                    if not self._too_large(batch):
                        return Send(batch)
                    # Large datagrams may be what this line loses: load fewer of the same reports.
                    self._block_limit = max(BLOCK_LEAST, self._block_limit // 2)
                    for large in [b for b in self._batches if len(b.reports) > 1]:
                        self._give_up(large)
                    return self._steps.popleft()
        if self._may_load(now):
            self._loading = True
            return Load(self._block_limit, self._skip())
        return None

    def _too_large(self, batch: Flight) -> bool:
        """Whether its size may be what keeps it from arriving."""
        return batch.unheard >= HALVE_AFTER and len(batch.reports) > 1

    def _may_load(self, now: float) -> bool:
        return (
            not self._loading
            and now >= self._load_after
            and len(self._batches) < self._window
            and self.backlog > self._under_way()
            # One that is read and not sent yet is enough to keep ready.
            and all(batch.tries for batch in self._batches)
        )

    def _under_way(self) -> int:
        """How many kept reports are in flights."""
        kept = [*self._batches, *([self._live] if self._live and self._live.kept else [])]
        return sum(len(flight.reports) for flight in kept)

    def _skip(self) -> frozenset[tuple[int, int]]:
        flights = [*self._batches, *([self._live] if self._live else [])]
        return frozenset((r.epoch, r.seq) for flight in flights for r in flight.reports)

    def _find(self, request_id: int) -> Flight | None:
        flights = [*self._batches, *([self._live] if self._live else [])]
        for flight in flights:
            if flight.tries and flight.request_id == request_id:
                return flight
        return None

    def _give_up(self, batch: Flight) -> None:
        self._batches.remove(batch)
        self._steps.append(Forget(batch))

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
        if self._line_answers(now):
            begin = max(self._history_after, now + self.bucket.wait_s(now))
            times.extend(
                max(begin, batch.last_sent + self.retry_s if batch.tries else now)
                for batch in self._batches
            )
            if self.backlog > self._under_way() and len(self._batches) < self._window:
                times.append(max(self._load_after, self._history_after))
        return min((time for time in times if time > now), default=None)

    def _measure(self, round_trip_s: float) -> None:
        if self.srtt_s is None:
            self.srtt_s = round_trip_s
        else:
            self.srtt_s += (round_trip_s - self.srtt_s) / 8
