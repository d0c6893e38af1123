"""The collector's socket, as it is when more comes than can be taken."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence

import pytest

from collector import receiver
from collector.delivery import Datagram
from collector.receiver import ReceiverSocket
from tests.support.centre import until


async def test_while_much_waits_the_past_is_passed_over_and_the_present_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receiver, "STALE_LARGE_S", 0.3)
    monkeypatch.setattr(receiver, "STALE_S", 60.0)
    taken: list[int] = []
    passed_over: list[int] = []

    def take(arrived: Sequence[Datagram]) -> None:
        taken.extend(len(datagram) for datagram, _ in arrived)

    opened = ReceiverSocket("127.0.0.1", 0, take, passed_over.append)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", opened.port))
            sender.send(bytes(1_100))
            await until(lambda: taken == [1_100])
            for size in (1_100, 676, 1_100, 412):
                sender.send(bytes(size))
            time.sleep(0.6)
            await until(lambda: passed_over == [2])
            sender.send(bytes(1_100))
            await until(lambda: taken == [1_100, 676, 412, 1_100])
    finally:
        opened.close()


async def test_what_waited_too_long_is_passed_over_and_what_came_since_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receiver, "STALE_S", 0.5)
    taken: list[bytes] = []
    passed_over: list[int] = []

    def take(arrived: Sequence[Datagram]) -> None:
        taken.extend(datagram for datagram, _ in arrived)

    opened = ReceiverSocket("127.0.0.1", 0, take, passed_over.append)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", opened.port))
            sender.send(b"first")
            await until(lambda: taken == [b"first"])
            for number in range(40):
                sender.send(b"old %d" % number)
            time.sleep(0.8)  # the loop stands: nobody reads
            for number in range(40):
                sender.send(b"new %d" % number)
            await until(lambda: b"new 39" in taken)
            await asyncio.sleep(0.05)
        # It looks at every 32nd: a few of the new ones may go with the old.
        assert sum(passed_over) == 64
        assert taken == [b"first", *(b"new %d" % number for number in range(24, 40))]
    finally:
        opened.close()
