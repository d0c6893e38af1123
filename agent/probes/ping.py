"""ping: ICMP and ICMPv6 echo (RFC 792, RFC 4443), 8 octets of payload.

Unprivileged datagram ICMP is used where net.ipv4.ping_group_range lets us, else a raw socket,
which needs CAP_NET_RAW. An answer is ours when it comes from the target (the socket is
connected), with our sequence number and the run's random octets; that holds for both.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field, replace

from agent.config import Probe
from agent.probes.datagram import Arrival, exchange, prepare
from agent.probes.net import bind_to, resolve
from agent.probes.run import Deadline, Memory, conclude, measurement, timing
from tabuah import draw, icmp
from tabuah.icmp_socket import open_icmp
from tabuah.measurement import Measurement, Status


async def ping(probe: Probe, memory: Memory) -> Measurement:
    """Return the round trips to `probe.target`, a host; never raises for what the network does."""
    return await conclude(probe, memory, _ping(probe, memory))


@dataclass(slots=True)
class _Echo:
    """The echoes of one run: what was sent when, and what answers it."""

    family: int
    raw: bool
    timeout_ns: int
    sequence: int
    cookie: bytes = field(default_factory=lambda: os.urandom(icmp.COOKIE_OCTETS))
    identifier: int = field(default_factory=lambda: draw.below(0x10000))
    sent_ns: dict[int, int] = field(default_factory=dict)
    rtt_ns: dict[int, int] = field(default_factory=dict)

    def make(self) -> bytes:
        """Return the next echo request."""
        sequence = self.sequence
        self.sequence = (sequence + 1) % 0x10000
        self.sent_ns[sequence] = time.monotonic_ns()
        v6 = self.family == socket.AF_INET6
        return icmp.request(self.identifier, sequence, self.cookie, v6=v6)

    def settled(self, arrival: Arrival) -> bool:
        """Take an arrival; return whether it is the first answer to one of ours."""
        found = icmp.answer(arrival.data, v6=self.family == socket.AF_INET6, raw=self.raw)
        if found is None or found.cookie != self.cookie:
            return False
        if self.raw and found.identifier != self.identifier:
            return False
        sequence = found.sequence
        if sequence not in self.sent_ns or sequence in self.rtt_ns:
            return False
        self.rtt_ns[sequence] = max(0, arrival.at_ns - self.sent_ns[sequence])
        return True

    def answered_ns(self) -> list[int]:
        """Return the round trips within the timeout, in the order sent."""
        row = [self.rtt_ns[sequence] for sequence in self.sent_ns if sequence in self.rtt_ns]
        return [rtt for rtt in row if rtt <= self.timeout_ns]


async def _ping(probe: Probe, memory: Memory) -> Measurement:
    deadline = Deadline(probe.timeout_s)
    family, host = (await resolve(probe.target, memory, deadline.left_s()))[0]
    sock, raw = open_icmp(family)
    with sock:
        prepare(sock, family)
        bind_to(sock, probe.interface)
        sock.connect((host, 0))
        echo = _Echo(family, raw, int(probe.timeout_s * 1e9), memory.sequence)
        gathered = await exchange(sock, probe.count, deadline.left_s(), echo.make, echo.settled)
    memory.sequence = echo.sequence
    rtts = echo.answered_ns()
    result = replace(
        measurement(probe, Status.RESPONSE_RECEIVED if rtts else gathered.status()),
        received=len(rtts),
        rtt=timing(rtts, memory.last_rtt_ns),
    )
    if rtts:
        memory.last_rtt_ns = rtts[-1]
    return result
