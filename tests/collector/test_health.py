"""Up, silent, unknown: what is heard, what is not, and whether anyone listened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.health import TRANSITIONS, Change, Health, Signal, threshold_s
from collector.live import Received, State
from tests.support.reports import BEGIN_MS, report

SITE = "13.02.10"


class Watched:
    """A health and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.health = Health([SITE, "13.02.11"], self.now, self.now_ms)
        self.seq = 0

    @property
    def now_ms(self) -> int:
        return BEGIN_MS + round(self.now * 1000)

    def received(self, srtt_ms: int = 0) -> Received:
        self.seq += 1
        said = report(self.seq, site=SITE, srtt_ms=srtt_ms)
        return Received(said, self.now_ms, self.now_ms, corrected=False, late=False)

    def hear(self, srtt_ms: int = 0) -> Change | None:
        return self.health.heard(SITE, self.received(srtt_ms), self.now)

    def wait(self, seconds: float, step: float = 0.5) -> list[Change]:
        changes = []
        end = self.now + seconds
        while self.now < end:
            self.now += step
            changes += self.health.tick(self.now, self.now_ms)
        return changes

    @property
    def state(self) -> State:
        return self.health.views[SITE].state


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_the_threshold_is_17_s_on_a_fast_line_and_follows_a_slow_one() -> None:
    assert threshold_s(10_000, 40) == 17.0
    assert threshold_s(10_000, 600) == pytest.approx(10 + 12 * 0.9 + 1)
    assert threshold_s(60_000, 0) == 67.0


def test_an_office_never_heard_is_unknown_however_long(watched: Watched) -> None:
    assert watched.wait(600) == []
    assert watched.state is State.UNKNOWN


def test_an_office_is_up_with_its_first_report(watched: Watched) -> None:
    change = watched.hear()
    assert change is not None
    assert (change.before, change.after) == (State.UNKNOWN, State.UP)
    assert watched.hear() is None


def test_an_office_falls_silent_17_s_after_its_last_report_and_no_sooner(
    watched: Watched,
) -> None:
    watched.hear()
    heard_ms = watched.now_ms
    assert watched.wait(17.0) == []
    (change,) = watched.wait(1.0)
    assert (change.after, change.at_ms) == (State.SILENT, heard_ms)
    assert watched.wait(60) == [], "it is said once"


def test_a_silent_office_is_up_with_the_next_report(watched: Watched) -> None:
    watched.hear()
    watched.wait(30)
    change = watched.hear()
    assert change is not None
    assert (change.before, change.after) == (State.SILENT, State.UP)


def test_a_silence_ends_when_a_report_came_not_when_it_was_made(watched: Watched) -> None:
    watched.hear()
    watched.wait(10)
    made_in_the_cut = replace(watched.received(), time_ms=watched.now_ms)
    watched.wait(20)
    came = replace(made_in_the_cut, received_ms=watched.now_ms)
    change = watched.health.heard(SITE, came, watched.now)
    assert change is not None
    assert change.at_ms == watched.now_ms


def test_a_collector_that_stood_still_calls_nobody_silent_before_it_has_listened(
    watched: Watched,
) -> None:
    watched.hear()
    watched.now += 30  # stopped, and continued
    assert watched.health.tick(watched.now, watched.now_ms) == []
    assert watched.wait(17.0) == []
    assert [change.after for change in watched.wait(1.0)] == [State.SILENT]


def test_after_a_restart_an_office_that_stays_away_is_silent_once_we_have_listened(
    watched: Watched,
) -> None:
    watched.health.expect(SITE, watched.received())
    assert watched.state is State.UNKNOWN
    assert watched.wait(17.0) == []
    (change,) = watched.wait(1.0)
    assert (change.before, change.after) == (State.UNKNOWN, State.SILENT)


def test_a_new_inventory_keeps_the_states_of_those_that_stay(watched: Watched) -> None:
    watched.hear()
    watched.health.renew([SITE, "13.02.99"], watched.now_ms)
    assert watched.state is State.UP
    assert set(watched.health.views) == {SITE, "13.02.99"}
    watched.health.renew(["13.02.99"], watched.now_ms)
    assert watched.wait(60) == []


def test_the_table_leads_only_to_states_it_knows_how_to_leave() -> None:
    for after in TRANSITIONS.values():
        assert (after, Signal.HEARD) in TRANSITIONS
