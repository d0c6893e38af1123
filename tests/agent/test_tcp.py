from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

from agent.config import Probe
from agent.probes import Memory
from agent.probes.tcp import tcp
from tabuah.measurement import Kind, Role, Stage, Status


def probe(port: int) -> Probe:
    return Probe("siak", Kind.TCP, Role.SERVICE, f"127.0.0.1:{port}", timeout_s=0.4)


async def test_a_port_that_is_open_is_good() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    seen = await tcp(probe(server.sockets[0].getsockname()[1]), Memory())
    server.close()
    await server.wait_closed()
    assert (seen.status, seen.stage, seen.received) == (
        Status.RESPONSE_RECEIVED,
        Stage.ANSWER,
        1,
    )
    assert seen.rtt is not None


async def test_a_refusal_is_an_answer_but_not_a_good_one() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        seen = await tcp(probe(unused.getsockname()[1]), Memory())
    assert (seen.status, seen.stage, seen.received) == (Status.UNKNOWN, Stage.CONNECT, 1)
    assert not seen.good
    assert seen.rtt is not None


async def test_a_port_that_does_not_answer_times_out() -> None:
    # A full backlog: Linux lets further SYNs fall.
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        await asyncio.sleep(0.05)
        seen = await tcp(probe(full.getsockname()[1]), Memory())
    assert (seen.status, seen.stage, seen.received) == (
        Status.REQUEST_TIMED_OUT,
        Stage.CONNECT,
        0,
    )


async def test_a_name_that_does_not_resolve_says_so() -> None:
    seen = await tcp(replace(probe(80), target="nosuchname.invalid:80", timeout_s=5.0), Memory())
    assert (seen.status, seen.stage) == (Status.UNABLE_TO_RESOLVE_DNS_NAME, Stage.RESOLVE)


async def test_an_interface_that_is_not_there_is_inactive() -> None:
    seen = await tcp(replace(probe(80), interface="ppp77"), Memory())
    assert (seen.status, seen.stage) == (Status.INTERFACE_INACTIVE_TO_TARGET, Stage.CONNECT)
