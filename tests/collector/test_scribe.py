"""The metrics page of a large fleet: made by another process, the same to the last sample."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import socket
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.gzip_parts import Part, crc_of_both, joined
from collector.live import SiteView, State
from collector.metrics import SitesPage
from collector.opened import Kept
from collector.row import Row
from collector.scribe import Scribe
from collector.server import Serving, tcp_socket
from collector.web import make_app
from inventory.compiled import read_compiled, write_compiled
from inventory.model import Inventory
from tabuah import block
from tabuah.measurement import Role
from tests.support.offices import NOW_MS, FakeCentre, ping, report, router, service, view
from tests.support.programs import free_port
from tests.support.timeseries import prometheus

SITES = 500


@dataclass
class Fleet(FakeCentre):
    """A centre that finds views quickly."""

    def view(self, code: str) -> SiteView | None:
        return self._by_code().get(code)

    def _by_code(self) -> dict[str, SiteView]:
        return {one.code: one for one in self.live}


def compiled(folder: Path, sites: int) -> Inventory:
    """Return an inventory that lies in a compiled file."""
    folder.mkdir(exist_ok=True)
    lines = [
        f"  - {{code: k{number:04}, name: 'Kantor \"{number}\"', kecamatan: Kubung, "
        "circuits: [{id: telkom, provider: Telkom}], hours: Mon-Fri 07:30-16:00}"
        for number in range(sites)
    ]
    (folder / "inventory.yaml").write_text("organisation: Dinas\nsites:\n" + "\n".join(lines))
    write_compiled(folder, folder / "compiled")
    found = read_compiled(folder, folder / "compiled")
    assert found is not None
    return found


def rtt_us(number: int) -> int:
    return 20_000 + 37 * number


def kept(code: str, number: int, *, at_ms: int = NOW_MS - 4_000) -> SiteView:
    """Return a view as the collector keeps it, its report packed."""
    seen = [ping("anchor", Role.PUBLIC, rtt_us(number)), ping("router", Role.GATEWAY), service()]
    said = report(code, seen, seq=number + 1, wall_ms=at_ms, devices=[router()])
    row = Row(code, said.id.epoch, said.id.seq, at_ms, at_ms, False, False, block.pack(said).octets)
    return SiteView(code, State.UP, at_ms, Kept(row, skew_ms=120))


def fleet(inventory: Inventory) -> Fleet:
    """Return a centre of which every seventh office is silent, and every eleventh never heard."""
    views = [kept(code, number) for number, code in enumerate(inventory.codes)]
    for one in views[::7]:
        one.state = State.SILENT
    for one in views[::11]:
        one.state, one.last = State.UNKNOWN, None
    return Fleet(inventory, views)


@pytest.fixture
def scribe(tmp_path: Path) -> Iterator[tuple[Scribe, Fleet]]:
    inventory = compiled(tmp_path, 150)
    made = Scribe(inventory)
    yield made, fleet(inventory)
    made.end()


@given(st.lists(st.lists(st.binary(max_size=300))))
def test_parts_that_grow_side_by_side_are_one_gzip_file(texts: list[list[bytes]]) -> None:
    parts = [Part() for _ in texts]
    for turn in range(max(map(len, texts), default=0)):
        for part, octets in zip(parts, texts, strict=True):
            part.add(b"".join(octets[turn : turn + 1]))
    pieces = joined(parts)
    assert gzip.decompress(b"".join(pieces)) == b"".join(map(b"".join, texts))


@given(st.binary(), st.binary(), st.integers(0, 1_000_000))
def test_the_crc_of_two_texts_follows_from_theirs(one: bytes, other: bytes, zeros: int) -> None:
    other += bytes(zeros)
    found = crc_of_both(zlib.crc32(one), zlib.crc32(other), len(other))
    assert found == zlib.crc32(one + other)


async def test_it_says_what_the_collector_would_have_said(scribe: tuple[Scribe, Fleet]) -> None:
    made, centre = scribe
    page = gzip.decompress(b"".join(await made.page(centre, b"tail 1\n")))
    wanted = SitesPage().render(centre.inventory, centre.live, NOW_MS) + b"tail 1\n"
    assert page == wanted
    assert page.count(b"\ntabuah_probe_rtt_seconds{") > 100 * 2 * 3


async def test_offices_that_lie_in_memory_are_rendered_apart_too(tmp_path: Path) -> None:
    stored = compiled(tmp_path, 40)
    centre = fleet(replace(stored, sites=tuple(stored.sites)))
    page = gzip.decompress(b"".join(await Scribe(centre.inventory).page(centre, b"")))
    assert page == SitesPage().render(centre.inventory, centre.live, NOW_MS)


async def test_the_next_page_shows_the_newer_reports(scribe: tuple[Scribe, Fleet]) -> None:
    made, centre = scribe
    await made.page(centre, b"")
    centre.live[1] = kept("k0001", 9, at_ms=NOW_MS - 2_000)
    centre.live[2] = view("k0002")  # as tests and a collector without a store have it: opened
    centre.live[3].state = State.SILENT
    page = gzip.decompress(b"".join(await made.page(centre, b"")))
    assert page == SitesPage().render(centre.inventory, centre.live, NOW_MS)
    centre.time_ms += 3_600_000  # nothing is the present any more
    page = gzip.decompress(b"".join(await made.page(centre, b"")))
    assert page == SitesPage().render(centre.inventory, centre.live, centre.time_ms)
    assert b"\ntabuah_probe_rtt_seconds{" not in page


async def test_one_that_was_killed_is_replaced(scribe: tuple[Scribe, Fleet]) -> None:
    made, centre = scribe
    first = await made.page(centre, b"")
    assert made.pid is not None
    os.kill(made.pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert b"".join(await made.page(centre, b"")) == b"".join(first)


async def test_it_ends_with_its_collector(scribe: tuple[Scribe, Fleet]) -> None:
    made, centre = scribe
    await made.page(centre, b"")
    pid = made.pid
    assert pid is not None
    made.end()
    await asyncio.sleep(0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_browser_gets_the_page_unpacked(tmp_path: Path) -> None:
    centre = fleet(compiled(tmp_path, 310))
    transport = httpx.ASGITransport(make_app(centre))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        plain = await client.get("/metrics", headers={"accept-encoding": "identity"})
        packed = await client.get("/metrics", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    own = plain.text.index("# HELP tabuah_incident_active")
    assert plain.text[:own] == packed.text[:own]
    assert plain.content[:own] == SitesPage().render(centre.inventory, centre.live, NOW_MS)
    assert "tabuah_scrape_render_seconds_count" in plain.text


async def test_a_renewed_inventory_is_on_the_next_page(tmp_path: Path) -> None:
    centre = fleet(compiled(tmp_path / "old", 310))
    transport = httpx.ASGITransport(make_app(centre))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert 'site="k0320"' not in (await client.get("/metrics")).text
        centre.inventory = compiled(tmp_path / "new", 330)
        assert 'site="k0320"' in (await client.get("/metrics")).text


@pytest.mark.peer
async def test_a_real_prometheus_takes_the_page_of_five_hundred_sites_whole(tmp_path: Path) -> None:
    centre = fleet(compiled(tmp_path, SITES))
    port = free_port(socket.SOCK_STREAM)
    page = Serving(make_app(centre), tcp_socket("127.0.0.1", port))
    await page.start()
    wanted = {
        one.code: rtt_us(number) / 1e6
        for number, one in enumerate(centre.live)
        if one.state is State.UP
    }
    try:
        folder = tmp_path / "prometheus"
        with prometheus(folder, scrape=port) as made:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{made.port}") as client:
                found: dict[str, float] = {}
                for _ in range(120):
                    found = await ask(
                        client, 'tabuah_probe_rtt_seconds{probe="anchor",stat="mean"}'
                    )
                    if found:
                        break
                    await asyncio.sleep(0.5)
                assert found == wanted
                assert len(await ask(client, "tabuah_site_info")) == SITES
                silent = await ask(client, 'tabuah_site_state{state="silent"} == 1')
                assert len(silent) == sum(one.state is State.SILENT for one in centre.live)
                (scraped,) = (await ask(client, "scrape_samples_scraped")).values()
                assert scraped > SITES * 20
    finally:
        await page.stop()


async def ask(client: httpx.AsyncClient, query: str) -> dict[str, float]:
    """Return what Prometheus answers, by site."""
    reply = await client.get("/api/v1/query", params={"query": query})
    found = reply.raise_for_status().json()["data"]["result"]
    return {one["metric"].get("site", ""): float(one["value"][1]) for one in found}
