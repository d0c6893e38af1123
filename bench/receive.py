"""The collector end to end: reports acknowledged after they are on disk; beside snmptrapd.

200 enrolled offices, played by one process whose informs were encoded beforehand, at the rate of
all 7,285 kecamatan at one report in 10 s, and as fast as answers come. snmptrapd, with its
defaults and a log file, gets the same informs; it acknowledges without waiting for its disk.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
from pathlib import Path

from agent import config
from bench.measure import (
    NOT_INSTALLED,
    PYTHON,
    REPETITIONS,
    BenchError,
    Figures,
    await_text,
    environment,
    free_port,
    median,
    memory,
    program,
    ratio,
    running,
    say,
)
from bench.netsnmp import snmptrapd
from bench.office import Centre, Site

SITES = 200
SECONDS = 10.0
"""Of each repetition at the fixed rate; half as long flat out."""
RATE = 729.0
"""Reports a second of 7,285 offices at one in 10 s."""
_COLLECTOR_WINDOW = 400
"""Acknowledgements outstanding when sending flat out: four of the collector's groups."""
_TRAPD_WINDOW = 64
"""snmptrapd answers one by one, and more would overrun its socket's default buffer."""
_WORDS = ("sent", "acknowledged", "per_second", "cpu_us", "p50_ms", "p99_ms")


def run() -> Figures:
    """Return rate, CPU and latency of the collector and of snmptrapd, and their ratios."""
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        folder = Path(place)
        listen = free_port()
        centre = Centre(
            folder,
            listen=f"127.0.0.1:{listen}",
            reflect=f"127.0.0.1:{free_port()}",
            http=f"127.0.0.1:{free_port(socket.SOCK_STREAM)}",
        )
        centre.write_inventory([Site(f"kantor-{number:04}") for number in range(SITES)])
        configs = centre.enrol()
        return {
            "sites": SITES,
            "rate": RATE,
            "seconds": SECONDS,
            **_compare(_collector(centre, configs, listen), _snmptrapd(folder, configs)),
        }


def _compare(ours: Figures, peer: Figures | str) -> Figures:
    found: Figures = {"collector": ours, "snmptrapd": peer}
    if isinstance(peer, dict):
        for way in ("at_rate", "flat_out"):
            one, other = ours[way], peer[way]
            assert isinstance(one, dict)
            assert isinstance(other, dict)
            found[f"snmptrapd_cpu_ratio_{way}"] = ratio(other["cpu_us"], one["cpu_us"])
    return found


def _collector(centre: Centre, configs: Path, port: int) -> Figures:
    with running(centre.argv(), centre.log) as process:
        await_text(centre.log, centre.ready_text, process)
        found = _both(configs, port, process.pid, _COLLECTOR_WINDOW)
        found["rss_mib"] = memory(process.pid).rss_mib
    stored = sum(path.stat().st_size for path in (centre.folder / "data").glob("*.db*"))
    return {**found, "store_bytes": stored}


def _snmptrapd(folder: Path, configs: Path) -> Figures | str:
    if program("snmptrapd") is None:
        return NOT_INSTALLED
    known = [config.load(path).collectors[0] for path in sorted(configs.glob("agent-*.toml"))]
    port = free_port()
    users = [(each.user, each.ku) for each in known]
    with snmptrapd(folder, port, known[0].engine_id, users) as pid:
        found = _both(configs, port, pid, _TRAPD_WINDOW)
        found["rss_mib"] = memory(pid).rss_mib
    return found


def _both(configs: Path, port: int, pid: int, window: int) -> Figures:
    common = (*PYTHON, "bench.load", str(configs), str(port), "--pid", str(pid))
    paced = (*common, "--seconds", str(SECONDS), "--rate", str(RATE))
    fast = (*common, "--seconds", str(SECONDS / 2), "--window", str(window))
    return {
        "at_rate": _median_of([load(paced) for _ in range(REPETITIONS)]),
        "flat_out": _median_of([load(fast) for _ in range(REPETITIONS)]),
    }


def load(argv: tuple[str, ...]) -> dict[str, float]:
    """Run `bench.load` and return what it says.

    Raises:
        BenchError: it failed.
    """
    say("receive:", " ".join(argv[-8:]))
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=180, env=environment()
    )
    if done.returncode:
        raise BenchError(f"the load failed: {done.stderr[-1000:]}")
    found = json.loads(done.stdout)
    return {word: float(found[word]) for word in _WORDS}


def _median_of(runs: list[dict[str, float]]) -> dict[str, float]:
    return {word: median((one[word] for one in runs), 2) for word in _WORDS}
