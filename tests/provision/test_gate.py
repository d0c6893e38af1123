"""The gate: nothing but new, live, good reports by the same circuit confirms a push."""

from __future__ import annotations

from dataclasses import replace

from provision.gate import Baseline, Heard, Opinion, Seen, baseline, floor, weigh

NOW = 1_795_500_000_000


def _report(seq: int, **changes: object) -> Heard:
    seen = (Seen("dc", True, seq, 20_000, 10, 10), Seen("dns", True, seq, 30_000, 1, 1))
    made = Heard("e1", seq, NOW + seq * 10_000, 10_000, False, "telkom", seen)
    return replace(made, **changes)  # type: ignore[arg-type]


def _with(report: Heard, **changes: object) -> Heard:
    first, *rest = report.seen
    return replace(report, seen=(replace(first, **changes), *rest))  # type: ignore[arg-type]


OLD = [_report(n) for n in range(1, 6)]


def _before() -> Baseline:
    made = baseline(OLD, OLD[-1].received_ms + 1000)
    assert isinstance(made, Baseline)
    return made


def _opinion(new: list[Heard], slow: frozenset[str] = frozenset()) -> tuple[Opinion, str]:
    weighed = weigh(_before(), floor(OLD), [*OLD, *new], slow)
    return weighed.opinion, weighed.reason


def test_three_new_reports_as_good_as_before_are_enough_and_are_named() -> None:
    weighed = weigh(_before(), floor(OLD), [*OLD, *(_report(n) for n in (6, 7, 8))])
    assert weighed.opinion is Opinion.GOOD
    assert weighed.evidence == ("e1/6", "e1/7", "e1/8")


def test_old_reports_are_no_evidence_however_many() -> None:
    assert _opinion([]) == (Opinion.WAIT, "no new report of the office yet")


def test_two_are_not_three_and_late_ones_do_not_count() -> None:
    assert _opinion([_report(6), _report(7)])[0] is Opinion.WAIT
    late = [_report(n, late=True) for n in (6, 7, 8)]
    assert _opinion(late)[0] is Opinion.WAIT


def test_one_bad_report_begins_the_count_anew() -> None:
    bad = _with(_report(8), good=False)
    assert _opinion([_report(6), _report(7), bad]) == (Opinion.WAIT, "report e1/8: dc fails")
    after = [_report(6), bad, _report(9), _report(10)]
    assert _opinion(after)[0] is Opinion.WAIT
    assert _opinion([*after, _report(11)])[0] is Opinion.GOOD


def test_another_circuit_is_not_as_before() -> None:
    new = [_report(n, path="lte") for n in (6, 7, 8)]
    opinion, reason = _opinion(new)
    assert opinion is Opinion.WAIT
    assert "came by circuit 'lte', before it was 'telkom'" in reason


def test_a_round_trip_may_breathe_and_not_double() -> None:
    breathing = [_with(_report(n), rtt_us=49_000) for n in (6, 7, 8)]
    assert _opinion(breathing)[0] is Opinion.GOOD
    slower = [_with(_report(n), rtt_us=90_000) for n in (6, 7, 8)]
    assert "dc takes 90 ms, 20 before" in _opinion(slower)[1]


def test_loss_is_weighed_over_the_reports_together() -> None:
    lossy = [_with(_report(n), received=8) for n in (6, 7, 8)]
    assert _opinion(lossy) == (Opinion.WAIT, "dc: 20% of packets lost, 0% before")


def test_a_run_that_ended_before_the_change_says_nothing_of_it() -> None:
    stale = [_with(_report(n), run=5) for n in (6, 7, 8)]
    assert "dc was not measured since the change" in _opinion(stale)[1]
    assert _opinion(stale, frozenset({"dc"}))[0] is Opinion.GOOD


def test_an_agent_that_started_anew_counts_from_one_again() -> None:
    later = [
        replace(_report(n), epoch="e2", received_ms=NOW + 100_000 + n * 10_000) for n in (1, 2, 3)
    ]
    assert _opinion(later)[0] is Opinion.GOOD


def test_nothing_may_be_changed_without_a_fresh_steady_healthy_baseline() -> None:
    now = OLD[-1].received_ms
    assert "only 2 live reports" in str(baseline(OLD[:2], now))
    assert "is 600 s old" in str(baseline(OLD, now + 600_000))
    changed = [*OLD[:-1], replace(OLD[-1], path="lte")]
    assert "changed its circuit" in str(baseline(changed, now))
    flapping = [*OLD[:-2], _with(OLD[-2], good=False), OLD[-1]]
    assert "not steady before the change: dc" in str(baseline(flapping, now))


def test_what_was_bad_before_need_not_be_good_afterwards() -> None:
    sick = [_with(report, good=False) for report in OLD]
    before = baseline(sick, sick[-1].received_ms)
    assert isinstance(before, Baseline)
    assert set(before.probes) == {"dns"}
    new = [_with(_report(n), good=False) for n in (6, 7, 8)]
    assert weigh(before, floor(sick), [*sick, *new]).opinion is Opinion.GOOD
