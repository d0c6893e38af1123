"""The programs of the demo: started, kept running, stopped by their process ids."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from demo import tether

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from demo.router import Command

SETTLED_S = 60.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0


@dataclass(slots=True)
class Child:
    """One program, and how it fares."""

    name: str
    command: Command
    log: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The running process, if there is one."""
        process = self.process
        return process.pid if process is not None and process.returncode is None else None


def pause_after(lasted_s: float, pause_s: float) -> float:
    """Return how long to wait before a program that ran for `lasted_s` is started again."""
    return FIRST_PAUSE_S if lasted_s >= SETTLED_S else min(pause_s * 2, LONGEST_PAUSE_S)


@dataclass(slots=True)
class Children:
    """All programs of a demo."""

    say: Callable[[str], None]
    """Told of each program that died."""
    remember: Callable[[list[int]], None]
    """Given the process ids after each change."""
    all: dict[str, Child] = field(default_factory=dict)
    _stopping: bool = False

    def start(self, child: Child) -> None:
        """Start a program and keep it running until `stop`."""
        self.all[child.name] = child
        child.log.unlink(missing_ok=True)
        child.keeper = asyncio.create_task(self._keep(child))

    def ask(self, names: Iterable[str]) -> None:
        """Ask the named programs to end, and start none again."""
        self._stopping = True
        for child in self._chosen(names):
            if child.process is None and child.keeper is not None:
                child.keeper.cancel()
            _signal(child, kill=False)

    async def wait(self, names: Iterable[str], patience_s: float) -> None:
        """Return when the named programs have ended, or after `patience_s`."""
        keepers = [child.keeper for child in self._chosen(names) if child.keeper is not None]
        if keepers:
            await asyncio.wait(keepers, timeout=patience_s)

    async def end(self) -> None:
        """Return when every program has ended, however unwillingly."""
        for child in self.all.values():
            _signal(child, kill=True)
        await self.wait(self.all, 1)

    def _chosen(self, names: Iterable[str]) -> list[Child]:
        return [self.all[name] for name in names if name in self.all]

    async def _keep(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S / 2
        while True:
            began = loop.time()
            code = await self._run(child)
            if self._stopping:
                return
            pause_s = pause_after(loop.time() - began, pause_s)
            self.say(
                f"{child.name} ended with code {code}; starting it again in {pause_s:.0f} s; "
                f"its log is {child.log}"
            )
            await asyncio.sleep(pause_s)

    async def _run(self, child: Child) -> int:
        with child.log.open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *child.command.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | dict(child.command.environment),
                # Ctrl-C in the terminal is ours to pass on, agents first.
                start_new_session=True,
            )
        child.starts += 1
        self.remember([pid for each in self.all.values() if (pid := each.pid) is not None])
        try:
            return await child.process.wait()
        finally:
            child.process = None


def _signal(child: Child, *, kill: bool) -> None:
    process = child.process
    if process is not None:
        with suppress(ProcessLookupError):
            if kill:
                process.kill()
            else:
                process.terminate()
