"""The metrics page for all 7,285 kecamatan: our renderer beside prometheus-client.

prometheus-client is given the same samples as gauges of one registry, set beforehand; only
`generate_latest` is timed, so that setting a gauge for each sample of each report costs it
nothing here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bench import reports
from bench.measure import REPETITIONS, Figures, median, ratio, say
from collector.live import Received, SiteView, State
from collector.metrics import SitesPage
from inventory.model import Circuit, Inventory, Location, Precision, Site, SiteKind, Technology

SITES = 7285
_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def run() -> Figures:
    """Return CPU seconds and octets of one page by each renderer."""
    inventory = _inventory()
    now_ms = time.time_ns() // 1_000_000
    views = [_view(site.code, number, now_ms) for number, site in enumerate(inventory.sites, 1)]
    page = SitesPage()

    def ours() -> bytes:
        return page.render(inventory, views, now_ms)

    say("page: ours")
    began = time.process_time()
    text = ours()
    first_s = time.process_time() - began
    ours_s = _cpu_s(ours)
    say("page: filling prometheus-client")
    registry, samples = _registry(text.decode())
    say("page: prometheus-client")
    theirs = generate_latest(registry)
    theirs_s = _cpu_s(lambda: generate_latest(registry))
    return {
        "sites": SITES,
        "samples": samples,
        "tabuah": {"cpu_s": ours_s, "first_page_cpu_s": round(first_s, 2), "bytes": len(text)},
        "prometheus_client": {"cpu_s": theirs_s, "bytes": len(theirs)},
        "cpu_ratio": ratio(theirs_s, ours_s),
    }


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


def _view(code: str, seq: int, now_ms: int) -> SiteView:
    report = reports.report(code, 1, seq)
    received = Received(report, now_ms, now_ms, corrected=False, late=False)
    return SiteView(code, State.UP, now_ms - 3_600_000, received)


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
