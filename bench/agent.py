"""Footprint of the agent on an office's machine, beside programs that people run there instead.

One `tabuah agent run` at 10 s: STAMP to the collector's reflector, three pings, a DNS query a
minute, an HTTPS check each five minutes, a poll of an snmpd each cycle. The clock starts when
its first reports are through. Since few HTTPS checks fall into two minutes, a twin checks every
10 s, and what it takes more, divided by its checks, is the price of one: `hourly` adds twelve.

BENCH_SECONDS sets how long is watched (120).
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import footprints
from bench.footprints import Peer, Ports
from bench.measure import (
    NOT_INSTALLED,
    PYTHON,
    Figures,
    Memory,
    await_line,
    await_text,
    cpu_s,
    free_port,
    memory,
    program,
    running,
    say,
    written_bytes,
)
from bench.office import Centre, Site, agent_argv
from bench.servers import NAME

WARM_UP_S = 25.0
HTTPS_AN_HOUR = 12
TARGET_RSS_MIB = 28.0
TARGET_CPU_S_AN_HOUR = 8.0
COMMUNITY = "bench"
_BARE = "bare"
_OFFICE = "office"
_TWIN = "twin"


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    cpu_s: float
    written: int
    memory: Memory


def run() -> Figures:
    """Return RSS, CPU seconds an hour and bytes written, of the agent and of each peer."""
    seconds = float(os.environ.get("BENCH_SECONDS", "120"))
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        return _watch(Path(place), seconds)


def _watch(folder: Path, seconds: float) -> Figures:
    tcp = socket.SOCK_STREAM
    ports = Ports(
        sink=free_port(tcp),
        exporter=free_port(tcp),
        vmagent=free_port(tcp),
        prometheus=free_port(tcp),
        zabbix=free_port(tcp),  # which wants one below 32768
        snmpd=free_port(),
    )
    known = footprints.peers(folder, ports, COMMUNITY)
    with contextlib.ExitStack() as stack:
        pids = _start(stack, folder, ports, [peer for peer in known if program(peer.program)])
        zabbix = ports.zabbix if "zabbix_agent2" in pids else None
        say(f"agent: warming up {WARM_UP_S:g} s, then watching {seconds:g} s")
        _pass(WARM_UP_S, zabbix)
        before = {name: _sample(pid) for name, pid in pids.items()}
        _pass(seconds, zabbix)
        after = {name: _sample(pid) for name, pid in pids.items()}
    figures = {name: _figures(before[name], after[name]) for name in pids}
    return {
        "seconds": seconds,
        **_agent_figures(figures, seconds),
        "peers": {
            peer.name: {**figures[peer.name], "does": peer.does}
            if peer.name in figures
            else NOT_INSTALLED
            for peer in known
        },
    }


def _agent_figures(figures: dict[str, dict[str, float]], seconds: float) -> Figures:
    office, twin = figures[_OFFICE], figures[_TWIN]
    checks = seconds / 10 - int(seconds // 300)
    check_s = max(0.0, (twin["cpu_s"] - office["cpu_s"]) / checks)
    in_window = int(seconds // 300)
    hourly = (office["cpu_s"] - in_window * check_s) / seconds * 3600 + HTTPS_AN_HOUR * check_s
    return {
        "agent": {
            **office,
            "https_check_cpu_ms": round(check_s * 1000, 1),
            "cpu_s_an_hour_with_https": round(hourly, 1),
            "target": {"rss_mib": TARGET_RSS_MIB, "cpu_s_an_hour": TARGET_CPU_S_AN_HOUR},
            "within_target": office["rss_mib"] <= TARGET_RSS_MIB and hourly <= TARGET_CPU_S_AN_HOUR,
        },
        "agent_without_probes": figures[_BARE],
    }


def _start(
    stack: contextlib.ExitStack, folder: Path, ports: Ports, installed: Sequence[Peer]
) -> dict[str, int]:
    """Start everything; return the process id of each program under test."""
    pids = {}
    https, dns = free_port(socket.SOCK_STREAM), free_port()
    argv = (*PYTHON, "bench.servers", "127.0.0.1", str(dns), str(https), str(ports.sink))
    log = folder / "servers.log"
    await_line(stack.enter_context(running([*argv, str(folder)], log)), log)
    for peer in installed:
        path = program(peer.program)
        assert path is not None
        log = folder / f"{peer.name}.log"
        process = stack.enter_context(running([path, *peer.argv], log, peer.env))
        pids[peer.name] = process.pid
    return pids | stack.enter_context(_agents(folder, ports, dns, https))


@contextlib.contextmanager
def _agents(folder: Path, ports: Ports, dns: int, https: int) -> Iterator[dict[str, int]]:
    centre = Centre(
        folder,
        listen=f"127.0.0.1:{free_port()}",
        reflect=f"127.0.0.1:{free_port()}",
        http=f"127.0.0.1:{free_port(socket.SOCK_STREAM)}",
    )
    centre.write_inventory(
        [
            Site(_BARE),
            _office(_OFFICE, centre.reflect, dns, ports.snmpd, "siak"),
            _office(_TWIN, centre.reflect, dns, ports.snmpd, "siak-often"),
        ],
        head=_services(https),
    )
    (folder / "community").write_text(COMMUNITY)
    (folder / "community").chmod(0o600)
    configs = centre.enrol()
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(running(centre.argv(), centre.log))
        await_text(centre.log, centre.ready_text, process)
        pids = {}
        for name in (_BARE, _OFFICE, _TWIN):
            argv = agent_argv(centre.agent_config(configs, name))
            trust = {"SSL_CERT_FILE": str(folder / "ca.pem")}
            log = folder / f"agent-{name}.log"
            pids[name] = stack.enter_context(running(argv, log, trust)).pid
        yield pids


def _services(https: int) -> str:
    url = f"https://127.0.0.1:{https}/health"
    return (
        f'services:\n  siak: {{name: SIAK, http: "{url}", expect: OK, every: 5m}}\n'
        f'  siak-often: {{name: SIAK, http: "{url}", expect: OK, every: 10s}}\n'
    )


def _office(code: str, reflect: str, dns: int, snmpd: int, service: str) -> Site:
    resolver = f'{{server: "127.0.0.1:{dns}", name: {NAME}}}'
    snmp = f'{{version: 2c, community: "file:../community", port: {snmpd}}}'
    return Site(
        code,
        probes=(
            f'{{name: dc, udp: "{reflect}", role: centre}}',
            "{name: telkom-hop, ping: 127.0.0.1, role: first_hop, circuit: telkom}",
            "{name: anchor, ping: 127.0.0.2, role: public}",
            "{name: anchor-2, ping: 127.0.0.3, role: public}",
            f"{{name: resolver, dns: {resolver}, role: public, every: 1m}}",
        ),
        devices=(
            f"{{name: router, host: 127.0.0.1, platform: linux, role: gateway, snmp: {snmp}}}",
        ),
        services=(service,),
    )


def _pass(seconds: float, zabbix: int | None) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(footprints.INTERVAL_S, left))
        if zabbix is not None:
            footprints.ask_zabbix(zabbix)


def _sample(pid: int) -> _Sample:
    # A program that has ended has no memory to read: that raises, and nothing is made up.
    return _Sample(time.monotonic(), cpu_s(pid), written_bytes(pid), memory(pid))


def _figures(before: _Sample, after: _Sample) -> dict[str, float]:
    spent, lasted = after.cpu_s - before.cpu_s, after.at - before.at
    return {
        "rss_mib": after.memory.rss_mib,
        "rss_growth_mib": round(after.memory.rss_mib - before.memory.rss_mib, 2),
        "pss_mib": after.memory.pss_mib,
        "cpu_s": round(spent, 4),
        "cpu_s_an_hour": round(spent / lasted * 3600, 1),
        "written_bytes": after.written - before.written,
        "written_bytes_since_start": after.written,
    }
