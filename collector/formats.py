"""Numbers and times as the page's readers write them: `99,5 %`, `14.05 WIB`, `3 jam 12 menit`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from collector.words import say
from inventory.model import Language

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999
"""The end of 9999, beyond which RFC 3339 has no years."""
_SPANS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_RATES = ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"))


def rfc3339(ms: int) -> str:
    """Return ms since 1970 UTC as `2026-11-24T07:05:09.123Z`; the year 9999 has the last.

    An office's clock may say anything: one that is beyond shall not hide all other reports.
    """
    ms = min(ms, _LAST_MS)
    moment = _EPOCH + timedelta(milliseconds=ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def local(ms: int, zone: ZoneInfo) -> datetime:
    """Return ms since 1970 UTC as a time in the inventory's zone."""
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)


def number(language: Language, value: float, decimals: int = 0) -> str:
    """Return a number with the language's decimal and thousands signs."""
    text = f"{value:,.{decimals}f}"
    if language is Language.INDONESIAN:
        return text.translate(str.maketrans(",.", ".,"))
    return text


def clock(language: Language, ms: int, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """Return the time of day and its zone: `14.05 WIB`, in English `14:05 WIB`."""
    sign = "." if language is Language.INDONESIAN else ":"
    moment = local(ms, zone)
    form = f"%H{sign}%M{sign}%S %Z" if seconds else f"%H{sign}%M %Z"
    return moment.strftime(form)


def moment(language: Language, ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """Return the time of day, with the date before it when that is not today's."""
    then, today = local(ms, zone), local(now_ms, zone)
    time = clock(language, ms, zone)
    if then.date() == today.date():
        return time
    month = say(language, "months").split()[then.month - 1]
    year = f" {then.year}" if then.year != today.year else ""
    return f"{then.day} {month}{year}, {time}"


def span(language: Language, ms: int) -> str:
    """Return a length of time in its two largest units: `3 jam 12 menit`, `45 detik`."""
    left = max(0, ms) // 1000
    parts: list[str] = []
    for unit, size in _SPANS:
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {say(language, f'unit.{unit}')}")
        elif parts:
            break
    return " ".join(parts[:2])


def ago(language: Language, ms: int) -> str:
    """Return an age: `5 detik lalu`; below two seconds `baru saja`."""
    if ms < 2000:
        return say(language, "now")
    return say(language, "ago", age=span(language, ms))


def milliseconds(language: Language, us: int) -> str:
    """Return a round trip as people compare them: `0,8 ms`, `23 ms`."""
    value = us / 1000
    return f"{number(language, value, 1 if value < 10 else 0)} ms"


def percent(language: Language, ratio: float) -> str:
    """Return a share as `2,5 %`; Indonesian puts a space before the sign, English none."""
    value = ratio * 100
    text = number(language, value, 0 if value == round(value) else 1)
    return f"{text} %" if language is Language.INDONESIAN else f"{text}%"


def bit_rate(language: Language, bps: float) -> str:
    """Return a bit rate as lines are sold: `12,3 Mbit/s`."""
    for size, unit in _RATES:
        if bps >= size:
            value = bps / size
            return f"{number(language, value, 1 if value < 100 else 0)} {unit}"
    return f"{number(language, bps)} bit/s"
