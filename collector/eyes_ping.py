"""The sockets of the centre's own eyes: one for each family, however many are asked.

Names are looked up in threads of their own, which no shutdown waits for, since the system's
resolver blocks for half a minute on a dead line; what was found last goes on being used.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collector.eyes import Ask, Kind
from tabuah import icmp
from tabuah.icmp_socket import open_icmp

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 1.5
OPEN_AGAIN_S: Final = 60.0
"""After the kernel refused a socket: the administrator may have let us meanwhile."""
LOOK_UP_AGAIN_S: Final = 120.0
LOOKUPS: Final = 4
"""Threads that look names up at once."""
DRAIN_MOST: Final = 256

Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class _Sent:
    key: Key
    host: str
    cookie: bytes
    at: float


@dataclass(slots=True)
class _Name:
    host: str = ""
    """An address; empty = none was found yet."""
    looked_up: float | None = None
    under_way: bool = False


@dataclass(slots=True)
class _Door:
    sock: socket.socket | None = None
    raw: bool = False
    refused: float | None = None
    """When the kernel last did."""


class Pinger:
    """Sends pings in the running loop, and says what came of each."""

    def __init__(
        self,
        answered: Callable[[Key, float, float], None],
        lost: Callable[[Key, float, float], None],
        unable: Callable[[Key], None],
    ) -> None:
        """Prepare; the arguments are `Eyes.answered`, `Eyes.lost` and `Eyes.unable`, or like."""
        self._answered, self._lost, self._unable = answered, lost, unable
        self._doors: dict[int, _Door] = {socket.AF_INET: _Door(), socket.AF_INET6: _Door()}
        self._names: dict[str, _Name] = {}
        self._sent: dict[int, _Sent] = {}
        self._identifier = secrets.randbelow(0x10000)
        self._sequence = secrets.randbelow(0x10000)
        self._lookups = 0

    def close(self) -> None:
        """Close the sockets."""
        for door in self._doors.values():
            if door.sock is not None:
                asyncio.get_running_loop().remove_reader(door.sock)
                door.sock.close()
                door.sock = None

    def ask(self, ask: Ask, now: float) -> None:
        """Send one ping; what comes of it is told, at the latest by `tick`."""
        host = self._address(ask.host, now)
        if not host:
            self._lost(ask.key, now, now)
            return
        v6 = ":" in host
        door = self._door(socket.AF_INET6 if v6 else socket.AF_INET, now)
        if door.sock is None:
            self._unable(ask.key)
            return
        sequence = self._sequence = (self._sequence + 1) % 0x10000
        cookie = os.urandom(icmp.COOKIE_OCTETS)
        if (overtaken := self._sent.pop(sequence, None)) is not None:
            self._lost(overtaken.key, overtaken.at, now)
        try:
            door.sock.sendto(icmp.request(self._identifier, sequence, cookie, v6=v6), (host, 0))
        except BlockingIOError:  # our own queue is full: that says nothing of the target
            self._unable(ask.key)
        except OSError:
            self._lost(ask.key, now, now)
        else:
            self._sent[sequence] = _Sent(ask.key, host, cookie, now)

    def tick(self, now: float) -> None:
        """Give up on what was not answered in time; to be called often."""
        while self._sent:
            sequence, oldest = next(iter(self._sent.items()))
            if now - oldest.at < TIMEOUT_S:
                return
            del self._sent[sequence]
            self._lost(oldest.key, oldest.at, now)

    # --- its steps ----------------------------------------------------------------------

    def _door(self, family: int, now: float) -> _Door:
        door = self._doors[family]
        refused = door.refused is not None and now - door.refused < OPEN_AGAIN_S
        if door.sock is not None or refused:
            return door
        try:
            sock, door.raw = open_icmp(family)
        except OSError as error:
            if door.refused is None:
                log.error("%s", _advice(error))  # noqa: TRY400 - the reason is the message
            door.refused = now
            return door
        sock.setblocking(False)
        asyncio.get_running_loop().add_reader(sock, self._drain, family)
        door.sock, door.refused = sock, None
        return door

    def _drain(self, family: int) -> None:
        door = self._doors[family]
        if door.sock is None:
            return
        for _ in range(DRAIN_MOST):
            try:
                data, source = door.sock.recvfrom(2048)
            except OSError:  # nothing more, or an ICMP error, which is as good as no answer
                return
            self._take(data, str(source[0]), door, v6=family == socket.AF_INET6)

    def _take(self, data: bytes, source: str, door: _Door, *, v6: bool) -> None:
        found = icmp.answer(data, v6=v6, raw=door.raw)
        if found is None or (door.raw and found.identifier != self._identifier):
            return
        sent = self._sent.get(found.sequence)
        if sent is None or sent.cookie != found.cookie or not _same(sent.host, source):
            return
        del self._sent[found.sequence]
        self._answered(sent.key, sent.at, time.monotonic())

    def _address(self, host: str, now: float) -> str:
        """Return the host's address as last known; have a name looked up when it is time."""
        known = self._names.get(host)
        if known is None:
            known = self._names[host] = _Name()
            with contextlib.suppress(ValueError):
                known.host, known.looked_up = str(ipaddress.ip_address(host)), float("inf")
        old = known.looked_up is None or now - known.looked_up >= LOOK_UP_AGAIN_S
        if old and not known.under_way and self._lookups < LOOKUPS:
            known.under_way = True
            self._lookups += 1
            loop = asyncio.get_running_loop()
            work = threading.Thread(
                target=self._look_up, args=(host, loop), name=f"resolve {host}", daemon=True
            )
            work.start()
        return known.host

    def _look_up(self, host: str, loop: asyncio.AbstractEventLoop) -> None:
        found = ""
        with contextlib.suppress(OSError, UnicodeError):
            found = str(socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4][0])
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(self._found, host, found)

    def _found(self, host: str, found: str) -> None:
        self._lookups -= 1
        known = self._names[host]
        known.under_way = False
        known.looked_up = time.monotonic()
        known.host = found or known.host


def _same(host: str, source: str) -> bool:
    """Return whether an answer's source is the address asked: of one there may be two spellings."""
    return host == source or host.partition("%")[0] == source.partition("%")[0]


def _advice(error: OSError) -> str:
    return (
        f"the centre cannot ping its references and the offices' addresses: {error.strerror}. Let "
        "its group: sysctl -w net.ipv4.ping_group_range='0 2147483647'; or give it CAP_NET_RAW, "
        "as deploy/tabuah-collector.service does"
    )
