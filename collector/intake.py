"""Intake: is this report new, and does it speak of now? Pure; the answer carries its reason.

Retries and replays repeat a `ReportId`, so every report is looked up in the gap sets of its
epoch: the ranges of sequence numbers that are stored or about to be. An office keeps the sets
of its last few epochs; an older epoch that returns is taken as new, and the store tolerates
the double.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
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
    """A set of sequence numbers, kept as ranges: small as long as few are missing."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        """Inclusive."""

    def __contains__(self, seq: int) -> bool:
        """Whether `seq` was added."""
        at = bisect_right(self._starts, seq) - 1
        return at >= 0 and seq <= self._ends[at]

    def add_range(self, low: int, high: int) -> None:
        """Add the numbers from `low` to `high`, both inclusive."""
        # Those that touch it: ranges that end at low - 1 or later, and begin at high + 1 or sooner.
        first = bisect_left(self._ends, low - 1)
        last = bisect_right(self._starts, high + 1)
        if first < last:
            low, high = min(low, self._starts[first]), max(high, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [low], [high]

    def add(self, seq: int) -> bool:
        """Add `seq`; return whether it was new."""
        ends = self._ends
        if ends and seq == ends[-1] + 1:  # nearly always
            ends[-1] = seq
            return True
        at = bisect_right(self._starts, seq) - 1
        if at >= 0 and seq <= self._ends[at]:
            return False
        joins_left = at >= 0 and self._ends[at] == seq - 1
        joins_right = at + 1 < len(self._starts) and self._starts[at + 1] == seq + 1
        if joins_left and joins_right:
            self._ends[at] = self._ends.pop(at + 1)
            del self._starts[at + 1]
        elif joins_left:
            self._ends[at] = seq
        elif joins_right:
            self._starts[at + 1] = seq
        else:
            self._starts.insert(at + 1, seq)
            self._ends.insert(at + 1, seq)
        return True

    def remove(self, seq: int) -> None:
        """Take `seq` out again, if it is there."""
        at = bisect_right(self._starts, seq) - 1
        if at < 0 or seq > self._ends[at]:
            return
        start, end = self._starts.pop(at), self._ends.pop(at)
        for low, high in ((seq + 1, end), (start, seq - 1)):
            if low <= high:
                self._starts.insert(at, low)
                self._ends.insert(at, high)

    def ranges(self) -> list[tuple[int, int]]:
        """Return the ranges, both ends inclusive."""
        return list(zip(self._starts, self._ends, strict=True))


@dataclass(slots=True)
class _Office:
    epochs: OrderedDict[int, Gaps] = field(default_factory=OrderedDict)
    """The one added to last is last."""
    newest: tuple[int, int, bytes, int] | None = None
    """Epoch, seq, boot id and uptime of the newest live report."""


class Intake:
    """All that is known of the reports that have come, by office."""

    def __init__(self) -> None:
        self._offices: dict[str, _Office] = {}
        self._pending: set[tuple[str, int, int]] = set()
        """Judged new, not yet on disk: a duplicate of one may not be acknowledged either."""

    def remember(self, site: str, epoch: int, low: int, high: int) -> None:
        """Note reports that the store holds: at start, before anything is judged."""
        self._gaps(site, epoch).add_range(low, high)

    def judge(self, site: str, report: Packed, *, history: bool) -> Verdict:
        """Return what the report is, and remember it as pending if it is new."""
        if not self._gaps(site, report.epoch).add(report.seq):
            return Verdict.DUPLICATE
        self._pending.add((site, report.epoch, report.seq))
        office = self._offices[site]
        if history or _older(report, office.newest):
            return Verdict.LATE
        office.newest = (report.epoch, report.seq, report.boot_id, report.uptime_ms)
        return Verdict.LIVE

    def stored(self, site: str, epoch: int, seq: int) -> None:
        """Note that a report judged new is on disk."""
        self._pending.discard((site, epoch, seq))

    def unstored(self, site: str, epoch: int, seq: int) -> None:
        """Forget a report that could not be written: its retry is new again."""
        self._pending.discard((site, epoch, seq))
        self._gaps(site, epoch).remove(seq)

    def is_stored(self, site: str, epoch: int, seq: int) -> bool:
        """Whether the report may be acknowledged."""
        office = self._offices.get(site)
        gaps = office.epochs.get(epoch) if office else None
        return gaps is not None and seq in gaps and (site, epoch, seq) not in self._pending

    def _gaps(self, site: str, epoch: int) -> Gaps:
        office = self._offices.get(site)
        if office is None:
            office = self._offices[site] = _Office()
        gaps = office.epochs.get(epoch)
        if gaps is None:
            gaps = office.epochs[epoch] = Gaps()
            while len(office.epochs) > EPOCHS_MOST:
                office.epochs.popitem(last=False)
        elif next(reversed(office.epochs)) != epoch:
            office.epochs.move_to_end(epoch)
        return gaps


def _older(report: Packed, newest: tuple[int, int, bytes, int] | None) -> bool:
    """Whether a report was overtaken on its way by a newer one of the same office."""
    if newest is None:
        return False
    epoch, seq, boot_id, uptime_ms = newest
    if report.epoch == epoch:
        return report.seq < seq
    # Another start of the agent: within one boot the uptime tells which came first.
    return report.boot_id == boot_id and report.uptime_ms < uptime_ms
