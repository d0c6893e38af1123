"""A network namespace of one test's own, entered by the test's own thread. Needs root."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IP = "/usr/sbin/ip" if Path("/usr/sbin/ip").exists() else "ip"


def ip(*arguments: str) -> None:
    """Run iproute2's ip in the namespace of this thread."""
    subprocess.run([_IP, *arguments], check=True, capture_output=True)


@contextmanager
def own_network() -> Iterator[None]:
    """Sockets opened within, and programs started, see a fresh network with only loopback."""
    name = f"tabuah-{os.getpid()}"
    ip("netns", "add", name)
    try:
        with (
            Path("/proc/thread-self/ns/net").open() as home,
            Path("/run/netns", name).open() as own,
        ):
            _enter(own.fileno())
            try:
                ip("link", "set", "lo", "up")
                yield
            finally:
                _enter(home.fileno())
    finally:
        ip("netns", "del", name)


def _enter(descriptor: int) -> None:
    clone_newnet = 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, clone_newnet):
        raise OSError(ctypes.get_errno(), "setns")
