"""`tabuah simulate` against a running collector: what it says is what the collector has."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from collector.store import Row, Store
from tests.support.programs import Centre, centre, seconds_until


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A collector for all stories: what came before one of them is left out by its time."""
    with centre(tmp_path_factory.mktemp("town")) as made:
        made.start_collector()
        yield made


def simulate(town: Centre, *words: str, code: int = 0) -> dict[str, Any]:
    """Return the figures of a run."""
    done = town.tabuah("simulate", *where(town), "-o", "json", *words)
    assert done.returncode == code, done.stdout + done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def where(town: Centre) -> tuple[str, ...]:
    return ("--collector", f"127.0.0.1:{town.reports}", "--data", str(town.data))


def kept(town: Centre, site: str, since: float) -> list[Row]:
    """Return the reports of an office that the collector has taken since then, by their time."""
    with Store.open(town.data, read_only=True) as store:
        return [row for row in store.reports(site, 0, 2**62) if row.received_ms >= since * 1000]


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kib,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kib) / 1024


def test_every_report_is_acknowledged_and_none_of_the_offices_shows(town: Centre) -> None:
    began = time.time()
    figures = simulate(town, "--sites", "10", "--interval", "1s", "--seconds", "4s")
    assert figures["missing"] == 0
    assert figures["acknowledged"] == figures["reports"] >= 40
    assert (figures["macs_wrong"], figures["unreadable"], figures["declined"]) == (0, 0, 0)
    assert 0 < figures["p50_ms"] <= figures["p90_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    stored = [len(kept(town, f"sim-{number:05}", began)) for number in range(1, 11)]
    assert sum(stored) == figures["reports"]
    assert "sim-" not in town.get("metrics").text
    assert [office["code"] for office in town.get("api/v1/sites").json()] == ["13.02.10"]


def test_a_third_of_the_datagrams_is_lost_and_nothing_is_missing(town: Centre) -> None:
    figures = simulate(
        town, *("--sites", "30", "--interval", "1s", "--seconds", "6s", "--loss", "30")
    )
    assert figures["missing"] == 0
    assert figures["retries"] > 10
    assert figures["declined"] == 0, "each rests on what the collector holds"


def test_what_was_signed_beforehand_is_signed_again_when_it_rests_on_what_was_lost(
    town: Centre,
) -> None:
    figures = simulate(
        town,
        *("--sites", "80", "--interval", "1s", "--seconds", "2500ms", "--loss", "20", "--presign"),
    )
    assert figures["missing"] == 0
    assert figures["reports"] >= 200
    assert figures["declined"] == 0


def test_a_backlog_and_a_cut_arrive_beside_the_present_and_in_their_time(town: Centre) -> None:
    began = time.time()
    figures = simulate(
        town,
        *("--sites", "5", "--interval", "1s", "--seconds", "6s"),
        *("--backlog", "60", "--cut", "2s@2s"),
    )
    assert figures["missing"] == 0
    assert figures["backlog_reports"] == 300
    assert figures["acknowledged_late"] >= 300
    assert figures["caught_up_s"] is not None
    said = kept(town, "sim-00003", began)
    assert [row.seq for row in said] == list(range(1, len(said) + 1))
    assert len({row.epoch for row in said}) == 1
    assert said[0].time_ms < (began - 55) * 1000
    assert max(row.received_ms - row.time_ms for row in said if not row.late) < 3_000


def test_clocks_of_1970_and_an_hour_ahead_are_placed_at_the_true_time(town: Centre) -> None:
    began = time.time()
    simulate(
        town,
        *("--sites", "3", "--interval", "1s", "--seconds", "3s"),
        *("--clock", "1970:1", "--clock", "+1h:1"),
    )
    for site, corrected in (("sim-00001", True), ("sim-00002", True), ("sim-00003", False)):
        said = kept(town, site, began)
        assert len(said) >= 3
        for row in said:
            assert row.corrected is corrected
            assert abs(row.received_ms - row.time_ms) < 2_000


def test_after_a_power_cut_the_offices_boot_and_are_heard_at_once(town: Centre) -> None:
    began = time.time()
    figures = simulate(
        town,
        *("--sites", "20", "--interval", "1s", "--seconds", "4s", "--power-cut", "2s@1s:10"),
    )
    assert figures["missing"] == 0
    assert figures["lost_with_power"] <= 10
    assert figures["all_live_s"] < 10
    darkened, spared = kept(town, "sim-00001", began), kept(town, "sim-00020", began)
    assert len({row.epoch for row in darkened}) == 2
    assert len({row.epoch for row in spared}) == 1
    assert max(later.time_ms - row.time_ms for row, later in pairwise(darkened)) > 2_000


def test_three_hundred_return_together_live_first_and_the_collector_stays_small(
    town: Centre,
) -> None:
    before = resident_mib(town.collector.pid)
    figures = simulate(
        town,
        *("--sites", "300", "--interval", "5s", "--seconds", "5s", "--return", "--backlog", "60"),
    )
    assert figures["missing"] == 0
    assert figures["backlog_reports"] == 18_000
    assert figures["all_live_s"] < 20
    assert figures["all_live_s"] < figures["caught_up_s"]
    assert resident_mib(town.collector.pid) - before < 40


def test_a_drill_is_watched_until_ctrl_c_ends_it(town: Centre) -> None:
    words = ("--sites", "3", "--interval", "1s", "--drill", "--power-cut", "60s@3s:1")
    drill = start(town, *words, "-o", "json")
    try:
        watched = 'tabuah_site_state{site="sim-00002",state="up"} 1'
        seconds_until(lambda: watched in town.get("metrics").text, 20)
        assert 'name="Drill 2"' in town.get("metrics").text
        seconds_until(lambda: state(town, "sim-00001") in {"silent", "down"}, 40)
        seconds_until(lambda: "sim-00001" in incidents(town), 20)
        assert state(town, "sim-00002") == "up"
        assert state(town, "13.02.10") == "unknown", "the inventory's own is still there"
    finally:
        drill.send_signal(signal.SIGINT)
        out, said = drill.communicate(timeout=20)
    # Ctrl-C gives the figures so far; how it went was told meanwhile.
    figures = json.loads(out)
    assert (drill.returncode, figures["missing"]) == (0, 0)
    assert figures["acknowledged"] >= 15
    assert re.search(r"^\d+ s: \d+ reports made, \d+ acknowledged, 0 retries", said, re.MULTILINE)
    seconds_until(lambda: "sim-" not in town.get("metrics").text, 10)
    seconds_until(lambda: "sim-00001" not in incidents(town), 10)


def test_without_a_collector_it_says_so_and_what_is_missing(town: Centre) -> None:
    nobody = ("--collector", "127.0.0.1:9", "--data", str(town.data))
    run = start(town, "--sites", "2", "--interval", "1s", *nobody)
    time.sleep(3)
    run.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)  # it waits for no last answer
    out, _ = run.communicate(timeout=20)
    assert run.returncode == 1
    assert re.search(r"^missing +[2-9]$", out, re.MULTILINE)


def start(town: Centre, *words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tabuah", "simulate", *where(town), *words]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def state(town: Centre, code: str) -> str | None:
    found = (one["state"] for one in town.get("api/v1/sites").json() if one["code"] == code)
    return next(found, None)


def incidents(town: Centre) -> set[str]:
    """Return the offices of open incidents."""
    listed = town.get("api/v1/incidents").json()
    return {site for one in listed if one["status"] == "open" for site in one["sites"]}
