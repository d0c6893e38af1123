"""Promises of docs/judgement.md that no single history shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector import judgement
from collector.judgement.diagnosis import RULES
from collector.judgement.evidence import Look, Window
from collector.judgement.planned import entered_windows, plans
from collector.judgement.quality import WINDOW_MS, Quality
from collector.judgement.record import Act, Said
from collector.judgement.state import FLAP_CALM_MS, Flap
from inventory.model import Bounds

DOCS = Path(__file__).parents[2] / "docs" / "judgement.md"
BEGIN_MS = 1_795_500_000_000
HOUR_MS = 3_600_000
WEEK_MS = 168 * HOUR_MS
GOOD = Look("telkom", first_hop=True, public=True, sent=15)
LOSSY = Look("telkom", first_hop=True, public=True, sent=15, lost=6)


def test_the_rules_stand_in_the_documented_order() -> None:
    (listed,) = re.findall(r"\n(collector's own line, [^.]*? service, unknown)\.", DOCS.read_text())
    said = [word.split(" or ")[0].split()[-1] for word in " ".join(listed.split()).split(", ")]
    named = [rule.__name__.strip("_").split("_")[-1] for rule in RULES]
    assert named[0] == "collector"
    assert [*named[1:], "unknown"] == said[1:]


def test_the_package_names_each_of_its_modules_for_a_reader() -> None:
    folder = Path(judgement.__path__[0])
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    text = (folder / "__init__.py").read_text(encoding="utf-8")
    assert {name for name in modules if not re.search(rf"\s{name}\s", text)} == set()


@pytest.mark.parametrize("interval_s", [3, 10, 60])
def test_a_line_is_called_good_within_three_minutes_of_good_readings(interval_s: int) -> None:
    quality = Quality(Bounds(0.1, 0.02, 0.03), max(WINDOW_MS, 3000 * interval_s))
    at_ms = BEGIN_MS
    slow = None
    for _ in range(60):
        at_ms += interval_s * 1000
        slow = quality.add(at_ms, LOSSY)
    good_ms = at_ms + interval_s * 1000
    assert slow is not None
    while slow is not None:
        at_ms += interval_s * 1000
        slow = quality.add(at_ms, GOOD)
    assert 0 < at_ms - good_ms <= 180_000


def test_of_a_line_that_falls_again_and_again_two_falls_are_told_then_one_flapping() -> None:
    """Ten falls in half an hour: two pairs of down and up, one incident, one end."""
    flap, told = Flap(), 0
    for number in range(10):
        at_ms = BEGIN_MS + number * 180_000
        flap = flap.tick(at_ms).fall(at_ms)
        told += not flap.flapping
        flap = flap.rise(at_ms + 60_000)
    last_ms = BEGIN_MS + 9 * 180_000 + 60_000
    assert told == 2
    assert flap.tick(last_ms + FLAP_CALM_MS - 1).flapping
    assert not flap.tick(last_ms + FLAP_CALM_MS).flapping


def test_work_that_comes_again_covers_its_lines_each_time_until_it_is_ended() -> None:
    said = [
        Said(
            Act.MAINTENANCE, "m1", BEGIN_MS, "root", "upgrade", ("kubung",),
            BEGIN_MS + 2 * HOUR_MS, ("telkom",), WEEK_MS,
        ),
        Said(Act.MAINTENANCE_ENDED, "m1", BEGIN_MS + 2 * WEEK_MS + HOUR_MS, "root"),
    ]  # fmt: skip
    windows = entered_windows(said, BEGIN_MS + 5 * WEEK_MS)
    assert [(w.begins_ms - BEGIN_MS, w.ends_ms - w.begins_ms) for w in windows] == [
        (0, 2 * HOUR_MS),
        (WEEK_MS, 2 * HOUR_MS),
        (2 * WEEK_MS, HOUR_MS),
    ]
    second: Window = windows[1]
    assert second.covers("kubung", "telkom", BEGIN_MS + WEEK_MS)
    assert not second.covers("kubung", "lte", BEGIN_MS + WEEK_MS)
    assert not second.covers("sundi", "telkom", BEGIN_MS + WEEK_MS)
    (plan,) = plans(said)
    assert plan.over(BEGIN_MS + 3 * WEEK_MS)
    assert not plan.over(BEGIN_MS + WEEK_MS)
