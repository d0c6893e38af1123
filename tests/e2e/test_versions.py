"""Agent and collector differ in age: both go on, and what cannot be read is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import NEWER, Centre, centre, seconds_until


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Centre]:
    with centre(tmp_path) as made:
        yield made


def test_a_newer_agent_is_acknowledged_stored_listed_and_read_once_the_collector_is_newer(
    lone: Centre,
) -> None:
    lone.start_collector()
    config = lone.enrol()
    agent = lone.start("agent", "run", "--config", str(config), tabuah=NEWER)
    seconds_until(lambda: lone.state() == "up", 10)
    seconds_until(lambda: len(lone.said()) >= 4, 10)
    agent.terminate()
    assert agent.wait(10) == 0
    kept = lone.said()
    assert all(report["unread"] for report in kept)
    assert all(report["measurements"] == [] for report in kept)
    assert [report["seq"] for report in kept] == list(range(1, len(kept) + 1))
    assert len({report["epoch"] for report in kept}) == 1
    assert all(report["time"] <= report["received"] for report in kept)
    assert kept[-1]["occasion"] == "goodbye_agent"
    with sqlite3.connect(lone.folder / "office" / "spool.sqlite") as spool:
        assert spool.execute("SELECT count(*) FROM kept").fetchone() == (0,), "all acknowledged"
    spool.close()
    assert "tabuah_agent_backlog_reports{" not in lone.get("metrics").text
    lone.collector.terminate()
    lone.collector.wait(10)
    lone.start_collector(NEWER)
    read = lone.said()
    assert [report["seq"] for report in read] == [report["seq"] for report in kept]
    assert not any(report["unread"] for report in read)
    assert read[-1]["measurements"][0]["probe"] == "dc"


def test_a_newer_collector_reads_all_that_an_older_agent_says(lone: Centre) -> None:
    lone.start_collector(NEWER)
    lone.start_agent(lone.enrol())
    seconds_until(lambda: len(lone.said()) >= 3, 10)
    assert lone.state() == "up"
    said = lone.said()
    assert not any(report["unread"] for report in said)
    assert said[-1]["measurements"][0]["probe"] == "dc"
    assert lone.metric("tabuah_agent_resident_memory_bytes") > 0
