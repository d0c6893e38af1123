"""A line that many offices share, on loopback: UDP relayed in a thread until it is cut."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

Address = tuple[str, int]


class CutLine:
    """Relays to ports of loopback; while `cut`, nothing passes either way."""

    def __init__(self) -> None:
        self.cut = False
        self._selector = selectors.DefaultSelector()
        self._backs: dict[tuple[socket.socket, Address], socket.socket] = {}
        self._clients: dict[socket.socket, tuple[socket.socket, Address]] = {}
        self._targets: dict[socket.socket, Address] = {}
        self._lock = threading.Lock()

    def to(self, port: int) -> int:
        """Return the port that leads to a port of loopback over this line."""
        front = self._socket()
        front.bind(("127.0.0.1", 0))
        with self._lock:
            self._targets[front] = ("127.0.0.1", port)
            self._selector.register(front, selectors.EVENT_READ)
        relayed: int = front.getsockname()[1]
        return relayed

    def step(self) -> None:
        """Carry what has come, waiting a little for it."""
        with self._lock:
            ready = [key.fileobj for key, _ in self._selector.select(0.02)]
        for end in ready:
            assert isinstance(end, socket.socket)
            self._carry(end)

    def close(self) -> None:
        """Close all sockets."""
        for end in (*self._targets, *self._clients):
            end.close()
        self._selector.close()

    def _carry(self, end: socket.socket) -> None:
        try:
            data, source = end.recvfrom(65_536)
        except OSError:  # nobody listens there: the collector is away
            return
        if self.cut:
            return
        if end in self._targets:
            self._back(end, source).send(data)
        else:
            front, client = self._clients[end]
            front.sendto(data, client)

    def _back(self, front: socket.socket, client: Address) -> socket.socket:
        known = self._backs.get((front, client))
        if known is None:
            known = self._backs[front, client] = self._socket()
            known.connect(self._targets[front])
            self._clients[known] = (front, client)
            with self._lock:
                self._selector.register(known, selectors.EVENT_READ)
        return known

    @staticmethod
    def _socket() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        return made


@contextmanager
def cut_line() -> Iterator[CutLine]:
    """Give a good line until the block ends."""
    line, ended = CutLine(), threading.Event()

    def carry() -> None:
        while not ended.is_set():
            line.step()

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield line
    finally:
        ended.set()
        thread.join()
        line.close()
