"""The little of HTTP/1.1 (RFC 9112) that a probe needs: request text, head, body, redirect.

Reads from a `Stream`; opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from agent.probes.stream import BLOCK, Stream
from tabuah import __version__
from tabuah.errors import DecodeError

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_MAX_HEAD = 16_384
_NO_BODY = (204, 304)

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Head:
    """Status code and headers, their names in lower case."""

    code: int
    headers: Mapping[str, str]


def request(url: SplitResult) -> bytes:
    """Return a GET of `url` that asks for one plain answer and the connection's end."""
    path = url.path or "/"
    target = f"{path}?{url.query}" if url.query else path
    host = url.netloc.rpartition("@")[2]
    return (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tabuah/{__version__}\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


async def read_head(stream: Stream, status_line: bytes) -> Head:
    """Return the head that begins with `status_line`; interim answers (1xx) are passed over.

    Raises:
        DecodeError: when it is no HTTP/1 head.
        EOFError: when the stream ends within it.
    """
    while True:
        match = _STATUS_LINE.fullmatch(status_line)
        if match is None:
            raise DecodeError("no HTTP/1 status line")
        headers: dict[str, str] = {}
        size = len(status_line)
        while (line := await stream.read_line()) not in (b"\r\n", b"\n"):
            size += len(line)
            if size > _MAX_HEAD:
                raise DecodeError("the head is too long")
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise DecodeError("a header without a colon")
            headers[name.strip().lower()] = value.strip()
        code = int(match[1])
        if not 100 <= code < 200:
            return Head(code, headers)
        status_line = await stream.read_line()


async def body(stream: Stream, head: Head) -> AsyncIterator[bytes]:
    """Give the body's octets as they come, without chunk framing.

    Raises:
        DecodeError: when its framing makes no sense.
        EOFError: when the stream ends before the body does.
    """
    if head.code in _NO_BODY:
        return
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        while size := _chunk_size(await stream.read_line()):
            async for block in _exactly(stream, size):
                yield block
            await stream.read_line()
    elif "content-length" in head.headers:
        length = head.headers["content-length"]
        if not (length.isascii() and length.isdigit()):
            raise DecodeError("a Content-Length that is no number")
        async for block in _exactly(stream, int(length)):
            yield block
    else:
        while block := await stream.read(BLOCK):
            yield block


async def _exactly(stream: Stream, size: int) -> AsyncIterator[bytes]:
    while size:
        block = await stream.read(min(size, BLOCK))
        if not block:
            raise EOFError
        size -= len(block)
        yield block


def _chunk_size(line: bytes) -> int:
    # Not int() alone: it takes a sign, and a negative size would read for ever.
    size = line.partition(b";")[0].strip()
    if not _CHUNK_SIZE.fullmatch(size):
        raise DecodeError("a chunk without a size")
    return int(size, 16)


def redirect(url: SplitResult, location: str) -> SplitResult | None:
    """Return where `location` leads from `url`; None when that is not ours to follow.

    Only the same host is followed, and never from https to http: another host's health is not
    this service's, and a portal that asks for a login is just such a host.
    """
    try:
        there = urlsplit(urljoin(url.geturl(), location))
        _ = there.port
    except ValueError:  # a bracket left open, a port that is no number
        return None
    same_host = (there.hostname or "").lower() == (url.hostname or "").lower()
    if not same_host or there.scheme not in PORTS or not there.geturl().isascii():
        return None
    if url.scheme == "https" and there.scheme == "http":
        return None
    return there
