"""What was measured in a cut reaches Prometheus and VictoriaMetrics with its true times."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from collector import remote_write
from collector.day import Row
from collector.own_metrics import OwnMetrics
from collector.remote_write import RemoteWrite
from collector.store import Store
from inventory.model import Inventory, Site
from tabuah import block
from tabuah.measurement import Timing
from tests.support.programs import free_port
from tests.support.reports import report
from tests.support.timeseries import WINDOW_S, Database, prometheus, victoria_metrics

pytestmark = pytest.mark.peer

KUBUNG = "13.02.10"
MEAN = f'tabuah_probe_rtt_seconds{{site="{KUBUNG}",stat="mean"}}'
INVENTORY = Inventory("Dinas Uji", sites=(Site(KUBUNG, "Kantor Camat Kubung"),))

Start = Callable[[Path], AbstractContextManager[Database]]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def row(seq: int, time_ms: int, received_ms: int | None = None, *, rtt_us: int = 0) -> Row:
    made = report(seq, site=KUBUNG)
    (probe,) = made.measurements
    rtt = rtt_us or seq * 1000
    made = replace(made, measurements=(replace(probe, rtt=Timing(rtt, rtt, rtt), run=seq),))
    arrived = time_ms + 40 if received_ms is None else received_ms
    late = received_ms is not None
    return Row(KUBUNG, 1, seq, time_ms, arrived, late, False, block.pack(made).octets)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as made:
        yield made


@pytest.fixture(params=[prometheus, victoria_metrics])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    start: Start = request.param
    with start(tmp_path / "database") as made:
        yield made


@pytest.fixture
def real_prometheus(tmp_path: Path) -> Iterator[Database]:
    with prometheus(tmp_path / "prometheus") as made:
        yield made


def writer(store: Store, url: str, client: httpx.AsyncClient) -> RemoteWrite:
    return RemoteWrite(store, url, client, lambda: INVENTORY, now_ms)


async def write_all(writing: RemoteWrite) -> None:
    async with asyncio.timeout(30):
        while await writing.write_some():
            pass


async def seen(database: Database, expected: dict[int, float], selector: str = MEAN) -> None:
    found: dict[int, float] = {}
    for _ in range(100):
        found = database.samples(selector)
        if found == pytest.approx(expected):
            return
        await asyncio.sleep(0.1)
    assert found == pytest.approx(expected)


async def test_the_gap_of_a_cut_is_filled_with_the_true_times(
    store: Store, database: Database, client: httpx.AsyncClient
) -> None:
    now = now_ms()
    rows = [row(seq, now - (60 - seq) * 10_000) for seq in range(1, 60)]
    cut = range(20, 40)
    writing = writer(store, database.write_url, client)
    store.append([one for one in rows if one.seq not in cut])
    await write_all(writing)
    known = {one.time_ms: one.seq / 1000 for one in rows if one.seq not in cut}
    await seen(database, known)

    store.append([one._replace(late=True, received_ms=now) for one in rows if one.seq in cut])
    await write_all(writing)
    await seen(database, {one.time_ms: one.seq / 1000 for one in rows})
    assert writing.dropped == 0
    assert database.labels(MEAN) == {
        "__name__": "tabuah_probe_rtt_seconds",
        "job": "tabuah",
        "site": KUBUNG,
        "probe": "dc",
        "role": "centre",
        "stat": "mean",
    }


async def test_a_restart_goes_on_where_it_was(
    store: Store, database: Database, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_write, "ROWS", 4)
    now = now_ms()
    rows = [row(seq, now - (20 - seq) * 1000) for seq in range(1, 11)]
    store.append(rows)
    first = writer(store, database.write_url, client)
    assert await first.write_some()
    assert await first.write_some()
    await seen(database, {one.time_ms: one.seq / 1000 for one in rows[:8]})
    second = writer(store, database.write_url, client)
    assert await second.write_some()
    assert not await second.write_some()
    await seen(database, {one.time_ms: one.seq / 1000 for one in rows})


async def test_a_sample_that_is_too_old_holds_up_nothing(
    store: Store, real_prometheus: Database, client: httpx.AsyncClient
) -> None:
    now = now_ms()
    writing = writer(store, real_prometheus.write_url, client)
    live = [row(seq, now - (100 - seq) * 1000) for seq in range(90, 95)]
    store.append(live)
    await write_all(writing)
    old = [row(seq, now - (WINDOW_S + 3600) * 1000 + seq, now) for seq in range(1, 40)]
    late = [row(seq, now - 3600_000 + seq * 1000, now) for seq in range(40, 60)]
    store.append([*old, *late])
    newest = [row(95, now)]
    store.append(newest)
    await write_all(writing)
    await seen(real_prometheus, {one.time_ms: one.seq / 1000 for one in (*live, *late, *newest)})
    assert writing.dropped > len(old)


async def test_a_sample_that_was_taken_with_another_value_holds_up_nothing(
    store: Store, real_prometheus: Database, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    now = now_ms()
    first = [row(seq, now - (20 - seq) * 1000) for seq in range(1, 6)]
    store.append(first)
    await write_all(writer(store, real_prometheus.write_url, client))
    with Store.open(tmp_path / "other") as other:
        clash = row(6, first[-1].time_ms, rtt_us=77)
        good = [row(seq, now - (20 - seq) * 1000) for seq in range(7, 12)]
        other.append([clash, *good])
        writing = writer(other, real_prometheus.write_url, client)
        await write_all(writing)
    await seen(real_prometheus, {one.time_ms: one.seq / 1000 for one in (*first, *good)})
    assert 0 < writing.dropped < 5


async def test_nothing_is_written_in_the_future(
    store: Store, database: Database, client: httpx.AsyncClient
) -> None:
    now = now_ms()
    ahead = row(1, now + 7_200_000, now + 7_200_000)
    early = row(2, now + 30, now - 5)
    store.append([early, ahead, row(3, now - 1_000)])
    await write_all(writer(store, database.write_url, client))
    await seen(database, {now - 5: 0.002, now - 1_000: 0.003})


async def test_a_receiver_that_is_away_is_waited_for(
    store: Store, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_write, "RETRY_S", (0.1,))
    port = free_port(socket.SOCK_STREAM)
    now = now_ms()
    rows = [row(seq, now - (20 - seq) * 1000) for seq in range(1, 6)]
    store.append(rows)
    writing = asyncio.create_task(write_all(writer(store, Database(port).write_url, client)))
    await asyncio.sleep(0.3)
    assert not writing.done()
    with victoria_metrics(tmp_path, port) as database:
        await writing
        await seen(database, {one.time_ms: one.seq / 1000 for one in rows})


async def test_how_far_it_is_behind_stands_on_the_metrics_page(
    store: Store, client: httpx.AsyncClient
) -> None:
    arrived_ms = now_ms() - 90_000
    store.append([row(seq, arrived_ms + seq) for seq in (1, 2, 3)])
    own = OwnMetrics()
    writing = writer(store, f"http://127.0.0.1:{free_port(socket.SOCK_STREAM)}/", client)
    own.watch_remote_write(writing)
    trying = asyncio.create_task(writing.write_some())
    while not writing.failures:  # noqa: ASYNC110 - it has no event, and needs none
        await asyncio.sleep(0.05)
    lines = own.render().decode().splitlines()
    shown = dict(line.rsplit(" ", 1) for line in lines if line[0] != "#")
    trying.cancel()
    assert 89 < float(shown["tabuah_remote_write_lag_seconds"]) < 600
    assert shown["tabuah_remote_write_waiting_reports"] == "3.0"
    assert float(shown["tabuah_remote_write_failures_total"]) >= 1
    assert shown["tabuah_remote_write_samples_total"] == "0.0"


async def test_when_all_is_written_nothing_is_behind(
    store: Store, real_prometheus: Database, client: httpx.AsyncClient
) -> None:
    store.append([row(1, now_ms() - 1000)])
    writing = writer(store, real_prometheus.write_url, client)
    await write_all(writing)
    assert (writing.lag_s(), writing.waiting, writing.failures) == (0.0, 0, 0)
    assert writing.taken > 0
