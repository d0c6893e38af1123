"""Whatever happens has a text in both languages: what, where, since when, why, and what to do."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from alerts import samples, templating
from alerts.failing import CHANNEL_FAILING
from alerts.incident import Ending
from alerts.message import Status
from alerts.pipeline import Pipeline
from alerts.samples import KINDS, TRIAL, over, sample, usual
from alerts.text import Text, cut, parsed
from alerts.words import CAUSES
from alerts.writing import Writer
from inventory.model import Inventory, Site
from tests.support.listening import ONE, Listener
from tests.support.solok import BEGAN_MS, solok

FELL = sample("TabuahLinkDown", "down", "unknown", solok(), BEGAN_MS)
GOLDEN = Path(__file__).parent / "texts"
LIKELY = {
    "TabuahLinkDown": ("unknown", "last_mile", "session"),
    "TabuahUpstreamDown": ("area",),
    "TabuahLinkDegraded": ("provider_core", "unknown"),
    "TabuahLinkFlapping": ("unknown",),
    "TabuahLinkSaturated": ("congestion",),
    "TabuahPowerLost": ("power",),
    "TabuahGatewayFault": ("gateway",),
    "TabuahServiceDown": ("service", "centre"),
    "TabuahAgentFault": ("agent",),
    "TabuahClockSkew": ("agent",),
    "TabuahCollectorIsolated": ("isolated",),
    "TabuahChannelFailing": ("unknown",),
    "TabuahTrial": ("unknown",),
}


@pytest.mark.parametrize("language", ["id", "en"])
def test_all_that_people_are_told_reads_as_it_was_agreed(language: str) -> None:
    """A changed text is read anew, and put into `tests/alerts/texts/`, by whom it may wake."""
    assert _book(language) == (GOLDEN / f"{language}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["id", "en"])
def test_a_telephone_shows_the_whole_first_line(language: str) -> None:
    writer = Writer(solok(language))
    for alertname, causes in LIKELY.items():
        for kind in KINDS[alertname]:
            for cause in causes:
                lasting = sample(alertname, kind, cause, solok(), BEGAN_MS)
                for incident in (lasting, over(lasting)):
                    said = writer(incident).summary
                    assert len(said) <= 110, said


@pytest.mark.parametrize("language", ["id", "en"])
def test_there_is_a_text_for_every_alert_of_every_cause_and_ending(language: str) -> None:
    inventory = solok(language)
    writer = Writer(inventory)
    for incident in samples.every(inventory, BEGAN_MS):
        said = writer(incident)
        assert said.summary
        assert "{" not in said.summary + said.description
        if incident.ended_ms is None and incident.alertname not in {
            "TabuahClockSkew",
            CHANNEL_FAILING,
            TRIAL,
        }:
            assert CAUSES[language][incident.cause] in said.description


def test_both_languages_know_the_same_templates_and_causes() -> None:
    assert CAUSES["id"].keys() == CAUSES["en"].keys()
    assert _names(templating.SHIPPED / "id") == _names(templating.SHIPPED / "en")


def test_a_power_cut_sends_nobody_to_telkom_and_a_service_to_its_owner() -> None:
    writer = Writer(solok())
    power = writer(usual("power", solok(), BEGAN_MS))
    assert power.summary.endswith("listrik padam, telepon kantor, bukan Telkom")
    assert "Hubungi: PIC Kantor Camat Kubung: PIC Kubung 0812-0000-0001\n" in power.description
    assert "Nama lokasi" not in power.description
    service = writer(usual("service", solok(), BEGAN_MS))
    assert service.summary.endswith("hubungi Disdukcapil, bukan Telkom")


@pytest.mark.parametrize("cause", ["last_mile", "area", "provider_core", "session"])
def test_a_fault_of_the_provider_brings_the_draft_of_its_ticket(cause: str) -> None:
    incident = usual(cause, solok(), BEGAN_MS)
    said = Writer(solok())(incident).description
    assert Writer(solok()).ticket(incident) in said
    labels = [line.partition(":")[0] for line in Writer(solok()).ticket(incident).splitlines()]
    assert labels == [
        "Nama lokasi",
        "Nomor layanan (SID)",
        "PIC dan nomor telepon",
        "Jam siaga PIC",
        "Waktu kunjungan teknisi",
        "Status firewall di CE",
        "Status router ke ONT",
        "Kendala",
    ]
    assert f"tabuah incidents ticket {incident.id} --number INC12345678" in said


def test_one_ticket_names_every_office_of_a_common_fault() -> None:
    draft = Writer(solok()).ticket(usual("area", solok(), BEGAN_MS)).splitlines()
    assert draft[0] == "Nama lokasi: Kantor Camat Kubung; Kantor Camat Gunung Talang"
    assert draft[1] == (
        "Nomor layanan (SID): 4700000001 (Kantor Camat Kubung); (isi) (Kantor Camat Gunung Talang)"
    )
    assert draft[3] == "Jam siaga PIC: (isi)"


def test_a_link_stands_only_where_the_inventory_has_the_page() -> None:
    page = f"https://tabuah.example/incidents/{FELL.id}"
    assert Writer(solok())(FELL).description.endswith(f"Halaman: {page}")
    bare = replace(solok(), page_url="https://dinas.example/tabuah")
    assert f"https://dinas.example/tabuah/incidents/{FELL.id}" in Writer(bare)(FELL).description
    many = replace(FELL, id="down-_many-1795500000000")
    assert Writer(solok())(many).description.endswith("Halaman: https://tabuah.example/")
    assert "http" not in Writer(replace(solok(), page_url=None))(FELL).description


def test_a_common_fault_of_hundreds_is_told_in_few_words() -> None:
    sites = tuple(Site(f"s{number}", f"Kantor {number}") for number in range(300))
    inventory = replace(solok(), sites=sites)
    codes = tuple(site.code for site in sites)
    said = Writer(inventory)(
        replace(usual("area", solok(), BEGAN_MS), sites=codes, about="STO Solok")
    )
    assert said.summary.startswith("STO Solok: 300 kantor terputus")
    assert "dan 295 kantor lain" in said.description
    assert len(said.description) < 3_000
    fell = Writer(inventory)(replace(FELL, sites=codes))
    assert fell.summary.startswith("300 kantor tidak melapor")
    few = Writer(inventory)(replace(FELL, sites=codes[:3]))
    assert few.summary.startswith("Kantor 0, Kantor 1 dan Kantor 2 tidak melapor")


def test_names_that_people_write_stay_one_bounded_line() -> None:
    site = Site("a", "Kantor\n\x1b[31m\u202e" + "panjang " * 100)
    said = Writer(Inventory("Dinas Uji", sites=(site,)))(replace(FELL, sites=("a",)))
    assert said.summary.isprintable()
    assert len(said.summary) <= 200


def test_an_office_that_is_gone_is_still_called_by_its_name() -> None:
    writer = Writer(solok())
    writer(FELL)
    writer.renew(replace(solok(), sites=()))
    gone = writer(replace(over(FELL), ending=Ending.REMOVED))
    assert gone.summary == "Kantor Camat Kubung tidak dipantau lagi sejak 13.03 WIB"


def test_a_users_own_text_stands_in_for_the_shipped_one(tmp_path: Path) -> None:
    _write(tmp_path / "id" / "first.txt", "Telepon Pak Edi. {% include 'shipped/first.txt' %}")
    said = Writer(solok(templates=tmp_path))(FELL)
    assert "Lakukan dulu: Telepon Pak Edi. Telepon kantor: apakah listrik" in said.description
    assert said.summary == Writer(solok())(FELL).summary


@pytest.mark.parametrize(
    "text",
    [
        "{{ nmes }}",
        "{% if %}",
        "{{ names.__class__.__mro__ }}",
        "{{ 1 // 0 }}",
        "{% include 'nothing.txt' %}",
        "{# nothing #}",
        "{{ offices[99].name }}",
    ],
)
def test_a_users_text_that_fails_costs_no_alert(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    _write(tmp_path / "id" / "TabuahLinkDown.txt", text)
    writer = Writer(solok(templates=tmp_path))
    with caplog.at_level(logging.ERROR):
        assert writer(FELL) == Writer(solok())(FELL)
        writer(FELL)
    assert writer.templates.failures == 2
    (record,) = caplog.records
    assert "id/TabuahLinkDown.txt fails" in record.getMessage()
    assert "shipped text is sent in its place" in record.getMessage()


def test_a_text_without_end_is_cut(tmp_path: Path) -> None:
    endless = "{% for n in range(99999) %}kata {% endfor %}"
    _write(tmp_path / "id" / "TabuahLinkDown.txt", endless)
    said = Writer(solok(templates=tmp_path))(FELL)
    assert len(said.summary) <= 200


def test_what_is_cut_ends_at_a_word_and_says_so() -> None:
    assert cut("satu dua tiga", 13) == "satu dua tiga"
    assert cut("satu dua tiga empat", 14) == "satu dua..."
    assert cut("x" * 50, 10) == "xxxxxxx..."
    assert cut("abc", 2) == "ab"
    assert parsed("\n  satu \n\n\n dua\n") == Text("satu", "dua")


def test_the_cause_found_later_shows_in_the_closing_text_and_the_labels_stay() -> None:
    listener = Listener(Pipeline(Writer(solok("en")), ONE))
    listener.look(FELL.began_ms, FELL)
    ended = replace(
        FELL, alertname="TabuahPowerLost", severity="warning", cause="power", ended_ms=2**41
    )
    (message,) = listener.look(2**41, ended)
    said = message.json()
    assert message.status is Status.RESOLVED
    assert (said["alertname"], said["cause"], said["severity"]) == (
        "TabuahLinkDown",
        "unknown",
        "warning",
    )
    assert "Cause: mains power lost" in message.description


def test_whoever_goes_on_telling_is_told_what_is_known_by_now_under_the_first_labels() -> None:
    listener = Listener(Pipeline(Writer(solok("en")), ONE))
    listener.look(FELL.began_ms, FELL)
    grown = replace(FELL, cause="power", sites=("13.02.07", "13.02.10"))
    assert listener.look(FELL.began_ms + 1_000, grown) == []
    (revised,) = listener.revised
    assert (revised.status, revised.incident.cause) == (Status.FIRING, "unknown")
    assert revised.incident.filed_sites == ("13.02.10",)
    assert revised.summary.startswith("2 offices have not reported")
    assert "mains power lost" in revised.description
    (last,) = listener.look(2**41, replace(grown, ended_ms=2**41))
    assert last.incident.filed_sites == ("13.02.10",)
    assert last.json()["sites"] == ["13.02.07", "13.02.10"]


def _book(language: str) -> str:
    """Return all likely texts, as they would be read one after the other."""
    inventory = solok(language)
    writer = Writer(inventory)
    pages = []
    for alertname, causes in LIKELY.items():
        for kind in KINDS[alertname]:
            for cause in causes:
                lasting = sample(alertname, kind, cause, inventory, BEGAN_MS)
                for incident in (lasting, over(lasting)):
                    state = "firing" if incident.ended_ms is None else "resolved"
                    said = writer(incident)
                    head = f"=== {alertname} {kind} {cause} {state}"
                    pages.append(f"{head}\n{said.summary}\n{said.description}\n")
    fell = sample("TabuahLinkDown", "down", "unknown", inventory, BEGAN_MS)
    for ending in (Ending.REMOVED, Ending.JOINED, Ending.EXCUSED):
        said = writer(replace(over(fell), ending=ending))
        pages.append(f"=== {ending.value}\n{said.summary}\n{said.description}\n")
    return "\n".join(pages)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
