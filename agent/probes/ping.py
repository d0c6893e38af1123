"""ping: ICMP and ICMPv6 echo (RFC 792, RFC 4443), 8 octets of payload.

Unprivileged datagram ICMP is used where net.ipv4.ping_group_range lets us, else a raw socket,
which needs CAP_NET_RAW. An answer is ours when it comes from the target (the socket is
connected), with our sequence number and the run's random octets; that holds for both.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import dataclass, field, replace

from agent.config import Probe
from agent.probes.datagram import Arrival, exchange, prepare
from agent.probes.net import bind_to, resolve
from agent.probes.run import Deadline, Memory, conclude, measurement, timing
from tabuah import draw
from tabuah.measurement import Measurement, Status

_HEADER = struct.Struct("!BBHHH")
_COOKIE_LENGTH = 8
_ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}

# linux/icmp.h, linux/icmpv6.h: a set bit keeps that type from a raw socket.
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1


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
    cookie: bytes = field(default_factory=lambda: os.urandom(_COOKIE_LENGTH))
    identifier: int = field(default_factory=lambda: draw.below(0x10000))
    sent_ns: dict[int, int] = field(default_factory=dict)
    rtt_ns: dict[int, int] = field(default_factory=dict)

    def make(self) -> bytes:
        """Return the next echo request."""
        sequence = self.sequence
        self.sequence = (sequence + 1) % 0x10000
        kind = _ECHO[socket.AddressFamily(self.family)][0]
        # Of ICMPv6 the kernel computes the checksum: it covers the source address.
        plain = _HEADER.pack(kind, 0, 0, self.identifier, sequence) + self.cookie
        total = checksum(plain) if self.family == socket.AF_INET else 0
        self.sent_ns[sequence] = time.monotonic_ns()
        return _HEADER.pack(kind, 0, total, self.identifier, sequence) + self.cookie

    def settled(self, arrival: Arrival) -> bool:
        """Take an arrival; return whether it is the first answer to one of ours."""
        data = arrival.data
        if self.raw and self.family == socket.AF_INET:
            data = data[(data[0] & 0x0F) * 4 :] if data else b""
        if len(data) < _HEADER.size + _COOKIE_LENGTH:
            return False
        kind, _, _, identifier, sequence = _HEADER.unpack_from(data)
        # The kernel puts its own identifier into a datagram socket's echoes, and filters by it.
        if self.raw and identifier != self.identifier:
            return False
        if kind != _ECHO[socket.AddressFamily(self.family)][1]:
            return False
        if data[_HEADER.size : _HEADER.size + _COOKIE_LENGTH] != self.cookie:
            return False
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


def open_icmp(family: int) -> tuple[socket.socket, bool]:
    """Return an ICMP socket, and whether it is a raw one; the caller closes it.

    Raises:
        PermissionError: neither ping_group_range nor CAP_NET_RAW lets us.
    """
    protocol = _PROTOCOL[socket.AddressFamily(family)]
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol), False
    except OSError:  # EACCES outside ping_group_range; EPROTONOSUPPORT where it is not built in
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    answer = _ECHO[socket.AddressFamily(family)][1]
    if family == socket.AF_INET:
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", 0xFFFFFFFF & ~(1 << answer)))
    else:
        blocked = [0xFFFFFFFF] * 8
        blocked[answer >> 5] &= ~(1 << (answer & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("@8I", *blocked))
    return sock, True


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of `data`."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
