"""Some reports of an office's last day, for its charts: all of them would say no more.

Looked for on a fixed grid, so that what was found once need not be read again: coarse over the day,
fine over the last hour. What was not there may come late, and is looked for again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.overview import line_loss, line_rtt_us

if TYPE_CHECKING:
    from collector.live import Received

COARSE_MS: Final = 600_000
FINE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_LOOK_MS: Final = _HOUR_MS
"""How far ahead the next report is looked for, so that a day of silence takes few questions."""
_INTERVALS: Final = 3
"""A point takes the first report of so many intervals of the office: one may be missing."""
KEPT: Final = 64
"""Offices whose points are kept, some 20 kB each."""

Reports = Callable[[str, int, int, int], "Iterator[Received]"]
"""Of one office: at most so many reports with from <= time < to; blocks on the disk."""


class Sample(NamedTuple):
    """What a report says of the office's line."""

    at_ms: int
    rtt_ms: float | None
    loss_percent: float | None


class Samples:
    """Finds samples, and keeps those of the offices that were looked at last."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._kept: OrderedDict[str, dict[int, Sample]] = OrderedDict()

    def last_day(self, code: str, interval_s: float, now_ms: int) -> Sequence[Sample]:
        """Return the samples of the last day, by time; blocks on the disk."""
        known = self._kept.pop(code, {})
        span_ms = min(COARSE_MS, round(_INTERVALS * 1000 * interval_s))
        found: dict[int, Sample] = {}
        empty_until = 0
        for at_ms in grid(now_ms):
            if at_ms in known:
                found[at_ms] = known[at_ms]
            elif at_ms >= empty_until:
                received = next(self._reports(code, at_ms, at_ms + _LOOK_MS, 1), None)
                if received is None:
                    empty_until = at_ms + _LOOK_MS - span_ms
                elif received.time_ms < at_ms + span_ms:
                    found[at_ms] = sampled(received)
                else:
                    empty_until = received.time_ms - span_ms + 1
        self._kept[code] = found
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return list(found.values())


def grid(now_ms: int) -> Iterator[int]:
    """Yield the times at which the last day is sampled."""
    fine_from = (now_ms - _HOUR_MS) // COARSE_MS * COARSE_MS
    first = (now_ms - DAY_MS) // COARSE_MS * COARSE_MS + COARSE_MS
    yield from range(first, fine_from, COARSE_MS)
    yield from range(fine_from, now_ms, FINE_MS)


def sampled(received: Received) -> Sample:
    """Return what a report says; of an unread one nothing is known."""
    if received.unread:
        return Sample(received.time_ms, None, None)
    rtt_us, loss = line_rtt_us(received.report), line_loss(received.report)
    return Sample(
        received.time_ms,
        None if rtt_us is None else rtt_us / 1000,
        None if loss is None else 100 * loss,
    )
