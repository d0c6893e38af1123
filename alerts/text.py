"""The words of an alert, in Bahasa Indonesia and English. Pure.

Times are shown in the organisation's zone; `WIB` and its sisters are named as people name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tabuah.speech import clock, span

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from alerts.incident import Incident


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads first, and what they read next."""

    summary: str
    description: str


_WORDS: Final = {
    "id": {
        "silent": "{names} tidak melapor sejak pukul {began}",
        "silent_more": (
            "Tidak ada laporan dari {names} sejak pukul {began}. Penyebab: belum diketahui. "
            "Hubungi kantor: apakah listrik menyala, dan lampu LOS pada ONT merah?"
        ),
        "back": "{names} kembali melapor pukul {ended} setelah {lasted}",
        "back_more": (
            "{names} kembali melapor pukul {ended}, setelah {lasted} tanpa laporan "
            "(sejak pukul {began}). Laporan yang tertunda sedang menyusul."
        ),
        "removed": "{names} tidak dipantau lagi sejak pukul {ended}",
        "removed_more": (
            "{names} dikeluarkan dari inventaris pukul {ended}, setelah {lasted} tanpa laporan "
            "(sejak pukul {began})."
        ),
    },
    "en": {
        "silent": "{names} has not reported since {began}",
        "silent_more": (
            "No report from {names} since {began}. Cause: not known yet. "
            "Call the office: is the power on, and is the ONT's LOS lamp red?"
        ),
        "back": "{names} reports again at {ended} after {lasted}",
        "back_more": (
            "{names} reports again at {ended}, after {lasted} without a report "
            "(since {began}). The reports held back are on their way."
        ),
        "removed": "{names} is no longer watched since {ended}",
        "removed_more": (
            "{names} was taken out of the inventory at {ended}, after {lasted} without a report "
            "(since {began})."
        ),
    },
}


def text(incident: Incident, names: str, language: str, zone: ZoneInfo) -> Text:
    """Return what to say of an incident; `names` are its sites' as people know them."""
    words = _WORDS[language]
    facts = {"names": names, "began": clock(language, incident.began_ms, zone, seconds=True)}
    kind = "silent"
    if incident.ended_ms is not None:
        kind = incident.ending.value
        facts["ended"] = clock(language, incident.ended_ms, zone, seconds=True)
        facts["lasted"] = span(language, incident.ended_ms - incident.began_ms)
    return Text(words[kind].format(**facts), words[f"{kind}_more"].format(**facts))
