"""Stretches of time: who wins where they overlap, and that nothing is lost or counted twice."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.formats import local
from collector.stretches import (
    NO_DATA,
    PRECEDENCE,
    Kind,
    Stretch,
    clip,
    cut,
    fill,
    kind_of_downtime,
    merge,
    overlay,
    totals,
)
from collector.windows import common, length, month_window, service_windows, union
from inventory.hours import parse_hours
from tests.support.months import WIB, at

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000


def one(begin: int, end: int, kind: Kind = Kind.DOWN, cause: str = "last_mile") -> Stretch:
    return Stretch("a", "telkom", begin, end, kind, cause)


def told(line: list[Stretch]) -> list[tuple[int, int, Kind, str]]:
    return [(s.begin_ms, s.end_ms, s.kind, s.cause) for s in line]


spans = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted)
stretches = st.builds(
    lambda span, kind, cause: one(span[0], span[1], kind, cause),
    spans,
    st.sampled_from(Kind),
    st.sampled_from(["last_mile", "power", "area"]),
)
windows = st.lists(spans.map(lambda s: (s[0], s[1])), max_size=5).map(union)


def test_exclusion_beats_down_beats_unknown_beats_up() -> None:
    line = overlay(
        [
            one(0, 100, Kind.UP, ""),
            one(10, 60, Kind.UNKNOWN, NO_DATA),
            one(20, 50),
            one(30, 40, Kind.EXCLUDED, "maintenance"),
        ]
    )
    assert told(line) == [
        (0, 10, Kind.UP, ""),
        (10, 20, Kind.UNKNOWN, NO_DATA),
        (20, 30, Kind.DOWN, "last_mile"),
        (30, 40, Kind.EXCLUDED, "maintenance"),
        (40, 50, Kind.DOWN, "last_mile"),
        (50, 60, Kind.UNKNOWN, NO_DATA),
        (60, 100, Kind.UP, ""),
    ]


def test_of_two_faults_at_once_the_first_keeps_the_time() -> None:
    line = overlay([one(5, 30, cause="area"), one(0, 20)])
    assert told(line) == [(0, 20, Kind.DOWN, "last_mile"), (20, 30, Kind.DOWN, "area")]


def test_like_neighbours_are_joined() -> None:
    assert told(overlay([one(10, 20), one(0, 10)])) == [(0, 20, Kind.DOWN, "last_mile")]
    assert told(merge([one(0, 10), one(10, 20)])) == [(0, 20, Kind.DOWN, "last_mile")]


def test_circuits_are_not_mixed() -> None:
    other = Stretch("a", "lte", 0, 10, Kind.UP)
    with pytest.raises(ValueError, match="several circuits"):
        overlay([one(0, 10), other])


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        one(10, 9)


def test_what_nobody_recorded_is_unknown_and_not_up() -> None:
    line = fill([one(10, 20)], "a", "telkom", [(0, 15), (18, 30)])
    assert told(line) == [
        (0, 10, Kind.UNKNOWN, NO_DATA),
        (10, 15, Kind.DOWN, "last_mile"),
        (18, 20, Kind.DOWN, "last_mile"),
        (20, 30, Kind.UNKNOWN, NO_DATA),
    ]


def test_causes_say_whether_downtime_may_ever_count() -> None:
    for cause in ("last_mile", "area", "provider_core", "session", "unknown"):
        assert kind_of_downtime(cause) is Kind.DOWN
    for cause in ("power", "gateway", "maintenance", "centre", "agent", "congestion"):
        assert kind_of_downtime(cause) is Kind.EXCLUDED


@given(st.lists(stretches, max_size=12))
def test_at_each_moment_the_strongest_kind_holds_and_none_twice(given_: list[Stretch]) -> None:
    line = overlay(given_)
    for moment in range(60):
        covering = [s for s in given_ if s.begin_ms <= moment < s.end_ms]
        holding = [s for s in line if s.begin_ms <= moment < s.end_ms]
        assert len(holding) == (1 if covering else 0)
        if covering:
            assert holding[0].kind is min((s.kind for s in covering), key=PRECEDENCE.__getitem__)


@given(st.lists(stretches, max_size=12))
def test_the_order_in_which_they_come_decides_nothing(given_: list[Stretch]) -> None:
    assert overlay(given_) == overlay(reversed(given_))
    assert overlay(overlay(given_)) == overlay(given_)


@given(st.lists(stretches, max_size=12), windows)
def test_a_filled_line_adds_up_to_its_windows(
    given_: list[Stretch], within: list[tuple[int, int]]
) -> None:
    line = fill(overlay(given_), "a", "telkom", within)
    assert sum(totals(line).values()) == length(within)
    assert all(left.end_ms <= right.begin_ms for left, right in pairwise(line))


@given(st.lists(stretches, max_size=12), windows)
def test_cutting_by_windows_is_clipping_to_each(
    given_: list[Stretch], within: list[tuple[int, int]]
) -> None:
    line = overlay(given_)
    by_one = [part for stretch in line for w in within for part in clip([stretch], *w)]
    assert cut(line, within) == by_one


@given(windows, windows)
def test_common_time_is_in_both(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    shared = common(first, second)
    for moment in range(60):
        inside = [any(b <= moment < e for b, e in w) for w in (first, second, shared)]
        assert inside[2] == (inside[0] and inside[1])


@pytest.mark.parametrize(
    ("year", "month", "zone", "hours"),
    [
        (2026, 2, WIB, 672),
        (2028, 2, WIB, 696),
        (2026, 11, WIB, 720),
        (2026, 12, WIB, 744),
        (2026, 3, BERLIN, 743),
        (2026, 10, BERLIN, 745),
    ],
)
def test_a_month_has_the_hours_that_pass_in_its_zone(
    year: int, month: int, zone: ZoneInfo, hours: int
) -> None:
    begin, end = month_window(year, month, zone)
    assert end - begin == hours * HOUR


def test_november_in_solok_begins_in_october_in_utc() -> None:
    assert month_window(2026, 11, WIB)[0] == at("2026-10-31T17:00", ZoneInfo("UTC"))


def test_service_hours_of_november() -> None:
    found = service_windows(parse_hours("Mon-Fri 07:30-16:00"), WIB, *month_window(2026, 11, WIB))
    assert length(found) == 21 * 8.5 * HOUR
    assert found[0] == (at("2026-11-02T07:30"), at("2026-11-02T16:00"))


def test_hours_over_midnight_are_one_window() -> None:
    hours = parse_hours("Mon 20:00-24:00, Tue 00:00-04:00")
    found = service_windows(hours, WIB, at("2026-11-02T00:00"), at("2026-11-04T00:00"))
    assert found == [(at("2026-11-02T20:00"), at("2026-11-03T04:00"))]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-11-24"])
@pytest.mark.parametrize("text", ["Sun-Sat 01:30-02:45", "Sun 00:00-24:00, Tue 02:30-03:10"])
def test_service_hours_agree_with_the_clock_on_the_wall(day: str, text: str) -> None:
    hours = parse_hours(text)
    begin = at(f"{day}T00:00", BERLIN)
    end = begin + 27 * HOUR
    found = service_windows(hours, BERLIN, begin, end)
    for minute in range(begin, end, 60_000):
        inside = any(b <= minute < e for b, e in found)
        assert inside == hours.covers(local(minute, BERLIN))
