"""The simulated offices' line to the collector: one socket, and what is lost on it."""

from __future__ import annotations

import contextlib
import random
import select
import socket
from typing import TYPE_CHECKING, Final

from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.simulation.plan import Plan

HEADERS: Final = 28
"""Octets of IPv4 and UDP."""
_RECEIVE_BUFFER: Final = 16 << 20
_SO_RCVBUFFORCE: Final = 33


class Line:
    """Carries datagrams of all offices, but those that the plan loses."""

    def __init__(self, plan: Plan, address: tuple[str, int]) -> None:
        """Open the socket.

        Raises:
            TabuahError: there is no such address.
        """
        self._plan = plan
        self._dice = random.Random()  # noqa: S311 - lost datagrams, not keys
        self._socket = _open(address)
        self.began: float | None = None
        """Monotonic seconds from which the plan's cuts are counted; nothing is lost before."""

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def send(self, datagram: bytes, number: int, now: float) -> None:
        """Send a datagram of the office of that number; whether it arrives nobody says."""
        if not self.loses(number, now):
            with contextlib.suppress(OSError):  # as if it were lost on its way
                self._socket.send(datagram)

    def loses(self, number: int, now: float) -> bool:
        """Return whether a datagram of that office, or to it, is lost."""
        if self.began is None:
            return False
        if self._plan.loss and self._dice.random() < self._plan.loss:
            return True
        return bool(self._plan.cuts) and self._plan.cut_off(number, now - self.began)

    def wait(self, seconds: float) -> None:
        """Return once something has come, or after so many seconds."""
        select.select([self._socket], [], [], seconds)

    def heard(self, most: int) -> Iterator[bytes]:
        """Yield what has come, at most so many datagrams."""
        for _ in range(most):
            try:
                yield self._socket.recv(65_535)
            except BlockingIOError:
                return
            except OSError:  # ICMP: nobody listens there now
                continue


def _open(address: tuple[str, int]) -> socket.socket:
    opened: socket.socket | None = None
    try:
        family, _, _, _, found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.connect(found)
    except OSError as error:
        if opened is not None:
            opened.close()
        raise TabuahError(f"--collector {address[0]}:{address[1]}: {error.strerror}") from error
    opened.setblocking(False)
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        with contextlib.suppress(OSError):  # the first takes root
            opened.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BUFFER)
            break
    return opened
