"""What holds of every history: time is not negative, not counted twice, and power never pays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judgement.common import behind_each, groups_of
from collector.judgement.evidence import Cause, Confidence, Look, Observation, Verdict
from collector.judgement.outages import Context, Finding, read
from collector.judgement.quality import Quality
from collector.judgement.state import FLAP_CALM_MS, TRANSITIONS, Flap, Signal
from collector.judgement.tracking import WITH_OTHERS, Tracker
from collector.judgement.troubles import UPSTREAM_DOWN, Trouble
from collector.live import State
from collector.stretches import COUNTABLE_CAUSES, Kind
from inventory.model import Bounds, Circuit, Inventory, Site, Ups, Upstream
from tabuah.report import Occasion
from tests.support import histories

SCENARIOS = Path(__file__).parents[1] / "scenarios"
INTERVAL_MS = 10_000
BEGIN_MS = 1_795_500_000_000

GOOD = Look("telkom", first_hop=True, centre=True, public=True, port=True)
CYCLES = {
    "good": GOOD,
    "cut": Look("telkom", first_hop=False, centre=False, public=False, port=True),
    "port": Look("telkom", first_hop=False, centre=False, public=False, port=False),
    "gateway": Look("telkom", first_hop=False, centre=False, public=False),
    "core": Look("telkom", first_hop=True, centre=False, public=False, port=True),
    "centre": Look("telkom", first_hop=True, centre=False, public=True, port=True),
}
WORDS = (*CYCLES, "dark", "reboot", "restart", "goodbye")

STRETCHES = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(1, 40)), min_size=1, max_size=12)


def _timeline(stretches: list[tuple[str, int]], *, battery: bool = False) -> list[Observation]:
    line: list[Observation] = []
    at, seq, epoch, boot, booted = BEGIN_MS, 0, 1, 1, BEGIN_MS - 3_600_000
    for word, cycles in [("good", 3), *stretches, ("good", 40)]:
        if word == "dark":
            at += cycles * INTERVAL_MS
            continue
        if word in {"reboot", "goodbye"}:
            if word == "goodbye" and line:
                line[-1] = replace(line[-1], occasion=Occasion.GOODBYE_HOST)
            at += cycles * INTERVAL_MS
            epoch, boot, seq, booted = epoch + 1, boot + 1, 0, at
            continue
        if word == "restart":
            epoch, seq = epoch + 1, 0
            continue
        for _ in range(cycles):
            seq += 1
            at += INTERVAL_MS
            failing = word != "good"
            line.append(
                Observation(
                    "kubung",
                    at,
                    at + (60_000 if failing else 40),
                    failing,
                    INTERVAL_MS,
                    epoch,
                    seq,
                    boot.to_bytes(16, "big"),
                    at - booted,
                    path="telkom",
                    gateway=word != "gateway",
                    gateway_uptime_ms=None if word == "gateway" else at - booted,
                    on_battery=battery,
                    circuits=(CYCLES[word],),
                )
            )
    return line


def _read(line: list[Observation], ups: Ups = Ups.NONE) -> list[Finding]:
    site = Site("kubung", "Kubung", ups=ups, circuits=(Circuit("telkom"),))
    return read(site, line, Context(now_ms=line[-1].at_ms))


def _countable_ms(findings: list[Finding]) -> int:
    return sum(
        (f.ended_ms or 0) - f.began_ms
        for f in findings
        if f.kind is Kind.DOWN and f.verdict.cause.value in COUNTABLE_CAUSES
    )


@settings(max_examples=150, deadline=None)
@given(STRETCHES)
def test_downtime_is_never_negative_and_never_counted_twice(
    stretches: list[tuple[str, int]],
) -> None:
    line = _timeline(stretches)
    reached = 0
    for finding in _read(line):
        assert finding.ended_ms is not None
        assert reached <= finding.began_ms <= finding.ended_ms <= line[-1].at_ms
        reached = finding.ended_ms


@settings(max_examples=150, deadline=None)
@given(STRETCHES)
def test_evidence_of_power_never_raises_countable_time(stretches: list[tuple[str, int]]) -> None:
    without = _countable_ms(_read(_timeline(stretches)))
    assert _countable_ms(_read(_timeline(stretches, battery=True))) <= without


@settings(max_examples=100, deadline=None)
@given(STRETCHES, st.randoms(use_true_random=False))
def test_the_order_in_which_reports_come_changes_nothing(
    stretches: list[tuple[str, int]], chance: object
) -> None:
    line = _timeline(stretches)
    mixed = [*line, *line[:5]]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert _read(mixed) == _read(line)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_every_pair_of_state_and_signal_has_a_successor(state: State, signal: Signal) -> None:
    assert (state, signal) in TRANSITIONS


def test_the_third_fall_is_flapping_until_five_minutes_of_calm() -> None:
    flap = Flap()
    for fall in (0, 60_000):
        flap = flap.fall(fall).rise(fall + 20_000)
    assert not flap.flapping
    flap = flap.fall(120_000).rise(140_000)
    assert flap.flapping
    assert flap.tick(140_000 + FLAP_CALM_MS - 1).flapping
    assert flap.share(180_000) == pytest.approx(60_000 / 180_000)
    assert not flap.tick(140_000 + FLAP_CALM_MS).flapping


def test_falls_an_hour_apart_are_no_flapping() -> None:
    flap = Flap()
    for hour in range(6):
        flap = flap.fall(hour * 3_600_000).rise(hour * 3_600_000 + 60_000)
        assert not flap.flapping


def _behind(groups: dict[str, int]) -> Inventory:
    upstreams = {"witel": Upstream("witel", "Witel")} | {
        code: Upstream(code, code, "witel") for code in groups
    }
    sites = tuple(
        Site(f"{code}-{n}", code, upstream=code)
        for code, count in groups.items()
        for n in range(count)
    )
    return Inventory("test", upstreams=upstreams, sites=sites)


@pytest.mark.parametrize(
    ("groups", "fallen", "named"),
    [
        ({"a": 6, "b": 8}, {"a-0", "a-1", "a-2"}, ["a"]),
        ({"a": 6, "b": 8}, {"a-0", "a-1"}, []),
        ({"a": 6, "b": 8}, {f"a-{n}" for n in range(6)} | {"b-0"}, ["a"]),
        ({"a": 6, "b": 1}, {f"a-{n}" for n in range(6)} | {"b-0"}, ["a"]),
        ({"a": 2, "b": 2}, {"a-0", "a-1", "b-0", "b-1"}, ["witel"]),
        ({"a": 1, "b": 1, "c": 1}, {"a-0", "b-0"}, ["witel"]),
        ({"a": 2, "b": 8}, {"a-0", "a-1", "b-0"}, ["a"]),
    ],
)
def test_the_area_is_the_lowest_upstream_that_the_fallen_share(
    groups: dict[str, int], fallen: set[str], named: list[str]
) -> None:
    inventory = _behind(groups)
    found = groups_of(dict.fromkeys(fallen, BEGIN_MS), inventory, behind_each(inventory))
    assert [group.upstream for group in found] == named


def test_the_table_of_states_is_the_documented_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "judgement.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith("|-")
    ]
    head = next(row for row in rows if row[0] == "state")
    table = {
        (State(row[0]), Signal(signal)): State(cell)
        for row in rows
        if row[0] in {state.value for state in State}
        for signal, cell in zip(head[1:], row[1:], strict=True)
    }
    assert table == TRANSITIONS


def test_what_a_mended_line_lost_before_is_not_held_against_it() -> None:
    quality = Quality(Bounds(0.1, 0.02, 0.03))
    quality.forget()
    for number in range(30):
        lost = 12 if number == 0 else 4 if number == 1 else 0
        look = Look("telkom", first_hop=True, public=True, sent=15, lost=lost, rtt_us=20_000)
        assert quality.add(BEGIN_MS + number * INTERVAL_MS, look) is None


def test_the_loss_of_a_line_is_known_as_soon_as_it_begins() -> None:
    quality = Quality(Bounds(0.1, 0.02, 0.03))
    for number in range(12):
        lost = 0 if number < 9 else 2
        look = Look("telkom", first_hop=True, public=True, sent=4, lost=lost)
        quality.add(BEGIN_MS + number * INTERVAL_MS, look)
    assert quality.loss() == 0.5


def test_an_area_whose_begin_moves_stays_one_incident() -> None:
    tracker = Tracker()
    verdict = Verdict(Cause.AREA, Confidence.PROVISIONAL, (), "fell together")

    def area(began_ms: int, *sites: str) -> Trouble:
        key = ("area", "sto", str(began_ms))
        return Trouble(key, UPSTREAM_DOWN, sites, began_ms, verdict, upstream="sto")

    (begun,) = tracker.follow([area(5000, "a", "b")], 10_000)
    (changed,) = tracker.follow([area(3000, "a", "b", "c")], 11_000)
    assert (changed.id, changed.version, changed.sites) == (begun.id, 2, ("a", "b", "c"))
    assert tracker.follow([area(3500, "a", "b", "c")], 12_000) == []
    (other,) = tracker.follow([area(3500, "a", "b", "c"), area(9000, "d", "e")], 13_000)
    assert other.id != begun.id


def test_an_office_told_of_before_its_area_is_known_is_told_with_it_and_counted_once() -> None:
    told = histories.run(histories.load(SCENARIOS / "area_known_late.yaml"))
    alone, area = told.last()
    assert (alone.sites, alone.reason) == (("kubung",), WITH_OTHERS)
    assert alone.cause is Cause.AREA, "what the record says of it later stands there too"
    assert "kubung" in area.sites
    assert alone.ended_ms is not None
    opened = next(one for one in told.incidents if one.id == area.id)
    assert opened.began_ms < alone.ended_ms < (area.ended_ms or 0)
    assert [outage.site for outage in told.newest()].count("kubung") == 1
