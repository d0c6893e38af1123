"""The report: what it says, in which words, on which paper, and its versions."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from collector.api import BadRequestError
from collector.guard import SECURITY_HEADERS
from collector.sla_json import lines, sheet_json
from collector.sla_model import Account, Liability, Month
from collector.sla_report import sla_page
from collector.sla_source import Key, report_month
from collector.sla_store import VersionFiles
from collector.sla_versions import DRAFT, Version
from collector.sla_view import Words, hms
from collector.sla_web import asked, sla_routes
from collector.sla_words import CATALOGUE
from collector.stretches import Kind
from inventory.hours import parse_hours
from inventory.model import (
    Circuit,
    ClockStart,
    Exclusion,
    InService,
    Inventory,
    Language,
    Site,
)
from tabuah.errors import NothingMatchedError, TabuahError
from tests.support.months import (
    AFTER,
    CIRCUIT,
    HOUR,
    NOVEMBER,
    SITE,
    account,
    contract,
    stretch,
    ticket,
)

SLA = contract(min_outage_s=300, exclusions=(Exclusion.MAINTENANCE,), clock_start=ClockStart.TICKET)
KUBUNG = Site(
    SITE,
    "Kantor Camat Kubung",
    circuits=(Circuit(CIRCUIT, provider="Telkom", product="Astinet", sid="4700012345", sla=SLA),),
)
REMOTE = Site("13.02.18", "Kantor <Camat> Tigo Lurah", circuits=(Circuit("vsat"),))
INVENTORY = Inventory("Dinas Kominfo", sites=(KUBUNG, REMOTE))
FAULTS = account(
    stretch(-1, 1, outage="o1"),
    stretch(55, 65, outage="o2"),
    stretch(60, 61, Kind.EXCLUDED, "maintenance"),
    stretch(100, 104, Kind.EXCLUDED, "power", "o3"),
    stretch(200, 203, cause="session", outage="o4"),
    stretch(300, 300.05, outage="o5"),
    tickets=[ticket("o2", 57, 70, "INC40218833")],
    liabilities={"o4": Liability.OTHER},
    evidence={"o2": ("agent not restarted: <boot id> unchanged",)},
)


class Ledger:
    """A source of what tests put into it."""

    def __init__(self, *accounts: Account, inventory: Inventory = INVENTORY) -> None:
        self.inventory = inventory
        self.known = list(accounts)
        self.kept: dict[Key, list[Version]] = {}

    def accounts(self, month: Month, sites: Collection[str]) -> Iterable[Account]:
        return [one for one in self.known if one.site in sites]

    def versions(self, month: Month) -> Mapping[Key, Sequence[Version]]:
        return self.kept

    def keep(self, month: Month, made: Mapping[Key, Version]) -> None:
        for key, version in made.items():
            self.kept.setdefault(key, []).append(version)


def page(language: Language = Language.INDONESIAN, now_ms: int = AFTER, **more: str) -> str:
    sheets = report_month(Ledger(FAULTS), NOVEMBER, None, now_ms)
    return sla_page(INVENTORY, sheets, NOVEMBER, language, now_ms, **more)


def seen(html: str) -> str:
    """What a reader sees, without tags, spaces joined."""
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_both_languages_say_the_same_things() -> None:
    indonesian, english = CATALOGUE[Language.INDONESIAN], CATALOGUE[Language.ENGLISH]
    assert indonesian.keys() == english.keys()
    for key, text in indonesian.items():
        names = re.findall(r"\{(\w+)\}", text)
        assert sorted(names) == sorted(re.findall(r"\{(\w+)\}", english[key])), key


def test_the_report_tells_figures_outages_tickets_and_evidence_in_indonesian() -> None:
    text = seen(page())
    for part in (
        "Laporan ketersediaan layanan, November 2026",
        "Nomor layanan (SID) 4700012345",
        "Rp10.000.000",
        "INC40218833 (3 Nov, 09.00 WIB sampai 3 Nov, 22.00 WIB)",
        "saluran penyedia ke kantor",
        "listrik padam",
        "ditetapkan: bukan tanggung jawab penyedia",
        "Terputus, terlalu singkat",
        "Berita acara gangguan",
        "31 Okt 2026 23.00.00 WIB",
        "menurut kontrak",
    ):
        assert part in text
    # D is 1 + 9 h, 7 h of it within the ticket: 57 to 65 without the hour of maintenance.
    assert "Yang hilang karena tiket terlambat: 3:00:00 waktu henti" in text


def test_the_report_is_there_in_english_too() -> None:
    text = seen(page(Language.ENGLISH))
    assert "Service availability report, November 2026" in text
    assert "line to the office" in text
    assert "Rp10,000,000" in text
    assert "3 Nov 2026 07:00:00 WIB" in text


def test_a_circuit_without_a_contract_says_so_and_promises_nothing() -> None:
    text = seen(page())
    assert "Kontrak saluran ini belum dicatat dalam inventaris" in text
    assert text.count("Rumus restitusi") == 1


def test_names_and_evidence_are_escaped_and_nothing_carries_a_style_of_its_own() -> None:
    html = page(other_href="?lang=en")
    assert "Kantor &lt;Camat&gt; Tigo Lurah" in html
    assert "&lt;boot id&gt;" in html
    assert "style=" not in html
    assert "<style" not in html
    assert "<script" not in html


def test_a_month_that_goes_on_is_marked_provisional_and_keeps_no_version() -> None:
    ledger = Ledger(FAULTS)
    now_ms = NOVEMBER.window[0] + 560 * HOUR
    sheets = report_month(ledger, NOVEMBER, None, now_ms)
    assert [sheet.version.number for sheet in sheets] == [DRAFT, DRAFT]
    assert ledger.kept == {}
    text = seen(page(now_ms=now_ms))
    assert "Sementara: bulan ini belum selesai. Perhitungan sampai 24 November 2026" in text


def test_late_data_makes_a_new_version_and_the_earlier_one_is_listed() -> None:
    ledger = Ledger(FAULTS)
    first = report_month(ledger, NOVEMBER, SITE, AFTER)[0]
    again = report_month(ledger, NOVEMBER, SITE, AFTER + HOUR)[0]
    assert first.version.number == again.version.number == 1
    assert again.version.made_ms == AFTER
    ledger.known = [
        replace(FAULTS, stretches=(*FAULTS.stretches, stretch(58, 60, Kind.EXCLUDED, "power")))
    ]
    revised = report_month(ledger, NOVEMBER, SITE, AFTER + 2 * HOUR)[0]
    assert revised.version.number == 2
    assert [version.number for version in revised.earlier] == [1]
    assert revised.version.claim is not None
    assert first.version.claim is not None
    assert revised.version.claim < first.version.claim
    html = sla_page(INVENTORY, [revised], NOVEMBER, Language.ENGLISH, AFTER)
    assert "Version 1, " in html
    assert "Version 2, computed" in html


def test_what_changed_in_another_month_makes_no_new_version() -> None:
    ledger = Ledger(FAULTS)
    report_month(ledger, NOVEMBER, SITE, AFTER)
    ledger.known = [
        replace(FAULTS, stretches=(*FAULTS.stretches, stretch(-90, -80), stretch(740, 750)))
    ]
    assert report_month(ledger, NOVEMBER, SITE, AFTER)[0].version.number == 1


def test_versions_are_kept_on_disk_and_a_damaged_file_stops_the_report(tmp_path: Path) -> None:
    files = VersionFiles(tmp_path / "sla")
    assert files.read(NOVEMBER) == {}
    one = Version(1, 1, "aa", AFTER, "143/144", "9/10", 5, None)
    files.add(NOVEMBER, {(SITE, CIRCUIT): one})
    files.add(NOVEMBER, {(SITE, CIRCUIT): replace(one, number=2), (SITE, "lte"): one})
    files.add(NOVEMBER, {(SITE, CIRCUIT): replace(one, number=2, claim=6)})
    assert files.read(NOVEMBER) == {
        (SITE, CIRCUIT): (one, replace(one, number=2)),
        (SITE, "lte"): (one,),
    }
    assert one.availability == (Fraction(9, 10), Fraction(143, 144))
    (tmp_path / "sla" / "2026-11.json").write_text("[{")
    with pytest.raises(TabuahError, match="kept versions cannot be read"):
        files.read(NOVEMBER)


def test_a_promise_missed_by_a_hair_does_not_read_as_kept() -> None:
    words = Words(INVENTORY, Language.INDONESIAN)
    assert words.percent(Fraction(995, 1000)) == "99,50 %"
    assert words.percent(Fraction(9949999999, 10**10)) == "99,4999 %"
    assert words.percent(Fraction(1)) == "100,00 %"


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0:00:00"), (999, "0:00:00"), (720 * HOUR, "720:00:00")]
)
def test_lengths_of_time_have_hours_without_limit(ms: int, text: str) -> None:
    assert hms(ms) == text


def test_tools_get_the_same_as_json() -> None:
    kubung, remote = (
        sheet_json(sheet) for sheet in report_month(Ledger(FAULTS), NOVEMBER, None, AFTER)
    )
    assert kubung["restitution"] == 97_222
    assert kubung["availability"] == [0.99027777, 0.99027777]
    assert kubung["lost_to_late_tickets"] == {"seconds": 10_800.0, "rupiah": 41_667}
    assert kubung["kept"] is False
    times = kubung["times"]
    assert isinstance(times, dict)
    assert sum(times.values()) == kubung["seconds"] == 720 * 3600
    assert remote["contract"] is None
    assert remote["restitution"] is None
    assert remote["availability"] == [0.0, 1.0]


def test_the_terminal_gets_one_line_a_circuit() -> None:
    sheets = report_month(Ledger(FAULTS), NOVEMBER, None, AFTER)
    head, kubung, remote = lines([sheet_json(sheet) for sheet in sheets])
    assert head.split() == (
        ["SITE", "CIRCUIT", "AVAILABILITY", "PROMISED", "DOWN", "UNKNOWN", "CLAIM", "POTENTIAL"]
    )
    assert kubung.split()[-6:] == ["99.0277%", "99.5000%", "7:00:00", "0:00:00", "97,222", "97,222"]
    assert "0.0000%..100.0000%" in remote


def test_an_unknown_office_is_said_with_the_nearest() -> None:
    with pytest.raises(NothingMatchedError, match=r"did you mean '13\.02\.18'"):
        report_month(Ledger(), NOVEMBER, "13.02.1", AFTER)


def test_a_circuit_of_half_a_month_owes_by_the_half_of_its_own_hours() -> None:
    circuit = replace(
        KUBUNG.circuits[0],
        sla=replace(contract(), hours=parse_hours("Mon-Sun 00:00-12:00")),
        in_service=InService(begins=date(2026, 11, 16)),
    )
    office = replace(KUBUNG, hours=parse_hours("Mon-Fri 07:30-16:00"), circuits=(circuit,))
    # Before it was in service, in service at night, and in service in the contract's hours.
    faults = account(stretch(24, 36), stretch(372, 384), stretch(384, 390))
    source = Ledger(faults, inventory=replace(INVENTORY, sites=(office,)))
    (sheet,) = report_month(source, NOVEMBER, None, AFTER)
    assert sheet.month.hours_ms == 180 * HOUR
    assert sheet.month.fee == 5_000_000
    assert sheet.month.measured.countable_ms == 6 * HOUR
    assert sheet.month.measured.claim == round(5_000_000 * 6 / 180)


def test_an_inventory_without_circuits_has_no_report() -> None:
    with pytest.raises(NothingMatchedError, match="no circuit"):
        report_month(Ledger(inventory=Inventory("x")), NOVEMBER, None, AFTER)


async def test_the_report_is_served_as_page_and_as_json() -> None:
    ledger = Ledger(FAULTS)
    app = Starlette(routes=sla_routes(lambda: ledger, lambda: AFTER))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://centre"
    ) as client:
        html = await client.get("/sla", params={"month": "2026-11", "site": SITE})
        assert "static/sla.css" in html.text
        assert f"?month=2026-11&amp;lang=en&amp;site={SITE}" in html.text
        alone = await client.get("/sla", params={"month": "2026-11", "lang": "en", "standalone": 1})
        assert "<style>" in alone.text
        assert 'lang="en"' in alone.text
        found = await client.get("/api/v1/sla", params={"month": "2026-11", "site": SITE})
        assert [sheet["circuit"] for sheet in found.json()] == [CIRCUIT]
        missing = await client.get("/api/v1/sla", params={"site": "nowhere"})
        assert missing.status_code == 404


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ([("month", "11-2026")], "write it like 2026-11"),
        ([("month", "2026-13")], "write it like 2026-11"),
        ([("lang", "fr")], "write id or en"),
        ([("mont", "2026-11")], "did you mean 'month'"),
    ],
)
def test_a_request_that_cannot_be_understood_is_told_how(
    parameters: list[tuple[str, str]], complaint: str
) -> None:
    with pytest.raises(BadRequestError, match=complaint):
        asked(parameters, INVENTORY, AFTER)


def test_without_a_month_the_one_that_goes_on_is_meant() -> None:
    # 31 October 18:00 UTC is November in Solok.
    assert str(asked([], INVENTORY, NOVEMBER.window[0] + HOUR).month) == "2026-11"


def _chromium() -> str:
    found = shutil.which("chromium")
    assert found is not None, "chromium is needed: make peers"
    return found


@pytest.mark.peer
def test_a_browser_prints_it_on_a4_under_the_pages_own_policy(tmp_path: Path) -> None:
    policy = SECURITY_HEADERS["content-security-policy"].replace("frame-ancestors 'none'", "")
    html = page().replace(
        "<head>",
        '<head><meta http-equiv="Content-Security-Policy" content="'
        + policy.replace("style-src 'self'", "style-src 'unsafe-inline'")
        + '">',
    )
    (tmp_path / "sla.html").write_text(html)
    printed = tmp_path / "sla.pdf"
    subprocess.run(
        [
            _chromium(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={printed}",
            (tmp_path / "sla.html").as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    pdf = printed.read_bytes()
    assert pdf.startswith(b"%PDF-")
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert boxes
    # A4 in points.
    assert {(round(float(w)), round(float(h))) for w, h in boxes} == {(595, 842)}
