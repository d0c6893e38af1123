"""One site's reports in order of the time they were measured, over all days, a few at a time.

A report lies in the table of the day it arrived in, and may have been measured on another: so the
days are merged, each opened once its earliest report is due. Nothing is held in between but a
chunk of each open day, no transaction either: a reader may take as long as it likes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from heapq import heappop, heappush
from typing import Final, NamedTuple

from sqlalchemy import Connection, Table, select, tuple_

from collector.day import Row, first_id, row_of

CHUNK: Final = 500
"""Rows read at once."""

Reading = Callable[[], AbstractContextManager[Connection]]


class Wanted(NamedTuple):
    """What is asked for: from_ms <= time < to_ms."""

    site: str
    from_ms: int
    to_ms: int
    chunk: int = CHUNK


class Source(NamedTuple):
    """One day's reports, not read yet."""

    low_ms: int
    """None of them was measured before."""
    day: int
    rows: Iterator[Row]


def closed_day(reading: Reading, table: Table, index: Table, wanted: Wanted) -> Iterator[Row]:
    """Yield a closed day's reports by its index."""
    place = (index.c.time_ms, index.c.id)
    after = (wanted.from_ms, -1)
    while True:
        some = (
            select(table)
            .join(index, index.c.id == table.c.id)
            .where(index.c.site == wanted.site, tuple_(*place) > tuple_(*after))
            .where(index.c.time_ms < wanted.to_ms)
            .order_by(*place)
            .limit(wanted.chunk)
        )
        with reading() as connection:
            records = connection.execute(some).all()
        yield from map(row_of, records)
        if len(records) < wanted.chunk:
            return
        after = (records[-1].time_ms, records[-1].id)


def open_day(reading: Reading, table: Table, slack_ms: int, wanted: Wanted) -> Iterator[Row]:
    """Yield the reports of a day that has no index yet: it is looked through once, for numbers."""
    with reading() as connection:
        first = first_id(connection, table, wanted.from_ms - slack_ms)
        found = connection.scalars(
            select(table.c.id)
            .where(table.c.id >= first, table.c.site == wanted.site)
            .where(table.c.time_ms >= wanted.from_ms, table.c.time_ms < wanted.to_ms)
            .order_by(table.c.time_ms, table.c.id)
        ).all()
    for at in range(0, len(found), wanted.chunk):
        some = select(table).where(table.c.id.in_(found[at : at + wanted.chunk]))
        with reading() as connection:
            records = connection.execute(some.order_by(table.c.time_ms, table.c.id)).all()
        yield from map(row_of, records)


def merged(sources: Iterable[Source]) -> Iterator[Row]:
    """Yield the rows of all days by time; those of equal times in order of arrival."""
    waiting = deque(sorted(sources, key=lambda source: (source.low_ms, source.day)))
    heads: list[tuple[int, int, Row, Iterator[Row]]] = []

    def push(day: int, rows: Iterator[Row]) -> None:
        row = next(rows, None)
        if row is not None:
            heappush(heads, (row.time_ms, day, row, rows))

    while waiting or heads:
        while waiting and (not heads or waiting[0].low_ms <= heads[0][0]):
            source = waiting.popleft()
            push(source.day, source.rows)
        if heads:
            _, day, row, rows = heappop(heads)
            yield row
            push(day, rows)
