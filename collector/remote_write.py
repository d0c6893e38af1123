"""Writes stored reports to Prometheus or VictoriaMetrics by remote write, in order of arrival.

How far it has come stands in the store, so a restart goes on. A request is tried again only where
that can help. What will never be taken (too old, or refused for its values) is found by halving,
dropped and logged: nothing bad holds up what is behind it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import cramjam
import httpx
from sqlalchemy import select

from collector import history, indexing
from collector.backfill import Backfill, Samples
from collector.day import Row, row_of
from collector.mishaps import Mishaps
from collector.schema import day_of, days
from collector.seldom import Seldom
from collector.store import Store, StoreError
from collector.write_request import Answer, Sample, encode, judge
from inventory.model import Inventory
from tabuah import __version__

TASK: Final = "remote write"

ROWS: Final = 200
"""Reports in one request: some ten thousand samples."""

LOOK_S: Final = 5.0
"""How often it looks for new reports."""

RETRY_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Waits before the next attempt; the last one repeats."""

TIMEOUT_S: Final = 30.0

HEADERS: Final = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": f"tabuah/{__version__}",
}

log = logging.getLogger(__name__)


class _Batch(NamedTuple):
    day: int
    upto: int
    made: Samples
    since_ms: int
    """When the first of its reports came."""
    waiting: int
    """Reports from it on, it included."""


class RemoteWrite:
    """The queue from the store to one receiver."""

    def __init__(
        self,
        store: Store,
        url: str,
        client: httpx.AsyncClient,
        inventory: Callable[[], Inventory],
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._url = url
        self._client = client
        self._inventory = inventory
        self._now_ms = now_ms
        self._backfill = Backfill()
        self._seldom: defaultdict[str, Seldom] = defaultdict(Seldom)
        self.taken = 0
        """Samples, since the start."""
        self.dropped = 0
        """Samples that were never taken, since the start."""
        self.failures = 0
        """Requests that were not taken and will be tried again, since the start."""
        self.waiting = 0
        """Reports that are not written yet, when it last looked."""
        self._since_ms: int | None = None

    def lag_s(self) -> float:
        """Return how long ago the oldest report came that is not written yet; 0 = there is none."""
        since_ms = self._since_ms
        return 0.0 if since_ms is None else max(0.0, (self._now_ms() - since_ms) / 1000)

    async def run(self, mishaps: Mishaps) -> None:
        """Write what there is, and then what comes, until cancelled."""
        while True:
            more = False
            with mishaps.at("remote write"):
                try:
                    more = await self.write_some()
                except StoreError as error:
                    self._warn("the store: %s", str(error))
            if not more:
                await asyncio.sleep(LOOK_S)

    async def write_some(self) -> bool:
        """Write the next reports; return False when there are none."""
        began = time.monotonic()
        batch = await asyncio.to_thread(self._next)
        if batch is None:
            self._since_ms, self.waiting = None, 0
            return False
        self._since_ms, self.waiting = batch.since_ms, batch.waiting
        worked = time.monotonic() - began
        if batch.made.ahead:
            self._warn("%s reports are left out: they lie in the future", str(batch.made.ahead))
        await self._settle(batch.made.samples)
        await asyncio.to_thread(self._note, batch)
        await asyncio.sleep(worked)  # the interpreter is the line's as well as ours
        return True

    def _next(self) -> _Batch | None:
        now_ms = self._now_ms()
        with self._store.reading() as connection:
            first = history.done(connection, TASK)
        if first is None:
            # Older reports are not pushed of our own accord: few receivers would take them.
            first = day_of(now_ms)
            with self._store.step() as connection:
                history.note(connection, TASK, 0, first)
        with self._store.reading() as connection:
            known = select(days.c.day).where(days.c.day >= first).order_by(days.c.day)
            known_days = connection.scalars(known).all()
            for day in known_days:
                table = self._store.table(day)
                after = history.done(connection, TASK, day) or 0
                last = indexing.last_id(connection, table)
                if last <= after:
                    continue
                wanted = select(table).where(table.c.id > after).order_by(table.c.id).limit(ROWS)
                records = connection.execute(wanted).all()
                rows: list[Row] = list(map(row_of, records))
                made = self._backfill.samples(self._inventory(), rows, now_ms)
                later = (self._store.table(other) for other in known_days if other > day)
                waiting = last - after + sum(indexing.last_id(connection, each) for each in later)
                return _Batch(day, records[-1].id, made, rows[0].received_ms, waiting)
        return None

    def _note(self, batch: _Batch) -> None:
        with self._store.step() as connection:
            history.note(connection, TASK, batch.day, batch.upto)

    async def _settle(self, samples: Sequence[Sample]) -> None:
        """Have each of `samples` taken or dropped."""
        if not samples:
            return
        answer, said = await self._send(samples)
        if answer is Answer.TAKEN:
            self.taken += len(samples)
            return
        if len(samples) == 1:
            self._drop(samples, said)
            return
        if answer is Answer.TOO_OLD:
            young = await self._first_young(samples)
            if young:
                self._drop(samples[:young], said)
                await self._settle(samples[young:])
                return
        half = len(samples) // 2
        await self._settle(samples[:half])
        await self._settle(samples[half:])

    async def _first_young(self, samples: Sequence[Sample]) -> int:
        """Return how many of `samples`, which are by time, are too old."""
        low, high = 0, len(samples)
        while low < high:
            middle = (low + high) // 2
            answer, _ = await self._send(samples[middle : middle + 1])
            if answer is Answer.TOO_OLD:
                low = middle + 1
            else:
                high = middle
        return low

    async def _send(self, samples: Sequence[Sample]) -> tuple[Answer, str]:
        """Return what was made of `samples`: anything but LATER."""
        body = await asyncio.to_thread(lambda: bytes(cramjam.snappy.compress_raw(encode(samples))))
        attempt = 0
        while True:
            try:
                reply = await self._client.post(
                    self._url, content=body, headers=HEADERS, timeout=TIMEOUT_S
                )
            except httpx.HTTPError as error:
                said, asked_s = f"{type(error).__name__}: {error}", 0.0
            else:
                said = f"{reply.status_code} {reply.text[:200].strip()}"
                answer = judge(reply.status_code, reply.text)
                if answer is not Answer.LATER:
                    return answer, said
                asked_s = _asked_s(reply.headers.get("Retry-After", ""))
            self.failures += 1
            self._warn("not taken, will be tried again: %s", said)
            await asyncio.sleep(max(RETRY_S[min(attempt, len(RETRY_S) - 1)], asked_s))
            attempt += 1

    def _drop(self, samples: Sequence[Sample], said: str) -> None:
        self.dropped += len(samples)
        labels = dict(samples[0].labels)
        self._warn(
            "%s samples are never taken, and dropped; such as %s of %s at %s ms: %s",
            *(str(len(samples)), labels.pop("__name__"), str(labels)),
            *(str(samples[0].time_ms), said),
        )

    def _warn(self, words: str, *arguments: str) -> None:
        # Never the URL: it may hold a password.
        if times := self._seldom[words].due(time.monotonic()):
            log.warning(f"remote write: {words} (%d such of late)", *arguments, times)  # noqa: G004


def _asked_s(retry_after: str) -> float:
    return min(float(retry_after), 600.0) if retry_after.isdecimal() else 0.0
