"""When was it measured? Clocks of 1970, an hour ahead, and stepped."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.placing import Anchors, Placed
from tabuah import block
from tests.support import reports
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


def test_a_straggler_of_an_earlier_boot_is_placed_by_it_though_its_clock_was_stepped() -> None:
    """Delayed for two minutes and over a reboot: it is no sign that its boot was misunderstood."""
    anchors, reboot = Anchors(), bytes(range(16, 32))
    _heard(anchors, 1, BEGIN_MS + 10_000)
    _heard(anchors, 3, BEGIN_MS + 30_000 - 2_500)  # the clock was set back meanwhile
    after = packed(9, boot_id=reboot, uptime_ms=5_000, wall_ms=BEGIN_MS + 90_000)  # type: ignore[arg-type]
    anchors.place(SITE, after, BEGIN_MS + 90_020, 90.02, live=True)
    for seq, now in ((1, 139.0), (2, 140.0)):
        late = packed(seq, wall_ms=BEGIN_MS + seq * 10_000)
        placed = anchors.place(SITE, late, BEGIN_MS + round(now * 1000), now, live=True)
        assert abs(placed.time_ms - (BEGIN_MS + seq * 10_000)) <= 50


@pytest.mark.parametrize("first_wall_ms", [0, BEGIN_MS + 3_600_000])
def test_a_straggler_from_before_its_clock_was_set_is_placed_by_its_uptime(
    first_wall_ms: int,
) -> None:
    """The clock said 1970, or an hour too much, when it left; it comes two minutes later."""
    anchors = Anchors()
    _heard(anchors, 1, first_wall_ms + 10_000)
    _heard(anchors, 9, BEGIN_MS + 90_000)
    straggler = packed(2, uptime_ms=20_000, wall_ms=first_wall_ms + 20_000)
    placed = anchors.place(SITE, straggler, BEGIN_MS + 140_000, 140.0, live=True)
    assert placed.corrected
    assert abs(placed.time_ms - (BEGIN_MS + 20_000)) <= 50
    assert _heard(anchors, 15, BEGIN_MS + 150_000) == (150_000, False)


def test_a_machine_set_back_to_an_earlier_state_is_anchored_anew() -> None:
    """A snapshot brings back the boot's ID with a lesser uptime; the clock is set at once."""
    anchors = Anchors()
    _heard(anchors, 60, BEGIN_MS + 600_000)
    back = packed(61, uptime_ms=100_000, wall_ms=BEGIN_MS + 610_000)
    placed = anchors.place(SITE, back, BEGIN_MS + 610_020, 610.02, live=True)
    assert (placed.time_ms, placed.corrected) == (BEGIN_MS + 610_000, False)


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


Z, A, A2, B = (bytes([letter]) * 16 for letter in b"zabB")
"""Boots: before the outage, two within it, and the one that is heard again."""


