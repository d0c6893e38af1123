"""Waves: one, three, ten; a first office that takes it back pauses, a second one stops."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.states import State
from provision.waves import OVER, TRANSITIONS, End, Phase, Rollout, Sign, rollout

KEPT, UNDONE, STUCK = State.CONFIRMED, State.ROLLED_BACK, State.STUCK


def past(*states: State) -> list[End]:
    """Return pushes that ended so, one after the other."""
    bad = [state is not KEPT for state in states]
    return [End(state, sum(bad[:index])) for index, state in enumerate(states)]


@dataclass
class Going:
    """A plan that goes on as far as it may, one office after the other beginning."""

    plan: Rollout
    waves: list[int] = field(default_factory=list)

    def wave(self, *ends: State | None) -> Phase:
        """Begin as many as may, and end them so; those of whom nothing is said keep it."""
        size = 0
        while self.plan.room:
            self.plan = self.plan.began()
            size += 1
        self.waves.append(size)
        for end in [*ends, *[KEPT] * (size - len(ends))]:
            self.plan = self.plan.ended(end)
        return self.plan.phase

    def soak(self) -> None:
        self.plan = self.plan.soaked(well=True)


def test_every_phase_has_its_row_and_every_sign_leads_somewhere() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert {sign for row in TRANSITIONS.values() for sign in row} == set(Sign)
    assert all(TRANSITIONS[phase] == {} for phase in OVER)


def test_the_canary_goes_alone_the_waves_grow_and_each_is_watched_before_the_next() -> None:
    going = Going(rollout([], 100))
    while going.wave() is Phase.SOAK:
        going.soak()
    assert going.plan.phase is Phase.DONE
    assert going.waves == [1, 3, 10, 86]


def test_no_wave_is_larger_than_it_was_told_to_be() -> None:
    going = Going(rollout([], 20, most=4))
    while going.wave() is Phase.SOAK:
        going.soak()
    assert going.waves == [1, 3, 4, 4, 4, 4]


def test_the_first_that_takes_it_back_pauses_and_whoever_goes_on_begins_with_one() -> None:
    going = Going(rollout(past(*[KEPT] * 14), 50))
    going.soak()
    assert going.wave(KEPT, UNDONE) is Phase.PAUSED
    assert going.plan.undone == 1
    again = Going(rollout(past(*[KEPT] * 15, UNDONE), 48))
    assert again.wave() is Phase.SOAK
    assert again.waves == [1]


def test_those_that_were_under_way_when_one_took_it_back_are_no_canaries() -> None:
    at_once = [End(UNDONE, 0), *[End(KEPT, 0)] * 7]
    assert rollout(at_once, 9).room == 1
    assert rollout([*at_once, End(KEPT, 1)], 8).phase is Phase.SOAK


def test_nothing_begins_while_a_pause_waits_for_those_under_way() -> None:
    plan = rollout(past(KEPT), 9).soaked(well=True).began().began().ended(UNDONE)
    assert plan.phase is Phase.HOLDING
    assert plan.room == 0
    assert plan.ended(KEPT).phase is Phase.PAUSED


def test_the_second_that_takes_it_back_stops_the_plan_for_good() -> None:
    going = Going(rollout(past(KEPT, UNDONE, KEPT), 10))
    going.soak()
    assert going.wave(UNDONE) is Phase.STOPPED
    assert rollout(past(KEPT, UNDONE, KEPT, UNDONE), 9).phase is Phase.STOPPED
    at_once = rollout(past(KEPT), 9).soaked(well=True).began().began().began()
    assert at_once.ended(UNDONE).ended(UNDONE).ended(KEPT).phase is Phase.STOPPED


@pytest.mark.parametrize("before", [[], [KEPT], [KEPT, UNDONE]])
def test_one_that_is_stuck_stops_it_at_once(before: list[State]) -> None:
    assert rollout(past(*before, STUCK), 9).phase is Phase.STOPPED
    plan = rollout([], 9).began().ended(STUCK)
    assert plan.phase is Phase.STOPPED


def test_one_out_of_reach_counts_as_one_that_took_it_back() -> None:
    assert rollout([], 9).began().ended(State.UNKNOWN).phase is Phase.PAUSED


def test_an_office_that_was_passed_over_gives_its_place_to_another() -> None:
    going = Going(rollout([], 9))
    assert going.wave(None) is Phase.WAVE
    assert going.wave(State.ABORTED) is Phase.WAVE
    assert going.wave() is Phase.SOAK
    assert going.waves == [1, 1, 1]
    assert rollout([], 1).began().ended(None).phase is Phase.DONE


def test_an_office_that_got_worse_while_it_was_watched_pauses_the_plan() -> None:
    assert rollout(past(KEPT), 9).soaked(well=False).phase is Phase.PAUSED


def test_a_killed_pushers_soak_is_taken_up_and_half_a_wave_is_made_whole() -> None:
    assert rollout(past(KEPT), 9).phase is Phase.SOAK
    half = rollout(past(KEPT, KEPT), 8)
    assert (half.phase, half.room) == (Phase.WAVE, 2)
    assert rollout(past(*[KEPT] * 9), 0).phase is Phase.DONE


@given(
    ends=st.lists(
        st.sampled_from((KEPT, KEPT, KEPT, UNDONE, STUCK, State.UNKNOWN, None)), max_size=120
    ),
    waiting=st.integers(1, 60),
    most=st.one_of(st.none(), st.integers(1, 12)),
)
def test_however_offices_end_no_more_are_at_risk_than_the_table_promises(
    ends: list[State | None], waiting: int, most: int | None
) -> None:
    plan, said = rollout([], waiting, most), list[State]()
    for end in ends:
        while plan.room:
            plan = plan.began()
        assert plan.waiting >= 0
        assert plan.under_way <= (most or 60)
        if plan.phase is Phase.SOAK:
            plan = plan.soaked(well=True)
        elif plan.under_way:
            plan = plan.ended(end)
            if end is not None:
                said.append(end)
        bad = sum(1 for one in said if one is not KEPT)
        assert bad == plan.undone
        if bad:
            assert plan.phase in (Phase.HOLDING, Phase.HALTING, Phase.PAUSED, Phase.STOPPED)
        if not plan.under_way and plan.phase is not Phase.SOAK:
            again = rollout(past(*said), plan.waiting, most).phase
            assert (again is Phase.STOPPED) == (plan.phase is Phase.STOPPED)
            assert (again is Phase.DONE) <= (plan.waiting == 0)
    if plan.phase in (Phase.HOLDING, Phase.HALTING):
        assert plan.under_way
