"""A circuit's time as stretches, and what may be done with them. Pure.

The ledger knows outages, power cuts, windows of maintenance and holes in the record; a contract
wants a month of which every millisecond belongs to one class. Between the two stands this: whoever
reads the ledger makes `Stretch`es, overlapping as they may be, and `overlay` leaves one line of
time. What nobody says anything about is unknown, never up (`fill`).

Times are whole milliseconds since 1970 UTC, so that sums are exact. Every function speaks of one
circuit; begins are included, ends are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from heapq import heappop, heappush
from itertools import pairwise
from typing import Final

from collector.windows import Window

NO_DATA: Final = "no_data"
"""The cause of time that nobody recorded."""


class Kind(Enum):
    """What a stretch of time was, for the one who uses the line."""

    UP = "up"
    """It worked, if only badly: degraded is up."""
    DOWN = "down"
    """Without service, for a cause that is or may become the provider's."""
    EXCLUDED = "excluded"
    """Without service for a cause that never is, or inside a window of maintenance."""
    OFF = "off"
    """Switched off by the office, with a clean mark."""
    UNKNOWN = "unknown"
    """Not recorded by either side."""


PRECEDENCE: Final[dict[Kind, int]] = {
    Kind.EXCLUDED: 0,
    # An office that was switched off is excluded too; where a cause is known, it is said.
    Kind.OFF: 1,
    Kind.DOWN: 2,
    Kind.UNKNOWN: 3,
    Kind.UP: 4,
}
"""The smaller number wins where stretches overlap."""

COUNTABLE_CAUSES: Final = frozenset({"last_mile", "area", "provider_core"})
"""Causes the provider answers for."""

OPEN_CAUSES: Final = frozenset({"session", "unknown"})
"""Downtime of which a person must say whose it is."""


def kind_of_downtime(cause: str) -> Kind:
    """Return how time without service for `cause` is entered: DOWN or EXCLUDED."""
    return Kind.DOWN if cause in COUNTABLE_CAUSES | OPEN_CAUSES else Kind.EXCLUDED


@dataclass(frozen=True, slots=True)
class Stretch:
    """One circuit was `kind` from `begin_ms` until before `end_ms`."""

    site: str
    circuit: str
    begin_ms: int
    end_ms: int
    kind: Kind
    cause: str = ""
    """A cause of the ledger, `NO_DATA`, or empty where nothing needs one (UP)."""
    outage: str | None = None
    """The ledger's outage that it belongs to; tickets and liabilities name that."""

    def __post_init__(self) -> None:
        """Refuse time that runs backwards.

        Raises:
            ValueError: the end lies before the begin.
        """
        if self.end_ms < self.begin_ms:
            raise ValueError(
                f"{self.site} {self.circuit}: a stretch ends at {self.end_ms}, "
                f"before it begins at {self.begin_ms}"
            )

    @property
    def length_ms(self) -> int:
        """Return how long it lasted."""
        return self.end_ms - self.begin_ms

    def part(self, begin_ms: int, end_ms: int) -> Stretch:
        """Return the same said of another time; a report makes hundreds of thousands of these."""
        return Stretch(
            self.site, self.circuit, begin_ms, end_ms, self.kind, self.cause, self.outage
        )


def overlay(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return one line of time: sorted, without overlaps, like neighbours joined.

    Where stretches overlap the kind of lower `PRECEDENCE` wins; of one kind the one that began
    first, so that a fault keeps its cause until it ends. Gaps stay gaps.

    Raises:
        ValueError: the stretches are of more than one circuit.
    """
    waiting = sorted((s for s in stretches if s.length_ms), key=lambda s: s.begin_ms)
    if len({(s.site, s.circuit) for s in waiting}) > 1:
        raise ValueError("stretches of several circuits cannot be laid over each other")
    points = sorted({p for s in waiting for p in (s.begin_ms, s.end_ms)})
    active: list[tuple[int, int, int, str, str, int, Stretch]] = []
    line: list[Stretch] = []
    taken = 0
    for begin, end in pairwise(points):
        while taken < len(waiting) and waiting[taken].begin_ms <= begin:
            heappush(active, (*_rank(waiting[taken]), taken, waiting[taken]))
            taken += 1
        while active and active[0][-1].end_ms <= begin:
            heappop(active)
        if active:
            _append(line, active[0][-1], begin, end)
    return line


def _rank(stretch: Stretch) -> tuple[int, int, int, str, str]:
    # Beyond precedence and begin only so that the order of the input decides nothing.
    return (
        PRECEDENCE[stretch.kind],
        stretch.begin_ms,
        -stretch.end_ms,
        stretch.cause,
        stretch.outage or "",
    )


def _append(line: list[Stretch], source: Stretch, begin_ms: int, end_ms: int) -> None:
    if line and (
        line[-1].end_ms == begin_ms
        and line[-1].kind is source.kind
        and line[-1].cause == source.cause
        and line[-1].outage == source.outage
    ):
        begin_ms = line.pop().begin_ms
    line.append(source.part(begin_ms, end_ms))


def merge(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return sorted stretches with like neighbours joined; they must not overlap."""
    line: list[Stretch] = []
    for stretch in stretches:
        _append(line, stretch, stretch.begin_ms, stretch.end_ms)
    return line


def clip(stretches: Iterable[Stretch], begin_ms: int, end_ms: int) -> list[Stretch]:
    """Return the parts of the stretches in [begin_ms, end_ms)."""
    return [
        stretch
        if begin_ms <= stretch.begin_ms and stretch.end_ms <= end_ms
        else stretch.part(max(stretch.begin_ms, begin_ms), min(stretch.end_ms, end_ms))
        for stretch in stretches
        if stretch.begin_ms < end_ms and stretch.end_ms > begin_ms
    ]


def cut(stretches: Iterable[Stretch], windows: Sequence[Window]) -> list[Stretch]:
    """Return the parts of the stretches inside `windows`; both sorted and without overlaps."""
    parts: list[Stretch] = []
    first = 0
    for stretch in stretches:
        while first < len(windows) and windows[first][1] <= stretch.begin_ms:
            first += 1
        at = first
        while at < len(windows) and windows[at][0] < stretch.end_ms:
            parts.extend(clip((stretch,), *windows[at]))
            at += 1
    return parts


def fill(
    line: Iterable[Stretch], site: str, circuit: str, windows: Sequence[Window]
) -> list[Stretch]:
    """Return the line inside `windows` with every gap entered as unknown (`NO_DATA`).

    The line must be sorted and without overlaps, as `overlay` returns it.
    """
    parts = cut(line, windows)
    full: list[Stretch] = []
    at = 0
    for begin_ms, end_ms in windows:
        reached = begin_ms
        while at < len(parts) and parts[at].begin_ms < end_ms:
            if parts[at].begin_ms > reached:
                full.append(_hole(site, circuit, reached, parts[at].begin_ms))
            full.append(parts[at])
            reached = parts[at].end_ms
            at += 1
        if reached < end_ms:
            full.append(_hole(site, circuit, reached, end_ms))
    return full


def _hole(site: str, circuit: str, begin_ms: int, end_ms: int) -> Stretch:
    return Stretch(site, circuit, begin_ms, end_ms, Kind.UNKNOWN, NO_DATA)


def totals(line: Iterable[Stretch]) -> dict[Kind, int]:
    """Return the milliseconds of each kind; of a filled line they add up to its windows."""
    sums = dict.fromkeys(Kind, 0)
    for stretch in line:
        sums[stretch.kind] += stretch.length_ms
    return sums
