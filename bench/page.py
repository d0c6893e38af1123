"""The metrics page for all 7,285 kecamatan: our renderer, and what a scrape does to the line.

`render`: beside prometheus-client, each office with forty samples and a newer report each time.
prometheus-client is given the same samples as gauges of one registry, set beforehand; only
`generate_latest` is timed, so that setting a gauge for each sample of each report costs it
nothing here. `packed` is the same with the reports as the collector keeps them, to be opened.

`scrape`: a collector that takes a report from each office in 10 s, and a Prometheus that asks
for the page in every 10 s. What counts is how long acknowledgements take with and without it.
`ours_s` is the collector's share of each scrape, until the page is whole. `of_a_file` is what
another Prometheus takes for the same page as a file, when nothing else runs.
"""

from __future__ import annotations

import json
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, pairwise
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bench import reports, volley
from bench.measure import (
    NOT_INSTALLED,
    PYTHON,
    REPETITIONS,
    BenchError,
    Figures,
    await_line,
    await_text,
    cpu_s,
    free_port,
    median,
    memory,
    program,
    ratio,
    running,
    say,
)
from bench.office import Centre
from bench.office import Site as Office
from collector import enrolled
from collector.identity import Identity
from collector.live import Received, SiteView, State
from collector.metrics import CONTENT_TYPE, SitesPage
from collector.opened import Kept
from collector.row import Row
from inventory.model import Circuit, Inventory, Location, Precision, Site, SiteKind, Technology
from tabuah import block
from tabuah.report import Report

SITES = 7285
PROBES = 3
"""Of the sample report's six: with them an office has forty samples that it measured itself, and
some more by the inventory."""
INTERVAL_S = 10
ROUNDS = 6
"""Intervals that are measured, without Prometheus and with it."""
_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def run() -> Figures:
    """Return CPU of a page by each renderer, and latencies with and without scrapes."""
    return {"sites": SITES, "render": _render(), "scrape": _scrape()}


# --- the renderer ---------------------------------------------------------------------------


def _render() -> Figures:
    inventory = _inventory()
    now_ms = time.time_ns() // 1_000_000
    found = {
        "opened": _ours(inventory, now_ms, _opened),
        "packed": _ours(inventory, now_ms, _packed),
    }
    views = [_opened(_report(code, 1), now_ms) for code in inventory.codes]
    text = SitesPage().render(inventory, views, now_ms)
    say("page: filling prometheus-client")
    registry, samples = _registry(text.decode())
    say("page: prometheus-client")
    theirs_s = _cpu_s(lambda: generate_latest(registry))
    return {
        **found,
        "samples": samples,
        "samples_of_a_site": round(samples / SITES, 1),
        "prometheus_client": {"cpu_s": theirs_s, "bytes": len(generate_latest(registry))},
        "cpu_ratio": ratio(theirs_s, found["opened"]["cpu_s"]),
    }


def _ours(
    inventory: Inventory, now_ms: int, view: Callable[[Report, int], SiteView]
) -> dict[str, float]:
    say("page:", view.__name__)
    fleets = [[view(_report(code, seq), now_ms) for code in inventory.codes] for seq in (1, 2)]
    page, following = SitesPage(), cycle(fleets)
    began = time.process_time()
    text = page.render(inventory, next(following), now_ms)
    first_s = time.process_time() - began
    return {
        "cpu_s": _cpu_s(lambda: page.render(inventory, next(following), now_ms)),
        "first_page_cpu_s": round(first_s, 2),
        "unchanged_cpu_s": _cpu_s(lambda: page.render(inventory, fleets[0], now_ms)),
        "bytes": len(text),
    }


def _report(code: str, seq: int) -> Report:
    whole = reports.report(code, 1, seq)
    return replace(whole, measurements=whole.measurements[:PROBES])


def _opened(report: Report, now_ms: int) -> SiteView:
    received = Received(report, now_ms, now_ms, corrected=False, late=False)
    return SiteView(report.id.site, State.UP, now_ms, received)


def _packed(report: Report, now_ms: int) -> SiteView:
    code, epoch, seq = report.id
    octets = block.pack(report).octets
    row = Row(code, epoch, seq, now_ms, now_ms, late=False, corrected=False, block=octets)
    return SiteView(code, State.UP, now_ms, Kept(row))


def _cpu_s(render: Callable[[], bytes]) -> float:
    found = []
    for _ in range(REPETITIONS):
        began = time.process_time()
        render()
        found.append(time.process_time() - began)
    return median(found, 3)


def _inventory() -> Inventory:
    line = Circuit("telkom", provider="Telkom", product="Astinet", technology=Technology.FIBRE)
    return Inventory(
        "Benchmark",
        sites=tuple(
            Site(
                f"{11 + number // 400}.{number // 20 % 20:02}.{number % 20:02}",
                f"Kantor Camat {number}",
                SiteKind.KECAMATAN,
                kecamatan=f"Kecamatan {number}",
                kabupaten=f"Kabupaten {number // 20}",
                location=Location(-0.831, 100.631, Precision.CENTROID),
                upstream=f"sto-{number // 20}",
                circuits=(line,),
            )
            for number in range(SITES)
        ),
    )


def _registry(text: str) -> tuple[CollectorRegistry, int]:
    """Return a registry that holds the page's samples, and how many they are."""
    registry = CollectorRegistry(auto_describe=False)
    gauges: dict[str, Gauge] = {}
    samples = 0
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.fullmatch(line)
        if match is None:
            continue
        samples += 1
        labels = dict(_LABEL.findall(match[2] or ""))
        if match[1] not in gauges:
            gauges[match[1]] = Gauge(match[1], match[1], tuple(labels), registry=registry)
        gauge = gauges[match[1]]
        (gauge.labels(**labels) if labels else gauge).set(float(match[3]))
    return registry, samples


