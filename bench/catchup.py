"""A day of backlog over a satellite's line: how long it takes, and what live reports feel of it.

Two offices of the laboratory (`tests.lab.net`), each behind 256 kbit/s and a round trip of
600 ms, with 8,640 reports in their spools: `plain` with the sample report of the other benchmarks
and the default share of a tenth of the uplink, `full` with six probes, two ports and nine
readings, and the share that those take. Both report each ten seconds meanwhile, of probes and a
router that have the names of those in the spool, for history is deflated upon the last live
report. Needs root and snmpd.

`share_of_uplink` is of all informs, the live ones too, from the return until the spool is empty:
octets of IP that went up, by nftables.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from agent import spool_file
from agent.spool import Spool
from bench.measure import PYTHON, Figures, await_text, say
from bench.office import Centre, Site, agent_argv
from bench.reports import report
from bench.servers import NAME
from tabuah import block
from tabuah.block import Packed
from tests.lab.inside import Inside
from tests.lab.net import ANCHOR, CENTRE, COMMUNITY, GATEWAY_LAN, REPORT_PORT, Lab, Office
from tests.support.reports import full_report

DAY = 8_640
INTERVAL_S = 10
KBIT = 256
ROUND_TRIP_MS = 600
TARGET_S = 600
_EPOCH = 0x5A17_0FDA_7000_0001
_GIVE_UP_S = 1_200
_PROGRESS_S = 60
_REFLECT_PORT = 10862
_SERVICES = (
    f'services: {{siak: {{name: SIAK, http: "https://{ANCHOR}/health", expect: OK, every: 5m}}}}\n'
)
_WEB = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class _Case:
    """One office, and what is said of it at the end."""

    name: str
    code: str
    office: Office
    share: float
    reports: list[Packed]


def run() -> Figures:
    """Return for each office how long its day took, and what its line and live reports felt."""
    # A day is written at once. The agents are other processes, and sync.
    spool_file.SYNCHRONOUS = "OFF"
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        folder = Path(place)
        with Lab(2, folder) as lab:
            cases = [
                _Case("plain", "13.02.10", lab.offices[0], 0.10, _plain_day()),
                _Case("full", "13.02.11", lab.offices[1], 0.20, _full_day()),
            ]
            return _catch_up(lab, folder, cases)


def _catch_up(lab: Lab, folder: Path, cases: list[_Case]) -> Figures:
    centre = Centre(
        folder, f"{CENTRE}:{REPORT_PORT}", f"{CENTRE}:{_REFLECT_PORT}", "127.0.0.1:8080"
    )
    centre.write_inventory([_site(case) for case in cases], head=_SERVICES)
    (folder / "community").write_text(COMMUNITY)
    (folder / "community").chmod(0o600)
    log = folder / "servers.log"
    argv = [*PYTHON, "bench.servers", ANCHOR, "53", "443", "9", str(folder)]
    await_text(log, "ready", lab.popen(lab.centre, argv, log))
    configs = centre.enrol()
    process = lab.popen(lab.centre, centre.argv(), centre.log)
    await_text(centre.log, centre.ready_text, process)
    inside = Inside(lab.centre)
    for case in cases:
        _fill(folder, case)
        lab.rate(case.office, KBIT)
        lab.delay(case.office, ROUND_TRIP_MS)
        lab.count_reports(case.office)
        config = centre.agent_config(configs, case.code)
        share = f"history_share = {case.share}\ndata "
        config.write_text(re.sub("^data ", share, config.read_text(), count=1, flags=re.MULTILINE))
        trust = {"SSL_CERT_FILE": str(folder / "ca.pem")}
        log = folder / f"agent-{case.code}.log"
        lab.popen(case.office.host, agent_argv(config), log, trust)
    began = time.monotonic()
    took: dict[str, float] = {}
    octets: dict[str, tuple[int, int]] = {}
    first_live: dict[str, float] = {}
    while len(took) < len(cases) and time.monotonic() - began < _GIVE_UP_S:
        time.sleep(1)
        lines = inside.get(f"{_WEB}/metrics", timeout=30)[1].splitlines()
        passed = round(time.monotonic() - began)
        if passed % _PROGRESS_S == 0:
            told = [line for line in lines if line.startswith("tabuah_agent_backlog_reports{")]
            say(f"catchup: after {passed} s: {', '.join(told)}")
        for case in cases:
            label = f'{{site="{case.code}"}}'
            now = time.monotonic() - began
            heard = f"tabuah_report_last_timestamp_seconds{label}"
            if any(line.startswith(heard) for line in lines):
                first_live.setdefault(case.code, now)
            empty = f"tabuah_agent_backlog_reports{label} "
            backlog = any(line.startswith(empty) and float(line.split()[-1]) > 0 for line in lines)
            # Live, and told of no backlog: the spool is empty, as of the last report.
            if case.code in first_live and now > 30 and not backlog and case.code not in took:
                took[case.code] = now
                octets[case.code] = lab.report_octets(case.office)
                say(f"catchup: {case.name} took {now:.0f} s")
    found: Figures = {}
    for case in cases:
        up, down = octets.get(case.code, (0, 0))
        seconds = took.get(case.code)
        _, text = inside.get(f"{_WEB}/api/v1/sites/{case.code}/reports", timeout=120)
        found[case.name] = {
            "seconds": None if seconds is None else round(seconds),
            "target_seconds": TARGET_S,
            "history_share": case.share,
            "share_of_uplink": round(up * 8 / seconds / (KBIT * 1000), 3) if seconds else None,
            "octets_a_report_up": round(up / DAY),
            "octets_a_report_down": round(down / DAY),
            "first_live_after_s": round(first_live.get(case.code, -1.0), 1),
            **_said(json.loads(text)),
        }
    inside.close()
    return found


def _said(reports: list[dict[str, object]]) -> Figures:
    day = {r["seq"] for r in reports if r["epoch"] == f"{_EPOCH:016x}"}
    live = [r for r in reports if r["epoch"] != f"{_EPOCH:016x}"]
    delays = [(_time(r["received"]) - _time(r["time"])).total_seconds() for r in live]
    return {
        "missing": DAY - len(day),
        "twice": len(reports) - len({(r["epoch"], r["seq"]) for r in reports}),
        "live_reports": len(live),
        "live_that_became_history": sum(bool(r["late"]) for r in live),
        "live_delay_max_s": round(max(delays, default=0.0), 2),
    }


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value))


def _site(case: _Case) -> Site:
    every = f"every: {INTERVAL_S}s"
    device = f"host: {GATEWAY_LAN}, platform: linux, role: gateway"
    snmp = '{version: 2c, community: "file:../community"}'
    return Site(
        case.code,
        interval=f"{INTERVAL_S}s",
        probes=(
            f"{{name: router, ping: {GATEWAY_LAN}, role: gateway, {every}}}",
            f"{{name: telkom-hop, ping: {ANCHOR}, role: first_hop, circuit: telkom, {every}}}",
            f'{{name: dc, udp: "{CENTRE}:{_REFLECT_PORT}", role: centre, {every}}}',
            f"{{name: anchor, ping: {ANCHOR}, role: public, {every}}}",
            f"{{name: resolver, dns: {{server: {ANCHOR}, name: {NAME}}}, role: public}}",
        ),
        devices=(f"{{name: router, {device}, interfaces: [wan0], {every}, snmp: {snmp}}}",),
        services=("siak",),
        bandwidth=f"{{down: {KBIT / 1000}, up: {KBIT / 1000}}}",
    )


def _fill(folder: Path, case: _Case) -> None:
    say(f"catchup: writing a day of {case.name} reports")
    with Spool(folder / f"agent-{case.code}" / "spool.sqlite", case.code) as spool:
        for each in case.reports:
            spool.put(each)
        say(f"catchup: {case.name}: {spool.octets / spool.count:.0f} octets a report on disk")


def _plain_day() -> list[Packed]:
    begin_ms = time.time_ns() // 1_000_000 - DAY * INTERVAL_S * 1000
    return [
        block.pack(replace(report("x", _EPOCH, seq), wall_ms=begin_ms + seq * INTERVAL_S * 1000))
        for seq in range(1, DAY + 1)
    ]


def _full_day() -> list[Packed]:
    begin_ms = time.time_ns() // 1_000_000 - DAY * INTERVAL_S * 1000
    made = (block.read("x", full_report(seq)) for seq in range(1, DAY + 1))
    return [
        block.pack(
            replace(
                each,
                id=each.id._replace(epoch=_EPOCH),
                wall_ms=begin_ms + each.id.seq * INTERVAL_S * 1000,
            )
        )
        for each in made
    ]
