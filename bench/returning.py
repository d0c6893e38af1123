"""Ten thousand offices that return at once: when all are live and all is in, and what it takes.

The collector has them in its inventory, and has heard them all. Then they fall silent, boot in the
same moment with ten minutes of reports in each spool, and report: `tabuah simulate --return`. The
collector has one core, the offices the other.

BENCH_SITES and BENCH_BACKLOG set other numbers.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

from bench.fleet import COLLECTOR_CORE, FLEET_CORE, START_S, pinned
from bench.measure import (
    TABUAH,
    BenchError,
    Figures,
    await_text,
    cpu_s,
    environment,
    free_port,
    memory,
    running,
    say,
)
from bench.office import Centre, Site
from collector import drill

SITES = 10_000
BACKLOG = 60
INTERVAL_S = 10
HEARD_S = 30
RETURN_S = 60


def run() -> Figures:
    """Return how the offices were heard before, and how they returned."""
    sites = int(os.environ.get("BENCH_SITES", SITES))
    backlog = int(os.environ.get("BENCH_BACKLOG", BACKLOG))
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        centre = Centre(
            Path(place),
            listen=f"127.0.0.1:{free_port()}",
            reflect=f"127.0.0.1:{free_port()}",
            http=f"127.0.0.1:{free_port(socket.SOCK_STREAM)}",
        )
        centre.write_inventory([Site(drill.code(number)) for number in range(1, sites + 1)])
        with running(pinned(COLLECTOR_CORE, centre.argv()), centre.log) as process:
            await_text(centre.log, centre.ready_text, process, START_S)
            say(f"returning: {sites} offices are heard")
            heard = _simulate(centre, sites, HEARD_S)
            before_mib = memory(process.pid).rss_mib
            say(f"returning: they fall silent, and return with {backlog} reports each")
            _forget_peak(process.pid)
            spent_s = cpu_s(process.pid)
            returned = _simulate(centre, sites, RETURN_S, "--return", "--backlog", str(backlog))
            spent_s = cpu_s(process.pid) - spent_s
            peak_mib, after_mib = _peak_mib(process.pid), memory(process.pid).rss_mib
        stored, twice = _stored(centre.folder / "data")
    made = sum(figures["reports"] for figures in (heard, returned))
    found: Figures = {
        "sites": sites,
        "backlog_each": backlog,
        "all_live_s": returned["all_live_s"],
        "caught_up_s": returned["caught_up_s"],
        "live_ms": {name: returned[f"{name}_ms"] for name in ("p50", "p90", "p99", "max")},
        "rss_mib": {"before": before_mib, "peak": peak_mib, "after": after_mib},
        "reports": made,
        "lost": made - stored,
        "twice": twice,
        "retries": returned["retries"],
        "datagrams": returned["datagrams"],
        "acknowledged_per_second": returned["acknowledged_per_second"],
        "collector_core_share": round(spent_s / returned["seconds"], 2),
        "collector_cpu_us_a_report": round(spent_s / returned["acknowledged"] * 1e6, 1),
        "simulator_cpu_us_a_report": returned["cpu_us_a_report"],
        "simulator_behind_s": returned["behind_s"],
    }
    if found["lost"] or twice or returned["missing"]:
        raise BenchError(f"reports are missing, or there twice: {found}")
    return found


def _simulate(centre: Centre, sites: int, seconds: int, *more: str) -> dict[str, float]:
    argv = [
        *TABUAH, "simulate", "--sites", str(sites), "--interval", f"{INTERVAL_S}s",
        "--seconds", f"{seconds}s", "--collector", centre.listen,
        "--data", str(centre.folder / "data"), "-o", "json", *more,
    ]  # fmt: skip
    done = subprocess.run(
        pinned(FLEET_CORE, argv), stdout=subprocess.PIPE, text=True, check=False, env=environment()
    )
    if not done.stdout:
        raise BenchError("tabuah simulate failed")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _forget_peak(pid: int) -> None:
    """Let a process's peak of resident memory begin anew (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)


def _stored(data: Path) -> tuple[int, int]:
    """Return how many different reports are stored, and how many more than once."""
    different = rows = 0
    with closing(sqlite3.connect(data / "store.db")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'reports_2%'")
        for (table,) in tables.fetchall():
            each = f"SELECT COUNT(*) n FROM {table} GROUP BY site, epoch, seq"
            query = f"SELECT COUNT(*), SUM(n) FROM ({each})"
            ours, all_ = database.execute(query).fetchone()
            different, rows = different + ours, rows + (all_ or 0)
    return different, rows - different
