"""A collector and one office's agent on loopback: the real programs, asked as users ask them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from demo.stage import free_ports

SITE = "13.02.10"


def free_port(kind: socket.SocketKind) -> int:
    """Return a port of 127.0.0.1 that nothing listens on, for programs that are started again."""
    (port,) = free_ports([(kind, 0)])
    return port


def seconds_until(true: Callable[[], bool], most: float) -> float:
    """Wait until it is so; return how long that took, or fail."""
    began = time.monotonic()
    while True:
        last: Exception | str = "not so yet"
        try:
            if true():
                return time.monotonic() - began
        except (httpx.HTTPError, AssertionError, OSError) as error:
            last = error
        passed = time.monotonic() - began
        assert passed < most, f"not within {most} s: {last}"
        time.sleep(0.1)


TABUAH = ("-m", "tabuah")
_RAISED = "from tabuah import block; block.VERSION += 1; from tabuah.main import main; "
NEWER = ("-c", _RAISED + "raise SystemExit(main())")
"""The interpreter's words for tabuah as it is, and for one whose blocks are of the next version."""


class Centre:
    """An inventory of one office, its collector, and the agents that the tests start."""

    def __init__(self, folder: Path, *, interval: str = "1s", alerts: str = "{}") -> None:
        self.folder = folder
        self._interval = interval
        self.data = folder / "centre"
        self.reports = free_port(socket.SOCK_DGRAM)
        self.reflector = free_port(socket.SOCK_DGRAM)
        self.http = free_port(socket.SOCK_STREAM)
        self.inventory = folder / "inventory"
        self.inventory.mkdir()
        (self.inventory / "inventory.yaml").write_text(
            f"""
organisation: Dinas Uji
language: en
alerts: {alerts}
sites:
  - code: "{SITE}"
    name: Kantor Camat Kubung
    interval: {interval}
    circuits: [{{id: telkom}}]
    probes:
      - {{name: dc, udp: "127.0.0.1:{self.reflector}", role: centre, every: {interval},
          timeout: 300ms}}
"""
        )
        self._programs: list[subprocess.Popen[bytes]] = []
        self.collector: subprocess.Popen[bytes]

    def tabuah(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tabuah", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def enrol(self, *more: str) -> Path:
        """Return the office's configuration, made by `tabuah enrol`, its data beside it."""
        out = self.folder / "agent.toml"
        made = self.tabuah(
            *("enrol", SITE, "--inventory", str(self.inventory), "--data", str(self.data)),
            *("--collector", f"127.0.0.1:{self.reports}", "--out", str(out), *more),
        )
        assert made.returncode == 0, made.stderr
        told = re.sub('data = ".*"', f'data = "{self.folder / "office"}"', out.read_text())
        out.write_text(told)
        return out

    def add_sites(self, codes: Sequence[str]) -> None:
        """Add offices like the first to the inventory, without probes."""
        with (self.inventory / "inventory.yaml").open("a") as inventory:
            for code in codes:
                inventory.write(
                    f'  - {{code: "{code}", name: Kantor {code}, interval: {self._interval}, '
                    "circuits: [{id: telkom}]}\n"
                )

    def enrol_at(self, site: str, collector: str) -> Path:
        """Return the configuration, made by `tabuah enrol`, of an office with such a collector."""
        out = self.folder / f"agent-{site}.toml"
        made = self.tabuah(
            *("enrol", site, "--inventory", str(self.inventory), "--data", str(self.data)),
            *("--collector", collector, "--out", str(out)),
        )
        assert made.returncode == 0, made.stderr
        told = re.sub('data = ".*"', f'data = "{self.folder / site}"', out.read_text())
        out.write_text(told)
        return out

    def copy(self, config: Path, name: str) -> Path:
        """Return a copy of an office's configuration, with a data folder of its own."""
        made = self.folder / f"{name}.toml"
        made.write_text(config.read_text().replace("/office", f"/{name}"))
        made.chmod(0o600)
        return made

    @property
    def collector_words(self) -> tuple[str, ...]:
        """The command line that runs the collector, after `tabuah`."""
        return (
            *("collector", "run", "--inventory", str(self.inventory), "--data", str(self.data)),
            *("--listen", f"127.0.0.1:{self.reports}", "--reflect", f"127.0.0.1:{self.reflector}"),
            *("--http", f"127.0.0.1:{self.http}"),
        )

    def start_collector(self, tabuah: tuple[str, ...] = TABUAH, more: tuple[str, ...] = ()) -> None:
        """Start it with `more` options, and wait until it is ready."""
        self.collector = self.start(*self.collector_words, *more, tabuah=tabuah)
        seconds_until(lambda: self.get("readyz").status_code == 200, 60)  # other work may go on

    def start_agent(
        self, config: Path, environment: Mapping[str, str] | None = None, *python: str
    ) -> subprocess.Popen[bytes]:
        """Start the office's agent."""
        return self.start(
            "agent", "run", "--config", str(config), environment=environment, python=python
        )

    def start(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        python: tuple[str, ...] = (),
        tabuah: tuple[str, ...] = TABUAH,
        within: tuple[str, ...] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program; it ends with the test, its words are in `log`.

        Args:
            words: what comes after `tabuah` on the command line.
            environment: added to ours.
            python: options of the interpreter.
            tabuah: what the interpreter is to run.
            within: a program with its arguments that starts it.
        """
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            program = subprocess.Popen(
                [*within, sys.executable, *python, *tabuah, *words],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        self._programs.append(program)
        return program

    def log(self, program: str) -> str:
        """Return what a program (`agent`, `collector`) has said so far."""
        return (self.folder / f"{program}.log").read_text()

    def get(self, path: str) -> httpx.Response:
        """Return the collector's answer."""
        return httpx.get(f"http://127.0.0.1:{self.http}/{path}", timeout=5)

    def said(self) -> list[dict[str, Any]]:
        """Return the office's reports, oldest first."""
        reports: list[dict[str, Any]] = self.get(f"api/v1/sites/{SITE}/reports").json()
        return reports

    def state(self) -> str:
        """Return the office's state."""
        (office,) = self.get("api/v1/sites").json()
        state: str = office["state"]
        return state

    def cloned(self) -> str | None:
        """Return when a second agent of the office last showed; None if none does."""
        (office,) = self.get("api/v1/sites").json()
        cloned: str | None = office["cloned"]
        return cloned

    def metric(self, name: str) -> float:
        """Return the value of the office's only sample of that name."""
        found = re.findall(
            rf"^{name}{{site=\"{SITE}\"}} (\S+)$", self.get("metrics").text, re.MULTILINE
        )
        (value,) = found
        return float(value)

    def counted(self, outcome: str) -> int:
        """Return a value of tabuah_reports_total."""
        match = re.search(
            rf'tabuah_reports_total{{outcome="{outcome}"}} ([0-9.e+]+)', self.get("metrics").text
        )
        assert match is not None
        return round(float(match[1]))

    def stop(self) -> None:
        """End all that was started."""
        for program in self._programs:
            if program.poll() is None:
                program.send_signal(signal.SIGCONT)
                program.kill()
            program.wait()


@contextlib.contextmanager
def centre(folder: Path, *, interval: str = "1s", alerts: str = "{}") -> Iterator[Centre]:
    """Give a centre whose programs end with the block."""
    made = Centre(folder, interval=interval, alerts=alerts)
    try:
        yield made
    finally:
        made.stop()
