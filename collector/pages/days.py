"""An office's last ninety days, one by one: how long it was without any line. Pure.

From the ledger's outages, whoever is to blame: a citizen asks whether it worked, not who owes for
it. Where an office was switched off in order, and before it was watched, nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

from collector import formats
from collector.stretches import Kind
from collector.windows import Window, common, length, midnight, union

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from collector.judgement.ledger import Outage
    from inventory.model import Circuit, Site

DAYS: Final = 90
_WITHOUT: Final = frozenset({Kind.DOWN, Kind.EXCLUDED})
_EVER: Final = 1 << 53
"""ms; beyond all times that are asked for."""

Watched = Mapping[tuple[str, str], int]
"""Since when each circuit is watched, ms, by site and circuit."""


Calendar = Sequence[tuple[date, Window]]
"""Days one after the other, each with its time."""


class Level(Enum):
    """How much of a day's known time was without a line."""

    UNKNOWN = "unknown"
    NONE = "none"
    SOME = "some"
    MOST = "most"
    """More than half."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the organisation's calendar; today as far as it has come."""

    day: date
    known_ms: int
    without_ms: int

    @property
    def level(self) -> Level:
        """Return what colour it has."""
        if not self.known_ms:
            return Level.UNKNOWN
        if not self.without_ms:
            return Level.NONE
        return Level.MOST if 2 * self.without_ms > self.known_ms else Level.SOME


def calendar(now_ms: int, zone: ZoneInfo) -> Calendar:
    """Return the days whose last one is now in `zone`."""
    today = formats.local(now_ms, zone).date()
    dates = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    edges = [*(midnight(day, zone) for day in dates), now_ms]
    return tuple(zip(dates, pairwise(edges), strict=True))


def ninety_days(
    site: Site, outages: Iterable[Outage], watched: Watched, days: Calendar, zone: ZoneInfo
) -> tuple[Day, ...]:
    """Return the days, today last.

    Args:
        site: the office.
        outages: the newest versions of its own, in any order.
        watched: since when; what came before is unknown.
        days: of `calendar`; what is open lasts until their end.
        zone: of the calendar.
    """
    now_ms = days[-1][1][1]
    told: dict[str, list[Outage]] = {c.id: [] for c in site.circuits}
    for one in outages:
        if one.circuit in told and not one.withdrawn:
            told[one.circuit].append(one)
    without: Sequence[Window] = [(0, now_ms)]
    unsure, nowhere = without, without
    for circuit in site.circuits:
        since_ms = watched.get((site.code, circuit.id))
        if since_ms is None:
            continue
        absent = union(_absent(circuit, since_ms, zone))
        own = [(_span(one, now_ms), one.kind) for one in told[circuit.id]]
        without = common(without, union([*absent, *(w for w, k in own if k in _WITHOUT)]))
        unsure = common(unsure, union([*absent, *(w for w, _ in own)]))
        nowhere = common(nowhere, absent)
    made = []
    for day, (begin, end) in days:
        whole = [(begin, end)]
        dark = length(common(whole, without)) - length(common(whole, nowhere))
        unknown = length(common(whole, unsure)) - dark
        made.append(Day(day, end - begin - unknown, dark))
    return tuple(made)


def _span(one: Outage, now_ms: int) -> Window:
    return one.began_ms, now_ms if one.ended_ms is None else one.ended_ms


def _absent(circuit: Circuit, since_ms: int, zone: ZoneInfo) -> list[Window]:
    """Return when the circuit was not there, and could not stand in for another one."""
    begins, ends = circuit.in_service.begins, circuit.in_service.ends
    absent = [(0, since_ms)]
    if begins is not None:
        absent.append((0, midnight(begins, zone)))
    if ends is not None:
        absent.append((midnight(ends, zone), _EVER))
    return absent


def availability(days: Iterable[Day]) -> float | None:
    """Return the share of the known time with a line; None where nothing is known."""
    kept = list(days)
    known = sum(day.known_ms for day in kept)
    return 1 - sum(day.without_ms for day in kept) / known if known else None


def floored(ratio: float) -> float:
    """Return a share in percent with one decimal, never rounded up: 100 is a promise kept."""
    return math.floor(round(ratio * 1000, 6)) / 10


def runs(days: Sequence[Day]) -> list[tuple[int, Sequence[Day]]]:
    """Return the days as neighbours that say the same, each with its first one's place.

    A day with an outage stands alone: it has its own time to tell.
    """
    found: list[tuple[int, Sequence[Day]]] = []
    at = 0

    def alike(pair: tuple[int, Day]) -> tuple[Level, int]:
        place, day = pair
        return day.level, place if day.without_ms else -1

    for _, group in groupby(enumerate(days), alike):
        members = [day for _, day in group]
        found.append((at, members))
        at += len(members)
    return found
