"""What was acknowledged survives the loss of power, at any moment, with all that was not synced.

The days that are cut, and what is promised in them, are those of tests.support.busy_days. After
each cut the store must be whole, and hold every acknowledged report once and none that was not
sent; the ledger's chain must hold and end no earlier than was promised; incidents must be noted;
and the collector must go on with it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from collector import checking
from collector import identity as identities
from collector.identity import Identity
from collector.ledger_store import LedgerStore
from collector.schema import day_of, days, incidents
from collector.store import Store
from collector.upkeep import Upkeep
from tests.support import drawn, powercut
from tests.support.busy_days import DAY_S, DAYS, digest
from tests.support.powercut import Recording
from tests.support.reports import BEGIN_MS

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

CUTS = 50
MIGRATING = 8
"""So many of them while the schema is brought up to date, which is soon over."""
AFTER_MS = BEGIN_MS + (DAYS + 1) * DAY_S * 1000


@pytest.fixture(scope="module")
def days_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Recording]:
    folder = tmp_path_factory.mktemp("powercut")
    built = powercut.library(folder)

    def run(synchronous: str) -> Recording:
        root = folder / synchronous
        root.mkdir()
        argv = (sys.executable, "-m", "tests.support.busy_days", str(root), synchronous)
        return powercut.record(argv, root, built)

    return run


class Promised:
    """What the marks say."""

    def __init__(self, marks: bytes) -> None:
        self.sent: dict[tuple[str, int], str] = {}
        self.acked: set[tuple[str, int]] = set()
        self.ledger: list[str] = []
        self.noted: dict[str, bool] = {}
        self.let_go: set[int] = set()
        self.boots = 0
        for line in marks.decode().splitlines():
            match line.split():
                case ["sent", site, seq, content]:
                    self.sent[site, int(seq)] = content
                case ["acked", site, seq]:
                    self.acked.add((site, int(seq)))
                case ["ledger", link]:
                    self.ledger.append(link)
                case ["noted", incident, resolved]:
                    self.noted[incident] = resolved == "1"
                case ["boots", number]:
                    self.boots = int(number)
                case ["letting", "go", "of", day]:
                    self.let_go.add(int(day))


def wrong(data: Path, promised: Promised) -> Iterator[str]:
    """Say what is wrong with what a cut has left."""
    try:
        Identity.open(data)
        # A clock of 1970: that the boots go on must not be the calendar's doing.
        if identities.boot(data, 0.0, 0.0).boots <= promised.boots:
            yield "the engine boots went back, so that every office would refuse its collector"
        with Store.open(data) as store:
            yield from wrong_in(store, promised)
            ledger = LedgerStore(store)
            if fault := ledger.verify():
                yield f"the ledger's chain: {fault}"
            if lost := set(promised.ledger) - {entry.hash for entry in ledger.entries()}:
                yield f"{len(lost)} entries of the ledger are gone"
            with store.reading() as connection:
                noted = dict(connection.execute(select(incidents.c.id, incidents.c.resolved)).all())
            for incident, resolved in promised.noted.items():
                if incident not in noted or noted[incident] < resolved:
                    yield f"incident {incident} is not noted as it was"
            Upkeep(store).run(AFTER_MS, 9e9, 9e9)
            found = checking.check(store, AFTER_MS)
            if found.integrity or found.doubles or found.unindexed:
                yield f"after the next upkeep: {found}"
    except Exception as error:  # noqa: BLE001 - a damaged store raises what it likes
        yield repr(error)


def wrong_in(store: Store, promised: Promised) -> Iterator[str]:
    """Say what is wrong with the reports."""
    if found := checking.check(store, AFTER_MS).integrity:
        yield f"not whole: {found}"
    times: Counter[tuple[str, int]] = Counter()
    with store.reading() as connection:
        for day in connection.scalars(select(days.c.day)).all():
            table = store.table(day)
            wanted = select(table.c.site, table.c.seq, table.c.block)
            for site, seq, octets in connection.execute(wanted):
                times[site, seq] += 1
                if promised.sent.get((site, seq)) != digest(octets):
                    yield f"{site} {seq} was never sent so"
    yield from (f"{site} {seq} is there twice" for (site, seq), n in times.items() if n > 1)
    for site, seq in sorted(promised.acked - times.keys()):
        if day_of(arrived_ms(seq)) not in promised.let_go:
            yield f"{site} {seq} was acknowledged and is gone"


def arrived_ms(seq: int) -> int:
    """Return a moment of the day that a report came in; numbers tell, see busy_days."""
    return BEGIN_MS + (seq // 1_000 - 1) * DAY_S * 1000 + 60_000


def cuts(recording: Recording, folder: Path) -> Iterator[str]:
    """Say what was wrong after each of 50 cuts, and after which call the power went."""
    dice = Random(drawn.seed())
    migration = range(recording.moment_of(b"migrating\n"), recording.moment_of(b"migrated\n"))
    moments = dice.choices(migration, k=MIGRATING)
    moments += dice.choices(range(len(recording.calls)), k=CUTS - MIGRATING)
    for moment in moments:
        marks = recording.cut(moment, dice, folder)
        for words in wrong(folder / "data", Promised(marks)):
            yield f"after call {moment}: {words}"


def test_fifty_power_cuts_cost_nothing_that_was_acknowledged(
    days_of: Callable[[str], Recording], tmp_path: Path
) -> None:
    recording = days_of("FULL")
    whole = Promised(recording.cut(len(recording.calls), Random(0), tmp_path / "whole"))
    assert len(whole.acked) > 200, "the days were quiet"
    assert len(whole.ledger) > 100
    assert set(whole.noted.values()) == {True}
    assert day_of(BEGIN_MS - DAY_S * 1000) in whole.let_go
    assert list(cuts(recording, tmp_path / "disk")) == []


def test_without_syncs_the_same_cuts_cost_reports_so_that_they_are_cuts(
    days_of: Callable[[str], Recording], tmp_path: Path
) -> None:
    assert any("is gone" in words for words in cuts(days_of("OFF"), tmp_path / "disk"))
