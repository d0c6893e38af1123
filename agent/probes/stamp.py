"""udp: a STAMP Session-Sender (RFC 8762) against the collector's stateful reflector.

The reflector's sequence number counts what reached it, so one answer tells how many packets were
lost on the way there since the answer before, and, by what it counted and we did not hear, how
many on the way back. `count_ways` holds that arithmetic.

Each run has a socket of its own, because an address may change under an old one (a redial), and
the session is known by its SSID (RFC 8972), not by its port.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from socket import SOCK_DGRAM, socket

from agent.config import Probe
from agent.probes.datagram import Arrival, exchange, prepare
from agent.probes.net import bind_to, resolve
from agent.probes.run import (
    Deadline,
    Memory,
    Session,
    conclude,
    mean_variation_us,
    measurement,
    timing,
)
from tabuah.address import host_port
from tabuah.errors import DecodeError
from tabuah.measurement import Measurement, OneWay, Stage, Status
from tabuah.stamp import ReflectorPacket, SenderPacket, decode_reflector, encode_sender

_CHANGE_SSID_AT = 1 << 31
"""Sequence numbers have 32 bits; a session never comes near their end (680 years at 10 s)."""


async def stamp(probe: Probe, memory: Memory) -> Measurement:
    """Return round trips and one-way losses to the reflector at `probe.target`; never raises."""
    return await conclude(probe, memory, _stamp(probe, memory))


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered packet, all clocks of ours monotonic."""

    seq: int
    """The sender's sequence number."""
    count: int
    """The reflector's: how many packets of the session it had received before this one."""
    rtt_ns: int
    """Round trip without the reflector's own time: (T4 - T1) - (T3 - T2)."""
    forward_ns: int
    """T2 - T1, between two clocks: only its differences mean anything."""
    backward_ns: int
    """T4 - T3, likewise."""


@dataclass(slots=True)
class _Run:
    """The packets of one run: what was sent when, and what answers it."""

    session: Session
    sent_ns: dict[int, int] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)

    def make(self) -> bytes:
        sequence = self.session.next_seq
        self.session.next_seq += 1
        self.sent_ns[sequence] = time.monotonic_ns()
        return encode_sender(SenderPacket(sequence, time.time_ns(), self.session.ssid))

    def settled(self, arrival: Arrival) -> bool:
        try:
            packet = decode_reflector(arrival.data)
        except DecodeError:
            return False
        if packet.ssid != self.session.ssid or packet.sender_sequence not in self.sent_ns:
            return False
        first = packet.sender_sequence not in self.answered
        self.answered.add(packet.sender_sequence)
        self.answers.append(_answer(packet, self.sent_ns[packet.sender_sequence], arrival.at_ns))
        return first


def _answer(packet: ReflectorPacket, sent_ns: int, at_ns: int) -> Answer:
    held_ns = max(0, packet.sent_ns - packet.received_ns)
    return Answer(
        seq=packet.sender_sequence,
        count=packet.sequence,
        rtt_ns=max(0, at_ns - sent_ns - held_ns),
        forward_ns=packet.received_ns - sent_ns,
        backward_ns=at_ns - packet.sent_ns,
    )


async def _stamp(probe: Probe, memory: Memory) -> Measurement:
    deadline = Deadline(probe.timeout_s)
    host, port = host_port(probe.target)
    family, address = (await resolve(host, memory, deadline.left_s()))[0]
    if memory.session.next_seq >= _CHANGE_SSID_AT:
        memory.session = Session()
    run = _Run(memory.session)
    with socket(family, SOCK_DGRAM) as sock:
        prepare(sock, family)
        bind_to(sock, probe.interface)
        sock.connect((address, port))
        gathered = await exchange(sock, probe.count, deadline.left_s(), run.make, run.settled)
    answers = first_of_each(run.answers)
    bound_ns = int(probe.timeout_s * 1e9)
    rtts = [answer.rtt_ns for answer in answers if answer.rtt_ns <= bound_ns]
    forward, backward = count_ways(memory.session, run.answers, bound_ns)
    if forward is not None and not 0 <= forward.received <= forward.sent:
        # Somebody else's packets, copies whose answers we missed, or answers that nobody's count
        # would give: a fresh session counts anew.
        forward = backward = None
        memory.session = Session()
    status = Status.RESPONSE_RECEIVED if rtts else gathered.status()
    result = replace(
        measurement(
            probe, status, Stage.CONNECT if gathered.refused and not rtts else Stage.ANSWER
        ),
        received=len(rtts),
        rtt=timing(rtts, memory.last_rtt_ns),
        forward=forward,
        backward=backward,
    )
    if rtts:
        memory.last_rtt_ns = rtts[-1]
    return result


def first_of_each(answers: Iterable[Answer]) -> list[Answer]:
    """Return the first answer to each packet, in the order sent: copies on the way add nothing."""
    first: dict[int, Answer] = {}
    for answer in answers:
        first.setdefault(answer.seq, answer)
    return [first[seq] for seq in sorted(first)]


def count_ways(
    session: Session, answers: list[Answer], bound_ns: int
) -> tuple[OneWay | None, OneWay | None]:
    """Return the packets each way since the last answered run, and move the session on to this one.

    Both are None when no answer came, and after the reflector began to count anew (a restart)
    with one answer alone, because what it had received before is then not known. `bound_ns` is
    the run's timeout: a one-way delay cannot vary by more, unless a clock was stepped.
    """
    if not answers:
        return None, None
    in_order = first_of_each(answers)
    # Copies made on the way there are counted by the reflector, and are not ours.
    copies = len({(answer.seq, answer.count) for answer in answers}) - len(in_order)
    counts = {answer.count for answer in answers}
    base_seq, base_count, heard = session.last_seq, session.last_count, len(counts)
    if min(counts) <= base_count:
        base_seq, base_count, heard = in_order[0].seq, min(counts), len(counts) - 1
        session.last_forward_ns = session.last_backward_ns = None
    session.last_seq = in_order[-1].seq
    session.last_count = max(counts)
    sent = session.last_seq - base_seq
    reached = session.last_count - base_count
    forward = OneWay(
        sent,
        reached - copies,
        _variation_us([a.forward_ns for a in in_order], session.last_forward_ns, bound_ns),
    )
    backward = OneWay(
        reached,
        heard,
        _variation_us([a.backward_ns for a in in_order], session.last_backward_ns, bound_ns),
    )
    session.last_forward_ns = in_order[-1].forward_ns
    session.last_backward_ns = in_order[-1].backward_ns
    if sent <= 0 or reached <= 0:
        return None, None
    return forward, backward


def _variation_us(delays_ns: list[int], before_ns: int | None, bound_ns: int) -> int | None:
    if before_ns is not None and abs(delays_ns[0] - before_ns) > bound_ns:
        before_ns = None
    variation = mean_variation_us(delays_ns, before_ns)
    return None if variation is None or variation * 1000 > bound_ns else variation
