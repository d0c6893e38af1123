from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.counters import Counters, Reading, Width, advance, continuous, first, restarted

WRAP = 1 << 32
TEN_MBIT = 10_000_000


def at(seconds: float, octets: int = 0, width: Width = Width.COUNTER32) -> Reading:
    return Reading(
        at_s=seconds,
        uptime_ticks=round(seconds * 100),
        index=2,
        raw=Counters(in_octets=octets),
        width=width,
        speed_bps=TEN_MBIT,
    )


def begun(reading: Reading) -> Counters:
    """What an epoch that begins with this reading begins at."""
    if reading.width is Width.COUNTER64:
        return reading.raw
    return reading.raw._replace(in_octets=0, out_octets=0)


def test_an_epoch_of_64_bit_counters_begins_at_what_the_device_shows() -> None:
    assert first(at(0, 123_456, Width.COUNTER64), 7).counters.in_octets == 123_456


def test_an_epoch_of_32_bit_counters_begins_at_zero_octets() -> None:
    # Else the total would fall where a new epoch follows one that had wrapped.
    assert first(at(0, 123_456), 7).counters == Counters()


def test_a_32_bit_counter_that_wrapped_goes_on_growing() -> None:
    totals = advance(first(at(0, WRAP - 1000), 7), at(10, 500))
    assert (totals.counters.in_octets, totals.epoch, totals.dropped) == (1500, 7, 0)


def test_a_fall_beyond_the_speed_is_dropped_and_counted() -> None:
    # 4,294,966,396 octets in 10 s would be 3.4 Gbit/s on a line of 10 Mbit/s.
    totals = advance(first(at(0, 1000), 7), at(10, 100))
    assert (totals.counters.in_octets, totals.epoch, totals.dropped) == (0, 7, 1)
    assert advance(totals, at(20, 400)).counters.in_octets == 300


def test_without_a_speed_no_wrap_is_believed() -> None:
    before = replace(at(0, WRAP - 1000), speed_bps=0)
    totals = advance(first(before, 7), replace(at(10, 500), speed_bps=0))
    assert (totals.counters.in_octets, totals.dropped) == (0, 1)


def test_a_64_bit_counter_that_fell_was_reset() -> None:
    before = first(at(0, 5000, Width.COUNTER64), 7)
    totals = advance(before, at(10, 4000, Width.COUNTER64))
    assert (totals.counters.in_octets, totals.epoch) == (4000, 8)


def test_error_counters_wrap_by_the_shortest_frame() -> None:
    before = replace(at(0), raw=Counters(in_errors=WRAP - 10))
    after = replace(at(10), raw=Counters(in_errors=10))
    assert advance(first(before, 1), after).counters.in_errors == WRAP + 10
    # 21,484 frames of 64 octets are the most of 10 Mbit/s in a second.
    too_many = replace(at(1), raw=Counters(in_errors=30_000))
    assert advance(first(before, 1), too_many).counters.in_errors == WRAP - 10


@pytest.mark.parametrize(
    "changes",
    [{"boots": 4}, {"index": 9}, {"discontinuity_ticks": 77}, {"width": Width.COUNTER64}],
    ids=str,
)
def test_whatever_began_anew_begins_a_new_epoch(changes: dict[str, int]) -> None:
    anew = replace(at(10, 5000), **changes)  # type: ignore[arg-type]
    totals = advance(first(at(0, 100), 7), anew)
    assert (totals.counters, totals.epoch) == (begun(anew), 8)


def test_a_reboot_begins_a_new_epoch() -> None:
    rebooted = replace(at(100, 5000), uptime_ticks=300)
    assert advance(first(at(90, 100), 7), rebooted).epoch == 8


@pytest.mark.parametrize(
    ("before", "after", "elapsed_s", "anew"),
    [
        (1000, 2000, 10, False),
        (1000, 900, 10, True),
        (WRAP - 500, 500, 10, False),  # the 497th day
        (WRAP - 500, 90_000, 10, True),  # shows 15 minutes where 10 s went by
        (WRAP - 500, 500, 7200, True),  # two hours away, and it shows 10 s
        (WRAP // 2, 500, 10, True),
    ],
)
def test_sysuptime_that_fell_is_a_reboot_unless_it_was_full(
    before: int, after: int, elapsed_s: float, anew: bool
) -> None:
    assert restarted(before, after, elapsed_s) is anew


readings = st.builds(
    Reading,
    at_s=st.floats(0, 1e6),
    uptime_ticks=st.integers(0, WRAP - 1),
    index=st.integers(1, 2),
    raw=st.builds(Counters, *[st.integers(0, WRAP - 1)] * 6),
    width=st.sampled_from(Width),
    speed_bps=st.sampled_from([0, TEN_MBIT, 10**9]),
    discontinuity_ticks=st.sampled_from([0, 5]),
    boots=st.sampled_from([None, 1, 2]),
)


@given(st.lists(readings, min_size=1, max_size=20))
def test_totals_never_fall_within_an_epoch_and_epochs_never_go_back(row: list[Reading]) -> None:
    totals = first(row[0], 1)
    for reading in row[1:]:
        later = advance(totals, reading)
        assert later.epoch >= totals.epoch
        if later.epoch == totals.epoch:
            pairs = zip(totals.counters, later.counters, strict=True)
            assert all(new >= old for old, new in pairs)
        else:
            assert later.counters == begun(reading)
        totals = later


@given(
    st.integers(0, WRAP - 1),
    st.lists(st.integers(0, 10 * TEN_MBIT // 8), min_size=1, max_size=400),
)
def test_what_was_carried_is_what_is_counted_through_any_number_of_wraps(
    start: int, carried: list[int]
) -> None:
    # Octets in 10 s at up to line speed: a wrap every 57 minutes.
    truth, totals = start, first(at(0, start), 1)
    for step, octets in enumerate(carried, start=1):
        truth += octets
        totals = advance(totals, at(step * 10, truth % WRAP))
    assert totals.counters.in_octets == truth - start
    assert (totals.epoch, totals.dropped) == (1, 0)


@given(readings)
def test_a_reading_is_continuous_with_itself(reading: Reading) -> None:
    assert continuous(reading, reading)
    assert advance(first(reading, 3), reading).counters == begun(reading)
