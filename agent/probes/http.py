"""http: one GET of a service's page, and where its time went.

Good is a 2xx answer that holds the expected text. What is not good keeps the stage that failed:
RESOLVE, CONNECT, TLS, FIRST_BYTE, BODY, or EXPECT when an answer came but not the expected one
(its status is UNKNOWN, since no DISMAN word fits; `code` says more). `received` is 1 when the
server's answer, or its refusal, came back over the line.
"""

from __future__ import annotations

import asyncio
import errno
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from agent.config import Probe
from agent.probes.http_reply import PORTS, Head, body, read_head, redirect, request
from agent.probes.net import connect, resolve
from agent.probes.run import (
    NS_PER_US,
    Addresses,
    Deadline,
    Memory,
    ProbeFailure,
    conclude,
    measurement,
    status_of,
    timing,
)
from agent.probes.stream import Stream, TlsFailure, answer_without_pure_acks
from tabuah.errors import DecodeError
from tabuah.measurement import Measurement, Phases, Stage, Status

if TYPE_CHECKING:
    import socket

_MAX_BODY = 65_536
_MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_REFUSALS = (errno.ECONNREFUSED, errno.ECONNRESET)
_PHASES = {
    Stage.RESOLVE: "resolve_us",
    Stage.CONNECT: "connect_us",
    Stage.TLS: "tls_us",
    Stage.FIRST_BYTE: "first_byte_us",
    Stage.BODY: "body_us",
}


async def http(probe: Probe, memory: Memory) -> Measurement:
    """Return how the page `probe.target` answers; never raises for what the network does."""
    return await conclude(probe, memory, _http(probe, memory))


@dataclass(slots=True)
class _Progress:
    """How far a check has come; phases add up over redirects."""

    stage: Stage = Stage.RESOLVE
    since_ns: int = field(default_factory=time.monotonic_ns)
    spent_ns: dict[Stage, int] = field(default_factory=dict)
    answered: bool = False
    code: int | None = None
    certificate_days: int | None = None

    def done(self, following: Stage) -> None:
        """Book the time of the present stage, and go on to the next."""
        now_ns = time.monotonic_ns()
        spent = self.spent_ns.get(self.stage, 0)
        self.spent_ns[self.stage] = spent + now_ns - self.since_ns
        self.stage, self.since_ns = following, now_ns

    def phases(self) -> Phases | None:
        """Return the time of each finished stage."""
        names = {
            _PHASES[stage]: spent // NS_PER_US
            for stage, spent in self.spent_ns.items()
            if stage in _PHASES
        }
        return Phases(**names) if names else None


async def _http(probe: Probe, memory: Memory) -> Measurement:
    deadline = Deadline(probe.timeout_s)
    progress = _Progress()
    status = Status.RESPONSE_RECEIVED
    began_ns = time.monotonic_ns()
    try:
        async with asyncio.timeout(deadline.left_s()):
            await _check(probe, memory, progress, deadline)
    except TimeoutError:
        status, progress.answered = Status.REQUEST_TIMED_OUT, False
    except ProbeFailure as failure:
        status, progress.stage = failure.status, failure.stage
    except (DecodeError, EOFError):
        status = Status.UNKNOWN
    except TlsFailure:
        status, progress.answered = Status.UNKNOWN, True
    except OSError as error:
        status, progress.answered = status_of(error), error.errno in _REFUSALS
    took_ns = time.monotonic_ns() - began_ns
    good = status is Status.RESPONSE_RECEIVED
    result = replace(
        measurement(probe, status, Stage.ANSWER if good else progress.stage),
        phases=progress.phases(),
        code=progress.code,
        certificate_days=progress.certificate_days,
    )
    if progress.answered:
        result = replace(result, received=1, rtt=timing([took_ns], memory.last_rtt_ns))
        memory.last_rtt_ns = took_ns
    return result


async def _check(probe: Probe, memory: Memory, progress: _Progress, deadline: Deadline) -> None:
    url = urlsplit(probe.target)
    addresses = await resolve(url.hostname or "", memory, deadline.left_s(), keep_s=0.0)
    for _ in range(_MAX_REDIRECTS + 1):
        following = await _get(probe, url, addresses, progress)
        if following is None:
            return
        url = following
        # The next request begins with a connection again; its time adds to the same phases.
        progress.stage = Stage.CONNECT
    raise ProbeFailure(Status.UNKNOWN, Stage.EXPECT)


async def _get(
    probe: Probe, url: SplitResult, addresses: Addresses, progress: _Progress
) -> SplitResult | None:
    """Make one request; return where it redirects to, None when the answer is the expected one."""
    if progress.stage is Stage.RESOLVE:
        progress.done(Stage.CONNECT)
    stream = await _open(probe, url, addresses, progress)
    try:
        await stream.send(request(url))
        status_line = await stream.read_line()
        progress.done(Stage.BODY)
        head = await read_head(stream, status_line)
        progress.code, progress.answered = head.code, True
        if head.code in _REDIRECTS:
            following = redirect(url, head.headers.get("location", ""))
            if following is None or "location" not in head.headers:
                raise ProbeFailure(Status.UNKNOWN, Stage.EXPECT)
            progress.done(Stage.CONNECT)
            return following
        found = await _holds(stream, head, probe.expect)
        progress.done(Stage.EXPECT)
        if not (200 <= head.code < 300 and found):
            raise ProbeFailure(Status.UNKNOWN, Stage.EXPECT)
        return None
    finally:
        stream.close()


async def _holds(stream: Stream, head: Head, expect: str) -> bool:
    """Return whether the body's first 64 kB hold the text; reads no further than it must."""
    wanted, seen = expect.encode(), bytearray()
    async for block in body(stream, head):
        seen += block
        if (wanted and wanted in seen) or len(seen) >= _MAX_BODY:
            break
    return wanted in seen[:_MAX_BODY]


async def _open(
    probe: Probe, url: SplitResult, addresses: Addresses, progress: _Progress
) -> Stream:
    """Return the connection on which the request can be made."""
    sock = await _connect(probe, url, addresses)
    if url.scheme != "https":
        progress.done(Stage.FIRST_BYTE)
        return Stream(sock)
    from agent.probes import tls  # noqa: PLC0415 - it imports ssl, which many offices need not

    progress.done(Stage.TLS)
    try:
        stream = await tls.open_tls(sock, url.hostname)
    except TlsFailure as failure:
        if failure.untrusted:
            progress.certificate_days = await _days_of_untrusted(probe, url, addresses)
        raise
    progress.certificate_days = stream.days(datetime.now(UTC))
    progress.done(Stage.FIRST_BYTE)
    return stream


async def _connect(probe: Probe, url: SplitResult, addresses: Addresses) -> socket.socket:
    port = url.port or PORTS[url.scheme]
    return await connect(addresses, port, probe.interface, answer_without_pure_acks)


async def _days_of_untrusted(probe: Probe, url: SplitResult, addresses: Addresses) -> int | None:
    """Return the days left of a certificate that was not accepted; None when it can't be had.

    It takes a second handshake, of ~3 kB, that trusts nobody and sends nothing.
    """
    from agent.probes import tls  # noqa: PLC0415 - as in `_open`

    try:
        stream = await tls.open_tls_to_anyone(await _connect(probe, url, addresses), url.hostname)
    except (OSError, EOFError, TlsFailure):
        return None
    days = stream.days(datetime.now(UTC))
    stream.close()
    return days
