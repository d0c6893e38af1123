"""Which way the reports take: in order, round and round, and back to the first."""

from __future__ import annotations

from itertools import pairwise

from agent.roster import SHORT_S, Roster, patience_s


def test_patience_is_half_an_interval_and_at_least_three_seconds() -> None:
    assert [patience_s(seconds) for seconds in (1, 10, 60)] == [3.0, 5.0, 30.0]


def test_the_only_way_is_never_left() -> None:
    roster = Roster(1, 5.0)
    roster.sent(0.0)
    assert not roster.turn(1_000.0)


def test_the_next_way_is_taken_when_the_first_has_had_its_time() -> None:
    roster = Roster(2, 5.0)
    roster.sent(10.0)
    assert not roster.turn(14.9)
    assert roster.turn(15.0)
    assert roster.active == 1


def test_on_a_dead_line_the_ways_are_tried_in_short_turns_round_and_round() -> None:
    roster, now = Roster(3, 5.0), 0.0
    taken: list[tuple[int, float]] = []
    while len(taken) < 6:
        roster.sent(now)
        if roster.turn(now):
            taken.append((roster.active, now))
        now += 0.5
    assert [way for way, _ in taken] == [1, 2, 0, 1, 2, 0]
    assert all(b - a <= SHORT_S + 0.5 for (_, a), (_, b) in pairwise(taken))


def test_a_way_that_answers_has_its_full_time_again() -> None:
    roster = Roster(2, 5.0)
    roster.sent(0.0)
    roster.turn(5.0)
    roster.sent(5.0)
    assert not roster.heard(1)
    roster.sent(15.0)
    assert not roster.turn(19.0)
    assert roster.turn(20.0)


def test_earlier_ways_are_scouted_and_the_first_that_answers_is_returned_to() -> None:
    roster = Roster(3, 5.0)
    for now in (0.0, 5.0, 7.0):
        roster.sent(now)
        roster.turn(now + SHORT_S if now else 5.0)
    roster.active = 2
    assert list(roster.scouts()) == [0, 1]
    assert roster.heard(1)
    assert roster.active == 1
    assert roster.heard(0)
    assert list(roster.scouts()) == []


def test_a_late_answer_of_a_way_that_was_left_is_a_reason_to_return_only_if_it_is_earlier() -> None:
    roster = Roster(3, 5.0)
    assert not roster.heard(2)
    assert roster.active == 0
