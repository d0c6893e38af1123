"""Looks through a store: is it whole, is every report there once, and which numbers are missing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import select

from collector.day import U64
from collector.history import done
from collector.intake import Gaps
from collector.schema import day_of, days
from collector.store import Store, StoreError
from collector.upkeep import DROPPED


class Missing(NamedTuple):
    """Reports of one office that are not here: never sent, lost, or still on their way."""

    site: str
    epoch: int
    first: int
    last: int
    """Sequence numbers, both inclusive."""


class Double(NamedTuple):
    """A report that is here more than once."""

    site: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found."""

    sites: int
    reports: int
    integrity: tuple[str, ...]
    """What the database itself says is wrong; empty when it is whole."""
    missing: tuple[Missing, ...]
    doubles: tuple[Double, ...]
    unindexed: tuple[int, ...]
    """Days that are over and have no index yet (20261231): the collector makes it when it runs."""

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not (self.integrity or self.missing or self.doubles or self.unindexed)


def check(store: Store, now_ms: int) -> Findings:
    """Return what is wrong with a store; reads all of it, beside a running collector too.

    What a number means: an office counts its reports from 1 at each start of its agent. The
    numbers before the first that is here are missing only as long as no day has been dropped.
    """
    integrity = _integrity(store)
    seen: defaultdict[tuple[str, int], Gaps] = defaultdict(Gaps)
    doubles, reports = [], 0
    unindexed: tuple[int, ...] = ()
    dropped = False
    try:
        with store.reading() as connection:
            dropped = done(connection, DROPPED) is not None
            over = select(days.c.day).where(~days.c.closed, days.c.day < day_of(now_ms))
            unindexed = tuple(connection.scalars(over.order_by(days.c.day)))
        for site, epoch, seq in store.ids(0):
            reports += 1
            if not seen[site, epoch].add(seq):
                doubles.append(Double(site, epoch, seq))
    except StoreError as error:
        integrity = (*integrity, str(error))
    missing = [
        Missing(site, epoch & U64, first, last)
        for (site, epoch), gaps in sorted(seen.items())
        for first, last in _between(gaps.ranges(), from_one=not dropped)
    ]
    return Findings(
        sites=len({site for site, _ in seen}),
        reports=reports,
        integrity=integrity,
        missing=tuple(missing),
        doubles=tuple(doubles),
        unindexed=unindexed,
    )


def _integrity(store: Store) -> tuple[str, ...]:
    try:
        with store.reading() as connection:
            if connection.dialect.name != "sqlite":
                return ()  # PostgreSQL has pg_amcheck, which takes its superuser
            said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    except StoreError as error:
        return (str(error),)
    return tuple(line for line in said if line != "ok")


def _between(ranges: list[tuple[int, int]], *, from_one: bool) -> list[tuple[int, int]]:
    bounds = [(0, 0), *ranges] if from_one else ranges
    return [(end + 1, begin - 1) for (_, end), (begin, _) in pairwise(bounds) if end + 1 < begin]
