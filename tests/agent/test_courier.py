"""What leaves next, and when, decided without a socket or a clock."""

from __future__ import annotations

import pytest

from agent import courier as steps
from agent.courier import BLOCK_LEAST, BLOCK_MOST, KEEP_AFTER, Courier, Flight, Step
from tests.support.reports import packed


class Edge:
    """Plays the sender: does each step in memory, and writes down what it was told."""

    def __init__(self) -> None:
        self.courier = Courier()
        self.now = 100.0
        self.spool: list[int] = []
        self.sent: list[tuple[float, tuple[int, ...]]] = []
        self.cycles = 0
        self.limits: list[int] = []
        self._requests = 0

    def offer(self, seq: int) -> None:
        self.courier.offer(packed(seq))

    def act(self) -> float | None:
        while True:
            step: Step = self.courier.next(self.now)
            match step:
                case steps.Send(flight):
                    self._send(flight)
                case steps.Keep(flight):
                    self.spool.append(flight.reports[0].seq)
                case steps.Load(limit):
                    self.limits.append(limit)
                    count = max(1, limit // 100)
                    self.courier.loaded([packed(seq) for seq in self.spool[:count]])
                case steps.Discard(flight):
                    gone = {report.seq for report in flight.reports}
                    self.spool = [seq for seq in self.spool if seq not in gone]
                case steps.Cycle():
                    self.cycles += 1
                case steps.Wait(until):
                    return until

    def _send(self, flight: Flight) -> None:
        if flight.request_id == 0:
            self._requests += 1
            flight.request_id = self._requests
        self.courier.sent(flight, self.now)
        self.sent.append((self.now, tuple(report.seq for report in flight.reports)))

    def answer_last(self, round_trip_s: float = 0.04) -> None:
        self.courier.answered(self._requests, round_trip_s)

    def wait(self, seconds: float) -> None:
        """Let time pass, doing what falls due at its time."""
        end = self.now + seconds
        while True:
            until = self.act()
            if until is None or until > end:
                break
            self.now = max(self.now, until)
        self.now = end
        self.act()


@pytest.fixture
def edge() -> Edge:
    return Edge()


def test_on_a_healthy_line_each_report_leaves_once_and_flash_is_not_touched(edge: Edge) -> None:
    for seq in range(1, 6):
        edge.offer(seq)
        edge.act()
        edge.now += 0.04
        edge.answer_last()
        edge.wait(10)
    assert [seqs for _, seqs in edge.sent] == [(1,), (2,), (3,), (4,), (5,)]
    assert edge.spool == []
    assert edge.cycles == 0


def test_a_report_is_tried_again_each_half_second_without_backoff(edge: Edge) -> None:
    edge.courier.srtt_s = 0.04
    edge.offer(1)
    edge.wait(5)
    gaps = [b[0] - a[0] for a, b in zip(edge.sent, edge.sent[1:], strict=False)]
    assert gaps == pytest.approx([0.5] * 10)


def test_on_a_satellite_a_retry_waits_for_one_and_a_half_round_trips(edge: Edge) -> None:
    edge.courier.srtt_s = 0.6
    edge.offer(1)
    edge.wait(3)
    gaps = [b[0] - a[0] for a, b in zip(edge.sent, edge.sent[1:], strict=False)]
    assert gaps == pytest.approx([0.9] * 3)


def test_the_round_trip_is_smoothed_as_tcp_does(edge: Edge) -> None:
    edge.offer(1)
    edge.wait(1.2)
    edge.answer_last(round_trip_s=0.8)
    assert edge.courier.srtt_s == 0.8
    edge.offer(2)
    edge.act()
    edge.answer_last(round_trip_s=0.0)
    assert edge.courier.srtt_s == pytest.approx(0.7)


def test_an_unanswered_report_is_kept_before_the_next_one_comes(edge: Edge) -> None:
    edge.offer(1)
    edge.wait(KEEP_AFTER - 0.1)
    assert edge.spool == []
    edge.wait(0.2)
    assert edge.spool == [1]


def test_a_kept_report_that_is_answered_after_all_leaves_the_spool(edge: Edge) -> None:
    edge.offer(1)
    edge.wait(KEEP_AFTER + 0.1)
    edge.answer_last()
    edge.act()
    assert edge.spool == []
    assert edge.courier.backlog == 0


def test_a_dead_line_carries_only_the_newest_report(edge: Edge) -> None:
    for seq in range(1, 5):
        edge.offer(seq)
        edge.wait(10)
    assert edge.spool == [1, 2, 3, 4]
    assert all(len(seqs) == 1 for _, seqs in edge.sent)
    assert {seqs[0] for at, seqs in edge.sent if at > 130} == {4}


def test_after_a_gap_the_newest_goes_first_then_history_oldest_first(edge: Edge) -> None:
    for seq in range(1, 13):
        edge.offer(seq)
        edge.wait(10)
    edge.sent.clear()
    edge.answer_last()  # of report 12
    edge.act()
    assert edge.cycles == 1, "the first answer after a gap asks for a fresh report"
    assert edge.sent[-1][1] == tuple(range(1, 10))
    edge.now += 0.04
    edge.answer_last()
    edge.act()
    assert edge.sent[-1][1] == (10, 11)
    edge.now += 0.04
    edge.answer_last()
    edge.act()
    assert edge.spool == []


def test_one_gap_asks_for_one_extra_report(edge: Edge) -> None:
    for seq in range(1, 4):
        edge.offer(seq)
        edge.wait(10)
    edge.answer_last()
    edge.act()
    edge.now += 0.04
    edge.answer_last()
    edge.act()
    assert edge.cycles == 1


def test_a_large_block_that_goes_unanswered_twice_is_halved_and_grows_again(edge: Edge) -> None:
    edge.offer(40)
    edge.act()
    edge.answer_last()
    edge.spool = list(range(1, 40))
    edge.courier.backlog = 39
    edge.wait(10)
    assert edge.limits[:3] == [BLOCK_MOST, BLOCK_MOST // 2, BLOCK_LEAST]
    assert min(edge.limits) == BLOCK_LEAST
    for _ in range(6):
        edge.now += 0.04
        edge.answer_last()
        edge.act()
    assert edge.limits[-1] == BLOCK_MOST


def test_an_answer_to_an_overtaken_report_is_not_taken_for_the_newest(edge: Edge) -> None:
    edge.offer(1)
    edge.act()
    old = edge._requests
    edge.wait(10)
    edge.offer(2)
    edge.act()
    edge.courier.answered(old, 0.04)
    assert edge.courier.live_pending


def test_a_stopping_agent_keeps_what_was_not_answered(edge: Edge) -> None:
    edge.offer(1)
    edge.act()
    edge.courier.flush()
    edge.act()
    assert edge.spool == [1]
