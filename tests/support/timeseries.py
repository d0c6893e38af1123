"""A real Prometheus and a real VictoriaMetrics that take remote writes, on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from tests.support.programs import free_port, seconds_until

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

WINDOW_S = 3 * 3600
"""How old a sample Prometheus takes out of order."""


@dataclass(frozen=True, slots=True)
class Database:
    """One that runs."""

    port: int
    flush: str = ""
    """What makes it show at once what it has taken; empty = it does anyway."""

    @property
    def write_url(self) -> str:
        """Where it takes remote writes."""
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def samples(self, selector: str, span: str = "7d") -> dict[int, float]:
        """Return the raw samples of the one series that the selector fits, by ms."""
        if self.flush:
            httpx.get(f"http://127.0.0.1:{self.port}/{self.flush}").raise_for_status()
        reply = httpx.get(
            f"http://127.0.0.1:{self.port}/api/v1/query", params={"query": f"{selector}[{span}]"}
        )
        found = reply.raise_for_status().json()["data"]["result"]
        assert len(found) <= 1, found
        values = found[0]["values"] if found else []
        return {round(at * 1000): float(value) for at, value in values}

    def labels(self, selector: str) -> dict[str, str]:
        """Return the labels of the one series that the selector fits."""
        reply = httpx.get(
            f"http://127.0.0.1:{self.port}/api/v1/query", params={"query": f"{selector}[7d]"}
        )
        (found,) = reply.raise_for_status().json()["data"]["result"]
        labels: dict[str, str] = found["metric"]
        return labels


@contextlib.contextmanager
def prometheus(
    folder: Path, port: int | None = None, scrape: int | None = None
) -> Iterator[Database]:
    """Give a Prometheus that takes remote writes, and late ones up to WINDOW_S.

    With `scrape` it asks for the metrics page at that port, each five seconds.
    """
    folder.mkdir(exist_ok=True)
    config = folder / "prometheus.yml"
    targets = [] if scrape is None else [f"127.0.0.1:{scrape}"]
    config.write_text(
        f"""
storage: {{tsdb: {{out_of_order_time_window: {WINDOW_S}s}}}}
scrape_configs:
  - job_name: tabuah
    scrape_interval: 5s
    scrape_timeout: 5s
    static_configs: [{{targets: {targets}}}]
"""
    )
    with prometheus_of(folder, "--web.enable-remote-write-receiver", port=port) as made:
        yield made


@contextlib.contextmanager
def prometheus_of(folder: Path, *words: str, port: int | None = None) -> Iterator[Database]:
    """Give a Prometheus of the prometheus.yml in a folder."""
    with _running(
        *("prometheus", f"--config.file={folder / 'prometheus.yml'}"),
        *(f"--storage.tsdb.path={folder / 'tsdb'}", *words),
        address="--web.listen-address=127.0.0.1:",
        ready="-/ready",
        port=port,
    ) as made:
        yield made


@contextlib.contextmanager
def victoria_metrics(folder: Path, port: int | None = None) -> Iterator[Database]:
    """Give a VictoriaMetrics, whose defaults take late samples."""
    with _running(
        *("victoria-metrics", f"-storageDataPath={folder / 'vm'}", "-search.latencyOffset=0s"),
        "-search.disableCache",
        address="-httpListenAddr=127.0.0.1:",
        ready="health",
        port=port,
    ) as made:
        yield replace(made, flush="internal/force_flush")


@contextlib.contextmanager
def _running(*words: str, address: str, ready: str, port: int | None) -> Iterator[Database]:
    program = shutil.which(words[0], path=PATH)
    assert program is not None, f"{words[0]} is missing: make peers"
    chosen = free_port(socket.SOCK_STREAM) if port is None else port
    running = subprocess.Popen(
        [program, *words[1:], f"{address}{chosen}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{chosen}/{ready}"
        seconds_until(lambda: httpx.get(url).status_code == 200, 20)
        yield Database(chosen)
    finally:
        running.terminate()
        running.wait(20)
