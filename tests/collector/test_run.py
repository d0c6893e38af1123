"""`tabuah collector run` as a service manager sees it: what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from collector import run
from collector.app import Collector
from collector.run import Options, Program
from tabuah.errors import TabuahError
from tests.support.programs import free_port


@pytest.fixture
def options(tmp_path: Path) -> Options:
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / "inventory.yaml").write_text(
        "organisation: Dinas Uji\nsites: [{code: x, name: X, circuits: [{id: telkom}]}]\n"
    )
    return Options(
        inventory=folder,
        data=tmp_path / "data",
        listen=("127.0.0.1", free_port(socket.SOCK_DGRAM)),
        reflect=("127.0.0.1", free_port(socket.SOCK_DGRAM)),
        http=("127.0.0.1", free_port(socket.SOCK_STREAM)),
    )


async def test_a_collector_that_stops_because_a_part_of_it_failed_does_not_end_well(
    options: Options, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: Program) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(Program, "_tick", fail)
    async with asyncio.timeout(20):
        with pytest.raises(TabuahError, match="the collector failed; its log says where"):
            await Program(options).run()
    assert "unforeseen" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "no such host"])
async def test_a_reflector_that_cannot_have_its_address_is_an_error_in_words(
    options: Options, host: str
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        reflect = (host, taken.getsockname()[1])
        with pytest.raises(TabuahError, match=r"cannot reflect .*choose one with --reflect"):
            await Program(replace(options, reflect=reflect)).run()


async def test_a_start_that_takes_long_asks_the_service_manager_for_more_time(
    options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setattr(run, "EXTEND_S", 0.05)
        restore = Collector.restore

        async def slow(collector: Collector) -> None:
            await asyncio.sleep(0.2)
            await restore(collector)

        monkeypatch.setattr(Collector, "restore", slow)
        running = asyncio.create_task(Program(options).run())
        heard: list[bytes] = []
        async with asyncio.timeout(20):
            while b"READY=1" not in heard:
                heard.append(await asyncio.get_running_loop().sock_recv(manager, 100))
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert heard.count(b"EXTEND_TIMEOUT_USEC=100000") >= 3
    assert heard[-1] == b"READY=1"
