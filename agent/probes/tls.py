"""TLS over a `Stream`: a full handshake at each check, its certificate verified.

The one module of the agent that imports `ssl`, and is imported itself at the first https check:
2.3 MiB that an office without such a check does not hold. By ssl's memory buffers rather than
asyncio's TLS, which takes a buffer of 256 KiB for each connection (the heap grows by it), and
sends the handshake's end in a packet before the request's.

No session is resumed, though that would save the certificates, more than half of a check's octets:
whether the server shows a good certificate is what we ask.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from typing import TYPE_CHECKING

from agent.probes.certificate import days_left, not_after
from agent.probes.stream import BLOCK, Stream, TlsFailure
from tabuah.errors import DecodeError

if TYPE_CHECKING:
    import socket
    from datetime import datetime

_OP_TLSEXT_PADDING = 1 << 4
"""openssl/ssl.h. Python sets it, for a load balancer of 2013 that hung on a ClientHello of 256
to 511 octets: ours would be filled up to 512."""


class TlsStream(Stream):
    """What a server says under TLS."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str | None) -> None:
        super().__init__(sock)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        # As octets: a text is encoded by IDNA first, whose tables take 0.3 MiB (a URL is ASCII).
        name = host.encode("ascii") if host is not None else None
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)

    async def handshake(self) -> None:
        """Return when the server has shown who it is; our last word leaves with the request.

        Raises:
            TlsFailure: it is not whom we asked for, or does not speak TLS as we do.
            EOFError: it ended the connection.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed():
                    raise EOFError from None
            except ssl.SSLError as error:
                with contextlib.suppress(OSError):  # the alert, if it can be said
                    await self._flush()
                untrusted = isinstance(error, ssl.SSLCertVerificationError)
                raise TlsFailure(str(error), untrusted=untrusted) from error
            else:
                return

    def days(self, now: datetime) -> int | None:
        """Return the days left of the server's certificate; None when it cannot be read."""
        try:
            return days_left(not_after(self._tls.getpeercert(binary_form=True) or b""), now)
        except DecodeError:
            return None

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._tls.write(data)
        await self._flush()

    async def _next(self) -> bytes:
        while True:
            try:
                return self._tls.read(BLOCK)
            except ssl.SSLWantReadError:
                await self._flush()
                # An end without a goodbye is the end all the same: HTTP says where it may be.
                if not await self._feed():
                    return b""
            except ssl.SSLError as error:
                raise TlsFailure(str(error), untrusted=False) from error

    async def _feed(self) -> bool:
        data = await super()._next()
        self._in.write(data)
        return bool(data)

    async def _flush(self) -> None:
        if self._out.pending:
            await super().send(self._out.read())


async def open_tls(sock: socket.socket, host: str | None) -> TlsStream:
    """Return the stream to a server that is `host`, by an authority that this machine trusts.

    Raises:
        TlsFailure: it is not; or it does not speak TLS.
        EOFError: it ended the connection.
        OSError: the line.
    """
    return await _shake_hands(sock, trusting(), host)


async def open_tls_to_anyone(sock: socket.socket, host: str | None) -> TlsStream:
    """Return the stream to whoever answers, so that one can see its certificate.

    Raises:
        TlsFailure: it does not speak TLS.
        EOFError, OSError: as `open_tls`.
    """
    context = _lean(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return await _shake_hands(sock, context, host)


@functools.cache
def trusting() -> ssl.SSLContext:
    """Return the one context that trusts the host's authorities; made at the first https probe."""
    return _lean(ssl.create_default_context())


def _lean(context: ssl.SSLContext) -> ssl.SSLContext:
    context.options &= ~_OP_TLSEXT_PADDING
    return context


async def _shake_hands(sock: socket.socket, context: ssl.SSLContext, host: str | None) -> TlsStream:
    stream = TlsStream(sock, context, host)
    try:
        await stream.handshake()
    except BaseException:
        stream.close()
        raise
    return stream
