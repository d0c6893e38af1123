"""When was it measured? Clocks of 1970, an hour ahead, and stepped."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from collector.placing import Anchors
from tests.support.reports import BEGIN_MS, packed

SITE = "13.02.18"


def _heard(anchors: Anchors, seq: int, wall_ms: int, delay_ms: int = 20) -> tuple[int, bool]:
    report = packed(seq, wall_ms=wall_ms)
    heard_ms = seq * 10_000 + delay_ms
    placed = anchors.place(SITE, report, BEGIN_MS + heard_ms, heard_ms / 1000, live=True)
    return placed.time_ms - BEGIN_MS, placed.corrected


def test_a_clock_that_is_right_is_believed() -> None:
    assert _heard(Anchors(), 3, BEGIN_MS + 30_000) == (30_000, False)


def test_a_clock_of_1970_is_corrected_to_when_it_was_heard() -> None:
    assert _heard(Anchors(), 3, 123_000) == (30_020, True)


def test_a_clock_an_hour_ahead_never_places_a_report_in_the_future() -> None:
    time_ms, corrected = _heard(Anchors(), 3, BEGIN_MS + 30_000 + 3_600_000)
    assert (time_ms, corrected) == (30_020, True)


def test_the_backlog_of_a_wrong_clock_is_placed_by_its_uptime() -> None:
    anchors = Anchors()
    _heard(anchors, 100, 555_000)
    old = packed(40, wall_ms=1_000)
    placed = anchors.place(SITE, old, BEGIN_MS + 2_000_000, 2000.0, live=False)
    assert abs(placed.time_ms - (BEGIN_MS + 400_000)) <= 20
    assert placed.corrected
    assert placed.skew_ms == 1_000 - placed.time_ms


def test_history_of_a_boot_never_heard_live_rests_on_its_own_clock() -> None:
    report = packed(1, wall_ms=BEGIN_MS)
    placed = Anchors().place(SITE, report, BEGIN_MS + 60_000, 60.0, live=False)
    assert (placed.time_ms, placed.corrected) == (BEGIN_MS, False)


def test_a_boot_is_anchored_by_its_quickest_report() -> None:
    anchors = Anchors()
    _heard(anchors, 1, 0, delay_ms=900)
    _heard(anchors, 2, 0, delay_ms=30)
    time_ms, corrected = _heard(anchors, 3, 0, delay_ms=800)
    assert 30_030 <= time_ms <= 30_035
    assert corrected


def test_a_step_of_the_collectors_own_clock_moves_no_report() -> None:
    anchors = Anchors()
    _heard(anchors, 1, BEGIN_MS + 10_000)
    stepped_ms = BEGIN_MS + 20_000 + 7_200_000
    placed = anchors.place(SITE, packed(2, wall_ms=stepped_ms), stepped_ms, 20.0, live=True)
    assert placed.time_ms == stepped_ms


def test_reports_that_waited_while_the_collector_stood_still_keep_their_times() -> None:
    """Stopped for 30 s, it finds three reports in its socket and reads them in one go."""
    anchors = Anchors()
    _heard(anchors, 1, BEGIN_MS + 10_000)
    for seq, waited_ms in ((2, 30_000), (3, 20_000), (4, 10_000)):
        made_ms = seq * 10_000
        assert _heard(anchors, seq, BEGIN_MS + made_ms, waited_ms) == (made_ms, False)


def test_a_report_that_was_retried_for_seconds_keeps_its_time_though_its_clock_is_wrong() -> None:
    anchors = Anchors()
    _heard(anchors, 1, 555_000, delay_ms=20)
    time_ms, corrected = _heard(anchors, 2, 565_000, delay_ms=7_000)
    assert abs(time_ms - 20_020) <= 5
    assert corrected


def test_an_uptime_that_runs_slow_is_followed() -> None:
    """50 ppm are 4 s a day: without following, the day's end would be placed 4 s early."""
    anchors = Anchors()
    for tenth in range(8_640):
        true_ms = tenth * 10_000
        report = packed(1, wall_ms=0, uptime_ms=round(true_ms * (1 - 50e-6)))
        heard = (BEGIN_MS + true_ms, true_ms / 1000)
        assert anchors.place(SITE, report, *heard, live=True).time_ms == BEGIN_MS + true_ms


def test_an_uptime_that_goes_back_within_a_boot_is_taken_for_what_it_is() -> None:
    """What was learned from the nonsense before is forgotten: nothing is placed in 1970."""
    anchors = Anchors()
    nonsense = packed(1, wall_ms=0, uptime_ms=2**62)
    anchors.place(SITE, nonsense, BEGIN_MS + 10_000, 10.0, live=True)
    waiting = packed(1, wall_ms=BEGIN_MS, uptime_ms=5_000)
    placed = anchors.place(SITE, waiting, BEGIN_MS + 15_000, 15.0, live=False)
    assert (placed.time_ms, placed.corrected) == (BEGIN_MS, False)
    assert _heard(anchors, 2, 0) == (20_020, True)
    assert _heard(anchors, 3, 0) == (30_020, True)


@given(st.integers(0, 2**50), st.integers(0, 2**40), st.integers(BEGIN_MS, 2**42), st.booleans())
def test_nothing_is_ever_placed_in_the_future(
    wall_ms: int, uptime_ms: int, received_ms: int, live: bool
) -> None:
    report = packed(1, wall_ms=wall_ms, uptime_ms=uptime_ms)
    assert Anchors().place(SITE, report, received_ms, 5.0, live=live).time_ms <= received_ms


_U64 = st.integers(0, 2**64 - 1)


@given(_U64, _U64, _U64, _U64, st.booleans())
@example(2**64 - 1, 0, 2**64 - 1, 0, False)
def test_an_office_that_speaks_nonsense_of_its_clocks_is_placed_where_a_database_can_hold_it(
    uptime_ms: int, later_ms: int, wall_ms: int, later_wall_ms: int, live: bool
) -> None:
    anchors = Anchors()
    first = packed(1, wall_ms=wall_ms, uptime_ms=uptime_ms)
    second = packed(2, wall_ms=later_wall_ms, uptime_ms=later_ms)
    for report, is_live in ((first, True), (second, live)):
        placed = anchors.place(SITE, report, BEGIN_MS, 5.0, live=is_live)
        assert 0 <= placed.time_ms <= BEGIN_MS
