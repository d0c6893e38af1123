"""The table of a push: whatever happens in whatever order, never both and never neither."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.states import (
    SETTLED,
    TRANSITIONS,
    Event,
    Marker,
    Settling,
    State,
    TransitionError,
    meaning,
    settle,
    step,
)

EVENTS = st.lists(st.sampled_from(Event), max_size=40)


def test_every_state_has_its_row_and_every_state_is_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {state for row in TRANSITIONS.values() for state in row.values()}
    assert reached | {State.PLANNED} == set(State)


def test_only_the_devices_word_confirms_or_rolls_back() -> None:
    for row in TRANSITIONS.values():
        for event, state in row.items():
            if state is State.CONFIRMED:
                assert event is Event.DEVICE_CONFIRMED
            if state is State.ROLLED_BACK:
                assert event is Event.DEVICE_RESTORED


def test_from_everywhere_a_settled_state_can_be_reached() -> None:
    settled = set(SETTLED)
    for _ in State:
        settled |= {s for s, row in TRANSITIONS.items() if settled & set(row.values())}
    assert settled == set(State)


def test_what_is_settled_stays_as_it_is() -> None:
    for state in SETTLED:
        assert TRANSITIONS[state] == {}
        assert settle(state) is Settling.NOTHING
        with pytest.raises(TransitionError, match=state.value):
            step(state, Event.BEGIN)


def test_a_device_out_of_reach_is_unknown_and_never_guessed() -> None:
    for state, row in TRANSITIONS.items():
        if Event.LOST in row and state is not State.STUCK:
            assert row[Event.LOST] is State.UNKNOWN
    assert not set(TRANSITIONS[State.UNKNOWN]) & {Event.GOOD, Event.GO, Event.BEGIN, Event.SENT}


def test_nothing_is_ever_pushed_a_second_time() -> None:
    assert [s for s, row in TRANSITIONS.items() if State.PUSHING in row.values()] == [State.ARMED]
    later = (State.PUSHING, State.VERIFYING, State.CONFIRMING, State.UNKNOWN, State.ROLLING_BACK)
    for state in later:
        assert not {State.ARMED, State.ARMING, State.PLANNED} & set(TRANSITIONS[state].values())


@given(EVENTS)
def test_before_arming_the_only_end_is_aborted(events: list[Event]) -> None:
    state = State.PLANNED
    for event in events:
        if event in TRANSITIONS[state]:
            if state is State.PLANNED and step(state, event) in SETTLED:
                assert step(state, event) is State.ABORTED
            state = step(state, event)


@dataclass
class Device:
    """A device as the dead-man leaves it: two renames of one token, and only one can win."""

    marker: Marker = Marker.NONE
    changed: bool = False
    can_restore: bool = True

    def arm(self) -> None:
        if self.marker is Marker.NONE:
            self.marker = Marker.ARMED

    def apply(self) -> None:
        if self.marker is Marker.ARMED:
            self.changed = True

    def confirm(self) -> None:
        if self.marker is Marker.ARMED:
            self.marker = Marker.CONFIRMED

    def fire(self) -> None:
        if self.marker is Marker.ARMED:
            self.marker = Marker.FIRED
            self.changed = self.changed and not self.can_restore

    def says(self, was_armed: bool) -> Event | None:
        return meaning(
            self.marker,
            restored=None if self.marker is not Marker.FIRED else not self.changed,
            runs_before=not self.changed,
            was_armed=was_armed,
        )


ACTS = {
    State.ARMING: Device.arm,
    State.PUSHING: Device.apply,
    State.CONFIRMING: Device.confirm,
    State.ROLLING_BACK: Device.fire,
}


@given(
    turns=st.lists(
        st.tuples(
            st.sampled_from(("act", "lost act", "ask", "fire", "event")), st.sampled_from(Event)
        ),
        max_size=60,
    ),
    can_restore=st.booleans(),
)
def test_however_pusher_line_and_timer_interleave_the_end_is_the_devices_truth(
    turns: list[tuple[str, Event]], can_restore: bool
) -> None:
    """The pusher may die, the line may be cut before or after an act, the timer fires any time."""
    device = Device(can_restore=can_restore)
    state, was_armed = State.PLANNED, False
    said_by_us = set(Event) - {e for e in Event if e.value.startswith("device")}
    for turn, event in turns:
        if turn == "fire":
            device.fire()
        elif turn in ("act", "lost act") and state in ACTS:
            ACTS[state](device)
        elif turn == "ask" and settle(state) is Settling.ASK:
            answer = device.says(was_armed)
            if answer is not None and answer in TRANSITIONS[state]:
                state = step(state, answer)
        elif turn == "event" and event in said_by_us and event in TRANSITIONS[state]:
            if event is Event.ARMED and device.marker is not Marker.ARMED:
                continue  # it is read back before it is believed
            state = step(state, event)
        was_armed = was_armed or state is State.ARMED
    # Whoever asks at last learns the truth, and it is one of the three.
    device.fire()
    for _ in range(3):
        if settle(state) is Settling.ABORT:
            state = step(state, Event.REFUSE)
        elif settle(state) is Settling.ASK:
            answer = device.says(was_armed)
            assert answer is not None
            assert answer in TRANSITIONS[state], (state, answer)
            state = step(state, answer)
    truth = {
        State.CONFIRMED: device.marker is Marker.CONFIRMED,
        State.ROLLED_BACK: device.marker is Marker.FIRED and not device.changed,
        State.ABORTED: device.marker is Marker.NONE and not device.changed,
        State.STUCK: device.changed and device.marker is not Marker.CONFIRMED,
    }
    assert truth[state], (state, device)
