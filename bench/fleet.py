"""Every village of Indonesia at one report in 10 s: rate, loss, latency, CPU and memory.

    python -m bench fleet
    python -m bench.fleet [--sites N] [--rows N] [--rate R] [--rounds N]
                          [--soak SECONDS] [--keep DIR]

83,762 offices of one inventory, each enrolled and live, and a store that holds 8,000,000 rows
already. The collector has one core to itself, the fleet (`bench.volley`) the other. Afterwards
every acknowledged report must be in the store, once. snmptrapd and pysnmp's receiver get the same
reports on the same core in the same run, of fewer offices: the one looks users up in a list, the
other is slow; neither stores.

With `--soak` the fleet sends 1,000 a second for so long, and memory is what is measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import ends, informs, volley
from bench.measure import (
    NOT_INSTALLED,
    PYTHON,
    BenchError,
    Figures,
    await_line,
    await_text,
    cpu_s,
    environment,
    free_port,
    memory,
    program,
    ratio,
    running,
    say,
)
from bench.netsnmp import snmptrapd
from bench.office import Centre, Site
from collector import enrolled
from collector.identity import Identity
from collector.keys import user_name
from collector.schema import day_of
from collector.store import Row, Store

SITES = 83_762
"""Desa and kelurahan of Indonesia."""
RATE = 8_376.0
ROWS = 8_000_000
ROUNDS = 7
"""The first, of whole reports, makes the fleet live; the other six are 60 s."""
FIRST_RATE = 1_500.0
SOAK_RATE = 1_000.0
START_S = 600.0
COLLECTOR_CORE, FLEET_CORE = 0, 1
_PEER_SITES, _PEER_RATE = 200, 1_000.0
_PYSNMP_TIMES = 300
_FILLED_EPOCH = 1 << 41
_EACH = 10_000


def run() -> Figures:
    """Return what the collector and its peers did."""
    return measure(SITES, ROWS, RATE, ROUNDS, soak_s=0.0, keep=None)


def measure(
    sites: int, rows: int, rate: float, rounds: int, *, soak_s: float, keep: Path | None
) -> Figures:
    """Return what became of `rounds` reports of each of `sites` offices; see the module."""
    with _folder(keep) as folder:
        listen = free_port()
        centre = Centre(
            folder,
            listen=f"127.0.0.1:{listen}",
            reflect=f"127.0.0.1:{free_port()}",
            http=f"127.0.0.1:{free_port(socket.SOCK_STREAM)}",
        )
        engine_id = _found(centre, sites, rows, SOAK_RATE if soak_s else rate)
        found: Figures = {"sites": sites, "rows_before": rows, "rate": rate}
        began = time.monotonic()
        with running(pinned(COLLECTOR_CORE, centre.argv()), centre.log) as process:
            await_text(centre.log, centre.ready_text, process, START_S)
            found["start_s"] = round(time.monotonic() - began, 1)
            found["rss_mib_started"] = memory(process.pid).rss_mib
            heard = folder / "heard"
            if soak_s:
                found["soak"] = _soak(
                    folder, listen, engine_id, sites=sites, seconds=soak_s, pid=process.pid
                )
            else:
                argv = _volley(
                    listen, engine_id, sites=sites, rounds=rounds, rate=rate, pid=process.pid
                )
                found.update(_load([*argv, "--data", str(folder / "data"), "--heard", str(heard)]))
            found["rss_mib"] = memory(process.pid).rss_mib
        if not soak_s:
            found["store"] = _checked(folder / "data", heard, sites, rounds)
        found |= _peers(folder, found) if not soak_s else {}
        return found


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        yield Path(place)


def pinned(core: int, argv: list[str]) -> list[str]:
    """Return the command, kept to one core where there are two or more and taskset is there."""
    taskset = shutil.which("taskset")
    if taskset is None or (os.cpu_count() or 1) < 2:
        return argv
    return [taskset, "--cpu-list", str(core), *argv]


def _found(centre: Centre, sites: int, rows: int, rate: float) -> bytes:
    """Found a collector with an enrolled fleet and a past; return its engine ID."""
    codes = [volley.code(number) for number in range(sites)]
    data = centre.folder / "data"
    engine_id = Identity.open(data).engine_id
    enrolled.enrol(data, codes)
    say(f"fleet: an inventory of {sites} offices")
    interval = f"{math.ceil(sites / rate)}s"
    centre.write_inventory([Site(one, interval) for one in codes])
    with Store.open(data) as store:
        if sum(1 for _ in _tables(data)) == 0:
            now_ms = time.time_ns() // 1_000_000
            row = Row(codes[0], _FILLED_EPOCH, 1, now_ms, now_ms, True, False, b"")
            store.append([row])
    say(f"fleet: {rows} rows")
    _fill(data, codes, rows)
    return engine_id


def _tables(data: Path) -> Iterator[str]:
    with closing(sqlite3.connect(data / "store.db")) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'reports_2%'")
        yield from [name for (name,) in names.fetchall()]


def _fill(data: Path, codes: list[str], rows: int) -> None:
    """Write a past straight into today's table, until it has so many rows."""
    now_ms = time.time_ns() // 1_000_000
    table = f"reports_{day_of(now_ms)}"
    with closing(sqlite3.connect(data / "store.db", isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        count = int(database.execute(f"SELECT COALESCE(MAX(id), 0) FROM {table}").fetchone()[0])
        midnight_ms = int(datetime.now(UTC).replace(hour=0, minute=0).timestamp() * 1000)
        while count < rows:
            some = min(_EACH, rows - count)
            at_ms = midnight_ms + (now_ms - midnight_ms) * count // rows
            batch = []
            for turn in range(count, count + some):
                number, seq = turn % len(codes), 1 + turn // len(codes)
                octets = volley.packed(number, 1 + seq % 40, at_ms).octets
                batch.append((codes[number], _FILLED_EPOCH + number, seq, at_ms, at_ms, 0, octets))
            database.execute("BEGIN")
            database.executemany(
                f"INSERT INTO {table} (site, epoch, seq, time_ms, received_ms, flags, block) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                batch,
            )
            database.execute("COMMIT")
            count += some
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _volley(
    port: int, engine_id: bytes, *, sites: int, rounds: int, rate: float, pid: int
) -> list[str]:
    argv = [
        *PYTHON, "bench.volley", str(port), "--engine", engine_id.hex(), "--sites", str(sites),
        "--rounds", str(rounds), "--rate", str(rate), "--pid", str(pid),
        "--first-rate", str(min(rate, FIRST_RATE)),
    ]  # fmt: skip
    return pinned(FLEET_CORE, argv)


def _load(argv: list[str]) -> Figures:
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False, env=environment())
    if done.returncode:
        raise BenchError("the volley failed")
    found: Figures = json.loads(done.stdout)
    return found


def _soak(
    folder: Path, port: int, engine_id: bytes, *, sites: int, seconds: float, pid: int
) -> Figures:
    """Return resident memory over the time, once every office is live."""
    rounds = 1 + max(1, round(seconds * SOAK_RATE / sites))
    argv = _volley(port, engine_id, sites=sites, rounds=rounds, rate=SOAK_RATE, pid=pid)
    samples: list[tuple[int, float]] = []
    with running([*argv, "--live", "--data", str(folder / "data")], folder / "soak.log") as fleet:
        began = time.monotonic()
        while fleet.poll() is None:
            samples.append((round(time.monotonic() - began), memory(pid).rss_mib))
            say(f"soak: {samples[-1]}")
            time.sleep(min(30.0, seconds / 20))
        found: Figures = json.loads(await_line(fleet, folder / "soak.log"))
    # The first round makes the offices live; two more fill what an office holds of its past.
    settled = [rss for at, rss in samples if at > 3 * sites / SOAK_RATE] or [samples[-1][1]]
    return {
        **found,
        "rss_mib_settled": settled[0],
        "rss_mib_last": settled[-1],
        "growth_percent": round((settled[-1] / settled[0] - 1) * 100, 2),
        "samples": samples[:: max(1, len(samples) // 60)],
    }


def _checked(data: Path, heard: Path, sites: int, rounds: int) -> Figures:
    """Return whether each report that was acknowledged is stored, and none twice.

    Raises:
        BenchError: one is missing, or stored twice.
    """
    acknowledged = array("I")
    acknowledged.frombytes(heard.read_bytes())
    times = bytearray(sites * rounds)
    strange = 0
    for table in _tables(data):
        with closing(sqlite3.connect(data / "store.db")) as database:
            rows = database.execute(
                f"SELECT epoch, seq, flags FROM {table} WHERE epoch >= ? AND epoch < ?",
                (volley.EPOCH, volley.EPOCH + sites),
            )
            for epoch, seq, flags in rows:
                times[(seq - 1) * sites + epoch - volley.EPOCH] += 1
                strange += flags != 0
    missing = sum(not times[turn] for turn in acknowledged)
    twice = sum(each > 1 for each in times)
    if missing or twice:
        raise BenchError(f"{missing} acknowledged reports are not stored, {twice} are twice")
    return {
        "stored": sum(times),
        "acknowledged_not_stored": missing,
        "stored_twice": twice,
        "late_or_corrected": strange,
        "bytes": (data / "store.db").stat().st_size,
    }


def _peers(folder: Path, found: Figures) -> Figures:
    steady = found["then"]
    assert isinstance(steady, dict)
    ours = steady["cpu_us"]
    peers: Figures = {"snmptrapd": _snmptrapd(folder), "pysnmp": _pysnmp(folder)}
    for name, figures in list(peers.items()):
        if isinstance(figures, dict):
            peers[f"{name}_cpu_ratio"] = ratio(figures["cpu_us"], ours)
    return peers


def _snmptrapd(folder: Path) -> Figures | str:
    if program("snmptrapd") is None:
        return NOT_INSTALLED
    port, place = free_port(), folder / "snmptrapd"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    users = [(user_name(volley.code(number), 1), informs.KU) for number in range(_PEER_SITES)]
    with snmptrapd(place, port, informs.ENGINE_ID, users) as pid:
        os.sched_setaffinity(pid, {COLLECTOR_CORE})
        rounds = 1 + round(10 * _PEER_RATE / _PEER_SITES)
        argv = _volley(
            port, informs.ENGINE_ID, sites=_PEER_SITES, rounds=rounds, rate=_PEER_RATE, pid=pid
        )
        then = _load([*argv, "--ku", informs.KU.hex()])["then"]
        assert isinstance(then, dict)
        return then


def _pysnmp(folder: Path) -> Figures:
    port = free_port()
    client = informs.client()
    argv = pinned(COLLECTOR_CORE, [*PYTHON, "bench.pysnmp_ends", "receive", str(port)])
    log = folder / "pysnmp.log"
    with (
        running(argv, log) as process,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        await_line(process, log)
        sock.connect((ends.HOST, port))
        sock.settimeout(ends.PATIENCE_S)
        ends.exchange(sock, client, ends.sample(1))
        before = cpu_s(process.pid)
        for number in range(_PYSNMP_TIMES):
            ends.exchange(sock, client, ends.sample(number + 2))
        return {"cpu_us": round((cpu_s(process.pid) - before) / _PYSNMP_TIMES * 1e6, 1)}


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet")
    parser.add_argument("--sites", type=int, default=SITES)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--keep", type=Path, help="a folder to work in, and to leave as it is")
    options = parser.parse_args()
    found = measure(
        options.sites,
        options.rows,
        options.rate,
        options.rounds,
        soak_s=options.soak,
        keep=options.keep,
    )
    json.dump(found, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
