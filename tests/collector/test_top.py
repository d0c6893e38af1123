"""What stands in the terminal: pure, from the API's JSON."""

from __future__ import annotations

from typing import Any

from collector.top import view
from collector.top.view import Depth, Reader
from collector.top.words import WORDS
from inventory.model import DEFAULT_ZONE, Language
from tabuah.speech import instant_ms

INDONESIAN = Reader(Language.INDONESIAN, DEFAULT_ZONE)
ENGLISH = Reader(Language.ENGLISH, DEFAULT_ZONE)
NOW = instant_ms("2026-11-24T07:00:00.000Z")


def office(code: str, state: str, since: str | None, **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "name": f"Kantor Camat {code}",
        "state": state,
        "since": since,
        "last_report": since,
        "circuits": [{"id": "telkom", "state": state}],
        "cause": None,
        "incident": None,
        "cloned": None,
    } | more


UP = office("13.02.03", "up", "2026-11-23T07:00:00.000Z")
SILENT = office("13.02.10", "silent", "2026-11-24T06:59:00.000Z", cause="last_mile", incident="i1")
OLDER = office("13.02.11", "silent", "2026-11-24T04:00:00.000Z")
NEVER = office("13.02.12", "unknown", None)
ALL = [UP, OLDER, NEVER, SILENT]


def test_trouble_comes_first_and_the_newest_trouble_before_the_old() -> None:
    codes = [one["code"] for one in view.ordered(ALL)]
    assert codes == ["13.02.10", "13.02.11", "13.02.12", "13.02.03"]


def test_a_row_says_state_since_and_cause_in_both_languages() -> None:
    told = [cell.plain for cell in view.row(SILENT, NOW, INDONESIAN)]
    assert told[:5] == [
        *("Tidak melapor", "Kantor Camat 13.02.10", "13.59 WIB", "1 menit lalu"),
        "saluran penyedia ke kantor",
    ]
    told = [cell.plain for cell in view.row(NEVER, NOW, ENGLISH)]
    assert told[:5] == ["Unknown", "Kantor Camat 13.02.12", "-", "never", ""]
    assert len(view.columns(ENGLISH)) == len(told)


def test_an_office_is_found_by_name_state_or_cause() -> None:
    def codes(sought: str, *, trouble: bool = False) -> list[str]:
        return [one["code"] for one in view.found(ALL, sought, INDONESIAN, trouble=trouble)]

    assert codes("02.10") == ["13.02.10"]
    assert codes("CAMAT saluran") == ["13.02.10"]
    assert codes("silent") == codes("tidak melapor") == ["13.02.11", "13.02.10"]
    assert codes("", trouble=True) == ["13.02.11", "13.02.12", "13.02.10"]


def test_an_unknown_cause_of_a_newer_collector_is_shown_as_it_is() -> None:
    assert view.row(SILENT | {"cause": "flood"}, NOW, ENGLISH)[4].plain == "flood"


def test_an_office_without_a_report_says_so_and_lists_what_is_on_record() -> None:
    incident = {
        "id": "i1",
        "cause": "power",
        "began": "2026-11-24T06:00:00.000Z",
        "ended": None,
    }
    outage = incident | {"circuit": "telkom", "ended": "2026-11-24T06:30:00.000Z"}
    told = view.depth(Depth(SILENT, None, [incident], [outage]), NOW, ENGLISH).plain
    assert "no report in the last ten minutes" in told
    assert "13:00 WIB  1 h  goes on  mains power lost  i1" in told
    assert "13:00 WIB  30 min  telkom  mains power lost" in told


def test_both_languages_have_the_same_words() -> None:
    assert WORDS[Language.INDONESIAN].keys() == WORDS[Language.ENGLISH].keys()
