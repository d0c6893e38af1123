"""The status page: its one-line answer, its rows, its two languages, and what it never lets in."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
import uvicorn

from collector import formats, overview, words
from collector.live import SiteView, State
from collector.traffic import Rates
from collector.view import Readiness
from collector.web import make_app
from inventory.model import Inventory, Language, Site
from tabuah.measurement import Role
from tests.support.offices import (
    KECAMATAN,
    LTE,
    NOW_MS,
    TELKOM,
    FakeCentre,
    offices,
    ping,
    received,
    report,
    stamp,
    view,
)

ID, EN = Language.INDONESIAN, Language.ENGLISH
WIB = ZoneInfo("Asia/Jakarta")
STATIC = Path(words.__file__).parent / "static"


Tag = tuple[str, dict[str, str | None]]


class Reader(HTMLParser):
    """What a person reads and a browser loads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def page(centre: FakeCentre, query: str = "") -> Reader:
    app = httpx.ASGITransport(make_app(centre))
    async with httpx.AsyncClient(transport=app, base_url="http://centre") as client:
        answer = await client.get("/" + query)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Reader(answer.text)


def all_up() -> list[SiteView]:
    return [view(code) for code in KECAMATAN]


def with_states(states: Mapping[str, State]) -> list[SiteView]:
    views = all_up()
    for one in views:
        one.state = states.get(one.code, State.UP)
    return views


async def test_when_all_is_well_the_headline_says_so() -> None:
    shown = await page(FakeCentre(live=all_up()))
    assert "Semua 14 kantor terhubung" in shown.text
    assert "Keadaan pukul 01.05.12 WIB" in shown.text
    assert ("html", {"lang": "id"}) in shown.tags


async def test_silent_offices_are_counted_and_named_with_their_time() -> None:
    views = with_states({"13.02.18": State.SILENT, "13.02.05": State.SILENT})
    shown = await page(FakeCentre(live=views))
    assert "2 dari 14 kantor tidak melapor" in shown.text
    assert "Kantor Camat Tigo Lurah sejak 23 Nov, 22.35 WIB" in shown.text
    assert "Tidak melapor belum tentu terputus" in shown.text


async def test_trouble_stands_on_top() -> None:
    views = with_states({"13.02.19": State.DOWN, "13.02.18": State.SILENT})
    shown = await page(FakeCentre(live=views))
    order = [shown.text.index(code) for code in ("13.02.19", "13.02.18", "13.02.03", "13.02.17")]
    assert order == sorted(order)


async def test_every_state_has_a_word_and_a_shape_and_needs_no_javascript() -> None:
    views = with_states(
        dict(
            zip(KECAMATAN, (State.DOWN, State.SILENT, State.DEGRADED, State.UNKNOWN), strict=False)
        )
    )
    shown = await page(FakeCentre(live=views))
    for word in ("Terputus", "Tidak melapor", "Menurun", "Belum diketahui", "Terhubung"):
        assert shown.text.count(word) >= 2  # among the counts, and in a row
    rows = [attrs["class"] for tag, attrs in shown.tags if tag == "tr" and "class" in attrs]
    assert rows[:5] == ["down", "silent", "degraded", "unknown", "up"]
    assert (
        sum(tag == "svg" for tag, _ in shown.tags) == 1 + 5 + 1 + 14
    )  # the answer, the counts, the map, the rows
    refresh: Tag = ("meta", {"http-equiv": "refresh", "content": "5"})
    assert shown.tags[shown.tags.index(refresh) - 1] == ("noscript", {})


async def test_english_is_a_question_of_the_link_or_of_the_inventory() -> None:
    views = with_states({"13.02.18": State.SILENT})
    asked = await page(FakeCentre(live=views), "?lang=en")
    assert "1 of 14 offices is not reporting" in asked.text
    assert "01:05:12 WIB" in asked.text
    assert ("html", {"lang": "en"}) in asked.tags
    english = replace(offices(), language=EN)
    assert "1 of 14 offices is not reporting" in (await page(FakeCentre(english, views))).text
    back = await page(FakeCentre(english, views), "?lang=id")
    assert "1 dari 14 kantor tidak melapor" in back.text
    odd = await page(FakeCentre(live=views), "?lang=%22%3E%3Cscript%3E")
    assert "1 dari 14 kantor tidak melapor" in odd.text


