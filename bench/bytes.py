"""IP bytes on an office's line in a day, both ways: at one report in 10 s, and in 60 s.

Two offices in network namespaces, each with a STAMP packet to the collector, a ping to its first
hop and one to a public address each cycle, a DNS query a minute, an HTTPS check each five
minutes, and a router that is polled in the LAN. nftables counts the line by port. A day is the
mean exchange of each kind times how often the configuration asks for it, so a window of two
minutes says the same as one of a day; `window` is what was counted.

BENCH_SECONDS sets the window (120; at least 130 here, for two cycles of the slower office).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.lab import (
    CENTRE,
    CONNECTIONS,
    DNS_PORT,
    HTTPS_PORT,
    LANES,
    PUBLIC,
    REFLECT_PORT,
    REPORT_PORT,
    Count,
    Namespace,
    first_hop,
    lab,
)
from bench.measure import PYTHON, Figures, await_line, await_text, require, running, say
from bench.office import Centre, Site, agent_argv
from bench.servers import NAME

INTERVALS_S = (10, 60)
WARM_UP_S = 65.0
DAY_S = 86_400
HEADERS = 28
"""Octets of IPv4 and UDP before a datagram's payload."""
TARGET_MB = {10: 8.0, 60: 1.6}
TARGET_HTTPS_MB = 1.3
_EVERY_S = {"dns": 60, "https": 300}
_A_CYCLE = {"reports": 1, "stamp": 1, "ping": 2}
_SNMP_PORT = 10161
_COMMUNITY = "bench"


def run() -> Figures:
    """Return MB a day by kind of traffic for each interval, and the sizes of report and answer."""
    seconds = max(130.0, float(os.environ.get("BENCH_SECONDS", "120")))
    with (
        tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place,
        lab(len(INTERVALS_S)) as (centre, offices),
        _running(Path(place), centre, offices),
    ):
        say(f"bytes: warming up {WARM_UP_S:g} s, then counting {seconds:g} s")
        time.sleep(WARM_UP_S)
        before = [office.counts() for office in offices]
        time.sleep(seconds)
        after = [office.counts() for office in offices]
    return {
        "seconds": seconds,
        **{
            f"every_{interval}_s": _figures(interval, old, new)
            for interval, old, new in zip(INTERVALS_S, before, after, strict=True)
        },
    }


def _figures(interval_s: int, before: dict[str, Count], after: dict[str, Count]) -> Figures:
    window = {name: after[name].since(before[name]) for name in after}
    exchange = {}
    for lane in LANES[:-1]:
        # A check begins before the window, so all of its packets count, by its connections.
        seen = after if lane == "https" else window
        times = after[CONNECTIONS] if lane == "https" else window[f"{lane}_up"]
        both = seen[f"{lane}_up"].bytes + seen[f"{lane}_down"].bytes
        exchange[lane] = both / max(1, times.packets)
    a_day = {
        lane: round(size * DAY_S / _EVERY_S.get(lane, interval_s) * _A_CYCLE.get(lane, 1) / 1e6, 2)
        for lane, size in exchange.items()
    }
    line = round(sum(size for lane, size in a_day.items() if lane != "https"), 2)
    up, down = window["reports_up"], window["reports_down"]
    return {
        "mb_a_day": a_day,
        "mb_a_day_without_https": line,
        "target_mb_a_day": TARGET_MB[interval_s],
        "over_target_mb": round(line - TARGET_MB[interval_s], 2),
        "target_https_mb": TARGET_HTTPS_MB,
        "exchange_ip_bytes": {lane: round(size) for lane, size in exchange.items()},
        "report_payload_bytes": round(up.bytes / max(1, up.packets)) - HEADERS,
        "answer_payload_bytes": round(down.bytes / max(1, down.packets)) - HEADERS,
        "https_checks": after[CONNECTIONS].packets,
        "https_packets": after["https_up"].packets + after["https_down"].packets,
        "window": {
            name: {"packets": count.packets, "bytes": count.bytes}
            for name, count in sorted(window.items())
        },
    }


@contextlib.contextmanager
def _running(folder: Path, centre_at: Namespace, offices: list[Namespace]) -> Iterator[None]:
    centre = Centre(
        folder,
        listen=f"{CENTRE}:{REPORT_PORT}",
        reflect=f"{CENTRE}:{REFLECT_PORT}",
        http="127.0.0.1:8080",
    )
    sites = [_site(interval, number) for number, interval in enumerate(INTERVALS_S)]
    url = f"https://{PUBLIC}/health"
    centre.write_inventory(
        sites, head=f'services: {{siak: {{name: SIAK, http: "{url}", expect: OK, every: 5m}}}}\n'
    )
    (folder / "community").write_text(_COMMUNITY)
    (folder / "community").chmod(0o600)
    configs = centre.enrol()
    with contextlib.ExitStack() as stack:
        log = folder / "servers.log"
        argv = (*PYTHON, "bench.servers", PUBLIC, str(DNS_PORT), str(HTTPS_PORT), "9", str(folder))
        await_line(stack.enter_context(running(centre_at.inside(argv), log)), log)
        process = stack.enter_context(running(centre_at.inside(centre.argv()), centre.log))
        await_text(centre.log, centre.ready_text, process)
        for office, site in zip(offices, sites, strict=True):
            _snmpd(stack, folder, office)
            command = agent_argv(centre.agent_config(configs, site.code))
            trust = {"SSL_CERT_FILE": str(folder / "ca.pem")}
            log = folder / f"agent-{site.code}.log"
            stack.enter_context(running(office.inside(command), log, trust))
        yield


def _site(interval_s: int, number: int) -> Site:
    every = f"every: {interval_s}s"
    snmp = f'{{version: 2c, community: "file:../community", port: {_SNMP_PORT}}}'
    resolver = f"{{server: {PUBLIC}, name: {NAME}}}"
    hop = f"ping: {first_hop(number)}, role: first_hop, circuit: telkom"
    device = "host: 127.0.0.1, platform: linux, role: gateway, interfaces: [wan0]"
    return Site(
        f"13.02.{10 + number}",
        interval=f"{interval_s}s",
        probes=(
            f'{{name: dc, udp: "{CENTRE}:{REFLECT_PORT}", role: centre, {every}}}',
            f"{{name: telkom-hop, {hop}, {every}}}",
            f"{{name: anchor, ping: {PUBLIC}, role: public, {every}}}",
            f"{{name: resolver, dns: {resolver}, role: public, every: 1m}}",
        ),
        devices=(f"{{name: router, {device}, {every}, snmp: {snmp}}}",),
        services=("siak",),
    )


def _snmpd(stack: contextlib.ExitStack, folder: Path, office: Namespace) -> None:
    own = folder / office.name
    own.mkdir()
    conf = own / "snmpd.conf"
    conf.write_text(
        f"agentAddress udp:127.0.0.1:{_SNMP_PORT}\nrocommunity {_COMMUNITY} 127.0.0.1\n"
    )
    log = own / "snmpd.log"
    argv = (require("snmpd"), "-f", "-C", "-c", str(conf), "-Lf", str(log), "-r", "-m", "")
    process = stack.enter_context(
        running(office.inside(argv), log, {"SNMP_PERSISTENT_DIR": str(own)})
    )
    await_text(log, "NET-SNMP version", process)
