"""One day's reports: what a row is, how rows lie in order of arrival, and how they are found there.

All work on a connection that they are given; `collector.store` has the transactions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy import Row as Record

from collector.row import Row
from collector.schema import CORRECTED, LATE

__all__ = ["Order", "Row"]

U64 = (1 << 64) - 1
STEP = 20_000
"""Rows that are read or deleted at once."""

_COLUMNS: Final = ("site", "epoch", "seq", "time_ms", "received_ms", "flags", "block")
_TOGETHER: Final = (128, 16, 1)
"""Rows of one statement on SQLite: each statement hands the interpreter to another thread once,
and getting it back from a busy one takes milliseconds."""

_SIGN = 1 << 63
_COARSE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Order:
    """How a day's reports lie in order of arrival, so that an open day needs no index.

    `received_ms` grows with `id`, but for the collector's clock being set back by at most
    `back_ms`; and no `time_ms` is ahead of its `received_ms` by more than `ahead_ms`. Hence no
    report of time T lies before the place that a bisection for T - ahead_ms - back_ms finds.
    """

    high_ms: int
    """The greatest `received_ms`, or more."""
    ahead_ms: int = 0
    back_ms: int = 0

    @property
    def slack_ms(self) -> int:
        """How much earlier than a report's time the bisection must look."""
        return self.ahead_ms + self.back_ms

    def after(self, rows: Sequence[Row]) -> Order:
        """Return the order once `rows` are appended; in whole seconds, to change rarely."""
        high, ahead, back = self.high_ms, self.ahead_ms, self.back_ms
        for row in rows:
            received = row.received_ms
            if row.time_ms - received > ahead:
                ahead = _coarse(row.time_ms - received)
            if received > high:
                high = received
            elif high - received > back:
                back = _coarse(high - received)
        return Order(high, ahead, back)


def _coarse(ms: int) -> int:
    return -(-ms // _COARSE_MS) * _COARSE_MS


_Values = tuple[str, int, int, int, int, int, bytes]


def append(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Write rows to a day's table.

    On SQLite past SQLAlchemy's own insert, which takes four times what SQLite does.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(insert(table), [values_of(row) for row in rows])
        return
    values = [_values_of(row) for row in rows]
    at = 0
    for together in _TOGETHER:
        statement = _insertion(table.name, together)
        while len(values) - at >= together:
            some = values[at : at + together]
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))
            at += together


@lru_cache(maxsize=16)
def _insertion(table: str, rows: int) -> str:
    one = f"({', '.join('?' * len(_COLUMNS))})"
    # No name comes from outside: the table's is made of its day.
    return f"INSERT INTO {table} ({', '.join(_COLUMNS)}) VALUES {', '.join([one] * rows)}"  # noqa: S608


def values_of(row: Row) -> dict[str, str | int | bytes]:
    """Return the columns of a report by their names."""
    return dict(zip(_COLUMNS, _values_of(row), strict=True))


def _values_of(row: Row) -> _Values:
    site, epoch, seq, time_ms, received_ms, late, corrected, block = row
    return (
        site,
        epoch - (1 << 64) if epoch >= _SIGN else epoch,
        seq,
        time_ms,
        received_ms,
        (LATE if late else 0) | (CORRECTED if corrected else 0),
        block,
    )


def row_of(record: Record[*tuple[object, ...]]) -> Row:
    """Return the report in a record of a day's table."""
    return Row(
        record.site,
        record.epoch & U64,
        record.seq,
        record.time_ms,
        record.received_ms,
        bool(record.flags & LATE),
        bool(record.flags & CORRECTED),
        record.block,
    )


def first_id(connection: Connection, table: Table, received_ms: int) -> int:
    """Return the id that a bisection by `received_ms` finds, in some twenty look-ups."""
    low, high = 0, connection.scalar(select(func.max(table.c.id))) or 0
    while low < high:  # every id up to `low` is before received_ms, `high` + 1 is not
        middle = (low + high + 1) // 2
        # Numbers may be missing (a sequence of PostgreSQL, rolled back): take the next below.
        below = connection.execute(
            select(table.c.id, table.c.received_ms)
            .where(table.c.id <= middle, table.c.id > low)
            .order_by(table.c.id.desc())
            .limit(1)
        ).one_or_none()
        if below is None or below.received_ms < received_ms:
            low = middle
        else:
            high = below.id - 1
    return low + 1


def newest_by_index(
    connection: Connection, table: Table, index: Table, sites: set[str]
) -> Iterator[Row]:
    """Yield each site's newest report of a closed day that was not late."""
    live = select(table).join(index, index.c.id == table.c.id)
    live = live.where(table.c.flags.bitwise_and(LATE) == 0)
    last = live.order_by(index.c.time_ms.desc(), index.c.id.desc()).limit(1)
    for site in sites:
        yield from map(row_of, connection.execute(last.where(index.c.site == site)))


def newest_by_arrival(connection: Connection, table: Table, sites: set[str]) -> Iterator[Row]:
    """Yield each site's newest report of an open day that was not late.

    Looks back from the day's end until all are found: most sites are heard every few seconds.
    """
    missing = set(sites)
    high = connection.scalar(select(func.max(table.c.id))) or 0
    while missing and high > 0:
        low = high - STEP
        last = connection.execute(
            select(table.c.site, func.max(table.c.id).label("id"))
            .where(table.c.id > low, table.c.id <= high, table.c.flags.bitwise_and(LATE) == 0)
            .group_by(table.c.site)
        )
        numbers = [number for site, number in last if site in missing]
        for row in map(row_of, connection.execute(select(table).where(table.c.id.in_(numbers)))):
            missing.discard(row.site)
            yield row
        high = low
