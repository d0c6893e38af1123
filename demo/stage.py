"""What the demo itself plays, in one event loop: the stand-ins, and each office's line.

The programs (collector, agents, snmpd) are `demo.run`'s. The stage must stand before they
start, since their configurations name its ports.
"""

from __future__ import annotations

import random
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.county import Router, Targets
from demo.line import Line
from demo.relay import LOOPBACK, Address, TcpRelay, UdpRelay
from demo.router import Mib, play_router
from demo.services import Json, WebServer, start_resolver
from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from demo.offices import Office

LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000
"""Below what Linux lends to clients (ip_local_port_range), so that none of our programs, started
again, finds its port taken by some client."""
TRIES = 100


def free_ports(wanted: Iterable[tuple[socket.SocketKind, int]]) -> list[int]:
    """Return a free loopback port for each wish: the preferred one (0 = any) if it is free.

    Raises:
        TabuahError: no port could be had.
    """
    held: list[socket.socket] = []
    try:
        for kind, preferred in wanted:
            held.append(_held_port(kind, preferred))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def _held_port(kind: socket.SocketKind, preferred: int) -> socket.socket:
    for attempt in range(TRIES):
        any_port = random.randint(LOWEST_PORT, HIGHEST_PORT)  # noqa: S311 - no secret
        port = preferred if preferred and attempt == 0 else any_port
        endpoint = socket.socket(socket.AF_INET, kind)
        if kind is socket.SOCK_STREAM:
            # What still lingers from the run before does not count as taken.
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            endpoint.bind((LOOPBACK, port))
            if kind is socket.SOCK_STREAM:
                endpoint.listen(1)
        except OSError:
            endpoint.close()
            continue
        return endpoint
    raise TabuahError(f"no free port from {LOWEST_PORT} to {HIGHEST_PORT} on {LOOPBACK}")


@dataclass(slots=True)
class Stage:
    """The stand-ins and lines of all offices."""

    offices: Sequence[Office]
    on_message: Callable[[Json], None]
    """Given each webhook message."""
    lines: dict[str, Line] = field(default_factory=dict)
    """By the offices' codes."""
    relays: dict[str, Mapping[Address, Address]] = field(default_factory=dict)
    """By the offices' codes: real address -> the office's end of the line to it."""
    _closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def build(self, reports: Address, reflector: Address) -> Targets:
        """Start the stand-ins and the lines to them and to the collector; return what is where."""
        resolver = await start_resolver()
        self._closing.callback(resolver.close)
        web = WebServer(self.on_message)
        web_address = await web.start()
        self._closing.push_async_callback(web.close)
        for number, office in enumerate(self.offices):
            line = self.lines[office.code] = Line(seed=number)
            ends: dict[Address, Address] = {}
            for target in (reports, reflector, resolver.address):
                datagrams = UdpRelay(line, target)
                self._closing.callback(datagrams.close)
                ends[target] = datagrams.address
            streams = TcpRelay(line, web_address)
            self._closing.push_async_callback(streams.close)
            ends[web_address] = streams.address
            self.relays[office.code] = ends
        return Targets(reports, reflector, resolver.address, web_address)

    async def play_routers(self, community: str) -> dict[str, Router]:
        """Return a played router for each office, by code; for machines without snmpd."""
        routers: dict[str, Router] = {}
        for number, office in enumerate(self.offices):
            router = await play_router(Mib.of(office.kecamatan or office.code, number), community)
            self._closing.callback(router.close)
            routers[office.code] = Router(router.address, ("wan0",))
        return routers

    async def close(self) -> None:
        """Close everything."""
        await self._closing.aclose()
