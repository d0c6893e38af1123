"""kill -9 at any moment, under load: nothing acknowledged is lost, nothing is there twice.

`python -m bench kills` does the same two hundred times.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.support import drawn
from tests.support.kills import NOTHING, Strike, cut, drill, killed

pytestmark = pytest.mark.timeout(600)  # on a loaded machine a start may take half a minute

KILLS = 12
MOST_LOST = 3
"""Reports that a killed agent had made and neither delivered nor kept: those of three seconds."""


def test_whatever_is_killed_every_acknowledged_report_is_there_once(tmp_path: Path) -> None:
    with drill(tmp_path, Random(drawn.seed()), agents=1, per_second=60) as centre:
        strikes: list[Strike] = []
        while killed(strikes).total() < KILLS or len(killed(strikes)) < 2:
            strikes.append(centre.strike())
            assert strikes[-1].wrong == NOTHING, strikes
        assert centre.settle() == []
        assert centre.wrong() == NOTHING
        assert max(centre.lost().values(), default=0) <= MOST_LOST
        assert "damaged" not in centre.made.log("agent")
        assert len(centre.burden.acknowledged) > 100


def test_a_kill_in_the_middle_of_a_cut_costs_one_interval_at_most(tmp_path: Path) -> None:
    """`python -m bench kills` cuts for 180 s at the interval of 10 s; here time is compressed."""
    seen = cut(tmp_path / "cut", 1, 8)
    assert seen.missing <= 1
    assert (seen.holes, seen.twice) == (0, 0)
    assert seen.reports >= 6