# --- scrapes of a collector at work ---------------------------------------------------------


def _scrape() -> Figures | str:
    prometheus = program("prometheus")
    if prometheus is None:
        return NOT_INSTALLED
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        folder = Path(place)
        listen, http = free_port(), free_port(socket.SOCK_STREAM)
        centre = Centre(
            folder,
            listen=f"127.0.0.1:{listen}",
            reflect=f"127.0.0.1:{free_port()}",
            http=f"127.0.0.1:{http}",
        )
        codes = [volley.code(number) for number in range(SITES)]
        data = folder / "data"
        engine_id = Identity.open(data).engine_id
        enrolled.enrol(data, codes)
        centre.write_inventory([Office(code) for code in codes])
        began = time.monotonic()
        with running(centre.argv(), centre.log) as collector:
            await_text(centre.log, centre.ready_text, collector, 120)
            first_start_s = time.monotonic() - began
            fleet = [
                *(*PYTHON, "bench.volley", str(listen), "--engine", engine_id.hex(), "--live"),
                *("--data", str(data), "--sites", str(SITES), "--rounds", str(2 * ROUNDS + 3)),
                *("--rate", str(SITES / INTERVAL_S), "--pid", str(collector.pid)),
            ]
            with running(fleet, folder / "fleet.log") as load:
                # The first round makes the fleet live; see Volley for the pause after it.
                time.sleep(INTERVAL_S * (ROUNDS + 1) + 7)
                quiet_cpu_s = cpu_s(collector.pid)
                found = _with_prometheus(prometheus, folder, http, collector.pid)
                collector_cpu_s = cpu_s(collector.pid) - quiet_cpu_s
                page = _packed_page(http)
                said = json.loads(await_line(load, folder / "fleet.log"))
        say("page: the same page as a file")
        rounds = said["rounds"]
        return {
            "first_start_s": round(first_start_s, 1),
            "reports_per_s": said["then"]["per_second"],
            "not_acknowledged": said["then"]["sent"] - said["then"]["acknowledged"],
            "without": _latency(rounds[1 : ROUNDS + 1]),
            # In the round between them Prometheus starts, and the process that renders.
            "with": _latency(rounds[-ROUNDS - 1 : -1]),
            "collector_cpu_s": round(collector_cpu_s, 2),
            **found,
            "of_a_file": _of_a_file(prometheus, folder / "file", page),
        }


def _latency(rounds: list[dict[str, float]]) -> Figures:
    return {
        "p50_ms": median(one["p50_ms"] for one in rounds),
        "p99_ms": median(one["p99_ms"] for one in rounds),
        "max_ms": max(one["max_ms"] for one in rounds),
    }


def _with_prometheus(prometheus: str, folder: Path, http: int, pid: int) -> Figures:
    """Return what Prometheus says of its scrapes, and the renderer's CPU and memory."""
    with _scraping(prometheus, folder, http) as asking:
        time.sleep(INTERVAL_S * (ROUNDS + 1))
        up = asking("up")
        first, *following = (round(one, 2) for one in asking("scrape_duration_seconds"))
        # Each page has what was spent on those before it.
        spent = asking("tabuah_scrape_render_seconds_sum")
        scribe = _scribe(pid)
        return {
            "scrapes": len(up),
            "scrapes_failed": up.count(0.0),
            "first_scrape_s": first,  # with a new process here, and new series there
            "scrape_s": following,
            "ours_s": [round(after - before, 2) for before, after in pairwise(spent)],
            "samples": asking("scrape_samples_scraped")[-1],
            "scribe_cpu_s_a_scrape": round(cpu_s(scribe) / len(up), 2),
            "scribe_rss_mib": memory(scribe).rss_mib,
            "collector_rss_mib": memory(pid).rss_mib,
        }


def _of_a_file(prometheus: str, folder: Path, page: bytes) -> Figures:
    """Return how long Prometheus takes for a page that is ready."""
    folder.mkdir()

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with _scraping(prometheus, folder, server.server_address[1]) as asking:
            time.sleep(4 * INTERVAL_S)
            first, *following = (round(one, 2) for one in asking("scrape_duration_seconds"))
        server.shutdown()
    return {"first_scrape_s": first, "scrape_s": following}


def _packed_page(http: int) -> bytes:
    with httpx.stream("GET", f"http://127.0.0.1:{http}/metrics", timeout=60) as reply:
        return b"".join(reply.raise_for_status().iter_raw())


@contextmanager
def _scraping(prometheus: str, folder: Path, http: int) -> Iterator[Callable[[str], list[float]]]:
    """Give a Prometheus that scrapes a port of loopback, to be asked for all of a series."""
    port = free_port(socket.SOCK_STREAM)
    config = folder / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: {INTERVAL_S}s, scrape_timeout: {INTERVAL_S}s}}
scrape_configs: [{{job_name: tabuah, static_configs: [{{targets: ["127.0.0.1:{http}"]}}]}}]
"""
    )
    argv = [
        *(prometheus, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"),
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    def ask(metric: str) -> list[float]:
        asked = {"query": f"{metric}[5m]"}
        reply = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params=asked, timeout=30)
        found = reply.raise_for_status().json()["data"]["result"]
        if not found:
            raise BenchError(f"prometheus has no {metric}: each scrape has failed")
        return [float(value) for _, value in found[0]["values"]]

    with running(argv, folder / "prometheus.log") as process:
        yield ask
        if process.poll() is not None:
            raise BenchError("prometheus ended early")


def _scribe(pid: int) -> int:
    """Return the process that renders for a collector."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(one) for task in tasks for one in (task / "children").read_text().split()]
    for child in children:
        if b"collector.scribe" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise BenchError("nobody renders the page")
