"""A day's index by site and time: filled in steps once the day is over, emptied in steps.

It is a table of its own, since SQLite builds an index in one go, with the write lock held: for
500 offices that is many seconds in which no report could be committed. All functions work on a
connection that they are given; `collector.store` has the transactions.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Table, delete, func, insert, select, tuple_

from collector.day import STEP


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
