"""Is it new, and does it speak of now?"""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.intake import EPOCHS_MOST, Gaps, Intake, Verdict
from tests.support.reports import packed

SITE = "13.02.10"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=120))
def test_gaps_behave_as_a_set_of_numbers(acts: list[tuple[bool, int]]) -> None:
    gaps, model = Gaps(), set[int]()
    for adds, seq in acts:
        if adds:
            assert gaps.add(seq) is (seq not in model)
            model.add(seq)
        else:
            gaps.remove(seq)
            model.discard(seq)
    assert {seq for seq in range(45) if seq in gaps} == model
    ranges = gaps.ranges()
    assert all(low <= high for low, high in ranges)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges)), "not joined"


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), max_size=30))
def test_gaps_take_ranges_as_they_take_numbers(added: list[tuple[int, int]]) -> None:
    gaps, model = Gaps(), set[int]()
    for low, more in added:
        gaps.add_range(low, low + more)
        model.update(range(low, low + more + 1))
    assert {seq for seq in range(60) if seq in gaps} == model
    assert all(a[1] + 1 < b[0] for a, b in pairwise(gaps.ranges())), "not joined"


@pytest.mark.parametrize("live", [0, 70_000])
def test_a_thinned_week_is_taken_in_without_a_stop(live: int) -> None:
    """Every second number, 30,000 ranges: made anew for each they took a minute."""
    gaps = Gaps()
    if live:
        gaps.add(live)
    began = time.process_time()
    for seq in range(1, 60_001, 2):
        gaps.add(seq)
    assert time.process_time() - began < 5
    assert len(gaps.ranges()) == 30_000 + bool(live)


def test_a_retry_is_a_duplicate_and_may_be_acknowledged_once_stored() -> None:
    intake = Intake()
    assert intake.judge(SITE, packed(1), history=False) is Verdict.LIVE
    assert intake.judge(SITE, packed(1), history=False) is Verdict.DUPLICATE
    assert not intake.is_stored(SITE, 1, 1), "it waits for its commit"
    intake.stored(SITE, 1, 1)
    assert intake.is_stored(SITE, 1, 1)


def test_a_report_that_could_not_be_written_is_new_again() -> None:
    intake = Intake()
    intake.judge(SITE, packed(1), history=False)
    intake.unstored(SITE, 1, 1)
    assert not intake.is_stored(SITE, 1, 1)
    assert intake.judge(SITE, packed(1), history=False) is Verdict.LIVE


def test_what_comes_from_the_spool_is_late_even_if_it_comes_first() -> None:
    assert Intake().judge(SITE, packed(9), history=True) is Verdict.LATE


def test_a_live_report_that_was_overtaken_on_its_way_is_late() -> None:
    intake = Intake()
    intake.judge(SITE, packed(5), history=False)
    assert intake.judge(SITE, packed(4), history=False) is Verdict.LATE


def test_a_restarted_agent_begins_anew_and_is_live() -> None:
    intake = Intake()
    intake.judge(SITE, packed(500, epoch=1), history=False)
    restarted = packed(1, epoch=2, uptime_ms=500 * 10_000 + 5_000)
    assert intake.judge(SITE, restarted, history=False) is Verdict.LIVE


def test_a_straggler_of_an_older_start_of_the_same_boot_is_late() -> None:
    intake = Intake()
    intake.judge(SITE, packed(1, epoch=2, uptime_ms=9_000_000), history=False)
    assert intake.judge(SITE, packed(7, epoch=1, uptime_ms=70_000), history=False) is Verdict.LATE


def test_two_offices_do_not_share_their_numbers() -> None:
    intake = Intake()
    intake.judge(SITE, packed(1), history=False)
    assert intake.judge("13.02.11", packed(1), history=False) is Verdict.LIVE


def test_what_the_store_holds_at_the_start_is_known() -> None:
    intake = Intake()
    intake.remember(SITE, 1, 2, 3)
    assert intake.judge(SITE, packed(3), history=True) is Verdict.DUPLICATE
    assert intake.is_stored(SITE, 1, 3)


def test_an_office_that_restarts_without_end_costs_no_memory_without_end() -> None:
    intake = Intake()
    for epoch in range(10 * EPOCHS_MOST):
        intake.judge(SITE, packed(1, epoch=epoch), history=True)
    (office,) = intake._offices.values()
    assert office.older is not None
    assert 1 + len(office.older) == EPOCHS_MOST
