"""The office's end of a line: loopback ports whose traffic crosses the line to a real target.

One `UdpRelay` or `TcpRelay` per target. What happens to a packet is `demo.line`'s decision;
here are only the sockets that carry it out. No root is needed.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.line import Line

LOOPBACK = "127.0.0.1"
DRAIN = 32
"""Datagrams taken at once before others get their turn."""
MOST_FLOWS = 64
IDLE_S = 30.0
LARGEST_DATAGRAM = 65535
CHUNK = 16384
BACKLOG = 64


class Address(NamedTuple):
    """Where something listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return HOST:PORT."""
        return f"{self.host}:{self.port}"


@dataclass(slots=True)
class _Flow:
    """One client's way to the target: a connected socket, so that answers find their way back."""

    upstream: socket.socket
    client: tuple[str, int]
    used: float


class UdpRelay:
    """Datagrams between the office's port and the target, through the line."""

    def __init__(self, line: Line, target: Address) -> None:
        self.line = line
        self.target = target
        self._loop = asyncio.get_running_loop()
        self._flows: OrderedDict[tuple[str, int], _Flow] = OrderedDict()
        self._front = _udp_socket()
        self._front.bind((LOOPBACK, 0))
        self.address = Address(*self._front.getsockname())
        self._loop.add_reader(self._front, self._from_office)

    @property
    def flows(self) -> int:
        """How many clients have a way open."""
        return len(self._flows)

    def close(self) -> None:
        """Close every socket; datagrams under way are lost."""
        while self._flows:
            self._end(next(iter(self._flows)))
        self._loop.remove_reader(self._front)
        self._front.close()

    def _from_office(self) -> None:
        now = self._loop.time()
        self._expire(now)
        for _ in range(DRAIN):
            try:
                datagram, client = self._front.recvfrom(LARGEST_DATAGRAM)
            except OSError:
                return
            flow = self._flow(client, now)
            self._carry(partial(flow.upstream.send, datagram))

    def _from_target(self, flow: _Flow) -> None:
        flow.used = self._loop.time()
        for _ in range(DRAIN):
            try:
                datagram = flow.upstream.recv(LARGEST_DATAGRAM)
            except OSError:
                # Empty, or the target's port is closed: across a real line that is silence too.
                return
            self._carry(partial(self._front.sendto, datagram, flow.client))

    def _carry(self, deliver: Callable[[], int]) -> None:
        fate = self.line.datagram()
        if not fate.passes:
            return
        if fate.after_s:
            self._loop.call_later(fate.after_s, self._arrive, deliver)
        else:
            self._arrive(deliver)

    def _arrive(self, deliver: Callable[[], int]) -> None:
        if not self.line.condition.cut:
            with suppress(OSError):
                deliver()

    def _flow(self, client: tuple[str, int], now: float) -> _Flow:
        flow = self._flows.get(client)
        if flow is None:
            if len(self._flows) >= MOST_FLOWS:
                self._end(next(iter(self._flows)))
            upstream = _udp_socket()
            upstream.connect(self.target)
            flow = self._flows[client] = _Flow(upstream, client, now)
            self._loop.add_reader(upstream, self._from_target, flow)
        flow.used = now
        self._flows.move_to_end(client)
        return flow

    def _expire(self, now: float) -> None:
        while self._flows:
            client, flow = next(iter(self._flows.items()))
            if now - flow.used < IDLE_S:
                return
            self._end(client)

    def _end(self, client: tuple[str, int]) -> None:
        flow = self._flows.pop(client)
        self._loop.remove_reader(flow.upstream)
        flow.upstream.close()


class TcpRelay:
    """Streams between the office's port and the target, through the line.

    While the line is cut a new connection must not even be accepted, but the kernel completes
    handshakes by itself. So the queue of the listening socket is shrunk to one place and filled
    with a connection of our own: Linux then drops further SYNs, as a dead line does, and a
    client's retransmitted SYN gets through once the line is back.
    """

    def __init__(self, line: Line, target: Address) -> None:
        self.line = line
        self.target = target
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._carriers: set[asyncio.Task[None]] = set()
        self._plug: socket.socket | None = None
        self._front = socket.socket()
        self._front.setblocking(False)
        self._front.bind((LOOPBACK, 0))
        self._front.listen(BACKLOG)
        self.address = Address(*self._front.getsockname())
        self._loop.add_reader(self._front, self._accept)
        line.watch(self._on_change)

    async def close(self) -> None:
        """Close every socket and wait for what was carried."""
        self._loop.remove_reader(self._front)
        self._front.close()
        if self._plug:
            self._plug.close()
        for carrier in self._carriers:
            carrier.cancel()
        await asyncio.gather(*self._carriers, return_exceptions=True)

    def _on_change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        if self._front.fileno() < 0:
            return
        if self.line.condition.dead and self._plug is None:
            self._loop.remove_reader(self._front)
            self._front.listen(0)
            self._plug = socket.socket()
            self._plug.setblocking(False)
            with suppress(BlockingIOError):
                self._plug.connect(self.address)
        elif not self.line.condition.dead and self._plug is not None:
            self._front.listen(BACKLOG)
            self._unplug(self._plug)
            self._plug = None
            self._loop.add_reader(self._front, self._accept)

    def _unplug(self, plug: socket.socket) -> None:
        ours = plug.getsockname()
        with suppress(BlockingIOError):
            while True:
                office, peer = self._front.accept()
                if peer == ours:
                    office.close()
                else:
                    self._start(office)
        plug.close()

    def _accept(self) -> None:
        with suppress(OSError):
            office, _ = self._front.accept()
            self._start(office)

    def _start(self, office: socket.socket) -> None:
        office.setblocking(False)
        carrier = self._loop.create_task(self._serve(office))
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)

    async def _serve(self, office: socket.socket) -> None:
        """Carry one connection until both ends have finished or one has broken off."""
        target = socket.socket()
        target.setblocking(False)
        with office, target, suppress(OSError):
            await self._cross(handshake=True)
            await self._loop.sock_connect(target, self.target)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(office, target))
                both.create_task(self._pump(target, office))

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while chunk := await self._loop.sock_recv(source, CHUNK):
                await self._cross()
                await self._loop.sock_sendall(sink, chunk)
            await self._cross()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # One end broke off: wake the other direction by ending both.
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    async def _cross(self, *, handshake: bool = False) -> None:
        """Return when what was sent has reached the other side; holds it while the line is cut."""
        while True:
            fate = self.line.segment(handshake=handshake)
            if fate.passes:
                if fate.after_s:
                    await asyncio.sleep(fate.after_s)
                if not self.line.condition.dead:
                    return
            else:
                await self._changed.wait()


def _udp_socket() -> socket.socket:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.setblocking(False)
    return endpoint
