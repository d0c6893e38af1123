"""The machine that the laboratory stands on: its programs, processes and namespaces."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

PREFIX = "tabuah-"
PROGRAMS = ("ip", "nft", "tc", "snmpd", "ping")
_OWNED = re.compile(rf"{PREFIX}(\d+)-[0-9a-f]+-")


class LabError(Exception):
    """The laboratory cannot be built or a command in it failed."""


def require_programs() -> None:
    """Return if the laboratory can be built here.

    Raises:
        LabError: that says what is missing.
    """
    if os.geteuid() != 0:
        raise LabError("the laboratory needs root (network namespaces); or run `make check`")
    missing = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    if missing:
        raise LabError(f"the laboratory needs {', '.join(missing)}; run `make test`, or see README")


def search_path() -> str:
    """Return PATH with the folders of system programs, which an ordinary one may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with that PATH, and `more`."""
    return {**os.environ, "PATH": search_path(), **(more or {})}


def stop(process: subprocess.Popen[bytes], how: signal.Signals, patience: float = 10) -> int:
    """Signal a process that we started, and return its exit code; kill it if it lingers."""
    if process.poll() is None:
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def sweep() -> None:
    """Remove what killed runs left: namespaces of ours whose owner is dead, and what runs there."""
    for name in namespaces():
        owned = _OWNED.match(name)
        if owned is None or Path(f"/proc/{owned[1]}").exists():
            continue
        for pid in ip("netns", "pids", name).split():
            os.kill(int(pid), signal.SIGKILL)
        ip("netns", "del", name)


def namespaces() -> list[str]:
    """Return the names of all network namespaces here, ours or not."""
    found = json.loads(ip("-j", "netns", "list") or "[]")
    return [entry["name"] for entry in found]


def ip(*argv: str) -> str:
    """Return what `ip` printed.

    Raises:
        LabError: with what it said, when it failed.
    """
    done = subprocess.run(
        ["ip", *argv], capture_output=True, text=True, check=False, env=environment()
    )
    if done.returncode:
        raise LabError(f"ip {' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout
