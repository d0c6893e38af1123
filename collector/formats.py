"""Numbers and times as the page's readers write them: `99,5 %`, `14.05 WIB`, `3 jam 12 menit`."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from collector.words import say
from inventory.model import Language
from tabuah import speech
from tabuah.speech import local, rfc3339

__all__ = [
    "ago",
    "bit_rate",
    "clock",
    "local",
    "milliseconds",
    "moment",
    "number",
    "percent",
    "rfc3339",
    "span",
]

_RATES = ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"))


def number(language: Language, value: float, decimals: int = 0) -> str:
    """Return a number with the language's decimal and thousands signs."""
    text = f"{value:,.{decimals}f}"
    if language is Language.INDONESIAN:
        return text.translate(str.maketrans(",.", ".,"))
    return text


def clock(language: Language, ms: int, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """Return the time of day and its zone: `14.05 WIB`, in English `14:05 WIB`."""
    return speech.clock(language.value, ms, zone, seconds=seconds)


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
    return speech.span(language.value, ms)


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
