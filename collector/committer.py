"""Group commit: deliveries wait a moment for company, then one fsync serves them all.

While a commit runs in its thread the next group gathers, so that under load the groups grow
by themselves and the disk sets the pace. What cannot be queued is refused at once: its agent
keeps it and comes again. A row that cannot be stored for what it holds costs its group one fsync
for each row, and nobody else's report.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collector.delivery import Delivery
    from collector.mishaps import Mishaps
    from collector.store import Row

log = logging.getLogger(__name__)

GROUP_ROWS: Final = 100
LINGER_S: Final = 0.02
QUEUE_MOST: Final = 50_000
"""Deliveries waiting; at a kilobyte each that is what a stalled disk may cost in memory."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What became of a group of deliveries."""

    deliveries: Sequence[Delivery]
    seconds: float
    error: TabuahError | None = None
    """Why nothing of it may be called stored: the disk refuses."""
    unfit: Mapping[Row, Exception] = field(default_factory=dict)
    """Rows that cannot be stored for what they hold; all others are."""

    @property
    def rows(self) -> list[Row]:
        """Those that are stored."""
        if self.error:
            return []
        every = [row for delivery in self.deliveries for row in delivery.rows]
        return [row for row in every if row not in self.unfit] if self.unfit else every


class Committer:
    """Writes groups of deliveries, and tells what became of them, in order."""

    def __init__(
        self,
        append: Callable[[Sequence[Row]], None],
        done: Callable[[Commit], None],
        forget: Callable[[Sequence[Delivery]], None],
        mishaps: Mishaps,
    ) -> None:
        """Prepare.

        Args:
            append: makes rows durable, all or none, blocking; run in a thread. A TabuahError
                means that the disk refuses, another exception that a row does not fit.
            done: called in the event loop with each group.
            forget: called instead of `done` with what is left of a group when `done` fails.
            mishaps: told what was not foreseen.
        """
        self._append = append
        self._done = done
        self._forget = forget
        self._mishaps = mishaps
        self.busy_since: float | None = None
        """When the commit that is running began, monotonic seconds; None when none is."""
        self._waiting: list[Delivery] = []
        self._rows = 0
        self._filled = asyncio.Event()
        self._full_group = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")

    def submit(self, delivery: Delivery) -> bool:
        """Queue a delivery; return False when there is no room."""
        if len(self._waiting) >= QUEUE_MOST:
            return False
        self._waiting.append(delivery)
        self._rows += len(delivery.rows)
        self._filled.set()
        if self._rows >= GROUP_ROWS:
            self._full_group.set()
        return True

    async def run(self) -> None:
        """Commit until cancelled; what waits then is written before it ends."""
        committing: asyncio.Task[None] | None = None
        try:
            while True:
                await self._filled.wait()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LINGER_S):
                        await self._full_group.wait()
                committing = asyncio.create_task(self._commit())
                await asyncio.shield(committing)
        finally:
            if committing is not None:
                await committing  # it was under way when we were told to stop
            while self._waiting:
                await self._commit()
            self._thread.shutdown()

    async def _commit(self) -> None:
        group, self._waiting, self._rows = self._waiting, [], 0
        self._filled.clear()
        self._full_group.clear()
        rows = [row for delivery in group for row in delivery.rows]
        self.busy_since = began = time.monotonic()
        error: TabuahError | None = None
        unfit: dict[Row, Exception] = {}
        if rows:
            loop = asyncio.get_running_loop()
            try:
                unfit = await loop.run_in_executor(self._thread, self._write, rows)
            except TabuahError as refused:
                error = refused
        self.busy_since = None
        done = False
        with self._mishaps.at("commit"):
            self._done(Commit(group, time.monotonic() - began, error, unfit))
            done = True
        if not done:
            self._forget(group)

    def _write(self, rows: Sequence[Row]) -> dict[Row, Exception]:
        """Make rows durable; return those that do not fit. Blocks."""
        try:
            self._append(rows)
        except TabuahError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a database says of a value
            if len(rows) == 1:
                return {rows[0]: error}
            unfit: dict[Row, Exception] = {}
            for row in rows:
                unfit |= self._write([row])
            return unfit
        return {}
