"""What an agent must not do if it is to run for months: grow, or hold what it opened."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Centre, centre, free_port, seconds_until

CYCLES = 20


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Centre]:
    with centre(tmp_path) as made:
        yield made


def probes(lone: Centre) -> str:
    """Return probes of each kind; half of them fail, by refusal or by silence."""
    tcp, udp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    asked = {
        "tcp-good": ("tcp", f"127.0.0.1:{lone.http}", ""),
        "tcp-bad": ("tcp", f"127.0.0.1:{tcp}", ""),
        "tcp-nowhere": ("tcp", "192.0.2.1:9", ""),
        "udp-bad": ("udp", f"127.0.0.1:{udp}", ""),
        "dns-bad": ("dns", "tabuah.invalid", f'server = "127.0.0.1:{udp}"'),
        "http-good": ("http", f"http://127.0.0.1:{lone.http}/healthz", 'expect = "alive"'),
        "http-bad": ("http", f"http://127.0.0.1:{tcp}/", ""),
        "http-unexpected": ("http", f"http://127.0.0.1:{lone.http}/healthz", 'expect = "dead"'),
        "ping-good": ("ping", "127.0.0.1", ""),
        "name-bad": ("tcp", "tabuah.invalid:80", ""),
    }
    return "".join(
        f'\n[[probes]]\nname = "{name}"\nkind = "{kind}"\nrole = "other"\ntarget = "{target}"\n'
        f'every = "1s"\ntimeout = "400ms"\n{more}\n'
        for name, (kind, target, more) in asked.items()
    )


def held(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def least_held(pid: int, seconds: float) -> int:
    """Return the fewest descriptors that were open at once: what stays open between probes.

    How many probes overlap depends on the machine's load; what leaked stays whatever they do.
    """
    end, least = time.monotonic() + seconds, held(pid)
    while time.monotonic() < end:
        least = min(least, held(pid))
        time.sleep(0.02)
    return least


def test_file_descriptors_do_not_grow_with_cycles_failures_and_outages(lone: Centre) -> None:
    lone.start_collector()
    config = lone.enrol()
    config.write_text(config.read_text() + probes(lone))
    agent = lone.start_agent(config)
    seconds_until(lambda: len(lone.said()) >= 3, 15)
    early = least_held(agent.pid, 5)
    lone.collector.kill()
    lone.collector.wait()
    time.sleep(5)
    lone.start_collector()
    seconds_until(lambda: len(lone.said()) >= CYCLES, 40)
    said = {one["probe"]: one["good"] for one in lone.said()[-1]["measurements"]}
    assert {name for name, good in said.items() if good} == {
        *("dc", "tcp-good", "http-good", "ping-good")
    }
    assert len(said) == 11
    late = least_held(agent.pid, 5)
    assert late <= early + 1, "a leak would be tens of them"


@pytest.fixture
def on_disk() -> Iterator[Centre]:
    """Give a centre whose folders are no tmpfs, of which the kernel counts nothing (hier(7))."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, centre(Path(folder)) as made:
        yield made


def test_what_the_agent_writes_is_counted_and_a_healthy_one_writes_nothing(
    on_disk: Centre,
) -> None:
    lone = on_disk
    lone.start_collector()
    lone.start_agent(lone.enrol())
    seconds_until(lambda: len(lone.said()) >= 2, 10)
    healthy = [report["agent"]["written_kib"] for report in lone.said()]
    seconds_until(lambda: len(lone.said()) >= 6, 10)
    assert {report["agent"]["written_kib"] for report in lone.said()} == {healthy[-1]}
    lone.collector.kill()
    lone.collector.wait()
    time.sleep(6)
    lone.start_collector()
    seconds_until(
        lambda: lone.said()[-1]["agent"]["written_kib"] > healthy[-1],
        20,
    )
    assert lone.metric("tabuah_agent_written_bytes_total") >= 4096
