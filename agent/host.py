"""The machine that the agent runs on: who it is since its boot, its memory, load and clock."""

from __future__ import annotations

import ctypes
import functools
import os
import time
from pathlib import Path

from tabuah.report import Clock, Host

_PROC = Path("/proc")
_TIMEX_ROOM = 1024
"""More than any struct timex (208 octets on 64-bit Linux): only the return value is read, so
that the layout, which differs between C libraries, does not matter."""
_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised (STA_UNSYNC)."""


def boot_id() -> bytes:
    """Return the 16 random octets that the kernel drew at boot."""
    return bytes.fromhex(
        (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")
    )


def uptime_ms() -> int:
    """Return milliseconds since boot, sleep included (CLOCK_BOOTTIME)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def read_host() -> Host:
    """Return clock state, memory and load now; what cannot be read is 0 or UNKNOWN."""
    total_kib, available_kib = memory_kib(_read(_PROC / "meminfo"))
    return Host(clock_state(), total_kib, available_kib, load_centi(_read(_PROC / "loadavg")))


def clock_state() -> Clock:
    """Return whether the kernel says that its clock is disciplined (adjtimex)."""
    libc = _libc()
    if libc is None:
        return Clock.UNKNOWN
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_ROOM))
    if state < 0:
        return Clock.UNKNOWN
    return Clock.UNSYNCHRONISED if state == _TIME_ERROR else Clock.SYNCHRONISED


def resident_kib() -> int:
    """Return the resident memory of this process in KiB."""
    fields = _read(_PROC / "self/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") // 1024 if len(fields) > 1 else 0


def written_kib() -> int:
    """Return what this process has had written to disk, in KiB; 0 where the kernel does not count.

    The page cache's word (`write_bytes` of proc(5)): what is rewritten before it reaches the disk
    counts once, what goes to a tmpfs not at all.
    """
    return written_octets(_read(_PROC / "self/io")) // 1024


def written_octets(io: str) -> int:
    """Return `write_bytes` of the text of /proc/PID/io; 0 where absent."""
    rows = dict(line.split(":", 1) for line in io.splitlines() if ":" in line)
    return int(rows.get("write_bytes", "0"))


def memory_kib(meminfo: str) -> tuple[int, int]:
    """Return MemTotal and MemAvailable of the text of /proc/meminfo; 0 where absent."""
    rows = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    total, available = (
        int(rows.get(name, "0").split()[0]) for name in ("MemTotal", "MemAvailable")
    )
    return total, available


def load_centi(loadavg: str) -> int:
    """Return the load of the last minute times 100, of the text of /proc/loadavg."""
    fields = loadavg.split()
    return round(float(fields[0]) * 100) if fields else 0


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""


@functools.cache
def _libc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        _ = libc.adjtimex
    except (OSError, AttributeError):
        return None
    return libc
