"""The demo's folder: who may use it, where things lie in it, and what a killed demo left behind."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabuah.errors import ConfigError, Problem, TabuahError

if TYPE_CHECKING:
    from collections.abc import Iterable

MARKER = "demo.json"
LOCK = "lock"
LEFTOVERS_WAIT_S = 5.0
LONGEST_SOCKET_PATH = 107
"""sun_path of unix(7) without its end."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where everything of one demo lies."""

    root: Path

    @property
    def inventory(self) -> Path:
        """The inventory that the collector reads."""
        return self.root / "inventory"

    @property
    def collector(self) -> Path:
        """The collector's data; kept from run to run."""
        return self.root / "collector"

    @property
    def enrolled(self) -> Path:
        """The offices' configurations as `tabuah enrol` made them."""
        return self.root / "enrolled"

    @property
    def agents(self) -> Path:
        """The same with the lines in between, and the offices' data."""
        return self.root / "agents"

    @property
    def logs(self) -> Path:
        """What each program wrote."""
        return self.root / "logs"

    @property
    def messages(self) -> Path:
        """The webhook's messages, one JSON object a line."""
        return self.root / "webhook.jsonl"

    @property
    def socket(self) -> Path:
        """Where a running demo takes commands."""
        return self.root / "control.sock"

    def holder(self) -> int | None:
        """Return the process that wrote the marker last."""
        pid = _read_marker(self.root).get("pid")
        return pid if isinstance(pid, int) else None

    def remember(self, pids: Iterable[int]) -> None:
        """Write down our programs, for the next demo to find should this one be killed."""
        born = {str(pid): when for pid in pids if (when := birth(pid)) is not None}
        marker = {"what": "tabuah demo", "pid": os.getpid(), "children": born}
        fresh = self.root / f"{MARKER}.new"
        fresh.write_text(json.dumps(marker) + "\n")
        fresh.replace(self.root / MARKER)


@dataclass(frozen=True, slots=True)
class Claim:
    """A folder that is ours while `lock` is open."""

    folder: Folder
    lock: int

    def release(self) -> None:
        """Let another demo have the folder."""
        self.folder.socket.unlink(missing_ok=True)
        self.folder.remember(())
        os.close(self.lock)


def claim(root: Path, *, fresh: bool = False) -> Claim:
    """Return the folder `root` as ours alone, with nothing of a killed demo running in it.

    Raises:
        ConfigError: the folder holds something else, or its path is too long for a socket.
        TabuahError: a demo runs in it.
    """
    root = root.resolve()
    folder = Folder(root)
    # The collector's own socket is the longer one.
    if len(os.fsencode(folder.collector / "collector.sock")) > LONGEST_SOCKET_PATH:
        raise ConfigError([Problem(str(root), "this path is too long for a socket; use --data")])
    if root.exists() and not is_demo_folder(root):
        what = "not a folder of tabuah demo, and not empty; choose another with --data"
        raise ConfigError([Problem(str(root), what)])
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(folder)
    _end_leftovers(_read_marker(root))
    if fresh:
        for entry in root.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != LOCK:
                entry.unlink()
    folder.socket.unlink(missing_ok=True)
    folder.remember(())
    for part in (folder.inventory, folder.collector, folder.enrolled, folder.agents, folder.logs):
        part.mkdir(mode=0o700, exist_ok=True)
    return Claim(folder, lock)


def is_demo_folder(root: Path) -> bool:
    """Return whether a demo may use, and `--fresh` may wipe, what is in `root`."""
    if not root.is_dir():
        return False
    entries = {entry.name for entry in root.iterdir()}
    return entries <= {LOCK} or _read_marker(root).get("what") == "tabuah demo"


def birth(pid: int) -> int | None:
    """Return when a process began, in ticks since boot; with the pid it names it for good.

    None when there is no such process. Field 22 of proc_pid_stat(5); the command's name before
    it may hold blanks and brackets.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state == "Z" else int(rest[18])


def _lock(folder: Folder) -> int:
    lock = os.open(folder.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise TabuahError(
            f"a demo already runs in {folder.root} (process {folder.holder()}); "
            "stop it with Ctrl-C, or give this one a folder of its own with --data"
        ) from None
    return lock


def _end_leftovers(marker: dict[str, object]) -> None:
    """Wait for the programs of a killed demo, which its death has told to stop; then insist."""
    children = marker.get("children")
    if not isinstance(children, dict):
        return
    deadline = time.monotonic() + LEFTOVERS_WAIT_S
    for name, born in children.items():
        pid = int(name)
        while birth(pid) == born and time.monotonic() < deadline:
            time.sleep(0.05)
        if birth(pid) == born:
            os.kill(pid, signal.SIGKILL)


def _read_marker(root: Path) -> dict[str, object]:
    try:
        marker = json.loads((root / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}
