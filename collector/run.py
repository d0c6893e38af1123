"""`tabuah collector run`: puts the collector together, opens its doors, and closes them again."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import signal
import time
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Final

import httpx

from alerts.condition import Turn
from alerts.failing import Failing
from alerts.heartbeat import beat
from alerts.opening import Opened, open_channels
from collector import drill
from collector import identity as identities
from collector.app import Collector
from collector.clerk import Clerk
from collector.committer import Committer
from collector.files import private_folder
from collector.guard import is_loopback
from collector.history import read_hours
from collector.identity import Identity
from collector.keys import KeyRing
from collector.ledger_store import LedgerStore
from collector.logbook import Logbook
from collector.pages.live import Pulse
from collector.pages.public_routes import EVERYBODY, public_routes
from collector.pages.routes import page_routes
from collector.pushes import Pushes
from collector.receiver import ReceiverSocket
from collector.record_web import record_routes
from collector.reflector import Reflector
from collector.remote_write import RemoteWrite
from collector.rollup import Hour
from collector.server import Serving, Tls, tcp_socket, unix_socket
from collector.services_web import services_routes
from collector.sla_meter import Meter
from collector.sla_store import LedgerSource
from collector.sla_web import sla_routes
from collector.store import Store
from collector.told_web import told_routes
from collector.traps.web import trap_routes
from collector.upkeep import Upkeep
from collector.web import make_app
from inventory.compiled import open_inventory
from inventory.secret import resolve_text
from tabuah import sd_notify
from tabuah.errors import TabuahError
from tabuah.wall import wall_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from starlette.routing import Route

    from alerts.channels import Outbox
    from alerts.message import Message
    from inventory.model import Inventory

log = logging.getLogger(__name__)

EXTEND_S: Final = 15.0
"""How often a start that takes long asks the service manager for more time, twice as much."""
TICK_S: Final = 0.5
DRILL_S: Final = 1.0
"""How often a drill is looked for."""
UPKEEP_S: Final = 60.0
SOCKET_NAME: Final = "collector.sock"


@dataclass(frozen=True, slots=True)
class Options:
    """Where everything is."""

    inventory: Path
    data: Path
    listen: tuple[str, int]
    reflect: tuple[str, int]
    http: tuple[str, int]
    token: str | None = None
    tls: Tls | None = None
    store: str | None = None
    """The URL of the database that reports are kept in; None = SQLite in the data folder."""
    http_names: tuple[str, ...] = ()
    """Names by which the page may be asked for without a token, beside those of loopback."""
    public_status: bool = False
    """Whether everybody who reaches the page's port may see /status, without a token."""


def check(options: Options) -> None:
    """Refuse to show the offices to a network without a token or TLS.

    Raises:
        TabuahError: with what to do.
    """
    if not is_loopback(options.http[0]) and options.token is None and options.tls is None:
        error = TabuahError(
            f"--http {options.http[0]} is not loopback: give --token-file, or --tls-certificate "
            "and --tls-key, or put a proxy before 127.0.0.1"
        )
        error.exit_code = 2
        raise error


