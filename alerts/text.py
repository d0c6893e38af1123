"""The words of an alert, in Bahasa Indonesia and English. Pure.

Times are shown in the organisation's zone; `WIB` and its sisters are named as people name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alerts.incident import Ending
from alerts.words import BEGAN, CAUSES, ENDED, FIRST, MORE, OTHERWISE
from tabuah.speech import clock, span

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from alerts.incident import Incident

_SILENCES: Final = frozenset({"TabuahLinkDown", "TabuahUpstreamDown", "TabuahAgentFault"})
"""After these, reports that were held back may tell more."""
_CLOCK_FIRST: Final = {
    "id": "Setel jamnya dan periksa NTP; laporannya tetap diterima dengan waktu yang dikoreksi.",
    "en": "Set it and check NTP; its reports are still taken, with corrected times.",
}


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads first, and what they read next."""

    summary: str
    description: str


def text(incident: Incident, names: str, language: str, zone: ZoneInfo) -> Text:
    """Return what to say of an incident; `names` are its sites' as people know them."""
    facts = {
        "names": names,
        "circuits": ", ".join(incident.circuits),
        "about": incident.about or incident.upstream or "",
        "count": str(len(incident.sites)),
        "cause": CAUSES[language][incident.known],
        "first": _first(incident, language),
        "began": clock(language, incident.began_ms, zone, seconds=True),
    }
    more = MORE[language]
    if incident.ended_ms is None:
        summary = BEGAN[language][_form(incident)]
        description = more["began"] if names else more["nobody"]
    else:
        facts["ended"] = clock(language, incident.ended_ms, zone, seconds=True)
        facts["lasted"] = span(language, incident.ended_ms - incident.began_ms)
        if incident.ending is not Ending.BACK:
            summary, description = OTHERWISE[language][incident.ending.value]
        else:
            summary = ENDED[language][_form(incident)]
            late = more["late"] if incident.alertname in _SILENCES else ""
            description = "{summary}. " + (more["ended"] if names else "") + late
    facts["summary"] = summary.format_map(facts)
    return Text(facts["summary"], description.format_map(facts).strip())


def _form(incident: Incident) -> str:
    if incident.alertname == "TabuahLinkDown" and incident.circuits:
        return "circuit"
    return incident.alertname


def _first(incident: Incident, language: str) -> str:
    if incident.alertname == "TabuahClockSkew":
        return _CLOCK_FIRST[language]
    return FIRST[language][incident.known]
