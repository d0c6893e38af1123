"""Relays on real sockets: a cut line carries nothing, a lossy one loses as much as it says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import cast

import pytest

from demo import relay
from demo.line import Condition, Line
from demo.relay import Address, TcpRelay, UdpRelay


class _Echo(asyncio.DatagramProtocol):
    """Answers each datagram with itself, and remembers who asked."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.clients: set[tuple[str, int]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own datagram transport is no asyncio.DatagramTransport.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        self.clients.add(addr)
        self.transport.sendto(data, addr)


@asynccontextmanager
async def udp_line(line: Line) -> AsyncIterator[tuple[UdpRelay, _Echo]]:
    loop = asyncio.get_running_loop()
    transport, echo = await loop.create_datagram_endpoint(_Echo, local_addr=("127.0.0.1", 0))
    between = UdpRelay(line, Address(*transport.get_extra_info("sockname")))
    try:
        yield between, echo
    finally:
        between.close()
        transport.close()


@asynccontextmanager
async def tcp_line(line: Line) -> AsyncIterator[TcpRelay]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    between = TcpRelay(line, Address(*server.sockets[0].getsockname()))
    try:
        yield between
    finally:
        await between.close()
        server.close()


@asynccontextmanager
async def client_of(address: Address) -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(address)
        yield client


async def ask(client: socket.socket, question: bytes, wait_s: float = 0.2) -> bytes | None:
    loop = asyncio.get_running_loop()
    client.send(question)
    try:
        return await asyncio.wait_for(loop.sock_recv(client, 2048), wait_s)
    except TimeoutError:
        return None


async def test_a_good_line_brings_each_answer_to_the_one_who_asked() -> None:
    async with (
        udp_line(Line()) as (between, echo),
        client_of(between.address) as one,
        client_of(between.address) as other,
    ):
        assert await ask(one, b"one") == b"one"
        assert await ask(other, b"other") == b"other"
        assert between.flows == len(echo.clients) == 2


async def test_a_cut_line_is_silent_and_a_restored_one_speaks_again() -> None:
    line = Line()
    async with udp_line(line) as (between, echo), client_of(between.address) as client:
        line.become(Condition(cut=True))
        assert await ask(client, b"lost") is None
        assert echo.heard == []
        line.become(Condition())
        assert await ask(client, b"heard") == b"heard"


async def test_what_is_under_way_when_the_line_is_cut_never_arrives() -> None:
    line = Line(condition=Condition(delay_s=0.2))
    async with udp_line(line) as (between, echo), client_of(between.address) as client:
        client.send(b"under way")
        await asyncio.sleep(0.05)
        line.become(Condition(cut=True))
        await asyncio.sleep(0.15)
        assert echo.heard == []


async def test_delay_is_added_to_the_round_trip() -> None:
    loop = asyncio.get_running_loop()
    async with (
        udp_line(Line(condition=Condition(delay_s=0.15))) as (between, _),
        client_of(between.address) as client,
    ):
        began = loop.time()
        assert await ask(client, b"slow", wait_s=1.0) == b"slow"
        assert 0.149 < loop.time() - began < 0.3


async def test_loss_strikes_each_way_as_often_as_it_says() -> None:
    count, ratio = 1000, 0.2
    line = Line(seed=3, condition=Condition(loss_ratio=ratio))
    async with udp_line(line) as (between, echo), client_of(between.address) as client:
        returned = 0
        for number in range(count):
            client.send(number.to_bytes(2))
            if number % 20 == 19:
                await asyncio.sleep(0.002)
                returned += drained(client)
        await asyncio.sleep(0.1)
        returned += drained(client)
    there = len(echo.heard)
    # Three binomial standard deviations.
    assert abs(there - count * (1 - ratio)) < 3 * (count * ratio * (1 - ratio)) ** 0.5
    assert abs(returned - there * (1 - ratio)) < 3 * (there * ratio * (1 - ratio)) ** 0.5


def drained(client: socket.socket) -> int:
    count = 0
    try:
        while client.recv(2048):
            count += 1
    except BlockingIOError:
        return count
    return count


async def test_a_closed_target_is_silence_and_not_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        target = Address(*gone.getsockname())
    between = UdpRelay(Line(), target)
    async with client_of(between.address) as client:
        assert await ask(client, b"anyone?", 0.05) is None
        assert await ask(client, b"anyone?", 0.05) is None
    between.close()


async def test_many_clients_never_hold_more_than_a_bounded_number_of_sockets() -> None:
    async with udp_line(Line()) as (between, _):
        for _ in range(relay.MOST_FLOWS + 10):
            async with client_of(between.address) as client:
                assert await ask(client, b"x") == b"x"
        assert between.flows == relay.MOST_FLOWS


async def test_an_idle_client_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "IDLE_S", 0.05)
    async with udp_line(Line()) as (between, _), client_of(between.address) as first:
        await ask(first, b"x")
        await asyncio.sleep(0.1)
        async with client_of(between.address) as second:
            await ask(second, b"y")
        assert between.flows == 1


async def test_a_stream_arrives_whole_both_ways() -> None:
    sent = Random(1).randbytes(300_000)
    async with tcp_line(Line()) as between:
        reader, writer = await asyncio.open_connection(*between.address)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read(-1) == sent
        writer.close()


async def test_a_lossy_stream_arrives_whole_and_late() -> None:
    loop = asyncio.get_running_loop()
    async with tcp_line(Line(seed=1, condition=Condition(loss_ratio=0.3, delay_s=0.02))) as between:
        began = loop.time()
        reader, writer = await asyncio.open_connection(*between.address)
        writer.write(b"question")
        assert await reader.readexactly(8) == b"question"
        assert loop.time() - began > 0.04
        writer.close()


async def test_a_stream_stalls_while_the_line_is_cut() -> None:
    line = Line()
    async with tcp_line(line) as between:
        reader, writer = await asyncio.open_connection(*between.address)
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        line.become(Condition(cut=True))
        writer.write(b"during")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(6), 0.1)
        line.become(Condition())
        assert await asyncio.wait_for(reader.readexactly(6), 1) == b"during"
        writer.close()


async def test_no_new_stream_gets_in_while_the_line_is_cut_and_one_does_after() -> None:
    line = Line()
    async with tcp_line(line) as between:
        line.become(Condition(cut=True))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.open_connection(*between.address), 0.3)
        patient = asyncio.create_task(asyncio.open_connection(*between.address))
        await asyncio.sleep(0.1)
        assert not patient.done()
        line.become(Condition())
        # Its second SYN leaves a second after the first.
        reader, writer = await asyncio.wait_for(patient, 4)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 1) == b"hello"
        writer.close()
