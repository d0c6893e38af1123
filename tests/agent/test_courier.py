"""What leaves next, and when, decided without a socket or a clock."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import courier as steps
from agent.courier import (
    BLOCK_LEAST,
    BLOCK_MOST,
    KEEP_AFTER,
    PAYLOAD_MOST,
    RETURN_SPREAD_S,
    WINDOW_MOST,
    Courier,
    Flight,
    Step,
    block_most,
)
from agent.pacing import Bucket
from tabuah import notification
from tabuah.notification import KeyFacts, LineState
from tabuah.snmp.client import UsmClient
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import Auth, EngineTime
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
        self.octets = 0
        """What each transmission takes of the line."""
        self._requests = 0
        self._out: dict[int, float] = {}
        """Requests that were not answered yet, and when they were sent last."""

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
                case steps.Load(limit, skip):
                    self.limits.append(limit)
                    count = max(1, limit // 95)
                    rest = [seq for seq in self.spool if (1, seq) not in skip]
                    self.courier.loaded([packed(seq) for seq in rest[:count]], self.now)
                case steps.Forget(flight):
                    self._out.pop(flight.request_id, None)
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
        self._out[flight.request_id] = self.now
        self.courier.sent(flight, self.now, self.octets)
        self.sent.append((self.now, tuple(report.seq for report in flight.reports)))

    def answer_last(self, round_trip_s: float = 0.04) -> None:
        self._out.pop(self._requests, None)
        self.courier.answered(self._requests, round_trip_s, self.now)

    def answer_all(self, round_trip_s: float) -> None:
        """Let a round trip pass; what was out before is answered."""
        self.now += round_trip_s
        for request in list(self._out):
            del self._out[request]
            self.courier.answered(request, round_trip_s, self.now)
        self.act()

    def return_with(self, backlog: int) -> None:
        """A live report is answered while so many others wait in the spool."""
        self.spool = list(range(1, backlog + 1))
        self.courier.backlog = backlog
        self.offer(1_000_000)
        self.act()
        self.answer_last()

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


def test_on_a_healthy_day_each_report_leaves_once_and_flash_is_not_touched(edge: Edge) -> None:
    day = range(1, 8_641)
    for seq in day:
        edge.offer(seq)
        edge.act()
        edge.now += 0.04
        edge.answer_last()
        edge.wait(9.96)
        assert edge.spool == []
    assert [seqs for _, seqs in edge.sent] == [(seq,) for seq in day]
    assert edge.limits == [], "nor is it read"
    assert edge.cycles == 0


def test_a_report_is_tried_again_each_half_second_without_backoff(edge: Edge) -> None:
    edge.courier.srtt_s = 0.04
    edge.offer(1)
    edge.wait(5)
    gaps = [b[0] - a[0] for a, b in zip(edge.sent, edge.sent[1:], strict=False)]
    assert gaps == pytest.approx([0.5] * 10)


def test_before_anything_was_answered_each_retry_waits_twice_as_long(edge: Edge) -> None:
    """Ten thousand that boot together must not keep a collector busy with their retries."""
    edge.offer(1)
    edge.wait(20)
    edge.offer(2)
    edge.wait(4)
    times = [round(at - 100.0, 1) for at, seqs in edge.sent if seqs == (1,)]
    assert times == pytest.approx([0.0, 1.0, 3.0, 7.0, 15.0])
    assert edge.sent[5][1] == (2,), "the newest leaves at once"
    edge.answer_last()
    edge.offer(3)
    edge.wait(2)
    assert len([seqs for _, seqs in edge.sent if seqs == (3,)]) > 1, "and from then on soon again"


def test_once_the_centre_has_told_its_time_retries_keep_the_pace_of_its_line(edge: Edge) -> None:
    edge.offer(1)
    edge.wait(0.4)
    edge.courier.told(0.04)
    edge.wait(1.6)
    gaps = [b[0] - a[0] for a, b in zip(edge.sent, edge.sent[1:], strict=False)]
    assert gaps == pytest.approx([0.5] * 4)
    edge.courier.told(7.0)
    assert edge.courier.srtt_s == 0.04


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


def test_a_report_says_at_once_that_it_overtakes_one_without_an_answer(edge: Edge) -> None:
    edge.offer(1)
    edge.act()
    assert edge.courier.backlog_then == 1, "what report 2 says"
    edge.offer(2)
    edge.act()
    assert (edge.courier.backlog, edge.spool) == (1, [1])
    edge.answer_last()
    assert edge.courier.backlog_then == edge.courier.backlog, "2 was answered"


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
    edge.courier.answered(old, 0.04, edge.now)
    assert edge.courier.live_pending


def test_a_stopping_agent_keeps_what_was_not_answered(edge: Edge) -> None:
    edge.offer(1)
    edge.act()
    edge.courier.flush()
    edge.act()
    assert edge.spool == [1]


def test_history_has_several_informs_under_way_as_acknowledgements_come_back(edge: Edge) -> None:
    edge.return_with(1000)
    edge.act()
    widths = []
    for _ in range(12):
        widths.append(len(edge._out))
        edge.answer_all(0.6)
    assert widths == [1, 2, 4, 8, *[WINDOW_MOST] * 8]
    histories = [seq for _, seqs in edge.sent for seq in seqs if seq < 1_000_000]
    assert histories == sorted(set(histories)), "oldest first, and each once"


def test_a_loss_halves_how_much_is_under_way(edge: Edge) -> None:
    edge.return_with(1000)
    edge.act()
    for _ in range(4):
        edge.answer_all(0.6)
    assert len(edge._out) == WINDOW_MOST
    lost = max(edge._out)
    del edge._out[lost]
    edge.answer_all(0.6)
    edge.wait(2.0)
    assert edge.courier._window < WINDOW_MOST


def test_what_is_lost_among_others_that_arrive_is_not_called_too_large(edge: Edge) -> None:
    edge.return_with(1000)
    edge.act()
    for _ in range(4):
        edge.answer_all(0.6)
    for nth in range(40):
        if nth % 3 == 0 and len(edge._out) > 1:
            del edge._out[min(edge._out)]
        edge.answer_all(0.6)
    assert set(edge.limits) == {BLOCK_MOST}


def test_history_keeps_to_its_share_and_live_reports_never_wait(edge: Edge) -> None:
    edge.courier.bucket = Bucket(1_000.0)
    edge.octets = 1_000
    edge.return_with(10_000)
    began, seq = edge.now, 2_000_000
    for _ in range(100):
        edge.offer(seq)
        edge.act()
        assert (edge.now, (seq,)) in edge.sent, "at once, whatever the bucket holds"
        seq += 1
        for _ in range(10):
            edge.answer_all(0.1)
            edge.wait(0.9)
    taken = 1_000 * len(edge.sent)
    allowed = 1_000 * (edge.now - began) + edge.courier.bucket.depth
    assert 0.95 * allowed <= taken <= allowed + 1_000


def test_the_retries_of_a_dead_line_hold_history_up_by_seconds_alone(edge: Edge) -> None:
    edge.courier.bucket = Bucket(1_000.0)
    edge.octets = 1_000
    for seq in range(1, 60):
        edge.offer(seq)
        edge.wait(10)
    edge.answer_last()
    returned = edge.now
    edge.wait(10)
    first = next(at for at, seqs in edge.sent if at >= returned and len(seqs) > 1)
    assert first - returned < 5


def test_offices_that_return_together_begin_their_history_each_at_its_own_moment() -> None:
    begun = []
    for tenth in range(11):
        edge = Edge()
        edge.courier.draw = lambda drawn=tenth / 10: drawn  # type: ignore[misc]
        edge.return_with(100)
        returned = edge.now
        edge.wait(5)
        begun.append(round(edge.sent[1][0] - returned, 1))
    assert begun == [round(RETURN_SPREAD_S * tenth / 10, 1) for tenth in range(11)]


def test_history_that_is_refused_is_read_again(edge: Edge) -> None:
    edge.return_with(100)
    edge.act()
    (flight,) = edge.courier._batches
    flight.base = packed(7)
    assert edge.courier.refused(flight.request_id) is flight
    edge.act()
    assert edge.sent[-1][1] == edge.sent[-2][1]
    assert edge.courier._batches[0].request_id != flight.request_id


def test_a_spool_whose_count_is_wrong_does_not_keep_the_agent_busy(edge: Edge) -> None:
    edge.return_with(0)
    edge.courier.backlog = 5
    edge.wait(60)
    assert len(edge.limits) <= 1
    edge.courier.backlog = 5
    edge.wait(60)
    assert len(edge.limits) <= 2


class _Line:
    """Answers some of what is sent, after a while, as chance has it."""

    def __init__(self, edge: Edge, dice: random.Random, loss: float) -> None:
        self._edge, self._dice, self._loss = edge, dice, loss

    def pass_second(self) -> None:
        edge = self._edge
        for request in list(edge._out):
            sent_at = edge._out.pop(request)
            if self._dice.random() >= self._loss:
                edge.courier.answered(request, max(0.01, edge.now - sent_at), edge.now)
        edge.wait(1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 0.7), st.integers(0, 300))
def test_whatever_is_lost_every_report_arrives_and_the_spool_is_empty(
    seed: int, loss: float, backlog: int
) -> None:
    edge = Edge()
    line = _Line(edge, random.Random(seed), loss)
    edge.spool = list(range(1, backlog + 1))
    edge.courier.backlog = backlog
    for seq in range(1_000, 1_030):
        edge.offer(seq)
        for _ in range(10):
            line.pass_second()
    line._loss = 0
    for seq in range(1_030, 1_040):
        edge.offer(seq)
        for _ in range(10):
            line.pass_second()
    assert edge.spool == []
    assert edge.courier.backlog == 0
    assert {seq for _, seqs in edge.sent for seq in seqs} >= set(range(1, backlog + 1))


@pytest.mark.parametrize("site", ["x", "13.02.10", "nagari-koto-baru-1", "x" * 29])
def test_the_largest_inform_of_history_is_never_larger_than_its_1200_octets(site: str) -> None:
    most = 2**31 - 1
    client = UsmClient(f"{site}#99", Auth.SHA256_192, b"k" * 32, b"k" * 32, b"e" * 9, seed=most - 1)
    client.tell_time(EngineTime(most, most), 0.0)
    facts = KeyFacts(LineState.IMPAIRED, 10_000_000, 1_000)
    varbinds = notification.varbinds(site, 2**32 * 9, facts, [packed(most)], history=True)
    octets = bytes(block_most(site))
    binds = (*varbinds[:-1], varbinds[-1]._replace(value=octets))
    datagram = client.send(Pdu(PduType.INFORM, most, varbinds=binds), 0.0)
    assert 1_180 < len(datagram) <= PAYLOAD_MOST
