"""The stand-ins: what offices ask over their lines is answered, and rubbish is not."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import dns.rcode
import httpx
import pytest

from demo.services import Json, WebServer, answer, health_path, start_resolver


async def test_the_resolver_answers_for_the_services_and_for_no_one_else() -> None:
    resolver = await start_resolver()
    try:
        for name, rcode, count in [
            ("siak.example", dns.rcode.NOERROR, 1),
            ("SINAWA.example", dns.rcode.NOERROR, 1),
            ("elsewhere.example", dns.rcode.NXDOMAIN, 0),
        ]:
            query = dns.message.make_query(name, "A")
            response = await dns.asyncquery.udp(
                query, resolver.address.host, port=resolver.address.port, timeout=2
            )
            assert (response.rcode(), len(response.answer)) == (rcode, count)
    finally:
        resolver.close()


@pytest.mark.parametrize(
    "datagram",
    [b"", b"rubbish", dns.message.make_response(dns.message.make_query("a.", "A")).to_wire()],
)
def test_the_resolver_is_silent_to_rubbish_and_to_answers(datagram: bytes) -> None:
    assert answer(datagram) is None


@pytest.fixture
async def web() -> AsyncIterator[tuple[str, list[Json]]]:
    messages: list[Json] = []
    server = WebServer(messages.append)
    address = await server.start()
    yield f"http://{address}", messages
    await server.close()


async def test_health_pages_say_ok(web: tuple[str, list[Json]]) -> None:
    base, _ = web
    async with httpx.AsyncClient(base_url=base) as client:
        page = await client.get(health_path("siak"))
        assert (page.status_code, page.text) == (200, "SIAK OK\n")
        assert (await client.get("/nothing")).status_code == 404


async def test_a_message_to_the_hook_is_handed_on(web: tuple[str, list[Json]]) -> None:
    base, messages = web
    async with httpx.AsyncClient(base_url=base) as client:
        assert (await client.post("/hook", json={"status": "firing"})).status_code == 200
        assert (await client.post("/hook", content=b"{")).status_code == 400
        assert (await client.post("/hook", content=json.dumps([1]))).status_code == 400
    assert messages == [{"status": "firing"}]


async def test_what_is_no_http_gets_no_answer(web: tuple[str, list[Json]]) -> None:
    base, _ = web
    port = int(base.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    with socket.create_connection(("127.0.0.1", port)):
        pass
