"""Names and failures that all probes share."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import replace

import pytest

from agent.config import Probe
from agent.probes import PROBES, Memory
from agent.probes.net import resolve
from agent.probes.run import status_of
from tabuah.measurement import Kind, Role, Stage, Status

PROBE = Probe("anchor", Kind.PING, Role.PUBLIC, "anchor.example", timeout_s=0.1)
V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))


class Resolver:
    """The system's resolver, which hangs until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.free = threading.Event()
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, *arguments: object, **options: object) -> object:
        if options.get("flags") == socket.AI_NUMERICHOST:
            return self._real(host, *arguments, **options)  # type: ignore[arg-type]
        self.asked += 1
        self.free.wait(10)
        return [V4]


def test_there_is_a_probe_of_every_kind() -> None:
    assert set(PROBES) == set(Kind)


async def test_a_resolver_that_hangs_holds_one_thread_however_many_runs_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver, memory = Resolver(monkeypatch), Memory()
    for _ in range(3):
        seen = await PROBES[Kind.PING](PROBE, memory)
        assert (seen.status, seen.stage) == (Status.REQUEST_TIMED_OUT, Stage.RESOLVE)
    resolver.free.set()
    await asyncio.sleep(0.05)
    assert (await PROBES[Kind.PING](replace(PROBE, timeout_s=1.0), memory)).good
    assert resolver.asked <= 2


async def test_a_name_is_not_looked_up_at_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, memory = Resolver(monkeypatch), Memory()
    resolver.free.set()
    for _ in range(3):
        assert (await PROBES[Kind.PING](replace(PROBE, timeout_s=1.0), memory)).good
    assert resolver.asked == 1
    await resolve(PROBE.target, memory, 1.0, keep_s=0.0)
    assert resolver.asked == 2


@pytest.mark.parametrize("kind", [Kind.PING, Kind.UDP])
async def test_a_run_that_could_not_begin_lost_all_its_packets(kind: Kind) -> None:
    probe = replace(PROBE, kind=kind, target="127.0.0.1:9", interface="ppp77", count=3)
    if kind is Kind.PING:
        probe = replace(probe, target="127.0.0.1")
    seen = await PROBES[kind](probe, Memory())
    assert (seen.sent, seen.received) == (3, 0)
    assert seen.status is Status.INTERFACE_INACTIVE_TO_TARGET


def test_an_error_without_a_word_of_its_own_is_unknown() -> None:
    assert status_of(ConnectionRefusedError(111, "refused")) is Status.UNKNOWN
    assert status_of(OSError("no number")) is Status.UNKNOWN
