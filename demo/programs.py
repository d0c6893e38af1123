"""The command lines of the real programs that the demo starts."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from demo.router import Command
from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from pathlib import Path

    from demo.folder import Folder
    from demo.relay import Address

# -P: a file called agent.py in the folder where a person stands must not stand in for ours.
TABUAH = (sys.executable, "-P", "-m", "tabuah")
ENVIRONMENT = (("PYTHONUNBUFFERED", "1"), ("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1"))
LAST_LINES = 15


def collector(folder: Folder, reports: Address, reflector: Address, http: Address) -> Command:
    """Return how to start the centre."""
    arguments = (
        *(*TABUAH, "collector", "run"),
        *("--inventory", str(folder.inventory), "--data", str(folder.collector)),
        *("--listen", str(reports), "--reflect", str(reflector), "--http", str(http)),
    )
    return Command(arguments, ENVIRONMENT)


def agent(config: Path) -> Command:
    """Return how to start an office's agent."""
    return Command((*TABUAH, "agent", "run", "--config", str(config)), ENVIRONMENT)


async def enrol_all(folder: Folder, reports: Address) -> None:
    """Have `tabuah enrol` make every office's configuration in the folder for them.

    Raises:
        TabuahError: it failed; with its own words.
    """
    for old in folder.enrolled.glob("agent-*.toml"):
        old.unlink()
    process = await asyncio.create_subprocess_exec(
        *(*TABUAH, "enrol", "--all"),
        *("--inventory", str(folder.inventory), "--data", str(folder.collector)),
        *("--collector", str(reports), "--out", str(folder.enrolled)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode != 0:
        raise TabuahError(f"'tabuah enrol --all' failed:\n{said.decode(errors='replace').strip()}")


def last_lines(log: Path) -> str:
    """Return the end of a program's log, for a message about its death."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LAST_LINES:])
