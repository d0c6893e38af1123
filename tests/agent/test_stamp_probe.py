"""The udp probe against the real reflector, over a relay that loses what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Probe
from agent.probes import Memory
from agent.probes.run import Session
from agent.probes.stamp import Answer, count_ways, stamp
from collector.reflector import Reflector
from tabuah.measurement import Kind, Measurement, OneWay, Role, Stage, Status
from tabuah.stamp import reflect
from tests.support.relay import Fate, Relay, fates

PASS, DROP, COPY, HOLD = Fate.PASS, Fate.DROP, Fate.COPY, Fate.HOLD


@dataclass
class Line:
    """An office's probe, a relay, and the reflector behind it."""

    relay: Relay
    reflector: Reflector
    probe: Probe
    memory: Memory = field(default_factory=Memory)

    async def run(self, count: int = 1) -> Measurement:
        return await stamp(replace(self.probe, count=count), self.memory)

    async def restart_reflector(self) -> None:
        port = self.reflector.port
        self.reflector.close()
        self.reflector = Reflector()
        await self.reflector.start("127.0.0.1", port)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    reflector, relay = Reflector(), Relay()
    await reflector.start("127.0.0.1", 0)
    await relay.start(reflector.port)
    probe = Probe("dc", Kind.UDP, Role.CENTRE, f"127.0.0.1:{relay.port}", timeout_s=0.3)
    line = Line(relay, reflector, probe)
    yield line
    await relay.close()
    line.reflector.close()


def ways(seen: Measurement) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    def pair(way: OneWay | None) -> tuple[int, int] | None:
        return None if way is None else (way.sent, way.received)

    return pair(seen.forward), pair(seen.backward)


async def test_on_a_good_line_nothing_is_lost_either_way(line: Line) -> None:
    seen = await line.run(3)
    assert (seen.status, seen.sent, seen.received) == (Status.RESPONSE_RECEIVED, 3, 3)
    assert ways(seen) == ((3, 3), (3, 3))
    assert seen.rtt is not None
    assert 0 < seen.rtt.min_us <= seen.rtt.mean_us <= seen.rtt.max_us < 300_000
    assert seen.forward is not None
    assert seen.forward.jitter_us is not None


async def test_packets_lost_on_the_way_there_are_the_forward_ways(line: Line) -> None:
    line.relay.forward.judge = fates(PASS, DROP, DROP, PASS)
    seen = await line.run(4)
    assert (seen.sent, seen.received) == (4, 2)
    assert ways(seen) == ((4, 2), (2, 2))


async def test_answers_lost_on_the_way_back_are_the_backward_ways(line: Line) -> None:
    line.relay.backward.judge = fates(PASS, DROP, DROP, PASS)
    seen = await line.run(4)
    assert (seen.sent, seen.received) == (4, 2)
    assert ways(seen) == ((4, 4), (4, 2))


async def test_losses_both_ways_are_told_apart(line: Line) -> None:
    line.relay.forward.judge = fates(DROP, PASS, PASS, DROP, PASS)
    line.relay.backward.judge = fates(DROP)
    assert ways(await line.run(5)) == ((5, 3), (3, 2))


async def test_counts_span_the_runs_that_had_no_answer(line: Line) -> None:
    line.relay.forward.judge = fates(PASS, DROP, DROP, PASS, PASS)
    line.relay.backward.judge = fates(PASS, DROP)
    assert ways(await line.run()) == ((1, 1), (1, 1))
    for _ in range(3):
        silent = await line.run()
        assert (silent.status, silent.rtt) == (Status.REQUEST_TIMED_OUT, None)
        assert ways(silent) == (None, None)
    # Four were sent since: two lost there, and one of the two answers lost here.
    assert ways(await line.run()) == ((4, 2), (2, 1))
    assert ways(await line.run()) == ((1, 1), (1, 1))


async def test_the_first_answer_tells_of_all_sent_before_it(line: Line) -> None:
    line.relay.forward.judge = fates(DROP, DROP)
    assert ways(await line.run()) == (None, None)
    assert ways(await line.run()) == (None, None)
    assert ways(await line.run()) == ((3, 1), (1, 1))


async def test_the_last_packets_of_a_run_are_counted_with_the_next_answer(line: Line) -> None:
    line.relay.forward.judge = fates(PASS, DROP)
    assert ways(await line.run(2)) == ((1, 1), (1, 1))
    assert ways(await line.run(2)) == ((3, 2), (2, 2))


@pytest.mark.parametrize("way", ["forward", "backward"])
async def test_packets_out_of_order_are_not_lost(line: Line, way: str) -> None:
    getattr(line.relay, way).judge = fates(PASS, HOLD, PASS, PASS)
    seen = await line.run(4)
    assert (seen.received, ways(seen)) == (4, ((4, 4), (4, 4)))
    assert ways(await line.run()) == ((1, 1), (1, 1))


