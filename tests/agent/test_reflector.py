from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from collector.reflector import Reflector, Sessions
from tabuah.stamp import LENGTH, SenderPacket, decode_reflector, encode_sender


@pytest.fixture
async def reflector() -> AsyncIterator[Reflector]:
    reflector = Reflector(synchronised=lambda: True)
    await reflector.start("127.0.0.1", 0)
    yield reflector
    reflector.close()


async def ask(reflector: Reflector, data: bytes, host: str = "127.0.0.1") -> bytes | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((host, reflector.port))
        sock.send(data)
        try:
            async with asyncio.timeout(0.3):
                return await asyncio.get_running_loop().sock_recv(sock, 2048)
        except TimeoutError:
            return None


async def count(reflector: Reflector, ssid: int, sequence: int = 0) -> int:
    data = encode_sender(SenderPacket(sequence, time.time_ns(), ssid))
    answer = await ask(reflector, data)
    assert answer is not None
    return decode_reflector(answer).sequence


async def test_each_session_is_counted_from_zero(reflector: Reflector) -> None:
    assert [await count(reflector, 1, sequence) for sequence in (0, 5, 9)] == [0, 1, 2]
    assert await count(reflector, 2) == 0


async def test_an_answer_tells_times_and_ttl(reflector: Reflector) -> None:
    before_ns = time.time_ns()
    data = encode_sender(SenderPacket(3, before_ns, 77))
    packet = decode_reflector(await ask(reflector, data) or b"")
    assert (packet.ssid, packet.sender_sequence, packet.sender_sent_ns) == (77, 3, before_ns)
    assert before_ns <= packet.received_ns <= packet.sent_ns <= time.time_ns()
    assert packet.sender_ttl == 64
    assert packet.synchronised


async def test_longer_packets_come_back_as_long(reflector: Reflector) -> None:
    data = encode_sender(SenderPacket(0, 0, 1)) + b"padding"
    assert len(await ask(reflector, data) or b"") == LENGTH + 7


async def test_what_is_no_stamp_is_counted_and_not_answered(reflector: Reflector) -> None:
    assert await ask(reflector, b"who are you") is None
    assert (reflector.counts.malformed, reflector.counts.reflected) == (1, 0)


async def test_it_answers_over_ipv6_from_the_address_asked() -> None:
    reflector = Reflector()
    await reflector.start("::", 0)
    data = encode_sender(SenderPacket(0, 0, 1))
    packet = decode_reflector(await ask(reflector, data, "::1") or b"")
    reflector.close()
    assert packet.sender_ttl == 64


async def test_it_answers_from_the_address_that_was_asked() -> None:
    # A connected socket hears nobody but whom it asked: 127.0.0.9 is one of many of this host's.
    reflector = Reflector()
    await reflector.start("0.0.0.0", 0)
    answer = await ask(reflector, encode_sender(SenderPacket(0, 0, 1)), "127.0.0.9")
    reflector.close()
    assert answer is not None


def test_the_source_port_is_no_part_of_a_session_and_the_address_is() -> None:
    sessions = Sessions()
    assert [sessions.count("192.0.2.1", 5, now) for now in (0.0, 1.0)] == [0, 1]
    assert sessions.count("192.0.2.2", 5, 2.0) == 0


def test_the_session_unheard_for_longest_gives_way() -> None:
    sessions = Sessions(room=2)
    for address in ("a", "b", "a", "c"):
        sessions.count(address, 1, 0.0)
    assert len(sessions) == 2
    assert sessions.count("a", 1, 0.0) == 2
    assert sessions.count("b", 1, 0.0) == 0


def test_sessions_end_when_unheard_for_their_time() -> None:
    sessions = Sessions(expires_s=100.0)
    sessions.count("a", 1, 0.0)
    sessions.count("b", 1, 60.0)
    assert sessions.count("b", 1, 120.0) == 1
    assert len(sessions) == 1
    assert sessions.count("a", 1, 130.0) == 0
