"""A day's index by site and time: filled in steps once the day is over, emptied in steps.

It is a table of its own, since SQLite builds an index in one go, with the write lock held: for
500 offices that is many seconds in which no report could be committed. All functions work on a
connection that they are given; `collector.store` has the transactions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, Table, delete, func, insert, select, tuple_

from collector.day import STEP
from collector.intake import Gaps

_EPOCHS_AT_ONCE: Final = 200
"""Two parameters each: some databases take no more than 999."""


class Range(NamedTuple):
    """Reports of one epoch whose numbers follow each other."""

    site: str
    epoch: int
    """As the tables have it: the signed 64 bits."""
    low: int
    high: int
    """Inclusive."""


class Summary(NamedTuple):
    """What the catalogue keeps of a closed day."""

    last_id: int
    """Of the newest report that it speaks of; 0 = none."""
    min_ms: int | None
    """Of `time_ms`."""
    max_ms: int | None
    reports: int


def fill(connection: Connection, table: Table, index: Table, after: int) -> int:
    """Index the next STEP reports whose id is greater than `after`; return the last one's."""
    upto = after + STEP
    wanted = select(table.c.site, table.c.time_ms, table.c.id).where(
        table.c.id > after, table.c.id <= upto
    )
    connection.execute(insert(index).from_select(["site", "time_ms", "id"], wanted))
    return upto


def thin(connection: Connection, index: Table) -> bool:
    """Take the first STEP entries out of an index; return False once fewer are left."""
    key = (index.c.site, index.c.time_ms, index.c.id)
    bound = connection.execute(select(*key).order_by(*key).offset(STEP).limit(1)).one_or_none()
    if bound is None:
        return False
    connection.execute(delete(index).where(tuple_(*key) < tuple_(*bound)))
    return True


def filled(connection: Connection, index: Table) -> int:
    """Return the id up to which the index is complete: it is filled by ids."""
    return connection.scalar(select(func.max(index.c.id))) or 0


def summary(connection: Connection, table: Table) -> Summary:
    """Return what there is to say of a day; reads all of it."""
    low, high, count = connection.execute(
        select(func.min(table.c.time_ms), func.max(table.c.time_ms), func.count())
    ).one()
    return Summary(last_id(connection, table), low, high, count)


def last_id(connection: Connection, table: Table) -> int:
    """Return the id of the newest report; 0 when there is none."""
    return connection.scalar(select(func.max(table.c.id))) or 0


def ranges(connection: Connection, table: Table) -> list[Range]:
    """Return which reports a day holds; reads all of it, in the database."""
    key = (table.c.site, table.c.epoch)
    counted = connection.execute(
        select(
            *key,
            func.min(table.c.seq),
            func.max(table.c.seq),
            # Distinct: the store tolerates doubles, and a double must not hide a hole.
            func.count(table.c.seq.distinct()),
        ).group_by(*key)
    )
    whole, holed = [], []
    for site, epoch, low, high, count in counted:
        if count == high - low + 1:
            whole.append(Range(site, epoch, low, high))
        else:
            holed.append((site, epoch))
    for at in range(0, len(holed), _EPOCHS_AT_ONCE):
        some = holed[at : at + _EPOCHS_AT_ONCE]
        numbers = select(*key, table.c.seq).distinct().where(tuple_(*key).in_(some))
        stream = connection.execute(numbers.order_by(*key, table.c.seq))
        whole.extend(_joined((site, epoch, seq) for site, epoch, seq in stream))
    return whole


def ranges_by_arrival(connection: Connection, table: Table) -> Iterator[Range]:
    """Yield the same; reads the day once, here, by order of arrival.

    A database would sort all of it, on its disk: for a start, that waits for it, this takes a
    fraction of the time. It would keep a running collector's other threads from their work.
    """
    held: defaultdict[tuple[str, int], Gaps] = defaultdict(Gaps)
    numbers = select(table.c.site, table.c.epoch, table.c.seq).order_by(table.c.id)
    for site, epoch, seq in connection.execution_options(yield_per=STEP).execute(numbers):
        held[site, epoch].add(seq)
    for (site, epoch), gaps in held.items():
        for low, high in gaps.ranges():
            yield Range(site, epoch, low, high)


def _joined(numbers: Iterable[tuple[str, int, int]]) -> Iterator[Range]:
    """Yield ranges of numbers that come in order."""
    current: Range | None = None
    for site, epoch, seq in numbers:
        if current is not None and (site, epoch, seq - 1) == (*current[:2], current.high):
            current = current._replace(high=seq)
            continue
        if current is not None:
            yield current
        current = Range(site, epoch, seq, seq)
    if current is not None:
        yield current
