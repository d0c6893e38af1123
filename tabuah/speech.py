"""How times and durations are written, for machines and for readers of either language. Pure.

A language is its word in the inventory: `id` (Bahasa Indonesia) or `en`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999
"""The end of 9999, beyond which RFC 3339 has no years."""
_UNITS_S: Final = (86_400, 3_600, 60, 1)
_UNIT_WORDS: Final = {"id": ("hari", "jam", "menit", "detik"), "en": ("d", "h", "min", "s")}
_DAYS: Final = {
    "id": ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS: Final = {
    "id": (
        *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
        *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
_CLOCK_SIGNS: Final = {"id": ".", "en": ":"}


def rfc3339(ms: int) -> str:
    """Return ms since 1970 UTC as `2026-11-24T07:05:09.123Z`; the year 9999 has the last.

    An office's clock may say anything: one that is beyond shall not hide all other reports.
    """
    ms = min(ms, _LAST_MS)
    moment = _EPOCH + timedelta(milliseconds=ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def instant_ms(text: str) -> int:
    """Return the ms since 1970 UTC of what `rfc3339` wrote."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def local(ms: int, zone: ZoneInfo) -> datetime:
    """Return ms since 1970 UTC as a time in a zone."""
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)


def clock(language: str, ms: int, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """Return the time of day and its zone: `14.05 WIB`, in English `14:05 WIB`."""
    sign = _CLOCK_SIGNS[language]
    form = f"%H{sign}%M{sign}%S %Z" if seconds else f"%H{sign}%M %Z"
    return local(ms, zone).strftime(form)


def day(language: str, ms: int, zone: ZoneInfo) -> str:
    """Return the day: `Selasa, 24 November 2026`, in English `Tuesday, 24 November 2026`."""
    then = local(ms, zone)
    month = _MONTHS[language][then.month - 1]
    return f"{_DAYS[language][then.weekday()]}, {then.day} {month} {then.year}"


def span(language: str, ms: int) -> str:
    """Return a length of time in its two largest units: `3 jam 12 menit`, `45 detik`."""
    left = max(0, ms) // 1000
    parts: list[str] = []
    for size, word in zip(_UNITS_S, _UNIT_WORDS[language], strict=True):
        count, left = divmod(left, size)
        if count or (size == 1 and not parts):
            parts.append(f"{count} {word}")
        elif parts:
            break
    return " ".join(parts[:2])
