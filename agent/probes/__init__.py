"""Probes are functions: a target and a deadline in, a Measurement out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.config import Probe
from agent.probes.dns import dns
from agent.probes.http import http
from agent.probes.ping import ping
from agent.probes.run import Memory
from agent.probes.stamp import stamp
from agent.probes.tcp import tcp
from tabuah.measurement import Kind, Measurement

__all__ = ["PROBES", "Memory", "ProbeFunction"]

ProbeFunction = Callable[[Probe, Memory], Awaitable[Measurement]]

PROBES: dict[Kind, ProbeFunction] = {
    Kind.PING: ping,
    Kind.UDP: stamp,
    Kind.DNS: dns,
    Kind.TCP: tcp,
    Kind.HTTP: http,
}
