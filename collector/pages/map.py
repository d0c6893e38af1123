"""The map on the first page: offices as points, their areas where the user gave boundaries. Pure.

An equirectangular projection with the middle's cosine: over a kabupaten nobody sees the difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collector.live import State
    from collector.pages.outlines import Ring
    from inventory.model import Site

WIDTH: Final = 360
_MARGIN: Final = 14
_TALLEST: Final = 420
_LEAST_DEGREES: Final = 0.05
"""Offices that lie on one spot are shown with some land around."""
MOST: Final = 2_000
"""Offices that a map can show; more are a carpet, and no map."""


@dataclass(frozen=True, slots=True)
class Spot:
    """An office."""

    code: str
    name: str
    state: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Area:
    """The land of an office, as the path of an SVG."""

    code: str
    name: str
    state: str
    path: str


@dataclass(frozen=True, slots=True)
class Map:
    """What the template draws, in a box WIDTH by `height`."""

    areas: tuple[Area, ...]
    spots: tuple[Spot, ...]
    height: int
    width: int = WIDTH


def drawn(
    offices: Sequence[tuple[Site, State]], outlines: Mapping[str, Sequence[Ring]]
) -> Map | None:
    """Return the map; None where no office has a place, or there are too many."""
    placed = [(site, state) for site, state in offices if site.location is not None]
    if not placed or len(offices) > MOST:
        return None
    shapes = [
        (site, state, outlines[site.code]) for site, state in offices if site.code in outlines
    ]
    lons = [site.location.lon for site, _ in placed if site.location is not None]
    lats = [site.location.lat for site, _ in placed if site.location is not None]
    for _, _, rings in shapes:
        for ring in rings:
            lons += [lon for lon, _ in ring]
            lats += [lat for _, lat in ring]
    project, height = _projection(lons, lats)
    areas = tuple(
        Area(site.code, site.name, state.value, _path(rings, project))
        for site, state, rings in shapes
    )
    spots = tuple(
        Spot(site.code, site.name, state.value, *project(site.location.lon, site.location.lat))
        for site, state in placed
        if site.location is not None
    )
    return Map(areas, spots, height)


def _projection(
    lons: Sequence[float], lats: Sequence[float]
) -> tuple[Callable[[float, float], tuple[float, float]], int]:
    west, east, south, north = min(lons), max(lons), min(lats), max(lats)
    narrow = math.cos(math.radians((south + north) / 2))
    wide = max((east - west) * narrow, _LEAST_DEGREES)
    tall = max(north - south, _LEAST_DEGREES)
    scale = min((WIDTH - 2 * _MARGIN) / wide, (_TALLEST - 2 * _MARGIN) / tall)
    left = (WIDTH - (east - west) * narrow * scale) / 2

    def project(lon: float, lat: float) -> tuple[float, float]:
        x = left + (lon - west) * narrow * scale
        return round(x, 1), round(_MARGIN + (north - lat) * scale, 1)

    return project, round((north - south) * scale) + 2 * _MARGIN


def _path(rings: Sequence[Ring], project: Callable[[float, float], tuple[float, float]]) -> str:
    parts = []
    for ring in rings:
        last = None
        for lon, lat in ring:
            x, y = project(lon, lat)
            here = (round(x), round(y))
            if here != last:  # what a pixel cannot show need not be sent
                parts.append(f"{'M' if last is None else 'L'}{here[0]} {here[1]}")
                last = here
        parts.append("Z")
    return "".join(parts)
