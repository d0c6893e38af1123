"""The cycle of an office: probes and polls run beside it, a report leaves at its phase.

Probes begin `lead` seconds before the phase, so that one that times out has told so by then; a
report never waits for them. Whatever has not finished contributes its last finished run, with its
age.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from agent import host
from agent.poll import Poller
from agent.probes import PROBES, Memory
from tabuah import __version__, cadence
from tabuah.measurement import Measurement
from tabuah.report import Agent, Device, Occasion, Report, ReportId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agent.config import Config

log = logging.getLogger(__name__)


class Watch:
    """One probe or device: runs when due, and holds what its last finished run said."""

    def __init__(self, every_s: float, run: Callable[[], Awaitable[Measurement | Device]]) -> None:
        self._every_s = every_s
        self._run = run
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None
        self._last: Measurement | Device | None = None
        self._finished = 0.0

    def begin(self, now: float) -> None:
        """Start a run if one is due and none is under way."""
        # Half a second of grace: cycles are not exact, and 60 s at 10 s means every sixth.
        if now + 0.5 < self._due or (self._task is not None and not self._task.done()):
            return
        self._due = now + self._every_s
        self._task = asyncio.create_task(self._observe())

    def restart(self, now: float) -> None:
        """Start a run, due or not, in place of one that is under way."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._due = None, 0.0
        self.begin(now)

    def last(self, now: float) -> Measurement | Device | None:
        """Return what the last finished run said, with its age; None before the first."""
        if self._last is None:
            return None
        # To a tenth of a second: who is told the same age each cycle need not be told it again.
        return replace(self._last, age_ms=round((now - self._finished) * 10) * 100)

    async def settle(self, timeout: float) -> None:
        """Wait for the run under way, at most so long."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=timeout)

    def stop(self) -> None:
        """Cancel the run under way."""
        if self._task is not None:
            self._task.cancel()

    async def _observe(self) -> None:
        self._last = await self._run()
        self._finished = time.monotonic()


class Office:
    """What one configuration asks to be watched."""

    def __init__(self, config: Config) -> None:
        self._watches = [
            *(_probe_watch(config, index) for index in range(len(config.probes))),
            *(Watch(d.every_s, Poller(d).poll) for d in config.devices),
        ]
        self.lead_s = cadence.lead_s(config.interval_s, config.probes)
        """How long before the report's phase the probes begin."""

    def begin(self, now: float) -> None:
        """Start all that is due."""
        for watch in self._watches:
            watch.begin(now)

    async def look(self, timeout: float) -> None:
        """Start all, due or not, and wait for them: for a look, or the first answer after a gap.

        Runs under way began when the line was dead, and are given up.
        """
        for watch in self._watches:
            watch.restart(time.monotonic())
        await asyncio.gather(*(watch.settle(timeout) for watch in self._watches))

    def seen(self, now: float) -> tuple[tuple[Measurement, ...], tuple[Device, ...]]:
        """Return the last finished run of each probe and each device."""
        said = [watch.last(now) for watch in self._watches]
        return (
            tuple(one for one in said if isinstance(one, Measurement)),
            tuple(one for one in said if isinstance(one, Device)),
        )

    def stop(self) -> None:
        """Cancel all that runs."""
        for watch in self._watches:
            watch.stop()


def make_report(
    *,
    report_id: ReportId,
    config: Config,
    office: Office,
    occasion: Occasion,
    path: str,
    about: Agent,
) -> Report:
    """Return what the office says now, over circuit `path`; `about` lacks version and memory."""
    measurements, devices = office.seen(time.monotonic())
    return Report(
        id=report_id,
        wall_ms=time.time_ns() // 1_000_000,
        uptime_ms=host.uptime_ms(),
        boot_id=host.boot_id(),
        interval_ms=round(config.interval_s * 1000),
        occasion=occasion,
        path=path,
        measurements=measurements,
        devices=devices,
        host=host.read_host(),
        agent=replace(
            about,
            version=__version__,
            resident_kib=host.resident_kib(),
            written_kib=host.written_kib(),
        ),
    )


def _probe_watch(config: Config, index: int) -> Watch:
    probe = config.probes[index]
    function, memory = PROBES[probe.kind], Memory()
    return Watch(probe.every_s, lambda: function(probe, memory))
