"""What was kept survives the loss of power: at any moment, with all that was not synced lost."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.spool import Spool
from tests.support import powercut
from tests.support.powercut import Recording
from tests.support.reports import packed

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

SITE = "13.02.10"
CUTS = 50
# It keeps reports and forgets some, in a spool small enough to be thinned on the way.
OUTAGE = """
import sys
from pathlib import Path
from agent import spool_file
spool_file.SYNCHRONOUS = sys.argv[2]
from agent.spool import Spool
from tests.support.reports import packed
root = Path(sys.argv[1])
with Spool(root / "spool.sqlite", "13.02.10") as spool, (root / "marks").open("ab", 0) as marks:
    for seq in range(1, 401):
        spool.put(packed(seq))
        marks.write(b"kept %d\\n" % seq)
        if seq % 50 == 0:
            gone = spool.oldest(300)
            for report in gone:
                marks.write(b"gone %d\\n" % report.seq)
            spool.discard(gone)
"""


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Recording]:
    folder = tmp_path_factory.mktemp("powercut")
    built = powercut.library(folder)

    def run(synchronous: str) -> Recording:
        root = folder / synchronous
        root.mkdir()
        return powercut.record((sys.executable, "-c", OUTAGE, str(root), synchronous), root, built)

    return run


def lost(recording: Recording, folder: Path) -> int:
    """Return how many reports, of those whose `put` had returned, 50 cuts cost in all."""
    dice = random.Random(7)
    missing = 0
    for _ in range(CUTS):
        marks = recording.cut(dice.randrange(len(recording.calls)), dice, folder).decode()
        said = [line.split() for line in marks.splitlines()]
        kept = {int(seq) for word, seq in said if word == "kept"}
        gone = {int(seq) for word, seq in said if word == "gone"}
        with Spool(folder / "spool.sqlite", SITE) as spool:
            found: list[int] = []
            while batch := spool.oldest(1 << 16, {(1, seq) for seq in found}):
                found += [report.seq for report in batch]
                assert all(report == packed(report.seq) for report in batch), "none is made up"
        assert len(found) == len(set(found)), "none is there twice"
        # One more may be there: the one that was being put.
        assert set(found) <= {*kept, max(kept, default=0) + 1}
        missing += len(kept - gone - set(found))
    return missing


def test_fifty_power_cuts_cost_no_report_whose_put_had_returned(
    outage: Callable[[str], Recording], tmp_path: Path
) -> None:
    assert lost(outage("FULL"), tmp_path / "disk") == 0


def test_without_syncs_the_same_cuts_cost_reports_so_that_they_are_cuts(
    outage: Callable[[str], Recording], tmp_path: Path
) -> None:
    assert lost(outage("OFF"), tmp_path / "disk") > 0
