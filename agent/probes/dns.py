"""dns: one name asked of one resolver over UDP.

NXDOMAIN, SERVFAIL, and a name with neither A nor AAAA are answers, but not the expected one:
UNABLE_TO_RESOLVE_DNS_NAME at stage EXPECT, with the rcode in `code` and the round trip kept,
because the line that carried them works.
"""

from __future__ import annotations

import time
from dataclasses import replace
from socket import SOCK_DGRAM, socket

from agent.config import Probe
from agent.probes.datagram import Arrival, exchange, prepare
from agent.probes.dns_message import AAAA, NOERROR, A, Reply, decode_reply, encode_query
from agent.probes.net import bind_to, resolve
from agent.probes.run import Deadline, Memory, ProbeFailure, conclude, measurement, timing
from tabuah import draw
from tabuah.address import host_port
from tabuah.errors import DecodeError
from tabuah.measurement import Measurement, Stage, Status

_PORT = 53


async def dns(probe: Probe, memory: Memory) -> Measurement:
    """Return how `probe.server` answers for the name `probe.target`; never raises."""
    return await conclude(probe, memory, _dns(probe, memory))


async def _dns(probe: Probe, memory: Memory) -> Measurement:
    deadline = Deadline(probe.timeout_s)
    host, port = host_port(probe.server, _PORT)
    family, address = (await resolve(host, memory, deadline.left_s()))[0]
    with socket(family, SOCK_DGRAM) as sock:
        prepare(sock, family)
        bind_to(sock, probe.interface)
        sock.connect((address, port))
        reply, took_ns = await _ask(sock, probe.target, A, deadline.left_s())
        if reply.rcode == NOERROR and not reply.answers and not reply.truncated:
            reply, _ = await _ask(sock, probe.target, AAAA, deadline.left_s())
    found = reply.rcode == NOERROR and (reply.answers > 0 or reply.truncated)
    result = (
        measurement(probe)
        if found
        else measurement(probe, Status.UNABLE_TO_RESOLVE_DNS_NAME, Stage.EXPECT)
    )
    result = replace(
        result, received=1, rtt=timing([took_ns], memory.last_rtt_ns), code=reply.rcode
    )
    memory.last_rtt_ns = took_ns
    return result


async def _ask(sock: socket, name: str, kind: int, timeout_s: float) -> tuple[Reply, int]:
    """Return the reply to one query, and its round trip in ns."""
    try:
        query = encode_query(draw.below(0x10000), name, kind)
    except ValueError as error:
        raise ProbeFailure(Status.INVALID_HOST_ADDRESS) from error
    replies: list[tuple[Reply, int]] = []
    sent_ns = 0

    def make() -> bytes:
        nonlocal sent_ns
        sent_ns = time.monotonic_ns()
        return query

    def settled(arrival: Arrival) -> bool:
        try:
            reply = decode_reply(arrival.data, query)
        except DecodeError:
            return False
        replies.append((reply, max(0, arrival.at_ns - sent_ns)))
        return True

    gathered = await exchange(sock, 1, timeout_s, make, settled)
    if not replies:
        raise ProbeFailure(gathered.status(), Stage.CONNECT if gathered.refused else Stage.ANSWER)
    return replies[0]