async def test_a_row_shows_latency_loss_and_traffic_in_local_writing() -> None:
    centre = FakeCentre(live=all_up(), traffic={"13.02.10": Rates(12_340_000, 850_000)})
    text = (await page(centre)).text
    assert "Kantor Camat Kubung 13.02.10" in text
    # STAMP: 41 ms; 6 packets beyond the gateway, one of them lost.
    assert "41 ms 16,7 % ↓ unduh 12,3 Mbit/s ↑ unggah 850 kbit/s" in text


async def test_a_silent_office_shows_no_old_numbers() -> None:
    inventory = Inventory("x", sites=(Site("a", "Kantor A"),))
    silent = SiteView("a", State.SILENT, NOW_MS - 60_000, received(report("a")))
    shown = await page(FakeCentre(inventory, [silent], {"a": Rates(1e6, 1e6)}))
    assert " ms" not in shown.text
    assert "bit/s" not in shown.text
    assert "3 detik lalu" in shown.text
    assert shown.text.count("data tidak tersedia") == 3


async def test_an_office_never_heard_says_so() -> None:
    shown = await page(FakeCentre())
    assert "Menunggu laporan pertama dari 14 kantor" in shown.text
    assert shown.text.count("belum pernah") == 14


async def test_a_collector_in_trouble_does_not_claim_that_all_is_well() -> None:
    ready = Readiness(storing=False, hearing=True, detail="disk full")
    shown = await page(FakeCentre(live=all_up(), ready=ready))
    assert "Semua 14 kantor terhubung" not in shown.text
    assert "Laporan tidak dapat disimpan." in shown.text


async def test_two_agents_of_one_office_are_marked_and_explained_until_ten_minutes_after() -> None:
    views = all_up()
    views[7].cloned_ms = NOW_MS - 599_000
    shown = await page(FakeCentre(live=views))
    assert "Kantor Camat Kubung 13.02.10 dua agen" in shown.text
    assert "buat kunci baru dengan `tabuah enrol KODE --rotate`" in shown.text
    assert "Semua 14 kantor terhubung" in shown.text, "nobody is cut off by it"
    english = await page(FakeCentre(live=views), "?lang=en")
    assert "Kantor Camat Kubung 13.02.10 two agents" in english.text
    assert "Stop one of them." in english.text
    views[7].cloned_ms = NOW_MS - 600_001
    assert "dua agen" not in (await page(FakeCentre(live=views))).text


async def test_an_empty_inventory_is_said() -> None:
    shown = await page(FakeCentre(Inventory("Kosong")))
    assert "Belum ada kantor dalam inventaris" in shown.text


async def test_of_a_country_those_in_trouble_are_shown_and_the_rest_is_told_where() -> None:
    """No page shows 83,762 rows, and none of the offices is read that has no row."""
    codes = [f"desa-{number}" for number in range(overview.MOST_ROWS + 500)]
    inventory = Inventory("Kemendagri", sites=tuple(Site(code, f"Kantor {code}") for code in codes))
    views = [view(code) for code in codes]
    views[-1].state = State.SILENT
    shown = await page(FakeCentre(inventory, live=views))
    assert f"Kantor {codes[-1]}" in shown.text, "the last of the inventory is in trouble"
    assert "1000 dari 1500 kantor, yang bermasalah dahulu" in shown.text
    assert [tag for tag, _ in shown.tags].count("tr") == overview.MOST_ROWS + 1


async def test_both_lines_of_an_office_show_when_it_has_two() -> None:
    inventory = Inventory("x", sites=(Site("a", "A", circuits=(TELKOM, LTE)),))
    seen = report("a", [ping("hop", Role.FIRST_HOP, None, "telkom"), stamp()], path="lte")
    shown = await page(FakeCentre(inventory, [SiteView("a", State.UP, 0, received(seen))]))
    assert "telkom: Terputus" in shown.text
    assert "lte: Terhubung" in shown.text


