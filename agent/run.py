"""`tabuah agent run`: one office, watched until told to stop.

Imports the standard library and our own code alone: this process lives on small machines.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from agent import config as configuration
from agent import service
from agent.courier import Courier, block_most
from agent.cycle import Office, make_report
from agent.fitting import fit
from agent.sender import Sender
from agent.spool import Spool
from tabuah import draw, sd_notify
from tabuah.errors import ConfigError, TabuahError
from tabuah.report import Agent, Occasion, ReportId

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from agent.config import Config

log = logging.getLogger(__name__)

_GC_THRESHOLDS = (200, 5, 5)
"""New objects, young and middle collections that begin a collection; Python's are 700, 10, 10."""

FAREWELL_S = 3.0
"""How long a stopping agent waits for its goodbye to be heard."""


def main(argv: Sequence[str]) -> int:
    """Run the agent with the arguments after `agent run`; return the exit code."""
    path, verbose = _options(argv)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",  # the system's log adds the time
    )
    try:
        asyncio.run(AgentProcess(path).run())
    except TabuahError as error:
        print(f"tabuah: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _options(argv: Sequence[str]) -> tuple[Path, bool]:
    """Return --config and --verbose; explains itself and exits where they are not understood."""
    verbose = "--verbose" in argv
    match [word for word in argv if word != "--verbose"]:
        # What a service manager says. It never needs argparse, of which 0.3 MiB would stay.
        case ["--config", path] if not path.startswith("-"):
            return Path(path), verbose
    import argparse  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="tabuah agent run",
        description="Watch this office's line and report to the collector, until stopped. "
        "SIGHUP reads the configuration anew and keeps the old one if it is invalid.",
        epilog="example: tabuah agent run --config /etc/tabuah/agent-13.02.10.toml",
    )
    parser.add_argument("--config", required=True, type=Path, help="made by `tabuah enrol`")
    parser.add_argument("--verbose", action="store_true", help="log every decision")
    options = parser.parse_args(argv)
    return options.config, options.verbose


class AgentProcess:
    """The running agent: a configuration, its office, and one epoch of reports."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._config = configuration.load(path)
        self._office = Office(self._config)
        self._epoch = draw.bits(64)
        self._seq = 0
        self._courier = Courier(draw=draw.fraction, block_most=block_most(self._config.site))
        self._stopping = asyncio.Event()
        self._failed = False
        self._left_out = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Watch and report until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        data = self._config.data
        with (
            service.lock_folder(data),
            Spool(data / "spool.sqlite", self._config.site) as self._spool,
            ThreadPoolExecutor(1, thread_name_prefix="spool") as self._disk,
        ):
            self._start_sender()
            self._cycling = self._start(self._cycles())
            self._start(self._watchdog())
            sd_notify.notify("READY=1")
            log.info(
                "%s: watching with %d probes and %d devices, every %g s",
                self._config.site,
                len(self._config.probes),
                len(self._config.devices),
                self._config.interval_s,
            )
            _collect_often()
            await self._stopping.wait()
            sd_notify.notify("STOPPING=1")
            self._cycling.cancel()
            await self._say_goodbye()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failed:
            raise TabuahError(f"{self._config.site}: the agent failed; its log says where")

    async def _cycles(self) -> None:
        """Report at the same phase of each interval; the phase is drawn at the start."""
        interval = self._config.interval_s
        phase = time.monotonic() + interval * draw.fraction() + self._office.lead_s
        while True:
            interval = self._config.interval_s
            await _sleep_until(phase - self._office.lead_s)
            self._office.begin(time.monotonic())
            await _sleep_until(phase)
            self._report(Occasion.CYCLE)
            phase += interval
            behind = time.monotonic() - phase
            if behind > 0:  # the host slept, or is overloaded: skip what cannot be done any more
                phase += interval * (behind // interval + 1)

    def _extra_cycle(self) -> None:
        self._start(self._return())

    async def _return(self) -> None:
        """The collector answers again: say how things are now, not at the next phase."""
        await self._office.look(min(2.0, self._config.interval_s / 2))
        self._report(Occasion.RETURN)

    def _report(self, occasion: Occasion) -> None:
        self._seq += 1
        courier = self._courier
        about = Agent(
            backlog=courier.backlog_then,
            dropped=self._spool.dropped + self._sender.unsaved,
            srtt_ms=round((courier.srtt_s or 0.0) * 1000),
        )
        report_id = ReportId(self._config.site, self._epoch, self._seq)
        report = make_report(
            report_id=report_id,
            config=self._config,
            office=self._office,
            occasion=occasion,
            path=self._sender.path,
            about=about,
        )
        packed, left_out = fit(report)
        if left_out and not self._left_out:
            log.warning(
                "%s: a report is larger than one datagram; %d of its last interfaces, readings or "
                "probes are left out: name fewer in the inventory",
                self._config.site,
                left_out,
            )
        self._left_out = left_out
        self._sender.offer(packed)

    async def _say_goodbye(self) -> None:
        stopping = await asyncio.to_thread(service.host_is_stopping)
        self._report(Occasion.GOODBYE_HOST if stopping else Occasion.GOODBYE_AGENT)
        await self._sender.finish(FAREWELL_S)
        self._office.stop()

    async def _watchdog(self) -> None:
        every = sd_notify.watchdog_s()
        while every is not None:
            sd_notify.notify("WATCHDOG=1")
            await asyncio.sleep(every)

    def _reload(self) -> None:
        try:
            config = configuration.load(self._path)
        except ConfigError as error:
            log.error("keeping the old configuration: %s", error)  # noqa: TRY400
            return
        old = self._config
        if (config.data, config.site) != (old.data, old.site):
            # The spool's reports are the old office's: under another name they would be a lie.
            log.error("keeping the old configuration: a new 'data' or 'site' takes a restart")
            return
        self._config = config
        self._office.stop()
        self._office = Office(config)
        if _of_the_way(config) != _of_the_way(old):
            self._carrying.cancel()
            self._start_sender()
        log.info("%s: configuration read anew", config.site)

    def _start_sender(self) -> None:
        self._sender = Sender(
            self._config, self._courier, self._spool, self._disk, self._extra_cycle
        )
        self._carrying = self._start(self._sender.run())

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Without this task the agent would be deaf or dumb; a restart mends what we cannot.
            log.error("stopping: a task failed", exc_info=task.exception())
            self._failed = True
            self._stopping.set()


def _of_the_way(config: Config) -> tuple[object, ...]:
    """Return what a sender is made of."""
    return config.collectors, config.circuits, config.history_share, config.interval_s


def _collect_often() -> None:
    """Let the garbage collector pass over what stays, and visit the rest early.

    Exceptions and tasks leave cycles: with Python's thresholds the agent grew by 0.5 MiB in 300
    cycles and went on, with these by 0.3 and then no further. It costs little, because all that
    was imported is frozen.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