class Program:
    """The running collector."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._inventory: Inventory
        """As it was read; the collector's has a drill's offices too."""
        self._drill: drill.Drill | None = None
        self._rereads = asyncio.Event()
        self._channels: Opened
        self._failing = Failing()
        self._store: Store
        self._pulse: Pulse
        self._stopping = asyncio.Event()
        self._failed = False

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP reads the inventory anew."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._rereads.set)
        private_folder(self._options.data)
        async with _starting():
            self._inventory = await self._read()
        identity = Identity.open(self._options.data)
        async with contextlib.AsyncExitStack() as doors:
            doors.enter_context(only_one(self._options.data))
            store = doors.enter_context(Store.open(self._options.store or self._options.data))
            self._store = store
            client = await doors.enter_async_context(httpx.AsyncClient())
            self._channels = open_channels(
                self._inventory,
                lambda: self._collector.inventory,
                client,
                self._taken,
                wall_ms,
                turned=self._turned,
            )
            self._logbook = Logbook(
                store.note_incidents,
                {outbox.name: outbox.put for outbox in self._channels.outboxes},
                {cluster.name: cluster.keep for cluster in self._channels.clusters},
            )
            for outbox in self._channels.outboxes:
                outbox.behind = partial(self._logbook.behind, outbox.name)
            keys = KeyRing(self._options.data, identity)
            self._collector = Collector(
                inventory=self._inventory,
                identity=identity,
                clock=identities.boot(self._options.data, time.time(), time.monotonic()),
                keys=keys,
                store=store,
                logbook=self._logbook,
                clerk=Clerk(self._inventory, LedgerStore(store)),
            )
            self._collector.own.watch_disk(self._options.data)
            self._collector.own.watch_channels(
                self._channels.outboxes, lambda: self._collector.writer.templates.failures
            )
            self._pushes = Pushes(self._options.data, self._collector.clerk.stuck)
            self._collector.own.registry.register(self._pushes)
            async with _starting():
                await self._pushes.look()
                await self._collector.restore()
                self._resume_failing()
            _collect_seldom()
            await self._serve(store, keys, client)
        if self._failed:
            raise TabuahError("the collector failed; its log says where")

    async def _serve(self, store: Store, keys: KeyRing, client: httpx.AsyncClient) -> None:
        collector, options = self._collector, self._options
        mishaps = collector.mishaps
        self._pulse = Pulse(collector)
        collector.committer = Committer(
            store.append, collector.committed, collector.forget, mishaps
        )
        with contextlib.ExitStack() as doors:
            collector.socket = ReceiverSocket(
                *options.listen,
                collector.handle,
                lambda count: collector.own.count("overdue", count),
            )
            doors.callback(collector.socket.close)
            reflector = await _open_reflector(*options.reflect)
            doors.callback(reflector.close)
            page = doors.enter_context(tcp_socket(*options.http))
            local = doors.enter_context(unix_socket(options.data / SOCKET_NAME))
            names = (options.http[0], *options.http_names)
            serving = [
                Serving(
                    make_app(
                        collector,
                        options.token,
                        names,
                        [*self._routes(store), *self._public(store)],
                        EVERYBODY if options.public_status else (),
                    ),
                    page,
                    options.tls,
                ),
                Serving(make_app(collector, more=self._routes(store, writable=True)), local),
            ]
            for server in serving:
                await server.start()
            tasks = self._start_tasks(store, keys, client)
            sd_notify.notify("READY=1")
            log.info(
                "%s: %d offices; reports on %s:%d/udp, page on %s:%d",
                self._inventory.organisation,
                len(self._inventory.sites),
                options.listen[0],
                collector.socket.port,
                *options.http,
            )
            await self._stopping.wait()
            sd_notify.notify("STOPPING=1")
            self._pulse.close()
            for server in serving:
                await server.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        (options.data / SOCKET_NAME).unlink(missing_ok=True)
        await asyncio.to_thread(_save, keys)

    def _routes(self, store: Store, *, writable: bool = False) -> list[Route]:
        """Return what is shown of the record; on the data folder's socket people may add to it."""
        collector = self._collector
        return [
            *told_routes(store, collector.clerk),
            *trap_routes(collector.traps.store, lambda: collector.inventory),
            *record_routes(
                collector.clerk,
                lambda: collector.inventory,
                collector.now_ms,
                writable=writable,
            ),
            self._pulse.route,
            *page_routes(collector, collector.clerk, self._hours),
            *sla_routes(self._ledger, collector.now_ms),
            *services_routes(
                self._ledger,
                lambda site, from_ms, to_ms: collector.reports(site, from_ms, to_ms, None),
                collector.now_ms,
            ),
        ]

    def _public(self, store: Store) -> list[Route]:
        """Return the public page, where it is switched on."""
        if not self._options.public_status:
            return []
        collector = self._collector
        watched = LedgerStore(store).watched
        # The inventory as it was read: simulated offices of a drill are nothing for the public.
        return public_routes(collector, collector.clerk, lambda: self._inventory, watched)

    def _hours(self, site: str, from_ms: int, to_ms: int) -> list[Hour]:
        with self._store.reading() as connection:
            return read_hours(connection, site, from_ms, to_ms)

    def _ledger(self) -> LedgerSource:
        collector = self._collector
        return LedgerSource(
            collector.inventory,
            collector.clerk.entries,
            self._options.data / "sla",
            collector.now_ms(),
        )

    def _start_tasks(
        self, store: Store, keys: KeyRing, client: httpx.AsyncClient
    ) -> list[asyncio.Task[None]]:
        meter = Meter(self._ledger, self._collector.now_ms)
        self._collector.own.show(meter.render)
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._collector.committer.run(),
                self._collector.clerk.run(),
                self._collector.clerk.catch_up(store, self._collector.mishaps),
                self._collector.watch.run(self._collector.mishaps),
                self._collector.traps.run(self._collector.mishaps),
                self._pushes.run(self._collector.mishaps),
                meter.run(self._collector.mishaps),
                self._tick(),
                self._reread_when_asked(),
                self._look_for_drills(),
                self._upkeep(Upkeep(store), keys),
                *self._remote_writes(store, client),
                self._logbook.run(),
                *(outbox.run() for outbox in self._channels.outboxes),
                *(cluster.run() for cluster in self._channels.clusters),
                *self._heartbeats(client),
            )
        ]
        for task in tasks:
            task.add_done_callback(self._ended)
        return tasks

    def _remote_writes(
        self, store: Store, client: httpx.AsyncClient
    ) -> list[Coroutine[None, None, None]]:
        url = self._inventory.remote_write
        if url is None:
            return []
        resolved = resolve_text(url, self._inventory.directory)
        collector = self._collector
        writing = RemoteWrite(
            store, resolved, client, lambda: collector.inventory, collector.now_ms
        )
        collector.own.watch_remote_write(writing)
        return [writing.run(collector.mishaps)]

    def _heartbeats(self, client: httpx.AsyncClient) -> list[Coroutine[None, None, None]]:
        url = self._inventory.heartbeat
        if url is None:
            return []

        def well() -> bool:
            ready = self._collector.readiness()
            return ready.storing and ready.hearing

        return [beat(resolve_text(url, self._inventory.directory), client, well)]

    async def _tick(self) -> None:
        every = sd_notify.watchdog_s()
        fed = time.monotonic()
        while True:
            self._collector.tick()
            if every is not None and time.monotonic() - fed >= every:
                fed = time.monotonic()
                sd_notify.notify("WATCHDOG=1")
            await asyncio.sleep(TICK_S)

    async def _upkeep(self, upkeep: Upkeep, keys: KeyRing) -> None:
        try:
            while True:
                await asyncio.sleep(UPKEEP_S)
                await asyncio.to_thread(_save, keys)
                kept = self._inventory.retention
                now_ms = self._collector.now_ms()
                with self._collector.mishaps.at("upkeep"):
                    try:
                        await asyncio.to_thread(upkeep.run, now_ms, kept.reports_s, kept.rollups_s)
                    except TabuahError as error:
                        log.error("upkeep: %s", error)  # noqa: TRY400 - the reason is the message
        finally:
            upkeep.stop()

    def _taken(self, channel: str, message: Message) -> None:
        self._logbook.taken(channel, message)

    def _resume_failing(self) -> None:
        """Go on with channels that failed before the start: whether they still do, a try shows."""
        outboxes = {outbox.name: outbox for outbox in self._channels.outboxes}
        for told in self._collector.failing_before:
            self._failing.resume(told)
            outboxes[told.about].condition.resume("failed before the start", time.monotonic())

    def _turned(self, outbox: Outbox, turn: Turn) -> None:
        """Have the other channels say that one fails, or that it works again."""
        now_ms = wall_ms()
        if turn is Turn.FAILS:
            began_ms = now_ms - round(outbox.condition.lasted_s(time.monotonic()) * 1000)
            told = self._failing.begins(outbox.name, outbox.condition.trouble, began_ms)
        else:
            told = self._failing.ends(outbox.name, now_ms)
        self._collector.announce(told)

    async def _read(self) -> Inventory:
        """Return the inventory as it is now; in a thread, for a large one takes its time."""
        return await asyncio.to_thread(open_inventory, self._options.inventory, self._options.data)

    async def _reread_when_asked(self) -> None:
        while True:
            await self._rereads.wait()
            self._rereads.clear()
            try:
                inventory = await self._read()
            except TabuahError as error:
                log.error("keeping the old inventory: %s", error)  # noqa: TRY400
                continue
            self._renew(inventory)

    def _renew(self, inventory: Inventory) -> None:
        if inventory.alerts.channels != self._inventory.alerts.channels:
            log.warning("changed alert channels take a restart; the rest is in use now")
        if inventory.remote_write != self._inventory.remote_write:
            log.warning("a changed remote_write takes a restart; the rest is in use now")
        self._inventory = inventory
        self._collector.renew(drill.joined(inventory, self._drill))
        log.info("inventory read anew: %d offices", len(inventory.sites))

    async def _look_for_drills(self) -> None:
        """Watch simulated offices while a drill asks for it (`tabuah simulate --drill`)."""
        while True:
            await asyncio.sleep(DRILL_S)
            found = await asyncio.to_thread(drill.read, self._options.data, time.time())
            if found != self._drill:
                self._drill = found
                self._collector.renew(drill.joined(self._inventory, found))
                said = "over" if found is None else f"{found.sites} simulated offices are watched"
                log.warning("drill: %s", said)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            log.error("stopping: a task failed", exc_info=task.exception())
            self._failed = True
            self._stopping.set()


