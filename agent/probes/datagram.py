"""One run of datagrams over a connected socket: send each in its turn, gather what comes back.

Arrivals carry the kernel's receive stamp, so that a busy Python adds nothing to a round trip.
ICMP errors about our packets arrive by IP_RECVERR, which also tells our own host's 'nobody
answers ARP' from a router's 'no route'. A socket that is bound to an interface does not hear its
own host's, which comes over loopback: there an ARP failure is a timeout.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.probes.run import status_of
from tabuah.cadence import PACKET_SPACING_S
from tabuah.measurement import Status

# linux/in.h, linux/in6.h, asm-generic/socket.h: not all are in Python's socket module.
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_SO_TIMESTAMPNS = 35
_MSG_ERRQUEUE = 0x2000
_SOCK_EXTENDED_ERR = struct.Struct("@IBBBBII")

_BUFFER = 2048
_ANCILLARY = 512
_MAX_QUEUED_NS = 5_000_000_000
_BURST = 32
"""Datagrams read before the event loop gets its turn again: a flood holds up one probe alone."""
_MOST_ARRIVALS = 1024
"""Datagrams that a run looks at; what comes after so many is none of ours."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram and when it came, on time.monotonic_ns's clock."""

    data: bytes
    at_ns: int


@dataclass(slots=True)
class Gathered:
    """What went wrong in one run."""

    errors: list[OSError] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    """Of errors, those of our own sends and those that ICMP told, in order."""

    def fail(self, error: OSError, status: Status | None = None) -> None:
        """Note an error, and the word for it."""
        self.errors.append(error)
        self.statuses.append(status or status_of(error))

    def status(self) -> Status:
        """Return the word for a run without any answer."""
        return self.statuses[-1] if self.statuses else Status.REQUEST_TIMED_OUT

    @property
    def refused(self) -> bool:
        """Whether the target itself said that nothing listens there."""
        return any(error.errno == errno.ECONNREFUSED for error in self.errors)


def prepare(sock: socket.socket, family: int) -> None:
    """Ask the kernel for receive stamps and for ICMP errors; before connect."""
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


async def exchange(
    sock: socket.socket,
    count: int,
    timeout_s: float,
    make: Callable[[], bytes],
    settled: Callable[[Arrival], bool],
) -> Gathered:
    """Send `count` datagrams, spaced, and return what failed until all are settled or time is up.

    `make` gives the next datagram at the moment it is sent; `settled` is shown each arrival and
    tells whether it answers one of ours (for the first time).
    """
    gathered = Gathered()
    outstanding = count
    arrived = 0
    done = asyncio.Event()

    def settle(number: int = 1) -> None:
        nonlocal outstanding
        outstanding -= number
        if outstanding <= 0:
            done.set()

    def readable() -> None:
        nonlocal arrived
        settle(_drain_errors(sock, gathered))
        for arrival in _drain(sock, gathered):
            arrived += 1
            if settled(arrival):
                settle()
        if arrived >= _MOST_ARRIVALS:
            loop.remove_reader(sock)

    loop = asyncio.get_running_loop()
    loop.add_reader(sock, readable)
    try:
        for number in range(count):
            if number:
                await asyncio.sleep(PACKET_SPACING_S)
            # An ICMP error about an earlier packet would be raised by this send.
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            try:
                sock.send(make())
            except OSError as error:
                gathered.fail(error)
                settle()
        async with asyncio.timeout(timeout_s):
            await done.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(sock)
    return gathered


def _drain(sock: socket.socket, gathered: Gathered) -> list[Arrival]:
    arrivals: list[Arrival] = []
    for _ in range(_BURST):
        try:
            data, ancillary, _, _ = sock.recvmsg(_BUFFER, _ANCILLARY)
        except BlockingIOError:
            break
        except OSError as error:  # one that came without a word in the error queue
            gathered.fail(error)
            break
        arrivals.append(Arrival(data, _arrived_ns(ancillary)))
    return arrivals


def _arrived_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Return when the datagram reached the kernel, by the monotonic clock.

    The stamp is of the wall clock, which may step during a run; only its distance to now is
    used, which a step can spoil for microseconds' worth of arrivals.
    """
    now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("@qq" if len(data) >= 16 else "@ll", data)
            queued_ns: int = wall_ns - (seconds * 1_000_000_000 + nanoseconds)
            if 0 <= queued_ns < _MAX_QUEUED_NS:
                return now_ns - queued_ns
    return now_ns


def _drain_errors(sock: socket.socket, gathered: Gathered) -> int:
    """Gather the errors in the socket's error queue, and return how many there were."""
    number = 0
    while True:
        try:
            _, ancillary, _, _ = sock.recvmsg(_BUFFER, _ANCILLARY, _MSG_ERRQUEUE)
        except OSError:
            return number
        for level, kind, data in ancillary:
            if (level, kind) in (
                (socket.IPPROTO_IP, _IP_RECVERR),
                (socket.IPPROTO_IPV6, _IPV6_RECVERR),
            ):
                code = _SOCK_EXTENDED_ERR.unpack_from(data)[0]
                error = OSError(code, "told by ICMP")
                # When ARP or neighbour discovery finds nobody, our own kernel is the router that
                # says 'host unreachable'.
                own = code == errno.EHOSTUNREACH and _offender(data) == sock.getsockname()[0]
                gathered.fail(error, Status.ARP_FAILURE if own else None)
                number += 1


def _offender(extended_error: bytes) -> str:
    """Return the address of whoever sent the ICMP error (SO_EE_OFFENDER); '' = nobody."""
    address = extended_error[_SOCK_EXTENDED_ERR.size :]
    family = struct.unpack_from("@H", address)[0] if len(address) >= 8 else 0
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, address[4:8])
    if family == socket.AF_INET6 and len(address) >= 24:
        return socket.inet_ntop(socket.AF_INET6, address[8:24])
    return ""
