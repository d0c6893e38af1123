"""An old backup of the collector's data folder comes back, while the offices go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Centre, centre, seconds_until

INTERVAL_S = 3


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Centre]:
    with centre(tmp_path, interval=f"{INTERVAL_S}s") as made:
        yield made


def stop(centre: Centre) -> None:
    centre.collector.terminate()
    assert centre.collector.wait(20) == 0


def newest(centre: Centre) -> int:
    numbers: list[int] = [report["seq"] for report in centre.said()]
    return max(numbers, default=0)


def hear_one_more(centre: Centre) -> int:
    """Wait for a report that is newer than all that is known, and return its number."""
    known = newest(centre)
    seconds_until(lambda: newest(centre) > known, 4 * INTERVAL_S)
    return newest(centre)


def boots(data: Path) -> int:
    return int((data / "engine_boots").read_text())


def test_after_an_old_backup_came_back_the_offices_are_back_within_an_interval(
    lone: Centre,
) -> None:
    """RFC 3414 3.2 7b: boots that went back would make every office refuse its collector."""
    lone.start_collector()
    lone.start_agent(lone.enrol())
    hear_one_more(lone)
    stop(lone)
    backup = lone.folder / "backup"
    shutil.copytree(lone.data, backup)
    for _ in range(2):
        lone.start_collector()
        heard = hear_one_more(lone)
        stop(lone)
    last = boots(lone.data)
    assert boots(backup) < last
    shutil.rmtree(lone.data)
    shutil.copytree(backup, lone.data)
    lone.start_collector()
    seconds_until(lambda: newest(lone) > heard, INTERVAL_S)
    assert boots(lone.data) > last
    # It is satisfied too: what was answered is not sent again.
    seconds_until(lambda: lone.state() == "up", INTERVAL_S)
    counted = lone.counted("duplicate")
    hear_one_more(lone)
    assert lone.counted("duplicate") == counted
