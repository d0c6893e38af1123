"""Intake: is this report new, and does it speak of now? Pure; the answer carries its reason.

Retries and replays repeat a `ReportId`, so every report is looked up in the gap sets of its
epoch: the ranges of sequence numbers that are stored or about to be. An office keeps the sets
of its last few epochs; an older epoch that returns is taken as new, and the store tolerates
the double.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tabuah.block import Packed

EPOCHS_MOST: Final = 64
"""Epochs remembered of one office."""


class Verdict(Enum):
    """What a report is to the collector. The value is the outcome in `tabuah_reports_total`."""

    LIVE = "accepted"
    """New, and the newest of its office."""
    LATE = "late"
    """New, and of the past: it is stored, and moves neither state nor gauges."""
    DUPLICATE = "duplicate"
    """Known: it is acknowledged again, and that is all."""


class Gaps:
    """A set of sequence numbers, kept as ranges: small as long as few are missing.

    Most offices miss none: then the one range is all there is, and no list is made.
    """

    __slots__ = ("_ends", "_high", "_low", "_starts")

    def __init__(self) -> None:
        self._low = 0
        self._high = -1
        """The last range, both ends inclusive; empty where there is none."""
        self._starts: list[int] | None = None
        self._ends: list[int] | None = None
        """Those before it."""

    def __contains__(self, seq: int) -> bool:
        """Whether `seq` was added."""
        if self._starts is None or self._ends is None or seq >= self._low:
            return self._low <= seq <= self._high
        at = bisect_right(self._starts, seq) - 1
        return at >= 0 and seq <= self._ends[at]

    def add_range(self, low: int, high: int) -> None:
        """Add the numbers from `low` to `high`, both inclusive."""
        before, behind = high + 1 < self._low, self._high + 1 < low
        if (before or behind) and self._low <= self._high:
            # Apart from the last range: in place, for a thinned spool brings every second number
            # of a week, and lists that are made anew for each would take minutes.
            if self._starts is None or self._ends is None:
                self._starts, self._ends = [], []
            if behind:
                self._starts.append(self._low)
                self._ends.append(self._high)
                self._low, self._high = low, high
            else:
                _merge(self._starts, self._ends, low, high)
            return
        starts, ends = self._spread()
        _merge(starts, ends, low, high)
        self._gather(starts, ends)

    def add(self, seq: int) -> bool:
        """Add `seq`; return whether it was new."""
        if seq == self._high + 1:  # nearly always
            self._high = seq
            return True
        if seq in self:
            return False
        self.add_range(seq, seq)
        return True

    def remove(self, seq: int) -> None:
        """Take `seq` out again, if it is there."""
        if seq not in self:
            return
        starts, ends = self._spread()
        at = bisect_right(starts, seq) - 1
        start, end = starts.pop(at), ends.pop(at)
        for low, high in ((seq + 1, end), (start, seq - 1)):
            if low <= high:
                starts.insert(at, low)
                ends.insert(at, high)
        self._gather(starts, ends)

    def ranges(self) -> list[tuple[int, int]]:
        """Return the ranges, both ends inclusive."""
        before = zip(self._starts or (), self._ends or (), strict=True)
        return [*before, *([(self._low, self._high)] if self._low <= self._high else [])]

    def _spread(self) -> tuple[list[int], list[int]]:
        """Return where all ranges start and end, to be changed and given to `_gather`."""
        ranges = self.ranges()
        return [low for low, _ in ranges], [high for _, high in ranges]

    def _gather(self, starts: list[int], ends: list[int]) -> None:
        self._low, self._high = (starts.pop(), ends.pop()) if starts else (0, -1)
        self._starts, self._ends = (starts, ends) if starts else (None, None)


def _merge(starts: list[int], ends: list[int], low: int, high: int) -> None:
    """Put a range among others, in one with those that it touches."""
    # Those end at low - 1 or later, and begin at high + 1 or sooner.
    first = bisect_left(ends, low - 1)
    last = bisect_right(starts, high + 1)
    if first < last:
        low, high = min(low, starts[first]), max(high, ends[last - 1])
    starts[first:last], ends[first:last] = [low], [high]


class _Office:
    """What is known of one office; most have one epoch, and no dictionary."""

    __slots__ = (
        "boot_id", "epoch", "gaps", "newest_epoch", "newest_seq", "older", "uptime_ms",
    )  # fmt: skip

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        """The one added to last."""
        self.gaps = Gaps()
        self.older: dict[int, Gaps] | None = None
        """Its other epochs; of these, too, the one added to last is last."""
        self.newest_epoch: int | None = None
        """Of the newest live report; None before the first. So are the following."""
        self.newest_seq = 0
        self.boot_id = b""
        self.uptime_ms = 0

    def find(self, epoch: int) -> Gaps | None:
        """Return the numbers of an epoch, if it is known."""
        if epoch == self.epoch:
            return self.gaps
        return None if self.older is None else self.older.get(epoch)

    def turn_to(self, epoch: int) -> None:
        """Go on with another epoch; the one added to longest ago is forgotten when room lacks."""
        older = {} if self.older is None else self.older
        gaps = older.pop(epoch, None) or Gaps()
        older[self.epoch] = self.gaps
        while len(older) >= EPOCHS_MOST:
            del older[next(iter(older))]
        self.epoch, self.gaps, self.older = epoch, gaps, older

    def note(self, report: Packed) -> None:
        """Take a report as the newest; what equals what is held is not held twice."""
        self.newest_epoch = self.epoch
        self.newest_seq, self.uptime_ms = report.seq, report.uptime_ms
        if self.boot_id != report.boot_id:
            self.boot_id = report.boot_id

    def overtook(self, report: Packed) -> bool:
        """Whether a report was overtaken on its way by a newer one."""
        if self.newest_epoch is None:
            return False
        if report.epoch == self.newest_epoch:
            return report.seq < self.newest_seq
        # Another start of the agent: within one boot the uptime tells which came first.
        return report.boot_id == self.boot_id and report.uptime_ms < self.uptime_ms


class Intake:
    """All that is known of the reports that have come, by office."""

    def __init__(self) -> None:
        self._offices: dict[str, _Office] = {}
        self._pending: set[tuple[str, int, int]] = set()
        """Judged new, not yet on disk: a duplicate of one may not be acknowledged either."""

    def remember(self, site: str, epoch: int, low: int, high: int) -> None:
        """Note reports that the store holds: at start, before anything is judged."""
        self._office(site, epoch).gaps.add_range(low, high)

    def judge(self, site: str, report: Packed, *, history: bool) -> Verdict:
        """Return what the report is, and remember it as pending if it is new."""
        office = self._office(site, report.epoch)
        if not office.gaps.add(report.seq):
            return Verdict.DUPLICATE
        self._pending.add((site, report.epoch, report.seq))
        if history or office.overtook(report):
            return Verdict.LATE
        office.note(report)
        return Verdict.LIVE

    def stored(self, site: str, epoch: int, seq: int) -> None:
        """Note that a report judged new is on disk."""
        self._pending.discard((site, epoch, seq))

    def unstored(self, site: str, epoch: int, seq: int) -> None:
        """Forget a report that could not be written: its retry is new again."""
        self._pending.discard((site, epoch, seq))
        self._office(site, epoch).gaps.remove(seq)

    def is_stored(self, site: str, epoch: int, seq: int) -> bool:
        """Whether the report may be acknowledged."""
        office = self._offices.get(site)
        gaps = office.find(epoch) if office else None
        return gaps is not None and seq in gaps and (site, epoch, seq) not in self._pending

    def _office(self, site: str, epoch: int) -> _Office:
        """Return an office, turned to an epoch."""
        office = self._offices.get(site)
        if office is None:
            office = self._offices[site] = _Office(epoch)
        elif office.epoch != epoch:
            office.turn_to(epoch)
        return office
