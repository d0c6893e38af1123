"""The public status page: what it answers, what it never lets out, and what it costs."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from collector.judgement.evidence import Cause, Confidence
from collector.judgement.ledger import Outage, Subject, outage_body
from collector.judgement.record import watch_body
from collector.ledger_store import LedgerStore
from collector.live import State
from collector.pages import public, public_routes
from collector.pages.days import DAYS, Level, availability, calendar, floored, ninety_days, runs
from collector.run import Options, Program
from collector.store import Store
from collector.stretches import Kind as TimeKind
from collector.view import Readiness
from collector.web import make_app
from inventory.hours import parse_hours
from inventory.model import Contact, InService, Inventory, Probe, Service, Site
from tabuah.measurement import Kind, Measurement, Role, Status
from tests.collector.test_page import Reader, all_up, with_states
from tests.collector.test_pages import KUBUNG, FakeRecord, incident
from tests.support.offices import (
    KECAMATAN,
    LTE,
    NOW_MS,
    TELKOM,
    FakeCentre,
    offices,
    received,
    report,
    service,
    stamp,
    view,
)
from tests.support.programs import free_port

WIB = ZoneInfo("Asia/Jakarta")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TODAY_MS = NOW_MS - 65 * 60_000 - 12_345
"""Midnight of the 24th in WIB, 17:00 UTC of the 23rd; it is 01.05.12 now."""
LATELY = calendar(NOW_MS, WIB)
TOKEN = "rahasia-panjang-sekali"
SIAK = Service("siak", "SIAK", "https://siak.example/", owner="Disdukcapil")
LPSE = Service("lpse", "LPSE", "https://lpse.example/")
FOREVER = {(code, "telkom"): 0 for code in KECAMATAN} | {("13.02.18", "lte"): 0}


def outage(
    began_ms: int,
    ended_ms: int | None,
    kind: TimeKind = TimeKind.DOWN,
    *,
    site: str = KUBUNG,
    circuit: str = "telkom",
) -> Outage:
    return Outage(
        f"outage-{began_ms}",
        1,
        site,
        circuit,
        began_ms,
        ended_ms,
        kind,
        Cause.LAST_MILE,
        Confidence.FINAL,
        "the first hop does not answer",
    )


def served() -> Inventory:
    """Return the offices with two services, and with what nobody outside may see."""
    inventory = offices()
    line = replace(TELKOM, sid="SID-4711", provider="Penyedia Rahasia")
    sites = tuple(
        replace(
            site,
            circuits=tuple(line if circuit is TELKOM else circuit for circuit in site.circuits),
            address="198.51.100.77",
            contacts=(Contact("Bu Rahasia", "+62 812 3456 789"),),
            probes=(Probe("probe-rahasia", Kind.PING, "198.51.100.78", Role.FIRST_HOP),),
            services=("siak", "lpse"),
        )
        for site in inventory.sites
    )
    return replace(inventory, sites=sites, services={"siak": SIAK, "lpse": LPSE})


@dataclass
class Public:
    """The page of one collector, as the network reaches it."""

    centre: FakeCentre
    record: FakeRecord = field(default_factory=FakeRecord)
    watched: Mapping[tuple[str, str], int] = field(default_factory=lambda: dict(FOREVER))
    on: bool = True
    looks: int = 0

    def _watched(self) -> Mapping[tuple[str, str], int]:
        self.looks += 1
        return self.watched

    @asynccontextmanager
    async def client(self, token: str | None = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
        routes = public_routes.public_routes(
            self.centre, self.record, lambda: self.centre.inventory, self._watched
        )
        app = make_app(
            self.centre,
            token,
            names=("127.0.0.1",),
            more=routes if self.on else (),
            everybody=public_routes.EVERYBODY if self.on else (),
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://kantor") as client:
            yield client

    async def shown(self, query: str = "") -> Reader:
        async with self.client() as client:
            answer = await client.get(f"/status{query}")
        assert answer.status_code == 200, answer.text
        return Reader(answer.text)


def bars(shown: Reader) -> list[tuple[str, int, int]]:
    """Return level, first day and count of each run of the first office's bars."""
    svg = next(n for n, (_, attrs) in enumerate(shown.tags) if attrs.get("class") == "bars")
    found = []
    for tag, attrs in shown.tags[svg + 1 :]:
        if tag == "svg":
            break
        if tag == "path":
            moved = re.fullmatch(r"M(\d+) [\d.]+h(\d+)", attrs["d"] or "")
            assert moved is not None
            found.append((attrs["class"] or "", int(moved[1]) // 4, int(moved[2]) // 4))
    return found


def of_kubung(inventory: Inventory) -> Inventory:
    return replace(inventory, sites=tuple(s for s in inventory.sites if s.code == KUBUNG))


# --- the switch -------------------------------------------------------------------------------


async def test_it_is_off_by_default() -> None:
    centre = FakeCentre(served(), all_up())
    async with Public(centre, on=False).client() as client:
        known = {"authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/status", headers=known)).status_code == 404
        assert (await client.get("/status")).status_code == 401


async def test_everybody_sees_it_and_nothing_else() -> None:
    async with Public(FakeCentre(served(), all_up())).client() as client:
        answer = await client.get("/status")
        assert answer.status_code == 200
        loaded = [attrs["href"] for tag, attrs in Reader(answer.text).tags if tag == "link"]
        assert loaded
        for path in loaded:
            assert (await client.get(f"/{path}")).status_code == 200
        for path in ("/", "/metrics", "/api/v1/sites", f"/sites/{KUBUNG}", "/static/page.js"):
            assert (await client.get(path)).status_code == 401, path
        for path in ("/status/", "//status", "/status/../", "/static/../static/page.js"):
            assert (await client.get(path)).status_code in {401, 404}, path


async def test_without_a_token_it_is_answered_by_any_name_and_the_rest_is_not() -> None:
    async with Public(FakeCentre(served(), all_up())).client(token=None) as client:
        assert (await client.get("/status")).status_code == 200
        assert (await client.get("/")).status_code == 421


async def test_the_command_s_switch_opens_it_beside_a_token(tmp_path: Path) -> None:
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / "inventory.yaml").write_text(
        "organisation: Dinas Uji\nsites: [{code: x, name: Kantor X, circuits: [{id: telkom}]}]\n"
    )
    port = free_port(socket.SOCK_STREAM)
    options = Options(
        inventory=folder,
        data=tmp_path / "data",
        listen=("127.0.0.1", free_port(socket.SOCK_DGRAM)),
        reflect=("127.0.0.1", free_port(socket.SOCK_DGRAM)),
        http=("127.0.0.1", port),
        token=TOKEN,
        public_status=True,
    )
    program = Program(options)
    running = asyncio.create_task(program.run())
    url = f"http://127.0.0.1:{port}"
    patient = httpx.AsyncHTTPTransport(retries=6)
    async with asyncio.timeout(30), httpx.AsyncClient(transport=patient) as client:
        shown = Reader((await client.get(f"{url}/status")).text)
        assert (await client.get(url)).status_code == 401
        program._stopping.set()
        await running
    assert "Kantor X Belum diketahui" in shown.text
    assert bars(shown) == [("unknown", 0, DAYS)]


