"""tcp: the time that a connection takes.

A refused connection is status UNKNOWN at stage CONNECT, with `received` 1 and its time: the
target answered, with 'no'. None of DISMAN's eleven words says 'refused'; REQUEST_TIMED_OUT or
NO_ROUTE_TO_TARGET would blame a line that has just carried an answer.
"""

from __future__ import annotations

import asyncio
import errno
import time
from dataclasses import replace

from agent.config import Probe
from agent.probes.net import connect, resolve
from agent.probes.run import Deadline, Memory, conclude, measurement, status_of, timing
from tabuah.address import host_port
from tabuah.measurement import Measurement, Stage, Status


async def tcp(probe: Probe, memory: Memory) -> Measurement:
    """Return the time to connect to `probe.target`; never raises for what the network does."""
    return await conclude(probe, memory, _tcp(probe, memory))


async def _tcp(probe: Probe, memory: Memory) -> Measurement:
    deadline = Deadline(probe.timeout_s)
    host, port = host_port(probe.target)
    addresses = await resolve(host, memory, deadline.left_s())
    began_ns = time.monotonic_ns()
    result = measurement(probe)
    try:
        async with asyncio.timeout(deadline.left_s()):
            sock = await connect(addresses, port, probe.interface)
        sock.close()
    except TimeoutError:
        return measurement(probe, Status.REQUEST_TIMED_OUT, Stage.CONNECT)
    except OSError as error:
        result = measurement(probe, status_of(error), Stage.CONNECT)
        if error.errno not in (errno.ECONNREFUSED, errno.ECONNRESET):
            return result
    took_ns = time.monotonic_ns() - began_ns
    result = replace(result, received=1, rtt=timing([took_ns], memory.last_rtt_ns))
    memory.last_rtt_ns = took_ns
    return result
