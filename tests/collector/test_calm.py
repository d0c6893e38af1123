"""Plain reports cost little and change nothing: what is found is what would be without that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import year
from bench.judge import Bench
from collector.judgement import court as courts
from collector.judgement.court import Court
from collector.judgement.evidence import Cause, Look, Observation, Window
from collector.judgement.ledger import Outage
from collector.judgement.plain import condensed
from collector.judgement.scene import Scene
from collector.judgement.tracking import Incident
from inventory.model import Circuit, CircuitRole, Inventory, Site

MINUTE = 60_000
BEGIN_MS = year.BEGIN_MS


def _half_a_day(seed: int) -> tuple[list[Outage], list[Incident], int]:
    offices = year.inventory()
    bench = Bench(offices, MINUTE)
    steps = year.year(offices, MINUTE, seed, year.DAY_MS // 2, often=80)
    for number, step in enumerate(steps):
        bench.interval(number, step)
    return bench.outages, bench.told, bench.rulings


@pytest.mark.parametrize("seed", [1])
def test_what_is_found_is_what_would_be_without_the_short_way(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    short = _half_a_day(seed)
    monkeypatch.setattr(Scene, "goes_on", lambda *_: False)
    monkeypatch.setattr(courts, "FLAP_CALM_MS", 2**60)  # it is never calm
    assert _half_a_day(seed) == short
    assert len(short[0]) > 50


def _cycle(number: int, *, good: bool, path: str = "lte") -> Observation:
    at_ms = BEGIN_MS + number * MINUTE
    return Observation(
        site="kubung",
        at_ms=at_ms,
        received_ms=at_ms + 40,
        late=False,
        interval_ms=MINUTE,
        epoch=1,
        seq=number + 1,
        boot_id=bytes(16),
        uptime_ms=at_ms - BEGIN_MS + MINUTE,
        path=path,
        gateway=True,
        gateway_uptime_ms=at_ms,
        circuits=(
            Look("telkom", first_hop=good, centre=good, public=good, port=True),
            Look("lte", public=True),
        ),
    )


TWO_LINES = Inventory(
    "x",
    sites=(
        Site(
            "kubung",
            "Kubung",
            interval_s=60.0,
            circuits=(Circuit("telkom"), Circuit("lte", CircuitRole.BACKUP, interface="lte0")),
        ),
    ),
)


def test_a_line_that_fails_for_weeks_beside_another_keeps_few_reports() -> None:
    court = Court(TWO_LINES)
    written: list[Outage] = []
    for number in range(3000):
        court.observe(_cycle(number, good=number < 10 or number > 2900))
        written += court.rule(BEGIN_MS + number * MINUTE + 1000).outages
    first, last = written[0], written[-1]
    assert first.began_ms == last.began_ms == BEGIN_MS + 10 * MINUTE
    assert last.ended_ms == BEGIN_MS + 2901 * MINUTE
    assert len(written) < 5
    assert len(court.judge.kept("kubung")) <= 40


def test_the_hours_that_an_office_was_away_take_little_memory_before_they_are_read() -> None:
    court = Court(TWO_LINES)
    for number in range(30):
        court.observe(_cycle(number, good=True, path="telkom"))
    silent_ms = BEGIN_MS + 29 * MINUTE
    court.silent("kubung", silent_ms, silent_ms + 67_000)
    court.rule(silent_ms + 67_000)
    back = replace(_cycle(3000, good=True, path="telkom"), backlog=2970)
    court.observe(back)
    for number in range(30, 3000):
        seen = _cycle(number, good=not 60 <= number < 2900, path="telkom")
        court.observe(replace(seen, late=True, received_ms=back.received_ms + 1000))
        assert len(court.judge.kept("kubung")) < 20
    court.observe(_cycle(3001, good=True, path="telkom"))
    (outage,) = [o for o in court.rule(BEGIN_MS + 3001 * MINUTE + 1000).outages if not o.withdrawn]
    assert (outage.began_ms, outage.ended_ms) == (
        BEGIN_MS + 60 * MINUTE,
        BEGIN_MS + 2900 * MINUTE,
    )


def test_a_single_failing_cycle_is_not_kept_for_ever() -> None:
    court = Court(TWO_LINES)
    for number in range(100):
        court.observe(_cycle(number, good=number != 20))
        court.rule(BEGIN_MS + number * MINUTE + 1000)
    assert len(court.judge.kept("kubung")) <= 40
    assert court.judge.is_calm(BEGIN_MS + 100 * MINUTE)


def test_the_midst_of_a_long_stretch_is_counted_and_left_out() -> None:
    line = [_cycle(number, good=number < 10 or number > 20) for number in range(100)]
    kept = condensed(line)
    assert [one.seq for one in kept] == [1, 10, 11, 21, 22, 100]
    assert [one.left_out for one in kept] == [0, 8, 0, 9, 0, 77]
    assert sum(1 + one.left_out for one in kept) == len(line)
    assert condensed(kept) == kept


def test_who_is_silent_when_announced_work_ends_is_told_of() -> None:
    window = Window(frozenset({"kubung"}), BEGIN_MS + 5 * MINUTE, BEGIN_MS + 60 * MINUTE, "Telkom")
    court = Court(TWO_LINES, (window,))
    for number in range(10):
        court.observe(_cycle(number, good=True, path="telkom"))
    silent_ms = BEGIN_MS + 9 * MINUTE
    court.silent("kubung", silent_ms, silent_ms + 67_000)
    told = [
        (now - BEGIN_MS) // MINUTE
        for now in range(BEGIN_MS + 11 * MINUTE, BEGIN_MS + 90 * MINUTE, 10_000)
        for incident in court.rule(now).incidents
        if incident.version == 1
    ]
    assert told == [60]


def test_a_report_whose_clock_is_wrong_is_never_plain() -> None:
    scene = Scene(TWO_LINES)
    for number in range(5):
        scene.observe(_cycle(number, good=True))
    assert scene.goes_on(_cycle(5, good=True))
    assert not scene.goes_on(replace(_cycle(6, good=True), skew_ms=60_000))
    assert not scene.goes_on(_cycle(6, good=False))
    assert not scene.goes_on(replace(_cycle(6, good=True), on_battery=True))
    assert not scene.goes_on(_cycle(60, good=True))


def test_a_line_that_is_deaf_is_told_of_in_a_few_cycles() -> None:
    court = Court(TWO_LINES)
    told = []
    for number in range(40):
        good = number < 20 or number > 30
        backlog = 0 if good else number - 20
        seen = replace(_cycle(number, good=good, path="telkom"), backlog=backlog)
        court.observe(seen)
        told += [
            (number, incident.version, incident.cause, incident.ended_ms is None)
            for incident in court.rule(BEGIN_MS + number * MINUTE + 1000).incidents
            if incident.alertname == "TabuahLinkDown"
        ]
    assert told[0] == (23, 1, Cause.LAST_MILE, True)
    assert [one[3] for one in told] == [True, False]
    assert told[-1][0] == 31
