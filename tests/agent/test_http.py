"""The http probe against servers on loopback, with certificates of an authority of our own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from agent.config import Probe
from agent.probes import Memory
from agent.probes.certificate import days_left, not_after
from agent.probes.http import http
from agent.probes.tls import trusting
from tabuah.errors import DecodeError
from tabuah.measurement import Kind, Measurement, Role, Stage, Status

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[trustme.CA]:
    """The host trusts our authority, as SSL_CERT_FILE tells OpenSSL."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    trusting.cache_clear()
    yield authority
    trusting.cache_clear()


def certified(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


@contextlib.asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Probe]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(await reader.readuntil(b"\r\n\r\n"), writer)
            await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    scheme = "https" if context is not None else "http"
    yield Probe(
        "siak",
        Kind.HTTP,
        Role.SERVICE,
        f"{scheme}://localhost:{port}/health?full=1",
        timeout_s=2.0,
        service="siak",
    )
    server.close()
    await server.wait_closed()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        if "serve" in repr(task):
            task.cancel()
    await asyncio.sleep(0.02)


def saying(answer: bytes) -> Handler:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return handle


async def seen(
    handler: Handler, context: ssl.SSLContext | None = None, **changes: object
) -> Measurement:
    async with serving(handler, context) as probe:
        return await http(replace(probe, **changes), Memory())  # type: ignore[arg-type]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nservis OK"


async def test_a_good_page_is_good_and_its_time_is_split() -> None:
    result = await seen(saying(OK), expect="OK")
    assert (result.status, result.stage, result.code) == (
        Status.RESPONSE_RECEIVED,
        Stage.ANSWER,
        200,
    )
    assert (result.sent, result.received, result.service) == (1, 1, "siak")
    phases = result.phases
    assert phases is not None
    assert phases.resolve_us is not None
    assert phases.tls_us is None
    spent = [phases.resolve_us, phases.connect_us, phases.first_byte_us, phases.body_us]
    assert result.rtt is not None
    assert sum(one or 0 for one in spent) <= result.rtt.mean_us


async def test_the_request_is_plain_and_asks_for_the_connections_end() -> None:
    heard: list[bytes] = []

    async def handle(request: bytes, writer: asyncio.StreamWriter) -> None:
        heard.append(request)
        writer.write(OK)

    await seen(handle)
    [request] = heard
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /health?full=1 HTTP/1.1"
    assert lines[1].startswith("Host: localhost:")
    assert "Connection: close" in lines
    assert "Accept-Encoding: identity" in lines


@pytest.mark.parametrize(
    "answer",
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"6;x=y\r\nservis\r\n3\r\n OK\r\n0\r\n\r\n"
        ),
        b"HTTP/1.1 200 OK\r\n\r\nservis OK",
        b"HTTP/1.0 200 OK\n\nservis OK",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        b"HTTP/1.1 200\r\nContent-Length: 9\r\n\r\nservis OK and more than it said",
    ],
    ids=["chunked", "until the end", "bare newlines", "an interim answer", "no reason"],
)
async def test_a_body_is_read_however_it_is_framed(answer: bytes) -> None:
    assert (await seen(saying(answer), expect="servis OK")).good


@pytest.mark.parametrize(
    ("answer", "code", "stage"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nOK", 503, Stage.EXPECT),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 404, Stage.EXPECT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nerror!", 200, Stage.EXPECT),
        (b"HTTP/1.1 204 Nothing\r\n\r\n", 204, Stage.EXPECT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nO", 200, Stage.BODY),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -9\r\n\r\nO", 200, Stage.BODY),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200, Stage.BODY),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", None, Stage.BODY),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n", None, Stage.BODY),
        (b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyyyyyyy\r\n" * 2000 + b"\r\n", None, Stage.BODY),
        (b"SSH-2.0-OpenSSH_9.6\r\n", None, Stage.BODY),
        (b"", None, Stage.FIRST_BYTE),
    ],
    ids=[
        "busy", "not found", "without the text", "no body", "cut short", "a negative length",
        "a bad chunk", "a bad header", "a long header", "many headers", "no HTTP", "nothing",
    ],
)  # fmt: skip
async def test_what_is_not_expected_names_its_stage(
    answer: bytes, code: int | None, stage: Stage
) -> None:
    result = await seen(saying(answer), expect="OK")
    assert (result.status, result.code, result.stage) == (Status.UNKNOWN, code, stage)
    assert not result.good