@pytest.mark.parametrize("way", ["forward", "backward"])
async def test_copies_are_not_counted(line: Line, way: str) -> None:
    getattr(line.relay, way).judge = fates(PASS, COPY, PASS)
    seen = await line.run(3)
    assert seen.received == 3
    assert seen.forward is not None
    assert (seen.forward.sent, seen.forward.received) == (3, 3)
    assert seen.backward is not None
    assert seen.backward.sent == seen.backward.received
    assert ways(await line.run()) == ((1, 1), (1, 1))


async def test_a_copy_whose_answer_was_lost_gives_no_counts_rather_than_wrong_ones(
    line: Line,
) -> None:
    line.relay.forward.judge = fates(COPY, PASS)
    line.relay.backward.judge = fates(PASS, DROP)
    assert ways(await line.run(2)) == (None, None)
    assert ways(await line.run(2)) == ((2, 2), (2, 2))


async def test_a_restarted_reflector_begins_a_new_span(line: Line) -> None:
    assert ways(await line.run(2)) == ((2, 2), (2, 2))
    await line.restart_reflector()
    assert ways(await line.run()) == (None, None)
    assert ways(await line.run()) == ((1, 1), (1, 1))
    await line.restart_reflector()
    assert ways(await line.run(3)) == ((2, 2), (2, 2))


async def test_a_nat_that_changes_the_port_does_not_end_the_session(line: Line) -> None:
    await line.run()
    await line.relay.rebind()
    assert ways(await line.run()) == ((1, 1), (1, 1))


async def test_another_agents_answers_are_not_ours(line: Line) -> None:
    other = Line(line.relay, line.reflector, line.probe)
    await other.run(3)
    assert ways(await line.run()) == ((1, 1), (1, 1))


fate = st.sampled_from(["lost there", "lost here", "answered", "answered"])


@given(st.lists(st.lists(fate, min_size=1, max_size=4), min_size=1, max_size=12))
def test_the_spans_add_up_to_all_that_was_sent_until_the_last_answer(
    runs: list[list[str]],
) -> None:
    session, reached, heard = Session(), 0, 0
    truth = told = (0, 0, 0, 0)
    for run in runs:
        answers = []
        for one in run:
            sequence, session.next_seq = session.next_seq, session.next_seq + 1
            if one == "lost there":
                continue
            reached += 1
            if one == "answered":
                heard += 1
                answers.append(Answer(sequence, reached - 1, 1000, 500, 500))
                truth = (sequence + 1, reached, reached, heard)
        forward, backward = count_ways(session, answers, 10**9)
        assert (forward is None) == (not answers)
        if forward is not None and backward is not None:
            span = (forward.sent, forward.received, backward.sent, backward.received)
            told = (told[0] + span[0], told[1] + span[1], told[2] + span[2], told[3] + span[3])
    assert told == truth


async def test_jitter_goes_on_over_runs_of_one_packet(line: Line) -> None:
    first, second = await line.run(), await line.run()
    assert first.rtt is not None
    assert first.rtt.jitter_us is None
    assert second.rtt is not None
    assert second.rtt.jitter_us is not None
    assert second.backward is not None
    assert second.backward.jitter_us is not None


async def test_where_no_reflector_runs_the_refusal_is_told() -> None:
    reflector = Reflector()
    await reflector.start("127.0.0.1", 0)
    port = reflector.port
    reflector.close()
    probe = Probe("dc", Kind.UDP, Role.CENTRE, f"127.0.0.1:{port}", timeout_s=0.3)
    seen = await stamp(probe, Memory())
    assert (seen.status, seen.stage, seen.received) == (Status.UNKNOWN, Stage.CONNECT, 0)


class _Liar(asyncio.DatagramProtocol):
    """A reflector that answers each packet many times, with counts of its own making."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._counts = counts

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for count in self._counts:
            stamps = {"received_ns": 1, "sent_ns": 2, "ttl": 64, "synchronised": True}
            self._transport.sendto(reflect(data, sequence=count, **stamps), addr)  # type: ignore[arg-type]


@pytest.mark.parametrize("counts", [range(3), range(40), (2**32 - 1, 0), [7] * 3000])
async def test_counts_that_nobody_counted_are_not_told(counts: Sequence[int]) -> None:
    """More copies than packets gave a number below zero, which no report can tell."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Liar(counts), local_addr=("127.0.0.1", 0)
    )
    target = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    probe = Probe("dc", Kind.UDP, Role.CENTRE, target, count=3, timeout_s=0.3)
    memory = Memory()
    for _ in range(3):
        seen = await stamp(probe, memory)
        assert seen.status is Status.RESPONSE_RECEIVED
        for way in (seen.forward, seen.backward):
            assert way is None or 0 <= way.received <= max(way.sent, len(counts))
    transport.close()
    await asyncio.sleep(0)
