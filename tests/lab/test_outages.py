"""What is cut, killed or stopped: who is called silent, who is told, and what is found afterwards.

The tests run in this order on one stack; the last one leaves it without a collector.
"""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from tests.lab.net import Office
from tests.lab.said import ReportSaid
from tests.lab.stack import INTERVAL_S, Stack

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

SILENT_WITHIN_S = INTERVAL_S + 12 * 0.5 + 1 + 3
"""The threshold on a fast line, and what a busy machine may add."""


def test_a_cut_office_falls_silent_is_announced_once_and_tells_all_afterwards(
    stack: Stack, office: Office
) -> None:
    others = [each for each in stack.lab.offices if each != office]
    before = len(stack.messages(office))
    others_before = [len(stack.messages(each)) for each in others]
    cut_at = datetime.now(UTC)
    stack.lab.cut(office)
    stack.await_state(office, "silent", SILENT_WITHIN_S)
    stack.until(
        5, lambda: stack.messages(office)[before:] == ["firing"], lambda: str(stack.hook.bodies)
    )
    labels = f'{{site="{stack.codes[office]}"}}'
    stack.until(
        6,
        lambda: stack.ask(f"tabuah_site_state{labels} == 1", "state") == {"silent": 1.0},
        "Prometheus to say silent",
    )
    assert stack.ask(f"tabuah_site_up{labels}") == {}
    assert stack.ask(f"tabuah_probe_rtt_seconds{labels}") == {}
    time.sleep(3 * INTERVAL_S)
    assert stack.messages(office)[before:] == ["firing"]
    restored_at = datetime.now(UTC)
    stack.lab.restore(office)
    assert stack.await_state(office, "up", 10) < 10
    stack.until(
        5,
        lambda: stack.messages(office)[before:] == ["firing", "resolved"],
        lambda: str(stack.hook.bodies),
    )
    # It is heard before it is on disk: what is missing shows once a report of after it is there.
    stack.until(
        20,
        lambda: any(r.time > restored_at for r in stack.reports(office)),
        "a report of after the cut",
    )
    stack.until(20, lambda: not _missing(stack.reports(office)), "the missed reports")
    missed = [r for r in stack.reports(office) if cut_at < r.time < restored_at]
    late = [r for r in missed if r.late]
    seconds = (restored_at - cut_at).total_seconds()
    assert len(late) >= seconds / INTERVAL_S - 2
    assert all(r.received >= restored_at for r in late)
    # What the office measured while it was cut off: its own router answered, the rest did not.
    midst = late[len(late) // 2]
    said = {m.probe: m.status for m in midst.measurements}
    assert said["router"] == "response_received"
    assert said["dc"] == said["anchor"] == "request_timed_out"
    time.sleep(2 * INTERVAL_S)
    assert stack.messages(office)[before:] == ["firing", "resolved"]
    assert [len(stack.messages(each)) for each in others] == others_before


def test_a_killed_collector_calls_nobody_silent_and_forgets_nothing(stack: Stack) -> None:
    messages = stack.hook.bodies
    known = {office: _ids(stack.reports(office)) for office in stack.lab.offices}
    killed_at = datetime.now(UTC)
    stack.signal_collector(signal.SIGKILL)
    time.sleep(SILENT_WITHIN_S + 2)  # long enough to be silent, were it the offices' fault
    stack.start_collector()
    started_at = datetime.now(UTC)
    _watch_that_nobody_is_silent(stack, 20)
    assert stack.hook.bodies == messages
    for office in stack.lab.offices:
        stack.await_state(office, "up", 5)
        _assert_whole(stack, office)
        reports = stack.reports(office)
        assert known[office] <= _ids(reports)
        made_meanwhile = [r for r in reports if killed_at < r.time < started_at]
        assert len(made_meanwhile) >= (SILENT_WITHIN_S + 2) / INTERVAL_S - 1


def test_a_collector_stopped_for_30_s_calls_nobody_silent(stack: Stack) -> None:
    messages = stack.hook.bodies
    stopped_at = datetime.now(UTC)
    stack.signal_collector(signal.SIGSTOP)
    time.sleep(30)
    stack.signal_collector(signal.SIGCONT)
    continued_at = datetime.now(UTC)
    _watch_that_nobody_is_silent(stack, 20)
    assert stack.hook.bodies == messages
    for office in stack.lab.offices:
        stack.await_state(office, "up", 5)
        _assert_whole(stack, office)
        made_meanwhile = [r for r in stack.reports(office) if stopped_at < r.time < continued_at]
        assert len(made_meanwhile) >= 30 / INTERVAL_S - 2


def test_an_agent_killed_and_started_again_is_one_more_epoch(stack: Stack, office: Office) -> None:
    epochs = {r.epoch for r in stack.reports(office)}
    agent = stack.agents[office]
    agent.kill()
    agent.wait()
    stack.start_agent(office)
    stack.until(
        15,
        lambda: len({r.epoch for r in stack.reports(office)} - epochs) == 1,
        "a report of the new epoch",
    )
    _assert_whole(stack, office)


def test_prometheus_says_that_the_collector_is_absent(stack: Stack) -> None:
    alert = 'ALERTS{alertname="TabuahCollectorAbsent"}'
    assert stack.ask(alert, "alertstate") == {}
    stack.signal_collector(signal.SIGKILL)
    stack.until(
        20,
        lambda: (
            set(stack.ask(alert, "alertstate")) <= {"pending", "firing"}
            and bool(stack.ask(alert, "alertstate"))
        ),
        "TabuahCollectorAbsent",
    )
    stack.start_collector()
    stack.until(20, lambda: stack.ask(alert, "alertstate") == {}, "the alert's end")


def _watch_that_nobody_is_silent(stack: Stack, seconds: float) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for code, state in stack.states().items():
            seen[code].add(state)
        time.sleep(0.1)
    assert all(states <= {"up", "unknown"} for states in seen.values()), dict(seen)


def _ids(reports: list[ReportSaid]) -> set[tuple[str, int]]:
    return {(r.epoch, r.seq) for r in reports}


def _missing(reports: list[ReportSaid]) -> dict[str, list[int]]:
    """Return epoch -> numbers between 1 and its newest that are not there.

    Whatever the collector acknowledged the agent has forgotten, so a number that stays missing
    was acknowledged and lost.
    """
    seqs: dict[str, set[int]] = defaultdict(set)
    for epoch, seq in _ids(reports):
        seqs[epoch].add(seq)
    gaps = {epoch: sorted(set(range(1, max(got) + 1)) - got) for epoch, got in seqs.items()}
    return {epoch: gap for epoch, gap in gaps.items() if gap}


def _assert_whole(stack: Stack, office: Office) -> None:
    stack.until(
        30,
        lambda: not _missing(stack.reports(office)),
        lambda: f"the backlog of {stack.codes[office]}: {_missing(stack.reports(office))}",
    )
    reports = stack.reports(office)
    assert len(_ids(reports)) == len(reports), "each report once"
