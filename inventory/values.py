"""Words of the inventory turned into values: each function takes the text of one scalar.

All raise ValueError with words that say what is wrong and what to write instead. Those words
may repeat the text, except where it may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from inventory.model import Endpoint
from tabuah.address import host_port
from tabuah.errors import did_you_mean
from tabuah.units import duration_seconds

E = TypeVar("E", bound=Enum)

MAX_TEXT = 1000
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,20})?")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_CENTURY_S = 100 * 365 * 86400.0
# Names of query parameters whose values are secrets, by long custom of web services.
_SECRET_PARAMETERS = frozenset({"key", "apikey", "api_key", "token", "access_token", "secret"})


def text(word: str) -> str:
    """Return a line of text as it is; control characters are refused, any script is fine."""
    if len(word) > MAX_TEXT:
        raise ValueError(f"is longer than {MAX_TEXT} characters")
    if not word.isprintable():
        raise ValueError("holds a line break or another control character")
    return word.strip()


def some_text(word: str) -> str:
    """Return a line of text that is not empty."""
    if not (line := text(word)):
        raise ValueError("is empty")
    return line


def token(word: str) -> str:
    """Return a short name that is safe in labels, URLs and file names."""
    if _TOKEN.fullmatch(word) is None:
        raise ValueError(
            f"'{shown(word)}' is no short name; use 1 to 32 letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    return word


@cache
def one_of(kind: type[E]) -> Callable[[str], E]:
    """Return a reader of the enum's values."""
    words = {str(member.value): member for member in kind}

    def read(word: str) -> E:
        if word not in words:
            near = hint(word, words) or f"; use one of: {', '.join(words)}"
            raise ValueError(f"unknown value '{shown(word)}'{near}")
        return words[word]

    return read


def boolean(word: str) -> bool:
    """Return true or false; YAML 1.1's yes, no, on and off are too easily meant as text."""
    if word not in ("true", "false"):
        raise ValueError(f"'{shown(word)}' is neither true nor false")
    return word == "true"


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers in [least, most]."""

    def read(word: str) -> int:
        if _NUMBER.fullmatch(word) is None or "." in word or not least <= int(word) <= most:
            raise ValueError(f"'{shown(word)}' is no whole number from {least} to {most}")
        return int(word)

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers in [least, most]."""

    def read(word: str) -> float:
        if _NUMBER.fullmatch(word) is None or not least <= float(word) <= most:
            raise ValueError(f"'{shown(word)}' is no number from {least:.15g} to {most:.15g}")
        return float(word)

    return read


def share(word: str) -> Decimal:
    """Return a share of one, exactly as written."""
    percent = word.removesuffix("%").strip()
    if _NUMBER.fullmatch(percent) is None:
        raise ValueError(f"'{shown(word)}' is no share; write a number from 0 to 1, like 0.995")
    value = Decimal(percent)
    if percent == word and 0 <= value <= 1:
        return value
    like = f"; write {(value / 100).normalize():f}" if 0 <= value <= 100 else ""
    raise ValueError(f"'{shown(word)}' is not between 0 and 1{like}")


def rupiah(word: str) -> int:
    """Return whole rupiah."""
    digits = word.replace("_", "")
    if re.fullmatch(r"[0-9]{1,15}", digits) is None:
        raise ValueError(
            f"'{shown(word)}' is no amount; write whole rupiah without points, like 10000000"
        )
    return int(digits)


def duration(least: float = 0.0) -> Callable[[str], float]:
    """Return a reader of durations, in seconds, not below `least` and not over a century."""

    def read(word: str) -> float:
        if len(word) > 32:
            raise ValueError(f"'{shown(word)}' is no duration")
        seconds = duration_seconds(word)
        if seconds > _CENTURY_S:
            raise ValueError(f"'{word}' is longer than a century")
        if seconds < least:
            raise ValueError(f"'{word}' is shorter than {least:g} s")
        return seconds

    return read


def instant(word: str) -> datetime:
    """Return a date and time with its offset, in UTC."""
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise ValueError(
            f"'{shown(word)}' is no date and time; write it like 2026-12-01T22:00+07:00"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"'{word}' lacks its offset from UTC; add it, like {word}+07:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"'{word}' is out of range") from None


def day(word: str) -> date:
    """Return a day of the calendar."""
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise ValueError(f"'{shown(word)}' is no day; write it like 2026-12-01") from None


def time_zone(word: str) -> ZoneInfo:
    """Return the IANA time zone of that name."""
    try:
        return ZoneInfo(word)
    except (KeyError, ValueError, OSError):
        # ZoneInfoNotFoundError is a KeyError; folders and odd paths give the others.
        near = hint(word, available_timezones()) or "; write one like Asia/Jakarta"
        raise ValueError(f"unknown time zone '{shown(word)}'{near}") from None


def host(word: str) -> str:
    """Return an IP address or a host name."""
    try:
        return str(ip_address(word))
    except ValueError:
        pass
    name = word.removesuffix(".")
    labels = name.split(".")
    # A last label of digits alone is a mistyped address (RFC 3696 section 2).
    if len(name) > 253 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"'{shown(word)}' is neither an IP address nor a host name")
    return word


def endpoint(word: str) -> Endpoint:
    """Return HOST:PORT; an IPv6 address stands in brackets."""
    try:
        name, port = host_port(word)
    except ValueError:
        raise ValueError(
            f"'{shown(word)}' is not HOST:PORT, with a port from 1 to 65535; write it like "
            "192.0.2.1:10862"
        ) from None
    return Endpoint(host(name), port)


def host_or_endpoint(word: str) -> str:
    """Return HOST or HOST:PORT, as it is written."""
    try:
        return host(word)
    except ValueError:
        if ":" not in word:
            raise
        return str(endpoint(word))


def url(word: str) -> str:
    """Return an http or https URL that holds no secret."""
    try:
        parts = urlsplit(word)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL; write it like https://siak.example/health") from None
    # What may hold a secret is not repeated.
    if "@" in parts.netloc:
        raise ValueError("holds a user or password; keep the whole URL in env:NAME or file:PATH")
    if _SECRET_PARAMETERS & {name.lower() for name, _ in parse_qsl(parts.query)}:
        raise ValueError("holds a token; keep the whole URL in env:NAME or file:PATH")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"'{shown(word)}' is no http or https URL; write it like https://siak.example/health"
        )
    if port == 0 or not word.isprintable() or " " in word:
        raise ValueError(f"'{shown(word)}' is no URL")
    host(parts.hostname)
    return word


def shown(word: str) -> str:
    """Return the word fit for one line of a message."""
    line = "".join(letter if letter.isprintable() else "?" for letter in word)
    return line if len(line) <= 60 else f"{line[:57]}..."


def hint(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing; long words are not compared, it would take long."""
    return did_you_mean(word, known) if len(word) <= 64 else ""
