"""The collector's UDP socket: hands every datagram on, and sends what is to be answered.

Reading is by `add_reader` and drains the socket: it costs a third less than asyncio's
datagram protocol, and a burst is taken before the kernel's buffer runs over.

What has waited there for seconds is passed over. When more comes than we can take, the buffer stays
full, and each answer would come seconds late, to a report that its office has sent again or
overtaken since: all the work would be for nothing, and so it would remain. Large ones are passed
over sooner: they are the past, out of the spools of offices that have returned, and the present
goes first. Offices send again what was passed over, and whoever is taken at all is answered soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector.delivery import Address, Datagram

log = logging.getLogger(__name__)

DRAIN_MOST: Final = 256
"""Datagrams taken before the loop may do something else."""
LOOK_EACH: Final = 32
"""Datagrams between two looks at how long they have waited."""
STALE_S: Final = 3.0
"""What has waited longer is passed over: an interval is 10 s."""
STALE_LARGE_S: Final = 1.0
"""The same for what is larger than `LARGE`."""
LARGE: Final = 800
"""Octets; a live report has some 400, and 700 when it stands alone; history has 1,100."""
BUFFER_OCTETS: Final = 8 << 20
_ANY: Final = 65_535
_SIOCGSTAMP: Final = 0x8906
"""Linux: when the datagram that was read last came (socket(7))."""
_TIMEVAL: Final = struct.Struct("@ll")
_SO_RCVBUFFORCE: Final = 33
"""Linux: past net.core.rmem_max, for root."""


class ReceiverSocket:
    """An open socket in the running loop."""

    def __init__(
        self,
        host: str,
        port: int,
        take: Callable[[Sequence[Datagram]], None],
        passed_over: Callable[[int], None],
    ) -> None:
        """Bind and begin to read.

        Args:
            host: an address of this machine.
            port: 0 = a free one.
            take: given the datagrams that wait, `DRAIN_MOST` at a time.
            passed_over: told how many datagrams were.

        Raises:
            TabuahError: the address cannot be had.
        """
        self._take = take
        self._passed_over = passed_over
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
            )[0]
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            try:
                self._socket.setblocking(False)
                self._socket.bind(address)
            except OSError:
                self._socket.close()
                raise
        except OSError as error:
            raise TabuahError(
                f"cannot listen for reports on {host}:{port}/udp: {error.strerror}; "
                "is another collector running, or is the address of another machine?"
            ) from error
        _enlarge(self._socket)
        self.port: int = self._socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._socket, self._drain)

    @property
    def hearing(self) -> bool:
        """Whether the socket is open and being read."""
        return self._socket.fileno() >= 0

    def send(self, datagram: bytes, address: Address) -> None:
        """Send an answer; one that cannot leave is like one that is lost on its way."""
        with contextlib.suppress(OSError):
            self._socket.sendto(datagram, address)

    def close(self) -> None:
        """Stop reading."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _drain(self) -> None:
        receive = self._socket.recvfrom
        most = _ANY
        passed_over = 0
        taken: list[Datagram] = []
        for number in range(DRAIN_MOST):
            try:
                datagram, source = receive(65_535)
            except BlockingIOError:
                break
            except OSError as error:  # an ICMP error of an answer of ours; the socket lives on
                log.debug("while receiving: %s", error)
                continue
            if number % LOOK_EACH == 0:
                most = _most(self._waited_s())
            if len(datagram) > most:
                passed_over += 1
            else:
                taken.append((datagram, source))
        if passed_over:
            self._passed_over(passed_over)
        if taken:
            self._take(taken)

    def _waited_s(self) -> float:
        """Return how long the datagram that was read last had waited; 0 where nobody can say."""
        try:
            came = fcntl.ioctl(self._socket, _SIOCGSTAMP, bytes(_TIMEVAL.size))
        except OSError:  # before the first look the kernel notes no times
            return 0.0
        seconds, micros = _TIMEVAL.unpack(came)
        return float(time.time() - seconds - micros / 1e6)


def _most(waited_s: float) -> int:
    """Return the size of datagrams that are taken when they have waited so long."""
    if waited_s > STALE_S:
        return -1
    return LARGE if waited_s > STALE_LARGE_S else _ANY


def _enlarge(opened: socket.socket) -> None:
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        try:
            opened.setsockopt(socket.SOL_SOCKET, option, BUFFER_OCTETS)
        except OSError:  # not root: the kernel's limit it is
            continue
        return
