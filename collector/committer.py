"""Group commit: deliveries wait a moment for company, then one fsync serves them all.

While a commit runs in its thread the next group gathers, so that under load the groups grow
by themselves and the disk sets the pace. What cannot be queued is refused at once: its agent
keeps it and comes again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector.delivery import Delivery
    from collector.store import Row

log = logging.getLogger(__name__)

GROUP_ROWS: Final = 100
LINGER_S: Final = 0.02
QUEUE_MOST: Final = 50_000
"""Deliveries waiting; at a kilobyte each that is what a stalled disk may cost in memory."""


class Committer:
    """Writes groups of deliveries, and tells what became of them, in order."""

    def __init__(
        self,
        append: Callable[[Sequence[Row]], None],
        done: Callable[[list[Delivery], float, TabuahError | None], None],
    ) -> None:
        """Prepare.

        Args:
            append: makes rows durable, blocking; run in a thread.
            done: called in the event loop with a group, the seconds it took, and the error.
        """
        self._append = append
        self._done = done
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
        try:
            while True:
                await self._filled.wait()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LINGER_S):
                        await self._full_group.wait()
                await asyncio.shield(self._commit())
        finally:
            while self._waiting:
                await self._commit()
            self._thread.shutdown()

    async def _commit(self) -> None:
        group, self._waiting, self._rows = self._waiting, [], 0
        self._filled.clear()
        self._full_group.clear()
        rows = [row for delivery in group for row in delivery.rows]
        self.busy_since = began = time.monotonic()
        error = None
        if rows:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._append, rows)
            except TabuahError as refused:
                error = refused
        self.busy_since = None
        self._done(group, time.monotonic() - began, error)
