"""Whatever happens has a sentence in both languages, and what to do first."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from alerts.incident import Ending, Incident
from alerts.message import Status
from alerts.pipeline import Pipeline
from alerts.text import text
from alerts.words import BEGAN, CAUSES, ENDED, FIRST
from alerts.writing import Writer
from inventory.model import Inventory, Language, Site

WIB = ZoneInfo("Asia/Jakarta")
FELL = Incident(
    id="down-13.02.10-1",
    alertname="TabuahLinkDown",
    sites=("13.02.10",),
    circuits=(),
    cause="unknown",
    severity="critical",
    began_ms=1_795_500_000_000,
    about="STO Solok",
)
ALERTNAMES = [name for name in BEGAN["id"] if name != "circuit"]


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("alertname", ALERTNAMES)
def test_each_alert_says_what_to_do_first_and_how_it_ended(alertname: str, language: str) -> None:
    for cause in CAUSES[language]:
        began = replace(FELL, alertname=alertname, cause=cause)
        said = text(began, "Kubung", language, WIB)
        assert CAUSES[language][cause] in said.description
        if alertname != "TabuahClockSkew":
            assert FIRST[language][cause] in said.description
        for ending in Ending:
            ended = replace(began, ended_ms=began.began_ms + 192_000, ending=ending)
            last = text(ended, "Kubung", language, WIB)
            assert "{" not in said.summary + said.description + last.summary + last.description


def test_both_languages_know_the_same_alerts_and_causes() -> None:
    for words in (BEGAN, ENDED, CAUSES, FIRST):
        assert words["id"].keys() == words["en"].keys()


def test_a_line_that_falls_beside_a_working_one_is_named() -> None:
    said = text(replace(FELL, circuits=("telkom",)), "Kubung", "en", WIB)
    assert said.summary == "Kubung: line telkom is down since 13:00:00 WIB"


def test_the_cause_found_later_shows_in_the_closing_text_and_the_labels_stay() -> None:
    pipeline = Pipeline(Writer(_inventory(("13.02.10", "Kubung"))))
    pipeline.decide(FELL)
    ended = replace(
        FELL, alertname="TabuahPowerLost", severity="warning", cause="power", ended_ms=2**41
    )
    message = pipeline.decide(ended).message
    assert message is not None
    said = message.json()
    assert message.status is Status.RESOLVED
    assert (said["alertname"], said["cause"], said["severity"]) == (
        "TabuahLinkDown",
        "unknown",
        "critical",
    )
    assert "Cause: mains power lost" in message.description


def test_whoever_goes_on_telling_is_told_what_is_known_by_now_under_the_first_labels() -> None:
    pipeline = Pipeline(Writer(_inventory(("13.02.10", "Kubung"), ("13.02.07", "Talang"))))
    pipeline.decide(FELL)
    grown = replace(FELL, cause="power", sites=("13.02.07", "13.02.10"))
    decision = pipeline.decide(grown)
    assert decision.message is None
    revised = decision.revised
    assert revised is not None
    assert (revised.status, revised.incident.cause) == (Status.FIRING, "unknown")
    assert revised.incident.filed_sites == ("13.02.10",)
    assert "Talang, Kubung" in revised.summary
    assert "mains power lost" in revised.description
    last = pipeline.decide(replace(grown, ended_ms=2**41)).message
    assert last is not None
    assert last.incident.filed_sites == ("13.02.10",)
    assert last.json()["sites"] == ["13.02.07", "13.02.10"]


def _inventory(*offices: tuple[str, str]) -> Inventory:
    sites = tuple(Site(code, name) for code, name in offices)
    return Inventory("Dinas Uji", language=Language.ENGLISH, sites=sites)