class _Village:
    """An office whose line is cut at 1,000 s and back at 10,000 s; it reboots in between.

    All times are seconds on the true clock, which is the collector's; `wall` says what the
    office's clock reads at a true time, for each boot.
    """

    BOOTS: ClassVar[dict[bytes, tuple[int, int]]] = {
        Z: (0, 2_000), A: (2_100, 4_000), A2: (4_060, 7_000), B: (7_300, 11_000),
    }  # fmt: skip

    def __init__(self, wall: Callable[[bytes, int], int]) -> None:
        self._wall = wall
        self._anchors = Anchors()
        self.placed: dict[tuple[bytes, int], Placed] = {}
        self._seq = 0

    def say(self, boot: bytes, at: int, heard: int, *, live: bool) -> Placed:
        began, ended = self.BOOTS[boot]
        assert began <= at < ended
        self._seq += 1
        report = block.pack(
            reports.report(
                self._seq,
                boot_id=boot,
                uptime_ms=(at - began) * 1000,
                wall_ms=self._wall(boot, at) * 1000,
            )
        )
        heard_ms = BEGIN_MS + heard * 1000 + 30
        placed = self._anchors.place(SITE, report, heard_ms, heard + 0.03, live=live)
        assert placed.time_ms <= heard_ms, "nothing in the future"
        self.placed[boot, at] = placed
        return placed

    def live_through(self) -> Self:
        for at in range(0, 1_000, 10):
            self.say(Z, at, at, live=True)
        self.say(B, 10_000, 10_000, live=True)
        backlog = [
            (boot, at)
            for boot, (began, ended) in self.BOOTS.items()
            for at in range(max(began, 1_000), min(ended, 10_000), 10)
        ]
        for boot, at in backlog:
            self.say(boot, at, 10_010 + at // 1_000, live=False)
        for at in range(10_030, 10_100, 10):
            self.say(B, at, at, live=True)
        return self

    def error_s(self, boot: bytes) -> float:
        """How far from the truth the reports of a boot were placed, at most."""
        return max(
            abs(placed.time_ms - BEGIN_MS - at * 1000) / 1000
            for (of, at), placed in self.placed.items()
            if of == boot
        )


def _true(at: int) -> int:
    return BEGIN_MS // 1000 + at


def test_an_outage_of_an_office_that_always_boots_in_1970_is_told_in_its_order() -> None:
    village = _Village(lambda boot, at: at - _Village.BOOTS[boot][0]).live_through()
    assert village.error_s(Z) <= 2
    assert village.error_s(B) <= 2
    # How long it was off (100 s, 160 s in all) nobody can know; all else of it is known.
    assert village.error_s(A) <= 110
    assert village.error_s(A2) <= 180
    times = [placed.time_ms for (_, at), placed in sorted(village.placed.items(), key=_at)]
    assert times == sorted(times)
    assert all(placed.corrected for placed in village.placed.values())


def test_an_office_an_hour_ahead_is_placed_by_how_wrong_its_clock_is_now() -> None:
    village = _Village(lambda _, at: _true(at) + 3_600).live_through()
    for boot in _Village.BOOTS:
        assert village.error_s(boot) <= 2
    assert all(placed.corrected for placed in village.placed.values())


def test_an_office_whose_clock_is_right_is_believed_in_every_boot() -> None:
    village = _Village(lambda _, at: _true(at)).live_through()
    for boot in _Village.BOOTS:
        assert village.error_s(boot) <= 0.1
    assert not any(placed.corrected for placed in village.placed.values())


@pytest.mark.parametrize("step", [-7_200, -300, -3, 3, 300, 7_200, 10**9])
def test_a_clock_stepped_amid_the_backlog_moves_no_report(step: int) -> None:
    village = _Village(lambda _, at: _true(at) + (0 if at < 8_000 else step)).live_through()
    for boot in (Z, B):
        assert village.error_s(boot) <= 2
    village = _Village(lambda _, at: _true(at) + (step if at < 8_000 else 0)).live_through()
    for boot in (Z, B):
        assert village.error_s(boot) <= 2


def test_a_clock_set_in_a_boot_that_was_never_heard_is_believed_from_then_on() -> None:
    def wall(boot: bytes, at: int) -> int:
        return at - _Village.BOOTS[boot][0] if boot == A and at < 3_000 else _true(at)

    village = _Village(wall).live_through()
    late = [placed for (boot, at), placed in village.placed.items() if boot == A and at >= 3_000]
    assert not any(placed.corrected for placed in late)
    assert village.error_s(A2) <= 0.1


def test_one_offices_wrong_clock_moves_no_other() -> None:
    anchors = Anchors()
    for seq in range(1, 50):
        for site, ahead_ms in (("13.02.10", 0), ("13.02.11", 3_600_000), ("13.02.12", -BEGIN_MS)):
            made_ms = BEGIN_MS + seq * 10_000
            report = packed(seq, wall_ms=max(made_ms + ahead_ms, 0))
            heard = (made_ms + 20, seq * 10 + 0.02)
            placed = anchors.place(site, report, *heard, live=True)
            assert abs(placed.time_ms - made_ms) <= 20
            assert placed.corrected is (ahead_ms != 0)
            assert abs(placed.skew_ms - ahead_ms) <= 20


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Z, A, B]),
            st.integers(0, 2**40),
            st.integers(0, 2**42),
            st.booleans(),
            st.integers(0, 100_000),
        ),
        max_size=30,
    )
)
def test_whatever_boots_come_in_whatever_order_nothing_is_placed_in_the_future(
    said: list[tuple[bytes, int, int, bool, int]],
) -> None:
    anchors = Anchors()
    now_ms = 1_000
    for seq, (boot_id, uptime_ms, wall_ms, live, later_ms) in enumerate(said, 1):
        now_ms += later_ms
        report = block.pack(
            reports.report(seq, boot_id=boot_id, uptime_ms=uptime_ms, wall_ms=wall_ms)
        )
        heard_ms = BEGIN_MS + now_ms
        placed = anchors.place(SITE, report, heard_ms, now_ms / 1000, live=live)
        assert 0 <= placed.time_ms <= heard_ms
        if not placed.corrected:
            assert placed.time_ms == min(wall_ms, heard_ms)


@given(st.integers(0, 2**50), st.integers(0, 2**40), st.integers(BEGIN_MS, 2**42), st.booleans())
def test_nothing_is_ever_placed_in_the_future(
    wall_ms: int, uptime_ms: int, received_ms: int, live: bool
) -> None:
    report = packed(1, wall_ms=wall_ms, uptime_ms=uptime_ms)
    assert Anchors().place(SITE, report, received_ms, 5.0, live=live).time_ms <= received_ms


def _at(entry: tuple[tuple[bytes, int], Placed]) -> int:
    return entry[0][1]


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
