"""An office with two collectors: it fails over, comes back, and both agree on what they heard."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Centre, centre, seconds_until


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Centre, Centre]]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with centre(tmp_path / "one", interval="2s") as one, centre(tmp_path / "two") as two:
        yield one, two


def both(one: Centre, two: Centre) -> Path:
    """Return one configuration that names both collectors, as an admin merges it."""
    config, other = one.enrol(), two.enrol()
    collectors = re.search(r"\[\[collectors\]\]\n(.*?)\n\n", other.read_text(), re.DOTALL)
    assert collectors is not None
    config.write_text(config.read_text() + "\n" + collectors[0])
    return config


def test_an_office_fails_over_within_two_intervals_and_returns(
    pair: tuple[Centre, Centre],
) -> None:
    one, two = pair
    one.start_collector()
    two.start_collector()
    config = both(one, two)
    one.start_agent(config)
    seconds_until(lambda: one.state() == "up", 10)
    assert two.state() == "unknown"
    one.collector.kill()
    one.collector.wait()
    # Half of patience is the least of three seconds here; at 10 s it is within two intervals.
    assert seconds_until(lambda: two.state() == "up", 10) < 2 * 2 + 3
    time.sleep(3)
    one.start_collector()
    seconds_until(lambda: one.state() == "up", 6)
    newest = two.said()[-1]["seq"]
    time.sleep(5)
    assert two.said()[-1]["seq"] <= newest + 2, "it has returned to the first"
    heard = {(report["epoch"], report["seq"]) for report in one.said() + two.said()}
    numbers = sorted(seq for _, seq in heard)
    assert numbers == list(range(1, len(numbers) + 1)), "between them nothing is missing"
    ours = {(r["epoch"], r["seq"]): r for r in one.said()}
    theirs = {(r["epoch"], r["seq"]): r for r in two.said()}
    for name in ours.keys() & theirs.keys():
        assert ours[name]["measurements"] == theirs[name]["measurements"]
        assert ours[name]["time"] == theirs[name]["time"]


def test_a_report_leaves_by_the_circuit_that_works_and_names_it(tmp_path: Path) -> None:
    """The first circuit's interface is gone; the second one's is the loopback."""
    with centre(tmp_path) as one:
        one.start_collector()
        config = one.enrol()
        circuits = (
            '[[circuits]]\nid = "telkom"\ninterface = "tabuah-none"\n\n'
            '[[circuits]]\nid = "lte"\ninterface = "lo"\n'
        )
        told, count = re.subn(r'\[\[circuits\]\]\nid = "telkom"\n', circuits, config.read_text())
        assert count == 1
        config.write_text(told)
        one.start_agent(config)
        seconds_until(lambda: one.state() == "up", 15)
        seconds_until(lambda: one.said()[-1]["path"] == "lte", 10)
