from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import Probe
from agent.probes import Memory
from agent.probes.ping import ping
from tabuah.icmp import checksum
from tabuah.icmp_socket import open_icmp
from tabuah.measurement import Kind, Measurement, Role, Stage, Status
from tests.support.netns import ip, own_network

LOOPBACK = Probe("router", Kind.PING, Role.GATEWAY, "127.0.0.1", timeout_s=1.0)


def assert_answered(seen: Measurement, packets: int) -> None:
    assert (seen.status, seen.stage) == (Status.RESPONSE_RECEIVED, Stage.ANSWER)
    assert (seen.sent, seen.received) == (packets, packets)
    assert seen.rtt is not None
    assert 0 < seen.rtt.min_us <= seen.rtt.mean_us <= seen.rtt.max_us < 500_000


@pytest.mark.parametrize("target", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize("packets", [1, 3])
async def test_this_host_answers(target: str, packets: int) -> None:
    assert_answered(await ping(replace(LOOPBACK, target=target, count=packets), Memory()), packets)


@pytest.mark.lab
@pytest.mark.parametrize("target", ["127.0.0.1", "::1"])
async def test_where_the_kernel_allows_it_no_privilege_is_needed(target: str) -> None:
    with own_network():
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
        sock, raw = open_icmp(socket.AF_INET)
        sock.close()
        assert not raw
        assert_answered(await ping(replace(LOOPBACK, target=target, count=2), Memory()), 2)


async def test_two_at_once_do_not_take_each_others_answers() -> None:
    both = await asyncio.gather(*(ping(replace(LOOPBACK, count=3), Memory()) for _ in range(4)))
    for seen in both:
        assert_answered(seen, 3)


async def test_jitter_spans_runs_and_runs_are_counted() -> None:
    memory = Memory()
    first, second = await ping(LOOPBACK, memory), await ping(LOOPBACK, memory)
    assert (first.run, second.run) == (1, 2)
    assert first.rtt is not None
    assert first.rtt.jitter_us is None
    assert second.rtt is not None
    assert second.rtt.jitter_us is not None


@pytest.mark.parametrize(
    ("target", "status", "stage"),
    [
        ("nosuchname.invalid", Status.UNABLE_TO_RESOLVE_DNS_NAME, Stage.RESOLVE),
        ("x" * 70 + ".invalid", Status.UNABLE_TO_RESOLVE_DNS_NAME, Stage.RESOLVE),
        ("127.255.255.255", Status.INVALID_HOST_ADDRESS, Stage.ANSWER),
    ],
)
async def test_a_target_that_cannot_be_asked_says_why(
    target: str, status: Status, stage: Stage
) -> None:
    seen = await ping(replace(LOOPBACK, target=target, timeout_s=5.0), Memory())
    assert (seen.status, seen.stage, seen.received) == (status, stage, 0)


async def test_an_interface_that_is_not_there_is_inactive() -> None:
    seen = await ping(replace(LOOPBACK, circuit="telkom", interface="ppp77"), Memory())
    assert seen.status is Status.INTERFACE_INACTIVE_TO_TARGET
    assert seen.circuit == "telkom"


async def test_it_leaves_by_the_interface_that_is_told() -> None:
    assert_answered(await ping(replace(LOOPBACK, interface="lo"), Memory()), 1)


async def test_a_fault_of_our_own_is_logged_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = sys.modules["agent.probes.ping"]  # its name in the package is the function's
    monkeypatch.setattr(module, "open_icmp", lambda family: 1 / 0)
    seen = await ping(LOOPBACK, Memory())
    assert seen.status is Status.INTERNAL_ERROR
    assert "router" in caplog.text


@pytest.mark.parametrize(
    ("data", "total"), [(b"", 0xFFFF), (b"\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 0x220D)]
)
def test_the_checksum_is_that_of_rfc_1071(data: bytes, total: int) -> None:
    assert checksum(data) == total


@contextlib.contextmanager
def lonely_line() -> Iterator[str]:
    """A line whose other end nobody lives at, with a subnet of documentation (RFC 5737)."""
    with own_network():
        ip("link", "add", "wan0", "type", "veth", "peer", "name", "wan1")
        ip("addr", "add", "203.0.113.1/30", "dev", "wan0")
        ip("link", "set", "wan0", "up")
        ip("link", "set", "wan1", "up")
        yield "wan0"


@pytest.mark.lab
async def test_nobody_at_the_address_is_an_arp_failure() -> None:
    probe = replace(LOOPBACK, target="203.0.113.2", timeout_s=4.5)
    with lonely_line():
        seen = await ping(probe, Memory())
    assert seen.status is Status.ARP_FAILURE


@pytest.mark.lab
async def test_a_run_ends_by_its_timeout() -> None:
    with lonely_line() as line:
        probe = replace(LOOPBACK, target="203.0.113.2", interface=line, timeout_s=0.3, count=3)
        began = time.monotonic()
        seen = await ping(probe, Memory())
        took = time.monotonic() - began
    assert (seen.status, seen.sent, seen.received) == (Status.REQUEST_TIMED_OUT, 3, 0)
    assert 0.45 < took < 0.9


@pytest.mark.lab
async def test_an_interface_that_is_down_is_no_way_to_the_target() -> None:
    with lonely_line() as line:
        ip("link", "set", line, "down")
        seen = await ping(replace(LOOPBACK, target="203.0.113.2", interface=line), Memory())
    assert seen.status in (Status.NO_ROUTE_TO_TARGET, Status.INTERFACE_INACTIVE_TO_TARGET)


@pytest.mark.lab
async def test_without_a_route_there_is_no_route() -> None:
    with own_network():
        seen = await ping(replace(LOOPBACK, target="198.51.100.9"), Memory())
    assert (seen.status, seen.stage) == (Status.NO_ROUTE_TO_TARGET, Stage.ANSWER)
