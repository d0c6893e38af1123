"""Processes under test: started, watched in /proc, ended; and the arithmetic of repetitions."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.stage import free_ports

Figures = dict[str, object]
"""What a benchmark found; JSON can hold it."""

REPETITIONS = 3
NOT_INSTALLED = "not installed"
TABUAH = (str(Path(sys.executable).with_name("tabuah")),)
"""The console script of the environment that runs the benchmarks."""
PYTHON = (sys.executable, "-m")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
"""Debian keeps daemons where a user's PATH does not look."""

_TICKS = os.sysconf("SC_CLK_TCK")
_LOG_TAIL = 2000


class BenchError(Exception):
    """The machine or a program does not do what a benchmark needs."""


def say(*words: object) -> None:
    """Tell of progress, on stderr."""
    print(*words, file=sys.stderr, flush=True)


def program(name: str) -> str | None:
    """Return where a program is, or None where it is not installed."""
    return shutil.which(name, path=PATH)


def require(name: str) -> str:
    """Return where a program is.

    Raises:
        BenchError: it is not installed.
    """
    found = program(name)
    if found is None:
        raise BenchError(f"{name} is not installed")
    return found


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port of loopback that nobody uses now."""
    (port,) = free_ports([(kind, 0)])
    return port


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment with daemons in its PATH."""
    return {**os.environ, "PATH": PATH, **(more or {})}


@contextmanager
def running(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a program, stdout to a pipe and stderr to `log`; end it by its process id."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(env),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Ask a process to stop, and kill it if it does not within ten seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def await_line(process: subprocess.Popen[str], log: Path) -> str:
    """Return the next line that the process prints.

    Raises:
        BenchError: it ended first.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise BenchError(f"{process.args!r} ended early:\n{_tail(log)}")
    return line.strip()


def await_text(
    log: Path,
    text: str,
    process: subprocess.Popen[str] | subprocess.Popen[bytes],
    seconds: float = 20,
) -> None:
    """Wait until `text` stands in the log.

    Raises:
        BenchError: it did not, in time.
    """
    until = time.monotonic() + seconds
    while not (log.exists() and text in log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > until:
            raise BenchError(f"{process.args!r} never said {text!r}:\n{_tail(log)}")
        time.sleep(0.05)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_LOG_TAIL:] if log.exists() else ""


def cpu_s(pid: int) -> float:
    """Return user and system time of a process with all its threads.

    The scheduler's own count of each living thread is exact to the nanosecond; the process's
    (proc_pid_stat(5)) knows of threads that have ended too, but counts in ticks of 10 ms.
    """
    tasks = Path(f"/proc/{pid}/task").iterdir()
    living = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return max(living / 1e9, (int(after_name[11]) + int(after_name[12])) / _TICKS)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory; the proportional share counts a page of a shared library in parts."""

    rss_mib: float
    pss_mib: float


def memory(pid: int) -> Memory:
    """Return what a process holds now."""
    fields = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    return Memory(round(fields["Rss"] / 1024, 1), round(fields["Pss"] / 1024, 1))


def written_bytes(pid: int) -> int:
    """Return what a process has caused to be written to a disk (write_bytes of proc_pid_io(5))."""
    return _fields(Path(f"/proc/{pid}/io"))["write_bytes"]


def _fields(path: Path) -> dict[str, int]:
    """Return the lines `name: number ...` of a file in /proc."""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    words = ((name, rest.split()) for name, _, rest in lines)
    return {name: int(rest[0]) for name, rest in words if rest and rest[0].isdecimal()}


def median(values: Iterable[float], digits: int = 1) -> float:
    """Return the median, rounded."""
    return round(statistics.median(values), digits)


def own_cpu_us(work: Callable[[], object], times: int) -> float:
    """Return CPU microseconds of this process for one of `times` calls, median of repetitions."""
    work()
    found = []
    for _ in range(REPETITIONS):
        began = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - began) / times * 1e6)
    return median(found)


def ratio(peer: float, ours: float) -> float:
    """Return how many times ours the peer takes."""
    return round(peer / ours, 1) if ours else 0.0