def test_the_ledger_tells_since_when_each_line_is_watched(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        ledger = LedgerStore(store)
        ledger.append(NOW_MS, [(Subject.WATCH, watch_body(KUBUNG, "telkom", NOW_MS - 5))])
        ledger.append(NOW_MS, [(Subject.OUTAGE, outage_body(outage(TODAY_MS, None)))])
        assert ledger.watched() == {(KUBUNG, "telkom"): NOW_MS - 5}


# --- what it never says -----------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?lang=en"])
async def test_nothing_of_the_inside_is_in_it(query: str) -> None:
    views = with_states({"13.02.18": State.SILENT, "13.02.19": State.DOWN})
    record = FakeRecord([incident()], [outage(TODAY_MS, None)])
    centre = FakeCentre(served(), views, incidents=[incident()])
    async with Public(centre, record).client() as client:
        html = (await client.get(f"/status{query}")).text
    for secret in (
        *("telkom", "lte", "SID-4711", "Penyedia", "Astinet", "198.51.100", "203.0.113"),
        *("Rahasia", "rahasia", "+62", "812", "down-1", "outage-", "first hop", "sto-solok"),
        *("siak.example", "Disdukcapil", "router", "wan0", "13.02.", "/api", "sites/"),
        *("incidents", "last_mile", "penyedia", "0.1.0", "100.631"),
    ):
        assert secret not in html, secret
    assert "<script" not in html


# --- what it answers --------------------------------------------------------------------------


async def test_each_service_can_be_used_or_not_in_words() -> None:
    inventory = of_kubung(served())
    lpse = replace(service(good=False), probe="lpse", service="lpse")
    seen = received(report(KUBUNG, [stamp(), service(), lpse]))
    centre = FakeCentre(inventory, [replace(view(KUBUNG), last=seen)])
    shown = await Public(centre).shown()
    assert "SIAK bisa LPSE tidak bisa" in shown.text
    assert "Sebagian layanan tidak bisa" in shown.text
    english = await Public(centre).shown("?lang=en")
    assert "SIAK can be used LPSE cannot be used" in english.text
    assert ("html", {"lang": "en"}) in english.tags


@pytest.mark.parametrize(
    "check",
    [
        replace(service(), age_ms=600_001),
        replace(service(good=False), status=Status.INTERNAL_ERROR),
        stamp(),
    ],
    ids=["old", "the agent's own failure", "none"],
)
async def test_what_no_check_shows_is_not_known(check: Measurement) -> None:
    seen = received(report(KUBUNG, [check]))
    centre = FakeCentre(of_kubung(served()), [replace(view(KUBUNG), last=seen)])
    assert "SIAK belum diketahui" in (await Public(centre).shown()).text


async def test_a_silent_office_is_not_known_and_says_so_plainly() -> None:
    views = with_states({"13.02.18": State.SILENT})
    shown = await Public(FakeCentre(served(), views)).shown()
    told = shown.text[shown.text.index("Kantor Camat Tigo Lurah") :]
    assert told.startswith(
        "Kantor Camat Tigo Lurah Belum diketahui Belum ada kabar dari kantor ini sejak 23 Nov, "
        "22.35 WIB. Mungkin listrik atau internetnya padam. Tanyakan dahulu sebelum datang. "
        "SIAK belum diketahui"
    )


async def test_an_office_that_is_cut_off_can_use_nothing() -> None:
    views = with_states({KUBUNG: State.DOWN})
    shown = await Public(FakeCentre(served(), views)).shown()
    assert "Ada layanan yang tidak bisa diurus di 1 dari 14 kantor" in shown.text
    alone = await Public(FakeCentre(of_kubung(served()), views)).shown()
    assert "Kantor Camat Kubung: Tidak bisa diurus sekarang Keadaan pukul" in alone.text
    assert "SIAK tidak bisa" in alone.text


async def test_at_night_the_office_is_closed_however_good_its_line() -> None:
    site = replace(of_kubung(served()).sites[0], hours=parse_hours("Mon-Fri 07:30-16:00"))
    shown = await Public(FakeCentre(replace(served(), sites=(site,)), all_up())).shown()
    assert "Kantor sedang tutup" in shown.text
    assert "Jam layanan: Sen-Jum 07.30-16.00" in shown.text
    others = tuple(one for one in offices().sites if one.code != site.code)
    mixed = await Public(FakeCentre(replace(served(), sites=(site, *others)), all_up())).shown()
    assert "Layanan bisa diurus di 13 dari 14 kantor; lainnya tutup" in mixed.text


async def test_a_collector_in_trouble_knows_nothing() -> None:
    ready = Readiness(storing=True, hearing=False)
    shown = await Public(FakeCentre(served(), all_up(), ready=ready)).shown()
    assert "Keadaan layanan belum diketahui" in shown.text
    assert "Pemantauan sedang terganggu" in shown.text
    assert "SIAK bisa" not in shown.text


async def test_an_office_without_services_tells_of_its_line() -> None:
    shown = await Public(FakeCentre(of_kubung(offices()), all_up())).shown()
    assert "Sambungan internet bisa" in shown.text


@pytest.mark.parametrize("name", ['"><script>alert(1)</script>', "{{ 7*7 }}", "&lt;b&gt;"])
async def test_a_hostile_name_or_search_is_text(name: str) -> None:
    site = Site("a", name, kecamatan=name, circuits=(TELKOM,))
    made = Public(FakeCentre(Inventory("x", sites=(site,)), []))
    async with made.client() as client:
        answer = await client.get("/status", params={"kecamatan": name})
    shown = Reader(answer.text)
    assert "script" not in {tag for tag, _ in shown.tags}
    assert name in shown.text


# --- ninety days ------------------------------------------------------------------------------


async def test_an_outage_stands_in_the_bar_of_its_day_in_wib() -> None:
    """23.00 to 01.30 WIB: an hour of one day, an hour and a half of the next."""
    began_ms = TODAY_MS - 2 * DAY_MS - HOUR_MS
    record = FakeRecord(kept=[outage(began_ms, began_ms + 5 * HOUR_MS // 2)])
    shown = await Public(FakeCentre(of_kubung(served()), all_up()), record).shown()
    assert bars(shown) == [("none", 0, 86), ("some", 86, 1), ("some", 87, 1), ("none", 88, 2)]
    assert "21 Nov: tanpa internet 1 jam" in shown.text
    assert "22 Nov: tanpa internet 1 jam 30 menit" in shown.text
    # 2.5 hours of 89 days and 1.09 hours
    assert "99,8 %" in shown.text


async def test_what_goes_on_lasts_until_now_and_a_withdrawn_one_never_was() -> None:
    kept = [
        outage(TODAY_MS - DAY_MS, None),
        outage(TODAY_MS - 9 * DAY_MS, TODAY_MS - 8 * DAY_MS, TimeKind.UP),
    ]
    centre = FakeCentre(of_kubung(served()), with_states({KUBUNG: State.SILENT}))
    shown = await Public(centre, FakeRecord(kept=kept)).shown("?lang=en")
    assert bars(shown) == [("none", 0, 88), ("most", 88, 1), ("most", 89, 1)]
    assert "24 Nov: 1 h 5 min without internet" in shown.text


async def test_before_it_was_watched_nothing_is_known() -> None:
    made = Public(FakeCentre(of_kubung(served()), all_up()))
    made.watched = {(KUBUNG, "telkom"): TODAY_MS - 2 * DAY_MS}
    assert bars(await made.shown()) == [("unknown", 0, 87), ("none", 87, 3)]
    made.watched = {}
    shown = await made.shown()
    assert bars(shown) == [("unknown", 0, DAYS)]
    assert "90 hari lalu belum diketahui hari ini" in shown.text


def test_an_office_with_two_lines_is_without_when_both_are() -> None:
    site = next(site for site in offices().sites if site.code == "13.02.18")
    hour = TODAY_MS - DAY_MS
    cut = [
        outage(hour, hour + 6 * HOUR_MS, site=site.code),
        outage(hour + 5 * HOUR_MS, hour + 8 * HOUR_MS, site=site.code, circuit="lte"),
    ]
    day = ninety_days(site, cut, FOREVER, LATELY, WIB)[-2]
    assert (day.day, day.without_ms, day.known_ms) == (date(2026, 11, 23), HOUR_MS, DAY_MS)
    # A line that came later stood in for nothing before.
    late = FOREVER | {(site.code, "lte"): hour + 2 * HOUR_MS}
    assert ninety_days(site, cut, late, LATELY, WIB)[-2].without_ms == 3 * HOUR_MS


@pytest.mark.parametrize("kind", [TimeKind.OFF, TimeKind.UNKNOWN])
def test_time_switched_off_or_unrecorded_is_no_outage_and_no_service(kind: TimeKind) -> None:
    site = offices().site(KUBUNG)
    day = ninety_days(
        site, [outage(TODAY_MS - DAY_MS, TODAY_MS - 8 * HOUR_MS, kind)], FOREVER, LATELY, WIB
    )[-2]
    assert (day.known_ms, day.without_ms, day.level) == (8 * HOUR_MS, 0, Level.NONE)


def test_a_line_that_is_out_of_service_is_not_known_to_be_down() -> None:
    gone = replace(TELKOM, in_service=InService(date(2026, 11, 1), date(2026, 11, 20)))
    site = replace(offices().site(KUBUNG), circuits=(gone, LTE))
    days = ninety_days(site, [], FOREVER, LATELY, WIB)
    assert [(run[0].level, len(run)) for _, run in runs(days)] == [
        (Level.UNKNOWN, 66),
        (Level.NONE, 19),
        (Level.UNKNOWN, 5),
    ]


def test_availability_is_never_rounded_up() -> None:
    site = offices().site(KUBUNG)
    brief = [outage(TODAY_MS - DAY_MS, TODAY_MS - DAY_MS + 60_000)]
    share = availability(ninety_days(site, brief, FOREVER, LATELY, WIB))
    assert share is not None
    assert (floored(share), floored(1.0), floored(0.998)) == (99.9, 100.0, 99.8)


# --- many offices -----------------------------------------------------------------------------


def country() -> Inventory:
    sites = tuple(
        Site(
            f"{kab}.{n}", f"Desa {n} {kab}", kecamatan=f"Kec {n % 9}", kabupaten=f"Kabupaten {kab}"
        )
        for kab in ("Agam", "Solok")
        for n in range(public.MOST // 2 + 10)
    )
    return Inventory("Provinsi", sites=sites)


async def test_of_very_many_one_chooses_or_searches() -> None:
    made = Public(FakeCentre(country()), watched={})
    shown = await made.shown()
    assert "Ada 520 kantor. Pilih daerah" in shown.text
    links = {attrs["href"] for tag, attrs in shown.tags if tag == "a"}
    assert "?lang=id&kecamatan=Kabupaten%20Agam" in links
    assert not any(tag == "article" for tag, _ in shown.tags)
    agam = await made.shown("?kecamatan=kabupaten%20agam")
    assert sum(tag == "article" for tag, _ in agam.tags) == 260
    assert "Solok" not in agam.text
    wide = await made.shown("?kecamatan=desa")
    assert sum(tag == "article" for tag, _ in wide.tags) == public.MOST
    assert "500 dari 520 kantor" in wide.text
    none = await made.shown("?kecamatan=Atlantis")
    assert 'Tidak ada kantor dengan nama "Atlantis"' in none.text


# --- what it costs ----------------------------------------------------------------------------


async def test_the_same_octets_go_to_all_for_ten_seconds() -> None:
    centre = FakeCentre(served(), all_up())
    made = Public(centre)
    async with made.client() as client:
        answers = await asyncio.gather(*(client.get("/status") for _ in range(20)))
        assert len({answer.content for answer in answers}) == 1
        assert made.looks == 1
        first = answers[0]
        assert first.headers["cache-control"] == "public, max-age=10"
        assert first.headers["content-encoding"] == "gzip"
        assert "form-action 'self'" in first.headers["content-security-policy"]
        tag = first.headers["etag"]
        again = await client.get("/status", headers={"if-none-match": f'"x", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
        plain = await client.get("/status", headers={"accept-encoding": "identity"})
        assert plain.content == first.content
        assert plain.headers["etag"] != tag
        assert made.looks == 1
        centre.time_ms += 10_000
        assert (await client.get("/status", headers={"if-none-match": tag})).status_code == 200
        assert made.looks == 2


async def test_who_asks_for_ever_other_names_waits_and_the_rest_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public_routes, "MOST_WAITING", 3)
    made = Public(FakeCentre(served(), all_up()))
    async with made.client() as client:
        answers = await asyncio.gather(
            *(client.get("/status", params={"kecamatan": f"x{n}"}) for n in range(6))
        )
    found = sorted(answer.status_code for answer in answers)
    assert found == [200, 200, 200, 503, 503, 503]
    assert {a.headers.get("retry-after") for a in answers if a.status_code == 503} == {"10"}


async def test_pages_that_are_kept_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_routes, "KEPT_PAGES", 2)
    monkeypatch.setattr(public_routes, "SPARING", 0.0)
    made = Public(FakeCentre(served(), all_up()))
    async with made.client() as client:
        for name in ("a", "b", "c", "a"):
            await client.get("/status", params={"kecamatan": name})
    assert made.looks == 4
