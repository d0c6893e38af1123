"""The collector's end of the traps: takes them from the keeper, has them judged, and writes them.

Lives in the event loop; the store is written in a thread, once a second, and never waited for by
anything else. Without `traps` in the inventory it does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.traps import words
from collector.traps.book import REMEMBERED_MOST, Book, TrapStore
from collector.traps.keeper import OUTCOMES, Keeper, orders_of
from collector.traps.places import Places
from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.mishaps import Mishaps
    from collector.store import Store
    from collector.traps.trap import Trap
    from inventory.model import Inventory

log = logging.getLogger(__name__)

WRITE_S: Final = 1.0
RETRY_S: Final = 10.0
PRUNE_S: Final = 600.0


class Desk(Collector):
    """The traps of one collector, and their metrics."""

    def __init__(self, inventory: Inventory, store: Store) -> None:
        self.book = Book(Places.of(inventory))
        self.store = TrapStore(store)
        self.keeper: Keeper | None = None
        self._inventory = inventory
        self._pruned = 0.0
        if inventory.traps is not None:
            self.keeper = Keeper(inventory.traps.listen, self._orders, self._heard)

    def renew(self, inventory: Inventory) -> None:
        """Take up a changed inventory; another address to listen on takes a restart."""
        before, self._inventory = self._inventory.traps, inventory
        listened = None if before is None else before.listen
        if listened != (None if inventory.traps is None else inventory.traps.listen):
            log.warning("a changed traps.listen takes a restart; the rest is in use now")
        self.book.places = Places.of(inventory)
        if self.keeper is not None:
            self.keeper.renew()

    async def run(self, mishaps: Mishaps) -> None:
        """Hear and keep traps until cancelled."""
        if self.keeper is None:
            return
        try:
            kept = await asyncio.to_thread(self.store.newest, REMEMBERED_MOST)
            self.book.remember(kept, time.monotonic())
        except TabuahError as error:
            log.error("traps: what was kept cannot be read: %s", error)  # noqa: TRY400
        async with asyncio.TaskGroup() as group:
            group.create_task(self.keeper.run(mishaps))
            group.create_task(self._write(mishaps))

    async def _write(self, mishaps: Mishaps) -> None:
        try:
            while True:
                wait_s = WRITE_S
                with mishaps.at("trap"):
                    try:
                        await self._write_down()
                        await self._prune()
                    except TabuahError as error:
                        log.error("traps are not kept, and tried again: %s", error)  # noqa: TRY400
                        wait_s = RETRY_S
                await asyncio.sleep(wait_s)
        finally:
            with contextlib.suppress(TabuahError):
                await self._write_down()

    async def _prune(self) -> None:
        if time.monotonic() - self._pruned < PRUNE_S:
            return
        self._pruned = time.monotonic()
        kept_ms = round(self._inventory.retention.traps_s * 1000)
        await asyncio.to_thread(self.store.prune, time.time_ns() // 1_000_000 - kept_ms)

    async def _write_down(self) -> None:
        waiting = list(self.book.unkept)
        if not waiting:
            return
        self.book.unkept.clear()
        try:
            await asyncio.to_thread(self.store.append, waiting)
        except TabuahError:
            later = list(self.book.unkept)
            self.book.unkept.clear()
            self.book.unkept.extend([*waiting, *later])
            raise

    def _orders(self) -> dict[str, object]:
        return orders_of(self._inventory, self.book.places.known)

    def _heard(self, trap: Trap) -> None:
        entry = self.book.hear(trap, time.monotonic())
        if entry.certain:
            log.info("%s: trap from %s: %s", entry.site, trap.source, words.says(trap))

    # --- metrics ------------------------------------------------------------------------

    def collect(self) -> Iterator[Metric]:
        """Yield the families of the traps; none where no traps are heard."""
        keeper = self.keeper
        if keeper is None:
            return
        heard = CounterMetricFamily(
            "tabuah_trap_datagrams",
            "Datagrams to the trap port by what became of them.",
            labels=["outcome"],
        )
        for outcome in OUTCOMES:
            heard.add_metric([outcome], keeper.counts[outcome])
        yield heard
        judged = CounterMetricFamily(
            "tabuah_traps",
            "Traps by what is known of them: certain were signed by one office's user, placed by "
            "their address, unplaced by nothing, replayed are too old by their signer's clock.",
            labels=["outcome"],
        )
        for outcome, number in dict(self.book.outcomes).items():
            judged.add_metric([outcome], number)
        yield judged
        yield GaugeMetricFamily(
            "tabuah_traps_listening",
            "Whether the trap port is open and the process that reads it runs.",
            value=float(keeper.port is not None and keeper.pid is not None),
        )
        yield CounterMetricFamily(
            "tabuah_trap_process_restarts",
            "How often the process that reads the trap port ended and was started again.",
            value=keeper.restarts,
        )
