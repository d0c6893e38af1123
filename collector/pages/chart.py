"""A value over time as the paths and marks of an SVG. Pure; the template only places them.

Drawn by the server: so a chart needs no JavaScript, prints, and is read out by its title.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

WIDTH: Final = 720
HEIGHT: Final = 180
LEFT: Final = 44
RIGHT: Final = 8
TOP: Final = 10
BOTTOM: Final = 24
_PLOT_W: Final = WIDTH - LEFT - RIGHT
_PLOT_H: Final = HEIGHT - TOP - BOTTOM
_NARROWEST: Final = 1.5
"""Outages of seconds must be seen in a chart of a month."""
_LEAST: Final = 1e-6
"""What is smaller is nothing: no delay and no share of packets is measured so finely."""
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time; None = it was asked for, and there was none."""

    at_ms: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A label on an axis, and where."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Area:
    """A stretch of time to be coloured."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws; numbers are SVG units of a box WIDTH by HEIGHT."""

    path: str
    areas: tuple[Area, ...]
    xs: tuple[Mark, ...]
    ys: tuple[Mark, ...]
    low: float
    high: float

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def chart(
    points: Sequence[Point],
    outages: Iterable[tuple[int, int]],
    window: tuple[int, int],
    gap_ms: int,
    zone: ZoneInfo,
) -> Chart | None:
    """Return a chart, or None where there is nothing to draw.

    Args:
        points: by time.
        outages: from and to, ms.
        window: what is shown, ms.
        gap_ms: neighbours further apart are not joined: nothing is known between them.
        zone: of the labels.
    """
    known = [point.value for point in points if point.value is not None]
    if not known:
        return None
    step = nice_step(max(known))
    most = step * max(1, math.ceil(max(known) / step))

    def x(ms: int) -> float:
        return round(LEFT + _PLOT_W * (ms - window[0]) / (window[1] - window[0]), 1)

    def y(value: float) -> float:
        return round(TOP + _PLOT_H * (1 - value / most), 1)

    path = []
    joined = False
    for before, point in pairwise([Point(window[0], None), *points]):
        if point.value is None:
            joined = False
            continue
        joined = joined and point.at_ms - before.at_ms <= gap_ms
        path.append(f"{'L' if joined else 'M'}{x(point.at_ms)} {y(point.value)}")
        if not joined:
            path.append("h.1")  # a lone point shows by its round ends
        joined = True
    shown = [
        (x(max(begin, window[0])), x(min(end, window[1])))
        for begin, end in outages
        if begin < window[1] and end > window[0]
    ]
    areas = [Area(left, max(_NARROWEST, right - left)) for left, right in shown]
    ys = [Mark(y(step * n), f"{step * n:g}") for n in range(round(most / step) + 1)]
    return Chart(
        "".join(path),
        tuple(areas),
        tuple(_times(window, zone, x)),
        tuple(ys),
        min(known),
        max(known),
    )


def nice_step(most: float) -> float:
    """Return the distance of three to five lines up to a value: 1, 2 or 5 times a power of ten."""
    if most < _LEAST:
        return 1.0
    rough = most / 4
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _times(window: tuple[int, int], zone: ZoneInfo, x: Callable[[int], float]) -> Iterable[Mark]:
    hours = (window[1] - window[0]) / 3_600_000
    every = next((step for most, step in ((36, 4), (240, 24)) if hours <= most), 120)
    at = datetime.fromtimestamp(window[0] / 1000, zone).replace(minute=0, second=0, microsecond=0)
    at += _HOUR
    if every >= 24:
        at = at.replace(hour=0) + timedelta(days=1)
    else:
        at += _HOUR * (-at.hour % every)
    while (ms := round(at.timestamp() * 1000)) < window[1]:
        yield Mark(x(ms), f"{at:%H.%M}" if every < 24 else f"{at.day}/{at.month}")
        at += _HOUR * every
