"""A UDP relay whose line a test cuts: it drops, holds back and copies datagrams, each way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto


class Fate(Enum):
    """What happens to one datagram."""

    PASS = auto()
    DROP = auto()
    COPY = auto()
    """It arrives twice."""
    HOLD = auto()
    """It arrives after the next one of its direction."""


Judge = Callable[[int], Fate]
"""Given how many datagrams of its direction came before, the fate of one."""


def passing(_: int) -> Fate:
    """Let all pass."""
    return Fate.PASS


def fates(*row: Fate) -> Judge:
    """Return a judge that gives these fates in order, and lets all pass after them."""
    return lambda place: row[place] if place < len(row) else Fate.PASS


class _Way:
    def __init__(self) -> None:
        self.judge: Judge = passing
        self.seen = 0
        self.held: list[bytes] = []

    def carry(self, data: bytes) -> list[bytes]:
        fate = self.judge(self.seen)
        self.seen += 1
        if fate is Fate.HOLD:
            self.held.append(data)
            return []
        sent = {Fate.PASS: [data], Fate.DROP: [], Fate.COPY: [data, data]}[fate]
        sent, self.held = sent + self.held, []
        return sent


class Relay:
    """Stands between a client and a server on loopback; a new client socket is a new NAT entry."""

    def __init__(self) -> None:
        self.forward = _Way()
        self.backward = _Way()
        self.port = 0
        self._server = ("127.0.0.1", 0)
        self._client: tuple[str, int] | None = None
        self._front: asyncio.DatagramTransport | None = None
        self._back: asyncio.DatagramTransport | None = None

    async def start(self, server_port: int) -> None:
        """Relay to that port of loopback."""
        loop = asyncio.get_running_loop()
        self._server = ("127.0.0.1", server_port)
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_client), local_addr=("127.0.0.1", 0)
        )
        self.port = int(self._front.get_extra_info("sockname")[1])
        await self.rebind()

    async def rebind(self) -> None:
        """Take another source port toward the server, as a NAT does."""
        if self._back is not None:
            self._back.close()
        loop = asyncio.get_running_loop()
        self._back, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_server), local_addr=("127.0.0.1", 0)
        )

    async def close(self) -> None:
        """Close both sockets."""
        for transport in (self._front, self._back):
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)

    def _from_client(self, data: bytes, address: tuple[str, int]) -> None:
        self._client = address
        assert self._back is not None
        for datagram in self.forward.carry(data):
            self._back.sendto(datagram, self._server)

    def _from_server(self, data: bytes, _: tuple[str, int]) -> None:
        assert self._front is not None
        for datagram in self.backward.carry(data):
            self._front.sendto(datagram, self._client)


class _Side(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._take(data, addr)
