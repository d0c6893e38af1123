"""Stand-ins for what offices ask over their lines: a resolver and the health pages of services.

The same web server takes the collector's webhook messages. It speaks as much HTTP/1.1 as a
probe and a webhook need, one request a connection.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from demo.relay import LOOPBACK, Address

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = {"siak": "SIAK", "lpse": "LPSE", "ppid": "PPID", "sinawa": "SINAWA"}
"""Code -> name."""
NAMES = frozenset(f"{code}.example" for code in SERVICES)
TTL_S = 30
LARGEST_BODY = 65536
REQUEST_WAIT_S = 10.0

Json = dict[str, object]


def health_path(service: str) -> str:
    """Return the path of a service's health page."""
    return f"/{service}/health"


def answer(query: bytes) -> bytes | None:
    """Return the resolver's response to a datagram, or None where it deserves none."""
    try:
        asked = dns.message.from_wire(query)
    except dns.exception.DNSException:
        return None
    if asked.flags & dns.flags.QR or len(asked.question) != 1:
        return None
    question = asked.question[0]
    response = dns.message.make_response(asked, recursion_available=True)
    if question.name.to_text(omit_final_dot=True).lower() not in NAMES:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif question.rdtype == dns.rdatatype.A:
        response.answer.append(
            dns.rrset.from_text(question.name, TTL_S, dns.rdataclass.IN, dns.rdatatype.A, LOOPBACK)
        )
    return response.to_wire()


class Resolver(asyncio.DatagramProtocol):
    """A resolver that knows the services of the demo."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        # Python 3.11's own datagram transport is no asyncio.DatagramTransport.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a query."""
        response = answer(data)
        if response is not None:
            self._transport.sendto(response, addr)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(*self._transport.get_extra_info("sockname"))

    def close(self) -> None:
        """Stop answering."""
        self._transport.close()


async def start_resolver() -> Resolver:
    """Return a resolver that answers on a free port."""
    loop = asyncio.get_running_loop()
    _, resolver = await loop.create_datagram_endpoint(Resolver, local_addr=(LOOPBACK, 0))
    return resolver


@dataclass(frozen=True, slots=True)
class Page:
    """A response: a status and plain text."""

    status: HTTPStatus = HTTPStatus.OK
    text: str = ""

    def encode(self) -> bytes:
        """Return it as it goes on the wire."""
        body = self.text.encode()
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body


@dataclass(slots=True)
class WebServer:
    """The health pages, and the hook that hands each message to `on_message`."""

    on_message: Callable[[Json], None]
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> Address:
        """Listen on a free port and return it."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        return Address(*self._server.sockets[0].getsockname())

    async def close(self) -> None:
        """Stop listening and break off what is open."""
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.close()
            await self._server.wait_closed()

    def page(self, method: str, path: str, body: bytes) -> Page:
        """Return the response to one request."""
        if method == "POST" and path == "/hook":
            try:
                message = json.loads(body)
            except ValueError:
                return Page(HTTPStatus.BAD_REQUEST, "not JSON\n")
            if not isinstance(message, dict):
                return Page(HTTPStatus.BAD_REQUEST, "not an object\n")
            self.on_message(message)
            return Page(HTTPStatus.OK, "thank you\n")
        for code, name in SERVICES.items():
            if path == health_path(code):
                return Page(HTTPStatus.OK, f"{name} OK\n")
        return Page(HTTPStatus.NOT_FOUND, "no such page\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with asyncio.timeout(REQUEST_WAIT_S):
                writer.write((await self._respond(reader)).encode())
                await writer.drain()
        except (OSError, EOFError, ValueError, TimeoutError):
            # Gone, too slow, or no HTTP: a stand-in owes such a client nothing.
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader) -> Page:
        method, path, _ = (await reader.readline()).decode("latin-1").split(" ", 2)
        length = 0
        while (line := (await reader.readline()).decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        if not 0 <= length <= LARGEST_BODY:
            return Page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large\n")
        return self.page(method, path, await reader.readexactly(length))
