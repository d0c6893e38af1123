"""Keeps the store in shape while reports arrive: indexes, rolls up, drops what is past its time.

A day is rolled up when it is over, from the reports of all days that are over: each hour that a
report of that day was measured in, and the hours beside it, is computed anew. So a report that
comes late changes the hours that it speaks of, as soon as the day of its arrival is over. An
hour whose own day has been dropped stays as it is. All is done in short transactions, with a
pause after each; `stop` ends it between two of them, and nothing is lost by that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from collector import history, indexing
from collector.day import Row, row_of
from collector.live import Received
from collector.opened import opened
from collector.rollup import HOUR_MS, Hour, by_time, edges, hour_of, roll_up
from collector.schema import day_of, days, hours
from collector.store import Store
from tabuah.errors import DecodeError

ROLLED = "rolled"
DROPPED = "dropped"
"""Tasks in the table of progress. DROPPED has the first day that is kept, as day 0's id."""

AT_ONCE = 12
"""Hours that are written in one transaction: at worst each of their reports is an edge."""

log = logging.getLogger(__name__)


class Upkeep:
    """The work on one store that nobody waits for; all calls block."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let a running `run` return soon; to be called from another thread."""
        self._stopped.set()

    def run(self, now_ms: int, reports_s: float, rollups_s: float) -> None:
        """Do what is due; cheap when nothing is.

        Args:
            now_ms: the collector's clock.
            reports_s: how long raw reports are kept.
            rollups_s: how long roll-ups are kept.

        Raises:
            StoreError: the disk is full, the database is locked or damaged; the next call goes on.
        """
        closed = self._store.close_days(now_ms)
        for day in self._unrolled():
            if not self._roll_day(day):
                return
        self._drop(now_ms - int(reports_s * 1000))
        self._store.forget_incidents(now_ms - int(rollups_s * 1000))
        if closed:
            self._thin(now_ms - int(rollups_s * 1000))

    def _unrolled(self) -> list[int]:
        with self._store.reading() as connection:
            over = connection.scalars(select(days.c.day).where(days.c.closed).order_by(days.c.day))
            return [day for day in over.all() if not self._is_rolled(connection, day)]

    def _is_rolled(self, connection: Connection, day: int) -> bool:
        last = indexing.last_id(connection, self._store.table(day))
        return history.done(connection, ROLLED, day) == last

    def _roll_day(self, day: int) -> bool:
        """Roll up what came in a day since it was last rolled up; return False when stopped."""
        table = self._store.table(day)
        with self._store.reading() as connection:
            last = indexing.last_id(connection, table)
            after = history.done(connection, ROLLED, day) or 0
            first_day = history.done(connection, DROPPED) or 0
            wanted = select(table.c.site).where(table.c.id > after).distinct()
            index = self._store.index(day)
            sites = (
                list(history.sites_in(connection, index.c.site))
                if after == 0
                else list(connection.scalars(wanted))
            )
        log.info("upkeep: rolling up %d, %d offices", day, len(sites))
        for site in sites:
            for chunk in _chunks(self._touched(day, site, after), first_day):
                if self._stopped.is_set():
                    return False
                self._roll_up(site, chunk)
        with self._store.step() as connection:
            history.note(connection, ROLLED, day, last)
        return True

    def _touched(self, day: int, site: str, after: int) -> set[int]:
        """Return the hours that a day's reports of a site were measured in."""
        table, index = self._store.table(day), self._store.index(day)
        hour = index.c.time_ms - index.c.time_ms % HOUR_MS
        wanted = select(hour).where(index.c.site == site).distinct()
        if after:
            hour = table.c.time_ms - table.c.time_ms % HOUR_MS
            wanted = select(hour).where(table.c.id > after, table.c.site == site).distinct()
        with self._store.reading() as connection:
            return set(connection.scalars(wanted))

    def _roll_up(self, site: str, chunk: list[int]) -> None:
        began = time.monotonic()
        of_hour: dict[int, list[Received]] = defaultdict(list)
        rows: dict[tuple[int, int], Row] = {}
        for row in self._rows(site, chunk[0] - HOUR_MS, chunk[-1] + 2 * HOUR_MS):
            try:
                received = opened(row)
            except DecodeError as error:
                log.warning("upkeep: %s: report %d is damaged: %s", site, row.seq, error)
                continue
            of_hour[hour_of(row.time_ms)].append(received)
            rows[row.epoch, row.seq] = row
        found: dict[int, tuple[Hour, list[Row]]] = {}
        for hour in chunk:
            reports = by_time(of_hour[hour])
            if reports:
                before = next(reversed(by_time(of_hour[hour - HOUR_MS])), None)
                after = next(iter(by_time(of_hour[hour + HOUR_MS])), None)
                beside = edges(before, reports, after)
                kept = [rows[one.report.id.epoch, one.report.id.seq] for one in beside]
                found[hour] = roll_up(hour, before, reports), kept
        time.sleep(time.monotonic() - began)  # the interpreter is the line's as well as ours
        with self._store.step() as connection:
            history.replace(connection, site, found)

    def _rows(self, site: str, from_ms: int, to_ms: int) -> Iterator[Row]:
        """Yield a site's reports measured then, of all days that are over."""
        with self._store.reading() as connection:
            over = connection.scalars(
                select(days.c.day).where(
                    days.c.closed, days.c.max_ms >= from_ms, days.c.min_ms < to_ms
                )
            ).all()
            for day in over:
                table, index = self._store.table(day), self._store.index(day)
                wanted = (
                    select(table)
                    .join(index, index.c.id == table.c.id)
                    .where(
                        index.c.site == site, index.c.time_ms >= from_ms, index.c.time_ms < to_ms
                    )
                )
                yield from map(row_of, connection.execute(wanted).all())

    def _drop(self, before_ms: int) -> None:
        first = day_of(before_ms)
        with self._store.reading() as connection:
            old = connection.execute(select(days).where(days.c.day < first)).all()
            if not all(one.closed and self._is_rolled(connection, one.day) for one in old):
                return  # a straggler came: the next call rolls it up
        if not old or self._stopped.is_set():
            return
        # First: from here on, hours of those days are not computed anew from what is left.
        with self._store.step() as connection:
            history.note(connection, DROPPED, 0, first)
        self._store.drop_days(before_ms)
        with self._store.step() as connection:
            history.forget(connection, first)
        log.info("upkeep: reports that came before %d are dropped", first)

    def _thin(self, before_ms: int) -> None:
        with self._store.reading() as connection:
            sites = list(history.sites_in(connection, hours.c.site))
        for site in sites:
            if self._stopped.is_set():
                return
            with self._store.step() as connection:
                history.thin(connection, site, hour_of(before_ms))


def _chunks(touched: Iterable[int], first_day: int) -> Iterator[list[int]]:
    """Yield the hours to compute anew, in runs of neighbours."""
    wanted = {hour + beside for hour in touched for beside in (-HOUR_MS, 0, HOUR_MS)}
    chunk: list[int] = []
    for hour in sorted(hour for hour in wanted if day_of(hour) >= first_day):
        if chunk and (hour != chunk[-1] + HOUR_MS or len(chunk) == AT_ONCE):
            yield chunk
            chunk = []
        chunk.append(hour)
    if chunk:
        yield chunk
