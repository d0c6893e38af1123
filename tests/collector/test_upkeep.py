"""Raw reports go; what they came to stays, is right, and costs no one a wait."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector import history
from collector.day import Row
from collector.opened import opened
from collector.rollup import HOUR_MS, Hour, by_time, edges, hour_of, roll_up
from collector.schema import day_of
from collector.store import Store
from collector.upkeep import Upkeep
from tabuah import block
from tabuah.measurement import Status
from tests.support.reports import report

DAY_MS = 86_400_000
MIDNIGHT = 1_798_675_200_000
"""2026-12-31T00:00Z."""
KUBUNG = "13.02.10"
EVER = 2**62
YEARS_S = 5 * 365 * 86_400
INTERVAL_MS = 600_000


def row(
    seq: int,
    time_ms: int,
    *,
    received_ms: int | None = None,
    site: str = KUBUNG,
    epoch: int = 1,
    good: bool = True,
) -> Row:
    made = report(seq, site=site, epoch=epoch, interval_ms=INTERVAL_MS)
    if not good:
        lost = replace(
            made.measurements[0], status=Status.REQUEST_TIMED_OUT, received=0, rtt=None, run=seq
        )
        made = replace(made, measurements=(lost,))
    late = received_ms is not None
    arrived = time_ms + 40 if received_ms is None else received_ms
    return Row(site, epoch, seq, time_ms, arrived, late, False, block.pack(made).octets)


def kept(store: Store, site: str = KUBUNG) -> tuple[list[Hour], list[Row]]:
    with store.reading() as connection:
        return (
            history.read_hours(connection, site, 0, EVER),
            history.read_edges(connection, site, 0, EVER),
        )


def recomputed(rows: list[Row]) -> tuple[list[Hour], set[tuple[int, int]]]:
    """Return what `rows` of one site come to, all at once."""
    ordered = by_time(opened(one) for one in rows)
    hours, beside = [], set()
    for hour in sorted({hour_of(one.time_ms) for one in ordered}):
        near = {
            step: [one for one in ordered if hour_of(one.time_ms) == hour + step * HOUR_MS]
            for step in (-1, 0, 1)
        }
        before = near[-1][-1] if near[-1] else None
        after = near[1][0] if near[1] else None
        hours.append(roll_up(hour, before, near[0]))
        found = edges(before, near[0], after)
        beside |= {(one.report.id.epoch, one.report.id.seq) for one in found}
    return hours, beside


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as opened_store:
        yield opened_store


@pytest.mark.parametrize("seed", range(3))
def test_however_reports_arrive_the_roll_ups_are_those_of_all_of_them(
    store: Store, seed: int
) -> None:
    chance = random.Random(seed)
    rows = []
    for seq in range(1, 250):
        measured = MIDNIGHT + seq * INTERVAL_MS + chance.randrange(5_000)
        wait = chance.choice((None, None, None, 5 * HOUR_MS, DAY_MS, 2 * DAY_MS))
        if chance.random() < 0.95:
            received = None if wait is None else measured + wait
            rows.append(row(seq, measured, received_ms=received, good=chance.random() < 0.8))
    rows.sort(key=lambda one: one.received_ms)
    upkeep = Upkeep(store)
    for at in range(0, len(rows), 40):
        part = rows[at : at + 40]
        store.append(part)
        upkeep.run(part[-1].received_ms, YEARS_S, YEARS_S)
        upkeep.run(part[-1].received_ms, YEARS_S, YEARS_S)
    upkeep.run(MIDNIGHT + 30 * DAY_MS, YEARS_S, YEARS_S)
    hours, beside = recomputed(rows)
    said, edge_rows = kept(store)
    assert said == hours
    assert {(one.epoch, one.seq) for one in edge_rows} == beside
    assert all(one in rows for one in edge_rows)

    # The raw reports go, and what they came to stays.
    upkeep.run(MIDNIGHT + 30 * DAY_MS, 86_400, YEARS_S)
    assert list(store.ids(0)) == []
    assert kept(store) == (said, edge_rows)


def test_a_report_that_comes_when_its_day_is_dropped_leaves_the_roll_up_alone(
    store: Store,
) -> None:
    upkeep = Upkeep(store)
    store.append([row(seq, MIDNIGHT + seq * INTERVAL_MS) for seq in range(1, 12)])
    upkeep.run(MIDNIGHT + DAY_MS, YEARS_S, YEARS_S)
    before = kept(store)
    upkeep.run(MIDNIGHT + 3 * DAY_MS, 86_400, YEARS_S)
    store.append([row(99, MIDNIGHT + 5, received_ms=MIDNIGHT + 3 * DAY_MS)])
    upkeep.run(MIDNIGHT + 4 * DAY_MS + 5, 10 * 86_400, YEARS_S)
    assert kept(store) == before


def test_roll_ups_go_when_their_years_are_over_and_edges_never(store: Store) -> None:
    upkeep = Upkeep(store)
    store.append([row(1, MIDNIGHT), row(2, MIDNIGHT + 5 * DAY_MS)])
    upkeep.run(MIDNIGHT + 6 * DAY_MS, 86_400, 3 * 86_400)
    hours, edge_rows = kept(store)
    assert [day_of(hour.hour_ms) for hour in hours] == [day_of(MIDNIGHT + 5 * DAY_MS)]
    assert [one.seq for one in edge_rows] == [1, 2]


def test_what_an_office_calls_its_things_cannot_stop_the_upkeep(store: Store) -> None:
    made = report(1)
    named = [
        replace(made.measurements[0], probe=name) for name in ("a\0", "a\N{REPLACEMENT CHARACTER}")
    ]
    huge = replace(named[0], probe="huge", sent=2**64 - 1, received=2**64 - 1)
    octets = block.pack(replace(made, measurements=(*named, huge))).octets
    short = Row(KUBUNG, 1, 2, MIDNIGHT + 1, MIDNIGHT + 1, False, False, b"short")
    store.append([Row(KUBUNG, 1, 1, MIDNIGHT, MIDNIGHT, False, False, octets), short])
    Upkeep(store).run(MIDNIGHT + DAY_MS, YEARS_S, YEARS_S)
    ((hour,), _) = kept(store)
    assert [probe.probe for probe in hour.probes] == ["a\N{REPLACEMENT CHARACTER}", "huge"]


def test_upkeep_that_is_stopped_goes_on_where_it_was(store: Store) -> None:
    rows = [row(seq, MIDNIGHT + seq * INTERVAL_MS) for seq in range(1, 30)]
    store.append(rows)
    stopped = Upkeep(store)
    stopped.stop()
    stopped.run(MIDNIGHT + 9 * DAY_MS, 86_400, YEARS_S)
    assert len(list(store.ids(0))) == 29
    assert kept(store) == ([], [])
    Upkeep(store).run(MIDNIGHT + 9 * DAY_MS, 86_400, YEARS_S)
    assert list(store.ids(0)) == []
    assert kept(store)[0] == recomputed(rows)[0]


def test_commits_go_on_beside_the_upkeep(store: Store) -> None:
    """A day of two offices at 10 s: no commit waits for more than a step of it."""
    step_ms = 10_000
    for hour in range(0, 24, 4):
        first = hour * 360
        store.append(
            [
                row(seq, MIDNIGHT + seq * step_ms, site=f"13.02.{office:02}", good=seq % 50 > 0)
                for office in range(2)
                for seq in range(first + 1, first + 1440)
            ]
        )
    working = threading.Thread(
        target=Upkeep(store).run, args=(MIDNIGHT + 100 * DAY_MS, 86_400, YEARS_S)
    )
    working.start()
    waits, seq = [], 0
    while working.is_alive():
        seq += 1
        began = time.monotonic()
        store.append([row(seq, MIDNIGHT + 100 * DAY_MS + seq, site="13.02.99")])
        waits.append(time.monotonic() - began)
        time.sleep(0.01)
    working.join()
    assert len(list(store.ids(0))) == seq
    assert len(kept(store, "13.02.01")[0]) == 24
    waits.sort()
    assert waits[len(waits) * 99 // 100] < 0.2, waits[-5:]
    assert waits[-1] < 1.0  # a step, and a thread that the machine did not run
