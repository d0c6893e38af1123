"""One TCP connection to a page, read by lines and blocks; TLS (`agent.probes.tls`) builds on it.

By the sockets of the event loop rather than asyncio's streams, because on a leased line packets
count: what we say leaves in as few as can be, and the end takes one.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from tabuah.errors import DecodeError, TabuahError

BLOCK = 4096
_LONGEST_LINE = 16_384
_LINGER_NONE = struct.pack("@ii", 1, 0)
"""struct linger of socket(7): at close all is dropped, and the peer told by RST."""


class TlsFailure(TabuahError):  # noqa: N818  a failed run is a finding, not a fault of ours
    """The server's TLS is not as it should be; `untrusted` when it is its certificate."""

    def __init__(self, why: str, *, untrusted: bool) -> None:
        self.untrusted = untrusted
        super().__init__(why)


class Stream:
    """What a server says over a connected, non-blocking socket, which is closed with it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = bytearray()

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def read(self, most: int) -> bytes:
        """Return the next octets, `most` at most; none at the stream's end."""
        if not self._held:
            self._held += await self._next()
        data = bytes(self._held[:most])
        del self._held[:most]
        return data

    async def read_line(self) -> bytes:
        r"""Return the next line, with its \n.

        Raises:
            DecodeError: when it is longer than any head may be.
            EOFError: when the stream ends before it does.
        """
        seen = 0
        while (end := self._held.find(b"\n", seen)) < 0:
            seen = len(self._held)
            if seen > _LONGEST_LINE:
                raise DecodeError("a line without end")
            block = await self._next()
            if not block:
                raise EOFError
            self._held += block
        return await self.read(end + 1)

    def close(self) -> None:
        """End the connection at once: what we have read is enough, and nobody waits for goodbye.

        RST instead of FIN, which would take three packets more and leave the server waiting in
        the middle of an answer that we do not need to the end.
        """
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self._sock.close()

    async def _next(self) -> bytes:
        """Return what comes next; nothing at the end."""
        return await asyncio.get_running_loop().sock_recv(self._sock, BLOCK)


def answer_without_pure_acks(sock: socket.socket) -> None:
    """Make the kernel acknowledge with what we say, where it can, not with packets of their own.

    Before connect: then the handshake's third packet is the request itself. It is a hint that
    the kernel may forget (TCP_QUICKACK of tcp(7)); an acknowledgement is 52 octets.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
