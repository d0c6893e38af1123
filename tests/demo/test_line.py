"""A line's decisions: what its condition does to one packet."""

from __future__ import annotations

import pytest

from demo.line import Condition, Fate, Line, Why, datagram_fate, segment_fate


@pytest.mark.parametrize(
    ("condition", "luck", "fate"),
    [
        (Condition(), 0.0, Fate(Why.PASSED)),
        (Condition(delay_s=0.2), 0.0, Fate(Why.PASSED, 0.1)),
        (Condition(loss_ratio=0.3), 0.29, Fate(Why.LOST)),
        (Condition(loss_ratio=0.3), 0.30, Fate(Why.PASSED)),
        (Condition(loss_ratio=1.0), 0.999, Fate(Why.LOST)),
        (Condition(cut=True, delay_s=0.2), 0.9, Fate(Why.CUT)),
    ],
)
def test_a_datagram_passes_late_or_never(condition: Condition, luck: float, fate: Fate) -> None:
    assert datagram_fate(condition, luck) == fate


@pytest.mark.parametrize(
    ("condition", "lucks", "fate"),
    [
        (Condition(), [], Fate(Why.PASSED)),
        (Condition(delay_s=0.2), [], Fate(Why.PASSED, 0.1)),
        (Condition(loss_ratio=0.5), [0.4, 0.4, 0.6], Fate(Why.PASSED, 0.2 + 0.4)),
        (Condition(loss_ratio=0.99), [0.0] * 6, Fate(Why.PASSED, 12.6)),
        (Condition(loss_ratio=1.0), [], Fate(Why.CUT)),
        (Condition(cut=True), [], Fate(Why.CUT)),
    ],
)
def test_a_lost_segment_costs_time_and_no_octet(
    condition: Condition, lucks: list[float], fate: Fate
) -> None:
    draws = iter(lucks)
    answer = segment_fate(condition, lambda: next(draws, 1.0))
    assert answer.why is fate.why
    assert answer.after_s == pytest.approx(fate.after_s)


def test_a_handshake_takes_the_whole_round_trip() -> None:
    fate = segment_fate(Condition(delay_s=0.2), lambda: 1.0, handshake=True)
    assert fate == Fate(Why.PASSED, 0.2)


def test_a_seed_draws_the_same_weather_again_and_the_ratio_is_kept() -> None:
    def weather() -> list[Why]:
        line = Line(seed=7, condition=Condition(loss_ratio=0.2))
        return [line.datagram().why for _ in range(10_000)]

    first = weather()
    assert first == weather()
    # Three binomial standard deviations of 10,000 draws at 0.2 are 120.
    assert abs(first.count(Why.LOST) - 2000) < 120


def test_watchers_hear_of_each_change() -> None:
    line = Line()
    heard: list[Condition] = []
    line.watch(lambda: heard.append(line.condition))
    line.become(Condition(cut=True))
    line.become(Condition())
    assert heard == [Condition(cut=True), Condition()]


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Condition(), "good"),
        (Condition(cut=True, loss_ratio=0.1), "cut"),
        (Condition(loss_ratio=0.3), "30% lost each way"),
        (Condition(loss_ratio=0.05, delay_s=0.6), "5% lost each way, +600 ms"),
    ],
)
def test_a_condition_reads_as_a_person_says_it(condition: Condition, text: str) -> None:
    assert str(condition) == text
