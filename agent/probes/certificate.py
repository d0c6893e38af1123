"""Reads the end of a certificate's validity from its DER (RFC 5280). Pure.

Python's ssl gives a peer's certificate as fields only when it was verified; of one that has
expired we still want to say since when.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tabuah.errors import DecodeError

_SEQUENCE = 0x30
_INTEGER = 0x02
_VERSION = 0xA0
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18

_TIME_OCTETS = len("YYYYMMDDHHMMSSZ")
_DAY_S = 86400


def days_left(ends: datetime, now: datetime) -> int:
    """Return the whole days from `now` to `ends`, rounded down: -1 when it ended an hour ago."""
    return int((ends - now).total_seconds() // _DAY_S)


def not_after(der: bytes) -> datetime:
    """Return notAfter of the certificate.

    Raises:
        DecodeError: when `der` is no certificate.
    """
    try:
        certificate, _ = _expect(der, _SEQUENCE)
        rest, _ = _expect(certificate, _SEQUENCE)
        if rest[0] == _VERSION:
            _, rest = _expect(rest, _VERSION)
        for tag in (_INTEGER, _SEQUENCE, _SEQUENCE):  # serial number, algorithm, issuer
            _, rest = _expect(rest, tag)
        validity, _ = _expect(rest, _SEQUENCE)
        _, _, ends = _element(validity)
        tag, text, _ = _element(ends)
        return _time(tag, text.decode("ascii"))
    except (IndexError, ValueError) as error:
        raise DecodeError("not a certificate") from error


def _time(tag: int, text: str) -> datetime:
    if tag == _UTC_TIME:  # two digits of the year, 1950 to 2049 (RFC 5280 section 4.1.2.5.1)
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    if len(text) != _TIME_OCTETS or not text.endswith("Z") or not text[:-1].isdigit():
        raise ValueError("no time")
    # Not strptime, which imports the calendar and the locale for these fourteen digits.
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC)


def _expect(data: bytes, wanted: int) -> tuple[bytes, bytes]:
    """Return the value of the first element of `data`, and what follows it."""
    tag, value, rest = _element(data)
    if tag != wanted:
        raise ValueError("another tag")
    return value, rest


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    tag, length, at = data[0], data[1], 2
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(data[2 : 2 + octets], "big")
        at += octets
    if len(data) < at + length:
        raise ValueError("cut short")
    return tag, data[at : at + length], data[at + length :]
