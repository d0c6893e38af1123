"""A place on the line between one agent and its collector: hears all, and can keep answers back."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tabuah.errors import DecodeError
from tabuah.snmp import message

Address = tuple[str, int]
_REMEMBERED = 64


class Tap:
    """A relay on loopback, in a thread; the agent's configuration names `port`."""

    def __init__(self, collector_port: int) -> None:
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect(("127.0.0.1", collector_port))
        for side in (self._front, self._back):
            side.setblocking(False)
        self.port: int = self._front.getsockname()[1]
        self.agent: Address | None = None
        self.asked: deque[bytes] = deque(maxlen=_REMEMBERED)
        """The agent's datagrams, the newest last."""
        self.answered: deque[bytes] = deque(maxlen=_REMEMBERED)
        self.weigh: Callable[[bytes], int] = lambda _: 1
        """How many reports a datagram of the agent's brings."""
        self.passed = 0
        """Datagrams of the agent's that went on to the collector."""
        self.reports = 0
        """Reports in them."""
        self.withholding = False
        """Whether answers are kept from the agent."""
        self.took_s: list[float] = []
        """From an inform to its answer; of each that was answered."""
        self._waiting: dict[int, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._relay, daemon=True)

    def __enter__(self) -> Self:
        """Begin to relay."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._done.set()
        self._thread.join()
        self._front.close()
        self._back.close()

    def inject(self, datagram: bytes) -> None:
        """Send the agent a datagram that comes from where it expects its collector."""
        if self.agent is not None:
            with contextlib.suppress(OSError):
                self._front.sendto(datagram, self.agent)

    def _relay(self) -> None:
        while not self._done.is_set():
            readable, _, _ = select.select([self._front, self._back], [], [], 0.1)
            with contextlib.suppress(OSError):
                if self._front in readable:
                    datagram, self.agent = self._front.recvfrom(65_535)
                    self._note_asked(datagram)
                    self._back.send(datagram)
                if self._back in readable:
                    datagram = self._back.recv(65_535)
                    self._note_answered(datagram)
                    if not self.withholding and self.agent is not None:
                        self._front.sendto(datagram, self.agent)

    def _note_asked(self, datagram: bytes) -> None:
        self.asked.append(datagram)
        self.passed += 1
        self.reports += self.weigh(datagram)
        self._waiting[_msg_id(datagram)] = time.monotonic()

    def _note_answered(self, datagram: bytes) -> None:
        self.answered.append(datagram)
        sent = self._waiting.pop(_msg_id(datagram), None)
        if sent is not None:
            self.took_s.append(time.monotonic() - sent)


def _msg_id(datagram: bytes) -> int:
    with contextlib.suppress(DecodeError):
        return message.decode(datagram).msg_id
    return -1


class Queue:
    """What the kernel holds for the UDP socket on a port of loopback (proc_net_udp)."""

    def __init__(self, port: int) -> None:
        self._port = f"{port:04X}"

    def look(self) -> tuple[int, int]:
        """Return the octets that wait there, and how many datagrams found no room so far."""
        for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
            words = line.split()
            if words[1].endswith(f":{self._port}"):
                return int(words[4].partition(":")[2], 16), int(words[12])
        return 0, 0
