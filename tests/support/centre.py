"""The collector's line in one process: a real store, real datagrams, and a clock turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.message import Message, Status
from collector import app, committer, enrolled
from collector import identity as identities
from collector.app import Collector
from collector.clerk import Clerk
from collector.committer import Committer
from collector.delivery import Address
from collector.identity import Identity
from collector.keys import KeyRing, site_key
from collector.ledger_store import LedgerStore
from collector.live import State
from collector.logbook import Logbook
from collector.store import Row, Store
from inventory.model import Alerts, Channel, Inventory, Site
from tabuah import block, notification
from tabuah.block import Packed
from tabuah.snmp.client import Answered, Transmit, UsmClient
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import Auth
from tests.support.reports import BEGIN_MS, report

KUBUNG = "13.02.10"
GUNUNG_TALANG = "13.02.07"
SITES = (KUBUNG, GUNUNG_TALANG)
ALERTS = Alerts((Channel("hook", webhook="http://127.0.0.1/"),))
SOURCE: Address = ("127.0.0.1", 5000)


def inventory(*codes: str) -> Inventory:
    """Return an inventory of these offices."""
    return Inventory("Dinas Uji", sites=tuple(Site(code, f"Kantor {code}") for code in codes))


class Clock:
    """Stands in the place of `time` in the line."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return 1_000.0 + self.passed

    def time_ns(self) -> int:
        return (BEGIN_MS + round(self.passed * 1000)) * 1_000_000


class Socket:
    """Keeps what is sent."""

    hearing = True

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, datagram: bytes, _: Address) -> None:
        self.sent.append(datagram)


class Office:
    """An office's SNMP client, and its count of reports."""

    def __init__(self, centre: Centre, site: str, epoch: int = 1) -> None:
        ku = site_key(centre.identity.master, site, 1)
        engine_id = centre.identity.engine_id
        self.site = site
        self.acknowledged: set[int] = set()
        """Request ids; each is the number of the first report."""
        self._centre = centre
        self._epoch = epoch
        self._client = UsmClient(f"{site}#1", Auth.SHA256_192, ku, ku, engine_id)

    def packed(self, seq: int, **clocks: int) -> Packed:
        """Return its report of now; `clocks` may say another wall_ms or uptime_ms."""
        clock = self._centre.clock
        now = {"wall_ms": clock.time_ns() // 10**6, "uptime_ms": round(clock.passed * 1000)}
        said = report(
            seq,
            site=self.site,
            epoch=self._epoch,
            wall_ms=clocks.get("wall_ms", now["wall_ms"]),
            uptime_ms=clocks.get("uptime_ms", now["uptime_ms"]),
        )
        return block.pack(said)

    def reports(self, *seqs: int, history: bool = False, **clocks: int) -> None:
        """Send these reports in one inform."""
        self.send([self.packed(seq, **clocks) for seq in seqs], history=history)

    def send(self, reports: Sequence[Packed], *, history: bool = False) -> None:
        """Send these reports in one inform, again if the collector must first tell its time."""
        binds = notification.varbinds(
            self.site, 1, notification.key_facts(()), reports, history=history
        )
        pdu = Pdu(PduType.INFORM, reports[0].seq, varbinds=binds)
        now = self._centre.clock.monotonic()
        self._centre.collector.handle([(self._client.send(pdu, now), SOURCE)])
        self.listen()

    def listen(self) -> None:
        """Take what the collector has sent to this office."""
        sent, now = self._centre.socket.sent, self._centre.clock.monotonic()
        for datagram in list(sent):
            match self._client.receive(datagram, now):
                case Answered(pdu):
                    sent.remove(datagram)
                    self.acknowledged.add(pdu.request_id)
                case Transmit(again):
                    sent.remove(datagram)
                    self._centre.collector.handle([(again, SOURCE)])
                    self.listen()


class Centre:
    """A collector between its parts; `restart` makes the next one over the same folder."""

    def __init__(
        self, folder: Path, clock: Clock, codes: Sequence[str], place: Path | str | None = None
    ) -> None:
        self.data = folder / "data"
        self.clock = clock
        self.inventory = inventory(*codes)
        self.identity = Identity.open(self.data)
        enrolled.enrol(self.data, codes)
        self.store = Store.open(self.data if place is None else place)
        self.append: Callable[[Sequence[Row]], None] = self.store.append
        self.said: list[Message] = []
        self.takes = True
        """Whether the channel takes what is said."""
        self.refused = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Have a collector that knows what the store holds."""
        self.socket = Socket()
        self.logbook = Logbook(self.store.note_incidents, {"hook": self._hear})
        known = replace(self.inventory, alerts=ALERTS)
        self.collector = Collector(
            inventory=known,
            identity=self.identity,
            clock=identities.boot(self.data, self.clock.time_ns() / 1e9, self.clock.monotonic()),
            keys=KeyRing(self.data, self.identity),
            store=self.store,
            logbook=self.logbook,
            clerk=Clerk(known, LedgerStore(self.store)),
        )
        self.collector.socket = self.socket  # type: ignore[assignment]
        self.collector.committer = Committer(
            self._append,
            self.collector.committed,
            self.collector.forget,
            self.collector.mishaps,
        )
        await self.collector.restore()
        self._tasks = [
            asyncio.create_task(self.collector.committer.run()),
            asyncio.create_task(self.logbook.run()),
            asyncio.create_task(self.collector.clerk.run()),
        ]
        await asyncio.sleep(0)  # a task that never began has nothing to finish

    def _hear(self, message: Message) -> None:
        if self.takes:
            self.said.append(message)
            self.logbook.taken("hook", message)
        else:
            self.refused += 1

    def _append(self, rows: Sequence[Row]) -> None:
        self.append(rows)

    async def stop(self) -> None:
        """End the collector; what waits is written."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def restart(self) -> None:
        """End the collector and begin the next."""
        await self.stop()
        await self.start()

    def office(self, site: str = KUBUNG, epoch: int = 1) -> Office:
        """Return an office's end."""
        return Office(self, site, epoch)

    def wait(self, seconds: float) -> None:
        """Let the clock go on by so much, and the collector look at it each half second."""
        for _ in range(round(seconds * 2)):
            self.clock.passed += 0.5
            self.collector.tick()

    def state(self, site: str = KUBUNG) -> State:
        """Return an office's state."""
        view = self.collector.view(site)
        assert view is not None
        return view.state

    async def has_said(self, messages: int) -> None:
        """Wait until the channel has taken so many: it is told beside the line."""
        await until(lambda: len(self.said) >= messages, 20.0)

    def told(self) -> list[tuple[Status, str]]:
        """Return what was said so far: firing or resolved, and the incident."""
        return [(message.status, message.incident.id) for message in self.said]


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def centre(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    codes: Sequence[str] = SITES,
    place: Path | str | None = None,
) -> AsyncIterator[Centre]:
    """Give a running collector whose clock stands still until it is turned.

    Its store is in its folder, or at `place`.
    """
    clock = Clock()
    for module in (app, committer):
        monkeypatch.setattr(module, "time", clock)
    made = Centre(folder, clock, codes, place)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
        made.store.close()