async def test_a_body_without_end_is_read_to_64_kb_and_no_further() -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    assert (await seen(handle)).good
    missing = await seen(handle, expect="OK")
    assert (missing.stage, missing.status) == (Stage.EXPECT, Status.UNKNOWN)


@pytest.mark.parametrize(
    ("begin", "stage"),
    [(b"", Stage.FIRST_BYTE), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nser", Stage.BODY)],
    ids=["no byte", "half a body"],
)
async def test_a_slow_server_times_out_at_its_stage(begin: bytes, stage: Stage) -> None:
    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        await writer.drain()
        await asyncio.sleep(5)

    result = await seen(handle, timeout_s=0.3)
    assert (result.status, result.stage) == (Status.REQUEST_TIMED_OUT, stage)
    assert (result.received, result.rtt) == (0, None)


def moving(location: str, times: int) -> Handler:
    left = [times]

    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        if left[0] > 0:
            left[0] -= 1
            head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            writer.write(head.encode())
        else:
            writer.write(OK)

    return handle


@pytest.mark.parametrize("times", [1, 3])
async def test_redirects_on_the_same_host_are_followed(times: int) -> None:
    result = await seen(moving("/there", times), expect="OK")
    assert (result.status, result.code) == (Status.RESPONSE_RECEIVED, 200)


@pytest.mark.parametrize(
    ("location", "times"),
    [
        ("/there", 4),
        ("http://login.example/", 1),
        ("ftp://localhost/", 1),
        ("http://[", 1),
        ("http://localhost:99999/", 1),
    ],
    ids=["a fourth", "another host", "another scheme", "no URL", "no port"],
)
async def test_other_redirects_are_refused(location: str, times: int) -> None:
    result = await seen(moving(location, times), expect="OK")
    assert (result.status, result.stage, result.code) == (Status.UNKNOWN, Stage.EXPECT, 302)


async def test_a_redirect_to_nowhere_is_refused() -> None:
    result = await seen(saying(b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n"))
    assert (result.stage, result.code) == (Stage.EXPECT, 301)


async def test_https_tells_the_days_of_its_certificate(trusted: trustme.CA) -> None:
    ends = datetime.now(UTC) + timedelta(days=20, hours=1)
    leaf = trusted.issue_cert("localhost", not_after=ends)
    result = await seen(saying(OK), certified(leaf), expect="OK")
    assert (result.status, result.certificate_days) == (Status.RESPONSE_RECEIVED, 20)
    assert result.phases is not None
    assert result.phases.tls_us is not None


async def test_an_expired_certificate_fails_at_tls_and_tells_since_when(
    trusted: trustme.CA,
) -> None:
    begins = datetime.now(UTC) - timedelta(days=90)
    ends = datetime.now(UTC) - timedelta(days=2, hours=1)
    leaf = trusted.issue_cert("localhost", not_before=begins, not_after=ends)
    result = await seen(saying(OK), certified(leaf))
    assert (result.status, result.stage) == (Status.UNKNOWN, Stage.TLS)
    assert result.certificate_days == -3  # two days and an hour ago, rounded down
    assert result.code is None


@pytest.mark.parametrize("name", ["other.example", "localhost"])
async def test_a_certificate_of_another_host_or_authority_fails_at_tls(
    trusted: trustme.CA, name: str
) -> None:
    ends = datetime.now(UTC) + timedelta(days=20, hours=1)
    issuer = trusted if name == "other.example" else trustme.CA()
    result = await seen(saying(OK), certified(issuer.issue_cert(name, not_after=ends)))
    assert (result.status, result.stage, result.certificate_days) == (
        Status.UNKNOWN,
        Stage.TLS,
        20,
    )


async def test_https_to_http_is_never_followed(trusted: trustme.CA) -> None:
    leaf = trusted.issue_cert("localhost")
    result = await seen(moving("http://localhost/", 1), certified(leaf))
    assert (result.status, result.stage) == (Status.UNKNOWN, Stage.EXPECT)


async def test_https_is_checked_where_asyncio_knows_no_ssl(trusted: trustme.CA) -> None:
    """As in `tabuah agent run`, which imports ssl at the first https check."""
    script = (
        "import sys; from tabuah.main import _import_asyncio_without_ssl as lean; lean()\n"
        "import asyncio; from agent.config import Probe; from agent.probes import Memory\n"
        "from agent.probes.http import http; from tabuah.measurement import Kind, Role\n"
        "assert '_ssl' not in sys.modules\n"
        "probe = Probe('siak', Kind.HTTP, Role.SERVICE, sys.argv[1], expect='OK')\n"
        "assert asyncio.run(http(probe, Memory())).good\n"
        "assert '_ssl' in sys.modules\n"
    )
    async with serving(saying(OK), certified(trusted.issue_cert("localhost"))) as probe:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, probe.target)
        assert await process.wait() == 0


async def test_https_of_the_older_version_is_checked_too(trusted: trustme.CA) -> None:
    context = certified(trusted.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    result = await seen(saying(OK), context, expect="OK")
    assert result.good
    assert result.certificate_days is not None


async def test_a_long_page_is_read_through_tls(trusted: trustme.CA) -> None:
    body = b"x" * 60_000 + b"OK"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    leaf = trusted.issue_cert("localhost")
    assert (await seen(saying(head + body), certified(leaf), expect="OK")).good


async def test_a_server_that_ends_the_connection_in_the_handshake_has_not_answered() -> None:
    hellos: list[bytes] = []

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hellos.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    target = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    result = await http(Probe("siak", Kind.HTTP, Role.SERVICE, target), Memory())
    server.close()
    await server.wait_closed()
    assert (result.status, result.stage, result.received) == (Status.UNKNOWN, Stage.TLS, 0)
    assert [len(hello) < 400 for hello in hellos] == [True], "it is not filled up to 512"


async def test_a_server_that_speaks_no_tls_fails_at_tls(trusted: trustme.CA) -> None:
    async with serving(saying(OK)) as probe:
        result = await http(
            replace(probe, target=probe.target.replace("http:", "https:"), timeout_s=0.5), Memory()
        )
    assert result.stage is Stage.TLS
    assert not result.good


async def test_a_server_that_is_silent_in_the_handshake_times_out_at_tls() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = f"https://127.0.0.1:{port}/"
    probe = Probe("siak", Kind.HTTP, Role.SERVICE, target, timeout_s=0.3)
    result = await http(probe, Memory())
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.05)
    assert (result.status, result.stage) == (Status.REQUEST_TIMED_OUT, Stage.TLS)


async def test_a_refused_connection_is_told_from_silence() -> None:
    async with serving(saying(OK)) as probe:
        pass
    result = await http(probe, Memory())
    assert (result.status, result.stage, result.received) == (Status.UNKNOWN, Stage.CONNECT, 1)


async def test_a_name_that_does_not_resolve_says_so() -> None:
    probe = Probe("siak", Kind.HTTP, Role.SERVICE, "http://nosuchname.invalid/", timeout_s=5.0)
    result = await http(probe, Memory())
    assert (result.status, result.stage) == (Status.UNABLE_TO_RESOLVE_DNS_NAME, Stage.RESOLVE)


def test_the_end_of_a_certificate_is_read_from_its_der(authority: trustme.CA) -> None:
    for ends in (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)):
        pem = authority.issue_cert("a.example", not_after=ends).cert_chain_pems[0].bytes()
        assert not_after(ssl.PEM_cert_to_DER_cert(pem.decode())) == ends


def test_what_is_no_certificate_is_refused(authority: trustme.CA) -> None:
    pem = authority.issue_cert("a.example").cert_chain_pems[0].bytes()
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    for cut in (b"", b"0", der[:40], b"\x31" + der[1:]):
        with pytest.raises(DecodeError):
            not_after(cut)


@pytest.mark.parametrize(("hours", "days"), [(49, 2), (23, 0), (0, 0), (-1, -1), (-25, -2)])
def test_days_left_are_whole_and_rounded_down(hours: int, days: int) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert days_left(now + timedelta(hours=hours), now) == days
