"""The store of raw reports: what was acknowledged is on disk, and is found again by site and time.

Reports are appended in order of arrival, to one table a UTC day of arrival (`collector.schema`
says why); a day that is over is indexed by `close_days`. Until then its reports are found by
bisecting the order of arrival, see `collector.day.Order`. A report's block is opaque here.

All calls block: they are made from worker threads. One Store may be used by several at once.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    bindparam,
    delete,
    insert,
    inspect,
    select,
    update,
)

from alerts.steps import Decided
from collector import by_time, incident_rows, indexing
from collector.database import StoreError, explained, open_engine, writing
from collector.day import (
    STEP,
    U64,
    Order,
    Row,
    append,
    first_id,
    newest_by_arrival,
    newest_by_index,
)
from collector.incident_rows import Noted, Page
from collector.indexing import Range
from collector.schema import DAY_MS, day_index, day_of, day_table, days, heard, ranges

__all__ = ["Row", "Store", "StoreError"]


class Store:
    """The database of one collector; a context manager."""

    def __init__(self, engine: Engine, place: str, *, read_only: bool) -> None:
        self._engine = engine
        self._writer = writing(engine)
        self.place = place
        """The database's file, or its URL without the password, for messages."""
        self._read_only = read_only
        self._lock = threading.Lock()
        self._tables = MetaData()
        self._orders: dict[int, Order] = {}
        """Of the days known to be open, as last committed."""
        self._heard: dict[str, int] = {}
        """As last committed."""

    @classmethod
    def open(cls, data: Path | str, *, read_only: bool = False) -> Store:
        """Return the store in the folder `data`, or at a database URL, made or migrated if need be.

        Args:
            data: the collector's data folder, or `postgresql+psycopg://...`.
            read_only: for commands beside, or without, a running collector: never writes.

        Raises:
            StoreError: damaged, locked, not to be opened, or written by a newer tabuah; the
                message says what to do.
        """
        engine, place = open_engine(data, read_only=read_only)
        store = cls(engine, place, read_only=read_only)
        try:
            store._load()
        except StoreError:
            engine.dispose()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the database back."""
        self._engine.dispose()

    def append(self, rows: Sequence[Row]) -> None:
        """Keep `rows`, all or none, durably once this returns.

        Raises:
            StoreError: none was kept: the disk is full, the database is locked or damaged.
        """
        batches = _by_day(rows)
        if not batches:
            return
        with self._lock:
            orders: dict[int, Order] = {}
            news = {
                row.site: day
                for day, batch in batches.items()
                for row in batch
                if not row.late and self._heard.get(row.site, 0) < day
            }
            with self._writing() as connection:
                for day, batch in batches.items():
                    orders[day] = self._prepare_day(connection, day, batch)
                    append(connection, self.table(day), batch)
                self._note_heard(connection, news)
            self._orders.update(orders)
            self._heard.update(news)

    def close_days(self, now_ms: int) -> list[int]:
        """Index the days that are over, and return them (20261231); cheap when there are none.

        In small steps, between which appending goes on. A report that still arrives in a closed
        day opens it again.
        """
        with self.reading() as connection:
            open_days = select(days.c.day).where(~days.c.closed, days.c.day < day_of(now_ms))
            due = connection.scalars(open_days.order_by(days.c.day)).all()
        return [day for day in due if self._close_day(day)]

    def drop_days(self, before_ms: int) -> list[int]:
        """Forget all reports that arrived before the UTC day of `before_ms`; return the days.

        In small steps, between which appending goes on.
        """
        first = day_of(before_ms)
        with self.reading() as connection:
            old = connection.scalars(select(days.c.day).where(days.c.day < first)).all()
        for day in old:
            self._drop_day(day)
        with self._lock:
            with self._writing() as connection:
                connection.execute(delete(heard).where(heard.c.day < first))
            self._heard = {site: day for site, day in self._heard.items() if day >= first}
        return list(old)

    def ranges(self, since_ms: int) -> list[Range]:
        """Return which reports have arrived since the UTC day of `since_ms`, in no order.

        Of closed days this is known; those still open are read, once.
        """
        found: list[Range] = []
        with self.reading() as connection:
            catalogue = select(days).where(days.c.day >= day_of(since_ms))
            for entry in connection.execute(catalogue).all():
                known = select(*(ranges.c[name] for name in Range._fields))
                rows = connection.execute(known.where(ranges.c.day == entry.day)).all()
                if entry.closed and rows:
                    found.extend(Range(*row) for row in rows)
                else:
                    found.extend(indexing.ranges_by_arrival(connection, self.table(entry.day)))
        return [each._replace(epoch=each.epoch & U64) for each in found]

    def ids(self, since_ms: int) -> Iterator[tuple[str, int, int]]:
        """Stream (site, epoch, seq) of all that arrived since `since_ms`, in order of arrival."""
        with self.reading() as connection:
            catalogue = connection.execute(
                select(days).where(days.c.day >= day_of(since_ms)).order_by(days.c.day)
            ).all()
            for entry in catalogue:
                table = self.table(entry.day)
                first = first_id(connection, table, since_ms - entry.back_ms)
                wanted = (
                    select(table.c.site, table.c.epoch, table.c.seq)
                    .where(table.c.id >= first, table.c.received_ms >= since_ms)
                    .order_by(table.c.id)
                )
                stream = connection.execution_options(yield_per=5_000).execute(wanted)
                for site, epoch, seq in stream:
                    yield site, epoch & U64, seq

    def reports(self, site: str, from_ms: int, to_ms: int, limit: int | None = None) -> list[Row]:
        """Return the site's reports measured in [from_ms, to_ms), by time, whenever they arrived.

        Args:
            site: its code.
            from_ms: ms since 1970 UTC.
            to_ms: likewise, exclusive.
            limit: at most so many, the earliest.
        """
        return list(self.stream(site, from_ms, to_ms, limit))

    def stream(
        self, site: str, from_ms: int, to_ms: int, limit: int | None = None
    ) -> Iterator[Row]:
        """Yield what `reports` returns, read a few hundred at a time as they are asked for."""
        chunk = by_time.CHUNK if limit is None else min(by_time.CHUNK, limit)
        wanted = by_time.Wanted(site, from_ms, to_ms, chunk)
        with self.reading() as connection:
            catalogue = connection.execute(select(days).order_by(days.c.day)).all()
        sources = []
        for entry in catalogue:
            day, table = entry.day, self.table(entry.day)
            if not entry.closed:
                slack_ms = entry.ahead_ms + entry.back_ms
                rows = by_time.open_day(self.reading, table, slack_ms, wanted)
                sources.append(by_time.Source(from_ms, day, rows))
            elif from_ms <= entry.max_ms and entry.min_ms < to_ms:
                rows = by_time.closed_day(self.reading, table, self.index(day), wanted)
                sources.append(by_time.Source(entry.min_ms, day, rows))
        yield from islice(by_time.merged(sources), limit)

    def newest(self, sites: Collection[str] | None = None) -> dict[str, Row]:
        """Return each site's newest report that was not late; those never heard are left out.

        Args:
            sites: their codes; None = all.
        """
        found: dict[str, Row] = {}
        with self.reading() as connection:
            wanted: dict[int, set[str]] = defaultdict(set)
            for site, day in connection.execute(select(heard.c.site, heard.c.day)):
                if sites is None or site in sites:
                    wanted[day].add(site)
            catalogue = select(days.c.day, days.c.closed).where(days.c.day.in_(wanted))
            for day, closed in connection.execute(catalogue).all():
                table, sites_of = self.table(day), wanted[day]
                rows = (
                    newest_by_index(connection, table, self.index(day), sites_of)
                    if closed
                    else newest_by_arrival(connection, table, sites_of)
                )
                found.update((row.site, row) for row in rows)
        return found

    def note_incidents(self, page: Page) -> None:
        """Keep what is known of incidents and of what was said, durably once this returns.

        Raises:
            StoreError: none was kept.
        """
        with self._lock, self._writing() as connection:
            incident_rows.keep(connection, page)

    def unfinished_incidents(self) -> list[Noted]:
        """Return the incidents of which something is left to be said, the oldest first."""
        with self.reading() as connection:
            return incident_rows.unfinished(connection)

    def incidents_over(self, most: int) -> list[str]:
        """Return the ids of what is over, the newest last."""
        with self.reading() as connection:
            return incident_rows.over(connection, most)

    def what_was_said(self, incident: str) -> tuple[list[Noted], list[Decided]]:
        """Return what was noted and decided of an incident, and of the case it is told as."""
        with self.reading() as connection:
            noted = incident_rows.noted(connection, [incident])
            cases = {one.told_as for one in noted} - {"", incident}
            noted += incident_rows.noted(connection, cases)
            return noted, incident_rows.decided(connection, [incident, *cases])

    def forget_incidents(self, before_ms: int) -> None:
        """Let go of what was said of incidents that ended before a time.

        Raises:
            StoreError: nothing went.
        """
        with self._lock, self._writing() as connection:
            incident_rows.forget(connection, before_ms)

    def _load(self) -> None:
        if self._read_only:
            return
        with self.reading() as connection:
            for site, day in connection.execute(select(heard.c.site, heard.c.day)):
                self._heard[site] = day

    def table(self, day: int) -> Table:
        """Return the table of a day's reports."""
        return day_table(self._tables, day)

    def index(self, day: int) -> Table:
        """Return the table that finds a closed day's reports."""
        return day_index(self._tables, day)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with; for the store's own modules.

        Raises:
            StoreError: in place of the database's own errors inside the body.
        """
        with explained(self.place), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self._read_only:
            raise StoreError(f"{self.place}: opened for reading only")
        with explained(self.place), self._writer.begin() as connection:
            yield connection

    def _prepare_day(self, connection: Connection, day: int, batch: Sequence[Row]) -> Order:
        """Have the day's table and catalogue entry ready for `batch`; return the order after it."""
        before = self._orders.get(day) or self._reopen_day(connection, day, batch[0].received_ms)
        after = before.after(batch)
        if after.slack_ms != before.slack_ms:
            connection.execute(
                update(days)
                .where(days.c.day == day)
                .values(ahead_ms=after.ahead_ms, back_ms=after.back_ms)
            )
        return after

    def _close_day(self, day: int) -> bool:
        table, index = self.table(day), self.index(day)
        with self._lock, self._writing() as connection:
            index.create(connection, checkfirst=True)
        with self.reading() as connection:
            at = indexing.filled(connection, index)
            found = indexing.summary(connection, table)
            held = indexing.ranges(connection, table)
        while at < found.last_id:
            with self.step() as connection:
                at = indexing.fill(connection, table, index, at)
        with self._lock:
            with self._writing() as connection:
                if indexing.last_id(connection, table) != found.last_id:
                    return False  # a straggler came to it: the next call takes it up
                connection.execute(delete(ranges).where(ranges.c.day == day))
                for some in range(0, len(held), STEP):
                    rows = [{"day": day, **each._asdict()} for each in held[some : some + STEP]]
                    connection.execute(insert(ranges), rows)
                connection.execute(
                    update(days)
                    .where(days.c.day == day)
                    .values(
                        closed=True,
                        min_ms=found.min_ms,
                        max_ms=found.max_ms,
                        reports=found.reports,
                    )
                )
            self._orders.pop(day, None)
        return True

    def _drop_day(self, day: int) -> None:
        table, index = self.table(day), self.index(day)
        with self.reading() as connection:
            indexed = inspect(connection).has_table(index.name)
            count = indexing.last_id(connection, table)
        while indexed:
            with self.step() as connection:
                indexed = indexing.thin(connection, index)
        for last in range(STEP, count, STEP):
            with self.step() as connection:
                connection.execute(delete(table).where(table.c.id <= last))
        with self._lock:
            with self._writing() as connection:
                index.drop(connection, checkfirst=True)
                table.drop(connection)
                connection.execute(delete(ranges).where(ranges.c.day == day))
                connection.execute(delete(days).where(days.c.day == day))
            self._orders.pop(day, None)

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """Give a transaction of long work, and then the disk to the others for as long as it took.

        Without the pause this thread would have the lock again before another wakes up. Also for
        `collector.upkeep`, and others that write beside the reports.
        """
        began = time.monotonic()
        with self._lock, self._writing() as connection:
            yield connection
        time.sleep(time.monotonic() - began)

    def _reopen_day(self, connection: Connection, day: int, received_ms: int) -> Order:
        """Return the order of a day that we have not yet appended to since the start."""
        table = self.table(day)
        entry = connection.execute(select(days).where(days.c.day == day)).one_or_none()
        if entry is None:
            table.create(connection)
            connection.execute(insert(days).values(day=day, closed=False, ahead_ms=0, back_ms=0))
            return Order(received_ms)
        if entry.closed:
            connection.execute(update(days).where(days.c.day == day).values(closed=False))
        last = connection.scalar(select(table.c.received_ms).order_by(table.c.id.desc()).limit(1))
        return Order((last or 0) + entry.back_ms, entry.ahead_ms, entry.back_ms)

    def _note_heard(self, connection: Connection, news: dict[str, int]) -> None:
        fresh = [{"site": s, "day": day} for s, day in news.items() if s not in self._heard]
        known = [{"code": s, "day": day} for s, day in news.items() if s in self._heard]
        if fresh:
            connection.execute(insert(heard), fresh)
        if known:
            connection.execute(update(heard).where(heard.c.site == bindparam("code")), known)


def _by_day(rows: Sequence[Row]) -> Mapping[int, Sequence[Row]]:
    """Return the rows by the day that they arrived in: mostly one."""
    if len({row.received_ms // DAY_MS for row in rows}) == 1:
        return {day_of(rows[0].received_ms): rows}
    batches: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        batches[day_of(row.received_ms)].append(row)
    return batches
