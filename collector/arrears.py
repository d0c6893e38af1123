"""Late reports that wait to be judged: some in memory, the rest in the store, which has them all.

When a province returns, ten thousand offices tell of their hours within minutes: more than memory
should hold, and faster than they are judged. From the first on that found no room they are read
back in order of arrival, those of all offices together: a look for each office by itself would go
through the day anew for each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from collector import indexing
from collector.day import first_id, row_of
from collector.schema import LATE, day_of, days

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from collector.store import Row, Store

MOST: Final = 20_000
"""Reports held in memory, some 15 MB."""
STEP: Final = 5_000
"""Of the store's reports, live ones included, that are looked through at once."""


class _Place(NamedTuple):
    """In the order of arrival."""

    day: int
    after: int
    """The id of the last report before it."""


class Arrears:
    """The late reports that are not judged yet, in order of arrival; each is given once."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._first: Row | None = None
        """The first that is in the store alone; None = there is none."""
        self._newest: Row | None = None
        """The last that was added."""
        self._place: _Place | None = None
        """Up to where the store has been read since `_first` came."""

    def __len__(self) -> int:
        """Return how many are in memory."""
        return len(self._rows)

    @property
    def more(self) -> bool:
        """Whether there are others, which memory did not hold."""
        return self._first is not None

    def add(self, row: Row) -> None:
        """Take one that the store has; they are added in the order in which they were appended."""
        self._newest = row
        if self._first is not None:
            return  # it is read with the others
        if len(self._rows) < MOST:
            self._rows.append(row)
        else:
            self._first = row

    def take(self, most: int) -> list[Row]:
        """Return the next, and forget them."""
        return [self._rows.popleft() for _ in range(min(most, len(self._rows)))]

    async def refill(self, store: Store) -> None:
        """Read some back if there are such, and room.

        Raises:
            StoreError: the store cannot be read; another call tries again.
        """
        if self._first is None or len(self._rows) > MOST // 2:
            return
        rows, place = await asyncio.to_thread(_read, store, self._first, self._place)
        if self._newest in rows:
            # What is stored behind it is to be added yet: then there is room for it here.
            self._rows.extend(rows[: rows.index(self._newest) + 1])
            self._first = self._place = None
        else:
            self._rows.extend(rows)
            self._place = place


def _read(store: Store, first: Row, place: _Place | None) -> tuple[list[Row], _Place]:
    """Return the next late reports behind a place, or from one on; and the place behind them."""
    with store.reading() as connection:
        since = day_of(first.received_ms) if place is None else place.day
        catalogue = select(days.c.day, days.c.back_ms).where(days.c.day >= since)
        known = connection.execute(catalogue.order_by(days.c.day)).all()
        for day, back_ms in known:
            table = store.table(day)
            if place is None:
                after = _before(connection, table, first, back_ms)
            else:
                after = place.after if day == place.day else 0
            last = indexing.last_id(connection, table)
            if last <= after and day != known[-1].day:
                continue
            upto = min(after + STEP, last)
            some = select(table).where(table.c.id > after, table.c.id <= upto)
            late = some.where(table.c.flags.bitwise_and(LATE) != 0).order_by(table.c.id)
            rows = [row_of(record) for record in connection.execute(late)]
            return rows, _Place(day, max(after, upto))
    return [], _Place(since, 0)


def _before(connection: Connection, table: Table, row: Row, back_ms: int) -> int:
    """Return the id before that of a row; `back_ms` is how far the day's clock was set back."""
    low = first_id(connection, table, row.received_ms - back_ms)
    same = (table.c.site == row.site, table.c.seq == row.seq)
    found = select(func.min(table.c.id)).where(
        table.c.id >= low, table.c.received_ms == row.received_ms, *same
    )
    return (connection.scalar(found) or low) - 1