@pytest.mark.parametrize(
    "name",
    [
        '"><script>alert(1)</script>',
        "'; onload=x",
        "a\nb",
        "{{ 7*7 }}",
        "&lt;b&gt;",
        "Kantör \u202e",
    ],
)
async def test_a_hostile_name_is_text_and_nothing_else(name: str) -> None:
    harmless = FakeCentre(Inventory("x", sites=(Site("a", "x", circuits=(TELKOM, LTE)),)))
    harmless.live = [SiteView("a", State.SILENT, 0, received(report("a")))]
    evil = FakeCentre(Inventory(name, sites=(Site(name, name, circuits=(TELKOM, LTE)),)))
    evil.live = [SiteView(name, State.SILENT, 0, received(report(name)))]
    calm, shown = await page(harmless), await page(evil)
    own = f"sites/{quote(name, safe='/')}"
    links = [
        {**attrs, "href": "sites/a"} if attrs.get("href") == own else attrs
        for _, attrs in shown.tags
    ]
    assert list(zip((tag for tag, _ in shown.tags), links, strict=True)) == calm.tags
    assert " ".join(name.split()) in shown.text


async def test_the_page_loads_only_its_own_files_and_they_exist() -> None:
    shown = await page(FakeCentre(live=all_up()))
    for tag, attrs in shown.tags:
        assert not any(name.startswith("on") or name == "style" for name in attrs), tag
        for link in (attrs.get("src"), attrs.get("href") if tag == "link" else None):
            if link is not None:
                assert (STATIC.parent / link).is_file()
    assert not any(tag == "style" for tag, _ in shown.tags)
    for file in STATIC.iterdir():
        found = re.findall(r"(?:https?:)?//[\w.]+", file.read_text().replace("// ", ""))
        assert set(found) <= {"http://www.w3.org"}, file


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    def slots(text: str) -> set[str]:
        return set(re.findall(r"{(\w+)}", text))

    indonesian, english = words.CATALOGUE[ID], words.CATALOGUE[EN]
    assert indonesian.keys() == english.keys()
    for key, text in indonesian.items():
        assert slots(text) == slots(english[key]), key
    assert all(f"state.{state.value}" in indonesian for state in State)


@pytest.mark.parametrize(
    ("counts", "indonesian", "english"),
    [
        ({}, "Belum ada kantor dalam inventaris", "There are no offices in the inventory"),
        ({State.UP: 14}, "Semua 14 kantor terhubung", "All 14 offices are connected"),
        (
            {State.UP: 12, State.SILENT: 2},
            "2 dari 14 kantor tidak melapor",
            "2 of 14 offices are not reporting",
        ),
        (
            {State.UP: 13, State.DEGRADED: 1},
            "1 dari 14 kantor kualitasnya menurun",
            "1 of 14 offices is degraded",
        ),
        (
            {State.UNKNOWN: 1, State.DEGRADED: 3, State.DOWN: 1, State.SILENT: 2, State.UP: 7},
            "Dari 14 kantor: 1 terputus, 2 tidak melapor",
            "Of 14 offices: 1 down, 2 not reporting",
        ),
    ],
)
def test_the_headline_is_the_answer(
    counts: dict[State, int], indonesian: str, english: str
) -> None:
    assert overview.headline(counts, ID, heard=True) == indonesian
    assert overview.headline(counts, EN, heard=True) == english


def test_the_latency_is_to_the_centre_before_the_internet_before_the_provider() -> None:
    hop, public = ping("hop", Role.FIRST_HOP, 4_000), ping("anchor", Role.PUBLIC, 21_000)
    assert overview.line_rtt_us(report("a", [hop, public, stamp(41_000)])) == 41_000
    assert overview.line_rtt_us(report("a", [hop, public])) == 21_000
    assert overview.line_rtt_us(report("a", [hop, ping("anchor", Role.PUBLIC, None)])) == 4_000
    assert overview.line_rtt_us(report("a", [ping("router", Role.GATEWAY, 500)])) == 40_000


def test_the_loss_counts_neither_the_gateway_nor_the_other_line() -> None:
    seen = [
        ping("router", Role.GATEWAY, None),
        ping("hop", Role.FIRST_HOP, None, "telkom"),
        ping("anchor", Role.PUBLIC, 60_000, "lte"),
    ]
    assert overview.line_loss(report("a", seen, path="lte")) == 0
    assert overview.line_loss(report("a", seen, path="telkom")) == 1
    assert overview.line_loss(report("a", [], path="lte")) is None


