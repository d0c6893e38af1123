"""The STAMP Session-Reflector (RFC 8762), stateful: what the offices' udp probes talk to.

It counts the packets of each session, and says the count in its answer's sequence number, by
which the office learns on which way its packets are lost. A session is (source address, SSID of
RFC 8972); the source port is no part of it, since a NAT may change it at any packet.

Anyone may send, so an answer is never larger than its question, the table is bounded (the
session unheard for longest gives way), and nothing here feeds a decision of the collector.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tabuah.errors import DecodeError
from tabuah.stamp import decode_sender, reflect

# linux/in.h, asm-generic/socket.h: not all are in Python's socket module.
_IP_PKTINFO = 8
_IP_RECVTTL = 12
_IP_TTL = 2
_IPV6_RECVPKTINFO = 49
_IPV6_PKTINFO = 50
_IPV6_RECVHOPLIMIT = 51
_IPV6_HOPLIMIT = 52
_SO_TIMESTAMPNS = 35
_IN_PKTINFO = struct.Struct("@i4s4s")
_IN6_PKTINFO = struct.Struct("@16si")

_BUFFER = 2048
_ANCILLARY = 256
_BURST = 64
"""Datagrams answered before the event loop gets its turn again."""
_MAX_QUEUED_NS = 5_000_000_000

Ancillary = tuple[int, int, bytes]


class Sessions:
    """How many packets of each session were received. Pure: the time is an argument."""

    def __init__(self, room: int = 100_000, expires_s: float = 86_400.0) -> None:
        self._room = room
        self._expires_s = expires_s
        self._rows: OrderedDict[tuple[str, int], tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def count(self, address: str, ssid: int, now: float) -> int:
        """Return how many packets of the session came before this one, and count this one."""
        while self._rows and next(iter(self._rows.values()))[1] + self._expires_s <= now:
            self._rows.popitem(last=False)
        before, _ = self._rows.pop((address, ssid), (0, 0.0))
        if len(self._rows) >= self._room:
            self._rows.popitem(last=False)
        self._rows[address, ssid] = (before + 1, now)
        return before


@dataclass(slots=True)
class Counts:
    """What the reflector did since its start."""

    reflected: int = 0
    malformed: int = 0
    unsent: int = 0
    """Answers that the kernel refused to send."""


class Reflector:
    """Answers STAMP packets on one UDP socket, in the running event loop."""

    def __init__(
        self, sessions: Sessions | None = None, synchronised: Callable[[], bool] = lambda: False
    ) -> None:
        self.counts = Counts()
        self._sessions = sessions or Sessions()
        self._synchronised = synchronised
        self._sock: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen on `host`, an address of this machine, and `port`; 0 = any free one.

        Raises:
            OSError: when the socket cannot be bound.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            _ask_ancillary(sock, family)
            sock.bind(address)
        except OSError:
            sock.close()
            raise
        self._sock, self._loop = sock, loop
        loop.add_reader(sock, self._readable, sock)

    @property
    def port(self) -> int:
        """The UDP port that it listens on; 0 when it does not."""
        return int(self._sock.getsockname()[1]) if self._sock is not None else 0

    def close(self) -> None:
        """Stop listening."""
        if self._sock is not None and self._loop is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(_BURST):
            try:
                data, ancillary, flags, address = sock.recvmsg(_BUFFER, _ANCILLARY)
            except OSError:  # nothing more, or an ICMP error about an answer of ours
                return
            if flags & socket.MSG_TRUNC:
                self.counts.malformed += 1
            else:
                self._reflect(sock, data, ancillary, address)

    def _reflect(
        self, sock: socket.socket, data: bytes, ancillary: list[Ancillary], address: tuple[str, int]
    ) -> None:
        received_ns = _received_ns(ancillary)
        try:
            ssid = decode_sender(data).ssid
            count = self._sessions.count(address[0], ssid, time.monotonic())
            answer = reflect(
                data,
                sequence=count,
                received_ns=received_ns,
                sent_ns=time.time_ns(),
                ttl=_ttl(ancillary),
                synchronised=self._synchronised(),
            )
        except DecodeError:
            self.counts.malformed += 1
            return
        try:
            sock.sendmsg([answer], _answer_from(ancillary), 0, address)
        except OSError:
            self.counts.unsent += 1
        else:
            self.counts.reflected += 1


def _ask_ancillary(sock: socket.socket, family: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
        # A "::" socket serves IPv4 too where the host's sysctl says so; then these matter.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)


def _received_ns(ancillary: list[Ancillary]) -> int:
    """Return the kernel's receive stamp, Unix ns; now when there is none worth having."""
    now_ns = time.time_ns()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("@qq" if len(data) >= 16 else "@ll", data)
            stamp_ns: int = seconds * 1_000_000_000 + nanoseconds
            if 0 <= now_ns - stamp_ns < _MAX_QUEUED_NS:
                return stamp_ns
    return now_ns


def _ttl(ancillary: list[Ancillary]) -> int:
    """Return the TTL or hop limit with which the packet came; 0 = not told."""
    for level, kind, data in ancillary:
        if (level, kind) in (
            (socket.IPPROTO_IP, _IP_TTL),
            (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT),
        ):
            return int.from_bytes(data[:4], "little" if _LITTLE else "big") & 0xFF
    return 0


_LITTLE = struct.pack("@i", 1)[0] == 1


def _answer_from(ancillary: list[Ancillary]) -> list[Ancillary]:
    """Return what makes the answer leave from the address that was asked (a host has many)."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            _, local, _ = _IN_PKTINFO.unpack_from(data)
            return [(level, kind, _IN_PKTINFO.pack(0, local, bytes(4)))]
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            local, _ = _IN6_PKTINFO.unpack_from(data)
            return [(level, kind, _IN6_PKTINFO.pack(local, 0))]
    return []
