"""The edge of the report path: does what the courier decides, with a socket, a key and a spool.

The spool's writes wait for flash and run in a thread of their own, in order; nothing here
waits for them, so a slow disk never holds up the live report.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from agent import courier as steps
from tabuah import block, notification
from tabuah.errors import DecodeError, TabuahError
from tabuah.snmp.client import Answered, Ignored, Reason, Transmit, UsmClient
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import Auth

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from agent.config import Collector
    from agent.courier import Courier, Flight
    from agent.spool import Spool
    from tabuah.block import Packed

log = logging.getLogger(__name__)

T = TypeVar("T")

REOPEN_AFTER = 60.0
"""Seconds without any answer after which the collector's name is looked up anew."""
WARN_AGAIN_AFTER = 600.0
"""Seconds for which a reason to ignore datagrams is not logged again: who sends us rubbish shall
not wear out the flash that the log lies on."""


class Sender:
    """Carries reports to one collector. Everything but the spool happens in the event loop."""

    def __init__(
        self,
        site: str,
        collector: Collector,
        courier: Courier,
        spool: Spool,
        cycle: Callable[[], None],
    ) -> None:
        self._site = site
        self._collector = collector
        self._courier = courier
        self._spool = spool
        self._cycle = cycle
        self._client = UsmClient(
            collector.user, Auth.SHA256_192, collector.ku, collector.ku, collector.engine_id
        )
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._socket: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._opened = 0.0
        self._heard = 0.0
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._request_id = secrets.randbelow(1 << 30)
        self._warned: dict[str, float] = {}
        """When each reason was last logged."""
        self.unsaved = 0
        """Reports that the spool refused: lost, unless they are heard before the agent stops."""
        self.refusal = ""
        """Why the last datagram from the collector's address was not an answer; '' = none was."""

    def offer(self, report: Packed) -> None:
        """Send a new live report, now and until it is answered or overtaken."""
        overtaken = self._courier.offer(report)
        if overtaken is not None and overtaken.request_id:
            self._client.forget(overtaken.request_id)
        self._answered.clear()
        self._wake.set()

    async def run(self) -> None:
        """Carry reports until cancelled."""
        self._courier.backlog = self._spool.count
        self._courier.begin_anew()
        try:
            while True:
                await self._rest(self._act())
        finally:
            if self._opening is not None:
                self._opening.cancel()
            self._close_socket()
            self._disk.shutdown()

    async def finish(self, patience_s: float) -> None:
        """Wait for the last report's answer, at most so long; then keep what was not answered."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._answered.wait()
        self._courier.flush()
        self._act()
        await asyncio.get_running_loop().run_in_executor(None, self._disk.shutdown)

    def _act(self) -> float | None:
        """Do all that is due; return when the next thing will be."""
        while True:
            now = time.monotonic()
            step = self._courier.next(now)
            match step:
                case steps.Send(flight):
                    self._transmit(flight, now)
                case steps.Keep(flight):
                    self._on_disk(self._spool.put, flight.reports[0], then=self._kept)
                case steps.Load(limit):
                    self._on_disk(self._spool.oldest, limit, then=self._loaded)
                case steps.Discard(flight):
                    self._on_disk(self._spool.discard, flight.reports, then=self._kept)
                case steps.Cycle():
                    self._cycle()
                case steps.Wait(until):
                    return until

    async def _rest(self, until: float | None) -> None:
        self._wake.clear()
        timeout = None if until is None else max(0.0, until - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()

    # --- the wire ---------------------------------------------------------------------------

    def _transmit(self, flight: Flight, now: float) -> None:
        if flight.request_id == 0:
            self._request_id = self._request_id % 0x7FFFFFFE + 1
            flight.request_id = self._request_id
            datagram = self._client.send(self._inform(flight), now)
        else:
            datagram = self._client.resend(flight.request_id, now)
        self._courier.sent(flight, now)
        if now - max(self._opened, self._heard) > REOPEN_AFTER:
            self._close_socket()
        self._put_out(datagram)

    def _inform(self, flight: Flight) -> Pdu:
        first = flight.reports[0]
        try:
            measurements = block.read(self._site, first).measurements
        except DecodeError:  # kept by a newer version of this agent
            measurements = ()
        binds = notification.varbinds(
            self._site,
            first.uptime_ms,
            notification.key_facts(measurements),
            flight.reports,
            history=flight.history,
        )
        return Pdu(PduType.INFORM, flight.request_id, varbinds=binds)

    def _put_out(self, datagram: bytes) -> None:
        if self._socket is None:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._open_and_send(datagram))
            return
        try:
            self._socket.send(datagram)
        except OSError as error:
            # The line is down: a try like any that goes unanswered.
            log.debug("%s: cannot send: %s", self._collector.host, error)
            self._close_socket()

    async def _open_and_send(self, datagram: bytes) -> None:
        """Look the collector up without holding up the loop: resolvers hang when lines do."""
        loop = asyncio.get_running_loop()
        host, port = self._collector.host, self._collector.port
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            opened = socket.socket(family, kind, protocol)
            try:
                opened.setblocking(False)
                opened.connect(address)
                opened.send(datagram)
            except OSError:
                opened.close()
                raise
        except OSError as error:
            self.refusal = f"{host}: {error.strerror}"
            log.debug("%s: cannot open: %s", host, error)
            return
        self._socket = opened
        self._opened = time.monotonic()
        loop.add_reader(opened, self._take_in)

    def _close_socket(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _take_in(self) -> None:
        for _ in range(16):
            if self._socket is None:
                return
            try:
                datagram = self._socket.recv(2048)
            except BlockingIOError:
                return
            except OSError as error:  # port unreachable: nobody listens there now
                self.refusal = f"{error.strerror}"
                return
            self._hear(datagram)

    def _hear(self, datagram: bytes) -> None:
        now = time.monotonic()
        match self._client.receive(datagram, now):
            case Answered(pdu):
                self._heard = now
                self.refusal = ""
                if pdu.error_status == 0:
                    self._courier.answered(pdu.request_id, now)
                    self._wake.set()
                    if not self._courier.live_pending:
                        self._answered.set()
            case Transmit(again):
                self._put_out(again)
            case Ignored(Reason.UNEXPECTED):
                pass  # the second answer to a report that was sent twice
            case Ignored(reason):
                self._note_refusal(reason.name.lower(), now)

    def _note_refusal(self, word: str, now: float) -> None:
        self.refusal = word
        warned = self._warned.get(word)
        if warned is None or now - warned >= WARN_AGAIN_AFTER:
            self._warned[word] = now
            log.warning("%s: not an answer: %s", self._collector.host, word)

    # --- the spool --------------------------------------------------------------------------

    def _on_disk(self, act: Callable[..., T], argument: object, then: Callable[[T], None]) -> None:
        loop = asyncio.get_running_loop()

        def done(future: Future[T]) -> None:
            loop.call_soon_threadsafe(self._done, future, then)

        self._disk.submit(act, argument).add_done_callback(done)

    def _done(self, future: Future[T], then: Callable[[T], None]) -> None:
        try:
            then(future.result())
        except TabuahError as error:
            self.unsaved += 1
            log.error("%s", error)  # noqa: TRY400 - the reason is the message
        self._courier.backlog = self._spool.count
        self._wake.set()

    def _kept(self, _: None) -> None:
        """The courier's count follows the spool's, in `_done`."""

    def _loaded(self, reports: list[Packed]) -> None:
        self._courier.loaded(reports)
