"""The edge of the report path: does what the courier decides, with wires to the centre and a spool.

The spool's writes wait for flash and run in a thread of their own, in order; nothing here
waits for them, so a slow disk never holds up the live report.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from agent import courier as steps
from agent.pacing import bucket, on_the_line
from agent.roster import Roster, patience_s
from agent.wire import Wire
from tabuah import block, draw, notification
from tabuah.errors import DecodeError, TabuahError
from tabuah.snmp.pdu import Pdu, PduType

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor

    from agent.config import Circuit, Config
    from agent.courier import Courier, Flight
    from agent.pacing import Bucket
    from agent.spool import Spool
    from tabuah.block import Packed
    from tabuah.snmp.client import Answered

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_REQUEST_ID: Final = 0x7FFFFFFF


class Sender:
    """Carries reports to the centre. Everything but the spool happens in the event loop."""

    def __init__(
        self,
        config: Config,
        courier: Courier,
        spool: Spool,
        disk: ThreadPoolExecutor,
        cycle: Callable[[], None],
    ) -> None:
        """Prepare; nothing is sent before `run`.

        Args:
            config: the office's.
            courier: decides.
            spool: keeps.
            disk: the one thread in which all of the spool's work is done, in order.
            cycle: called when the centre answers after a gap.
        """
        self._site = config.site
        self._courier = courier
        self._spool = spool
        self._cycle = cycle
        self._wires = [
            Wire(collector, way, config.circuits, self._hear, courier.told)
            for way in ways(config.circuits)
            for collector in config.collectors
        ]
        self._share = config.history_share
        self._uplinks = {circuit.id: circuit.uplink_bps for circuit in config.circuits}
        self._buckets: dict[str, Bucket] = {}
        self._roster = Roster(len(self._wires), patience_s(config.interval_s))
        self._disk = disk
        self._finished = False
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._request_id = draw.below(1 << 14)  # small: it travels both ways
        self.unsaved = 0
        """Reports that the spool refused: lost, unless they are heard before the agent stops."""

    @property
    def path(self) -> str:
        """Return the circuit that reports leave by now; '' = not known."""
        return self._wires[self._roster.active].path

    def offer(self, report: Packed) -> None:
        """Send a new live report, now and until it is answered or overtaken."""
        overtaken = self._courier.offer(report)
        if overtaken is not None:
            for wire in self._wires:
                wire.forget(overtaken.request_id)
                # Where answers are lost, so is the word that a base is held no longer: a report
                # that stands alone is taken all the same.
                wire.base = None
        self._answered.clear()
        self._wake.set()

    async def run(self) -> None:
        """Carry reports until cancelled."""
        self._courier.backlog = self._spool.count
        try:
            while True:
                await self._rest(self._act())
        finally:
            for wire in self._wires:
                wire.close()

    async def finish(self, patience: float) -> None:
        """Wait for the last report's answer, at most so long; then keep what was not answered."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._answered.wait()
        self._courier.flush()
        self._act()
        self._finished = True

    def _act(self) -> float | None:
        """Do all that is due; return when the next thing will be."""
        while True:
            now = time.monotonic()
            step = self._courier.next(now)
            match step:
                case steps.Send(flight):
                    self._transmit(flight, now)
                case steps.Keep(flight):
                    put = partial(self._spool.put, flight.reports[0])
                    self._on_disk(put, self._kept, self._lost)
                case steps.Load(limit, skip):
                    self._load(limit, skip)
                case steps.Discard(flight):
                    discard = partial(self._spool.discard, flight.reports)
                    self._on_disk(discard, self._kept, self._lost)
                case steps.Forget(flight):
                    for wire in self._wires:
                        wire.forget(flight.request_id)
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

    # --- the wires --------------------------------------------------------------------------

    def _transmit(self, flight: Flight, now: float) -> None:
        if flight.request_id == 0:
            self._request_id = self._request_id % MOST_REQUEST_ID + 1
            flight.request_id = self._request_id
        if not flight.history:
            if self._roster.turn(now):
                log.info("no answer: trying %s", self._wires[self._roster.active].name)
            if flight.tries == 0:
                for way in self._roster.scouts():
                    scout = self._wires[way]
                    payload = scout.transmit(self._inform(flight, None), now)
                    self._bucket(scout).take(on_the_line(payload), now)
            self._roster.sent(now)
        wire = self._wires[self._roster.active]
        if not flight.history:  # history keeps the one that it was fitted upon
            flight.base = wire.base
        payload = wire.transmit(self._inform(flight, flight.base), now)
        self._courier.bucket = self._bucket(wire)
        self._courier.sent(flight, now, on_the_line(payload))

    def _bucket(self, wire: Wire) -> Bucket:
        """Return the bucket of the circuit that a wire leaves by now."""
        found = self._buckets.get(wire.path)
        if found is None:
            found = self._buckets[wire.path] = bucket(self._uplinks.get(wire.path), self._share)
        return found

    def _hear(self, wire: Wire, answer: Answered, round_trip_s: float) -> None:
        if self._roster.heard(self._wires.index(wire)):
            log.info("%s answers again", wire.name)
        pdu = answer.pdu
        for other in self._wires:
            if other is not wire:
                other.forget(pdu.request_id)
        self._wake.set()
        if pdu.error_status != 0:
            # It does not hold the report that this one rests on: after a restart, most likely.
            log.debug("%s: refuses a report with error-status %d", wire.name, pdu.error_status)
            refused = self._courier.refused(pdu.request_id)
            if refused is not None and refused.base is wire.base:
                wire.base = None
            return
        flight = self._courier.answered(pdu.request_id, round_trip_s, time.monotonic())
        if flight is not None and not flight.history:
            wire.base = flight.reports[0]
        if not self._courier.live_pending:
            self._answered.set()

    def _inform(self, flight: Flight, base: Packed | None) -> Pdu:
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
            base=base,
        )
        return Pdu(PduType.INFORM, flight.request_id, varbinds=binds)

    # --- the spool --------------------------------------------------------------------------

    def _on_disk(
        self, act: Callable[[], T], then: Callable[[T], None], failed: Callable[[], None]
    ) -> None:
        if self._finished:  # what is not kept or forgotten now is sent, or told twice, next time
            return
        loop = asyncio.get_running_loop()

        def done(future: Future[T]) -> None:
            loop.call_soon_threadsafe(self._done, future, then, failed)

        self._disk.submit(act).add_done_callback(done)

    def _done(
        self, future: Future[T], then: Callable[[T], None], failed: Callable[[], None]
    ) -> None:
        try:
            then(future.result())
        except TabuahError as error:
            log.error("%s", error)  # noqa: TRY400 - the reason is the message
            failed()
        self._courier.backlog = self._spool.count
        self._wake.set()

    def _kept(self, _: None) -> None:
        """The courier's count follows the spool's, in `_done`."""

    def _load(self, limit: int, skip: frozenset[tuple[int, int]]) -> None:
        base = self._wires[self._roster.active].base

        def loaded(reports: list[Packed]) -> None:
            self._courier.loaded(reports, time.monotonic(), base)

        def failed() -> None:
            self._courier.load_failed(time.monotonic())

        self._on_disk(lambda: self._spool.oldest(limit, skip, base), loaded, failed)

    def _lost(self) -> None:
        self.unsaved += 1


def ways(circuits: tuple[Circuit, ...]) -> list[Circuit | None]:
    """Return the circuits to try, in order; None is the default route.

    A circuit without an interface of its own is the default route's. An office whose circuits all
    have one is never left to the routes, which know nothing of which line works.
    """
    found: list[Circuit | None] = []
    for circuit in circuits:
        way = circuit if circuit.interface is not None else None
        if way not in found:
            found.append(way)
    return found or [None]
