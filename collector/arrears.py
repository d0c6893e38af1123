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

from sqlalchemy import select

from collector import indexing
from collector.day import first_id, row_of
from collector.schema import LATE, day_of, days

if TYPE_CHECKING:
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


class _Read(NamedTuple):
    rows: list[Row]
    place: _Place
    """Behind them."""
    to_the_end: bool


class Arrears:
    """The late reports that are not judged yet, in order of arrival."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._since_ms: int | None = None
        """When the first came that is in the store alone; None = there is none."""
        self._place: _Place | None = None
        """Up to where the store has been read since."""
        self._came = 0

    def __len__(self) -> int:
        """Return how many are in memory."""
        return len(self._rows)

    @property
    def more(self) -> bool:
        """Whether there are others, which memory did not hold."""
        return self._since_ms is not None

    def add(self, row: Row) -> None:
        """Take one that the store has."""
        self._came += 1
        if self._since_ms is not None:
            return  # it is read with the others
        if len(self._rows) < MOST:
            self._rows.append(row)
        else:
            self._since_ms = row.received_ms

    def take(self, most: int) -> list[Row]:
        """Return the next, and forget them."""
        return [self._rows.popleft() for _ in range(min(most, len(self._rows)))]

    async def refill(self, store: Store) -> None:
        """Read some back if there are such, and room.

        Raises:
            StoreError: the store cannot be read; another call tries again.
        """
        if self._since_ms is None or len(self._rows) > MOST // 2:
            return
        came = self._came
        read = await asyncio.to_thread(_read, store, self._since_ms, self._place)
        self._rows.extend(read.rows)
        self._place = read.place
        if read.to_the_end and came == self._came:
            self._since_ms = self._place = None


def _read(store: Store, since_ms: int, place: _Place | None) -> _Read:
    """Return the next late reports behind a place, or since a moment. Blocks."""
    with store.reading() as connection:
        first = day_of(since_ms) if place is None else place.day
        catalogue = select(days.c.day, days.c.back_ms).where(days.c.day >= first)
        known = connection.execute(catalogue.order_by(days.c.day)).all()
        for day, back_ms in known:
            table = store.table(day)
            if place is None:
                after = first_id(connection, table, since_ms - back_ms) - 1
            else:
                after = place.after if day == place.day else 0
            last = indexing.last_id(connection, table)
            if last <= after and day != known[-1].day:
                continue
            upto = min(after + STEP, last)
            some = select(table).where(table.c.id > after, table.c.id <= upto)
            late = some.where(table.c.flags.bitwise_and(LATE) != 0).order_by(table.c.id)
            rows = [row_of(record) for record in connection.execute(late)]
            to_the_end = upto >= last and day == known[-1].day
            return _Read(rows, _Place(day, max(after, upto)), to_the_end)
    return _Read([], _Place(first, 0), True)