@pytest.mark.parametrize(
    ("ms", "indonesian", "english"),
    [
        (0, "0 detik", "0 s"),
        (45_999, "45 detik", "45 s"),
        (60_000, "1 menit", "1 min"),
        (11_520_000, "3 jam 12 menit", "3 h 12 min"),
        (3_605_000, "1 jam", "1 h"),
        (2 * 86_400_000 + 7_200_000, "2 hari 2 jam", "2 d 2 h"),
        (-5, "0 detik", "0 s"),
    ],
)
def test_spans_are_told_in_two_units(ms: int, indonesian: str, english: str) -> None:
    assert (formats.span(ID, ms), formats.span(EN, ms)) == (indonesian, english)


def test_numbers_are_written_as_readers_write_them() -> None:
    assert formats.number(ID, 1_250_000) == "1.250.000"
    assert formats.number(EN, 1234.5, 1) == "1,234.5"
    assert formats.percent(ID, 0.025) == "2,5 %"
    assert formats.percent(EN, 0.025) == "2.5%"
    assert formats.percent(ID, 1) == "100 %"
    assert formats.milliseconds(ID, 812) == "0,8 ms"
    assert formats.milliseconds(ID, 1_234_567) == "1.235 ms"
    assert formats.bit_rate(ID, 0) == "0 bit/s"
    assert formats.bit_rate(ID, 12_340_000) == "12,3 Mbit/s"
    assert formats.bit_rate(EN, 1.5e9) == "1.5 Gbit/s"


def test_times_name_their_day_when_it_is_not_today() -> None:
    assert formats.moment(ID, NOW_MS, NOW_MS, WIB) == "01.05 WIB"
    assert formats.moment(EN, NOW_MS, NOW_MS, WIB) == "01:05 WIB"
    assert formats.moment(ID, NOW_MS - 7_200_000, NOW_MS, WIB) == "23 Nov, 23.05 WIB"
    assert formats.moment(ID, 1_755_000_000_000, NOW_MS, WIB) == "12 Agu 2025, 19.00 WIB"
    makassar = ZoneInfo("Asia/Makassar")
    assert formats.moment(ID, NOW_MS, NOW_MS, makassar) == "02.05 WITA"
    assert formats.rfc3339(NOW_MS) == "2026-11-23T18:05:12.345Z"
    assert formats.rfc3339(-1) == "1969-12-31T23:59:59.999Z"


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa(scheme: int) -> None:
    css = (STATIC / "page.css").read_text()
    root = re.findall(r":root {([^}]*)}", css)[scheme]
    colours = dict(re.findall(r"--(\w+): (#\w{6});", root))
    states = [state.value for state in State]
    for name in ("text", "quiet", "link", *states):
        for ground in ("ground", "surface"):
            light, dark = sorted((luminance(colours[name]), luminance(colours[ground])))[::-1]
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


class Worsening(FakeCentre):
    """All is well at the first look; at the next ones Tigo Lurah is silent."""

    looks = 0

    def views(self) -> list[SiteView]:
        self.looks += 1
        return with_states({"13.02.18": State.SILENT} if self.looks > 1 else {})


@asynccontextmanager
async def served(centre: FakeCentre) -> AsyncIterator[str]:
    """Serve the page on a free port of loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(make_app(centre), lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await running
        listener.close()


@pytest.mark.peer
async def test_a_browser_renews_the_page_in_place_and_blocks_nothing(tmp_path: Path) -> None:
    """Chromium under the page's own policy; its virtual clock runs ahead over the renewal."""
    centre = Worsening()
    async with served(centre) as url:
        chromium = await asyncio.create_subprocess_exec(
            "chromium",
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={tmp_path}"),
            *("--enable-logging=stderr", "--virtual-time-budget=7000", "--dump-dom", url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                out, log = await chromium.communicate()
        finally:
            if chromium.returncode is None:
                chromium.kill()
                await chromium.wait()
    assert centre.looks > 1
    assert "1 dari 14 kantor tidak melapor" in Reader(out.decode()).text
    assert [line for line in log.decode().splitlines() if "CONSOLE" in line] == []