def _collect_seldom() -> None:
    """Keep the search for cycles from what lives as long as we do.

    A report makes none, and a fleet is a million objects: to look at them all stops the line for a
    tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20)


@contextlib.asynccontextmanager
async def _starting() -> AsyncIterator[None]:
    """Tell the service manager, while the block lasts, that the start goes on."""

    async def extend() -> None:
        while True:
            sd_notify.notify(f"EXTEND_TIMEOUT_USEC={round(2 * EXTEND_S * 1e6)}")
            await asyncio.sleep(EXTEND_S)

    extending = asyncio.create_task(extend())
    try:
        yield
    finally:
        extending.cancel()


async def _open_reflector(host: str, port: int) -> Reflector:
    reflector = Reflector()
    try:
        await reflector.start(host, port)
    except OSError as error:
        raise TabuahError(
            f"cannot reflect STAMP packets on {host}:{port}/udp: {error.strerror}; is another "
            "collector running, or is the address of another machine? choose one with --reflect"
        ) from error
    return reflector


def _save(keys: KeyRing) -> None:
    try:
        keys.save()
    except TabuahError as error:
        log.error("%s", error)  # noqa: TRY400 - the reason is the message


def only_one(data: Path) -> IO[bytes]:
    """Return a lock on the data folder, held until it is closed.

    Raises:
        TabuahError: a collector is running with it.
    """
    lock = (data / "collector.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise TabuahError(
            f"{data}: a collector is running with this folder already; stop it first"
        ) from error
    return lock
