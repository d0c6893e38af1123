"""The words of an alert, in Bahasa Indonesia and English. Pure.

Times are shown in the organisation's zone; `WIB` and its sisters are named as people name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

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
        "hours": "jam",
        "minutes": "menit",
        "seconds": "detik",
        "clock": "%H.%M.%S",
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
        "hours": "h",
        "minutes": "min",
        "seconds": "s",
        "clock": "%H:%M:%S",
    },
}

_ZONE_NAMES: Final = {"+0700": "WIB", "+0800": "WITA", "+0900": "WIT"}


def text(incident: Incident, names: str, language: str, zone: ZoneInfo) -> Text:
    """Return what to say of an incident; `names` are its sites' as people know them."""
    words = _WORDS[language]
    facts = {"names": names, "began": _clock(incident.began_ms, words["clock"], zone)}
    kind = "silent"
    if incident.ended_ms is not None:
        kind = incident.ending.value
        facts["ended"] = _clock(incident.ended_ms, words["clock"], zone)
        facts["lasted"] = duration(incident.ended_ms - incident.began_ms, language)
    return Text(words[kind].format(**facts), words[f"{kind}_more"].format(**facts))


def duration(milliseconds: int, language: str) -> str:
    """Return a duration by its two largest units: '3 jam 12 menit', '40 detik'."""
    words = _WORDS[language]
    seconds = max(0, round(milliseconds / 1000))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, words["hours"]), (minutes, words["minutes"]), (seconds, words["seconds"])]
    while len(parts) > 1 and parts[0][0] == 0:
        del parts[0]
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count or len(parts) == 1)


def _clock(ms: int, pattern: str, zone: ZoneInfo) -> str:
    moment = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
    return f"{moment:{pattern}} {_ZONE_NAMES.get(moment.strftime('%z'), moment.tzname() or '')}"
