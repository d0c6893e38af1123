"""A month drawn: one row a day, a bar for each share of its time. Pure.

The bars differ in height and pattern as well as in colour, so that a black-and-white print tells
the same. A drawing is stretched to its place (`preserveAspectRatio="none"`) and holds no text:
numbers beside it stay readable on a phone. No inline styles, which the pages' CSP would refuse.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from collector.sla_model import CircuitMonth, Month, Share
from collector.windows import midnight

ROW: Final = 10
WIDTH: Final = 1440
"""Units: the minutes of a common day."""
_LEAST: Final = 5
"""A shorter bar could not be seen."""
_HEIGHTS: Final = {
    Share.UP: 2,
    Share.OFF: 3,
    Share.EXCLUDED: 5,
    Share.SHORT: 5,
    Share.UNKNOWN: 8,
    Share.OPEN: 8,
    Share.COUNTABLE: 8,
}
"""In order of painting: what is above must not be hidden by what is widened to be seen."""


@dataclass(frozen=True, slots=True)
class Bars:
    """All bars of one share, as the `d` of one SVG path."""

    share: str
    path: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the template draws."""

    height: int
    days: tuple[int, ...]
    bars: tuple[Bars, ...]


def timeline(month: CircuitMonth) -> Timeline:
    """Return the month's drawing."""
    midnights = _midnights(month.month)
    bars: dict[Share, list[tuple[int, int, int]]] = defaultdict(list)
    for piece in month.pieces:
        begin, end = piece.stretch.begin_ms, piece.stretch.end_ms
        day = bisect_right(midnights, begin) - 1
        while begin < end:
            until = min(end, midnights[day + 1])
            _add(bars[piece.share], day, midnights, begin, until)
            begin, day = until, day + 1
    return Timeline(
        height=ROW * (len(midnights) - 1),
        days=tuple(range(1, len(midnights))),
        bars=tuple(
            Bars(share.value, "".join(_box(bar, height, share) for bar in bars[share]))
            for share, height in _HEIGHTS.items()
            if share in bars
        ),
    )


def _add(
    bars: list[tuple[int, int, int]], day: int, midnights: tuple[int, ...], begin: int, end: int
) -> None:
    length = midnights[day + 1] - midnights[day]
    left = (begin - midnights[day]) * WIDTH // length
    right = -((midnights[day] - end) * WIDTH // length)
    if bars and bars[-1][0] == day and bars[-1][2] >= left:
        bars[-1] = (day, bars[-1][1], max(right, bars[-1][2]))
    else:
        bars.append((day, left, right))


def _box(bar: tuple[int, int, int], height: int, share: Share) -> str:
    day, left, right = bar
    if share is not Share.UP and right - left < _LEAST:
        left = min(left, WIDTH - _LEAST)
        right = left + _LEAST
    bottom = day * ROW + ROW - 1
    return f"M{left} {bottom}H{right}v-{height}H{left}z"


@lru_cache(maxsize=8)
def _midnights(month: Month) -> tuple[int, ...]:
    """Return the beginning of each of the month's days, and of the next month."""
    first = date(month.year, month.month, 1)
    end = month.window[1]
    found: list[int] = []
    while (at := midnight(first + timedelta(days=len(found)), month.zone)) < end:
        found.append(at)
    return (*found, end)
