"""Prometheus' remote write 1.0: the WriteRequest of its protobuf schema, and what answers mean.

    WriteRequest = repeated TimeSeries timeseries = 1
    TimeSeries   = repeated Label labels = 1, repeated Sample samples = 2
    Label        = string name = 1, string value = 2
    Sample       = double value = 1, int64 timestamp = 2     (ms since 1970)

By hand, because it is four messages and the libraries are large or stale. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from tabuah import varint

Labels = tuple[tuple[str, str], ...]
"""Name and value; sorted by name, as the protocol asks; `__name__` is the metric's."""

_LABEL = b"\x0a"
_SAMPLE = b"\x12"
_SERIES = b"\x0a"
_TEXTS = (b"\x0a", b"\x12")
_VALUE = struct.Struct("<Bd")
_VALUE_TAG = 0x09
_TIME_TAG = b"\x10"


class Sample(NamedTuple):
    """One value of one series."""

    time_ms: int
    labels: Labels
    value: float


class Answer(Enum):
    """What a receiver made of a request."""

    TAKEN = "taken"
    LATER = "later"
    """Not now: the same request may be taken another time."""
    TOO_OLD = "too old"
    """A sample in it is older than the receiver takes. It took none of them."""
    BAD = "bad"
    """Something in it will never be taken. It took none of them."""


# Prometheus answers 400 to most of these and 500 to samples beyond out_of_order_time_window.
_OLD = ("too old sample", "out of bounds", "out of order sample")
_NEVER = (*_OLD, "duplicate sample for timestamp")
# The request is fine, but the address, the password or the receiver's set-up is not.
_SET_UP = frozenset({401, 403, 404, 405, 407, 408, 429})


def encode(samples: Iterable[Sample]) -> bytes:
    """Return the WriteRequest of samples that are sorted by time, not yet compressed."""
    series: dict[Labels, bytearray] = {}
    for sample in samples:
        body = series.get(sample.labels)
        if body is None:
            body = series[sample.labels] = bytearray(_labels(sample.labels))
        packed = bytearray(_VALUE.pack(_VALUE_TAG, sample.value) + _TIME_TAG)
        varint.put(packed, sample.time_ms)
        body += _SAMPLE
        varint.put(body, len(packed))
        body += packed
    request = bytearray()
    for body in series.values():
        request += _SERIES
        varint.put(request, len(body))
        request += body
    return bytes(request)


def judge(status: int, body: str) -> Answer:
    """Return what an HTTP answer means."""
    if 200 <= status < 300:
        return Answer.TAKEN
    if any(words in body for words in _OLD):
        return Answer.TOO_OLD
    if any(words in body for words in _NEVER):
        return Answer.BAD
    if status in _SET_UP or not 400 <= status < 500:
        return Answer.LATER
    return Answer.BAD


def _labels(labels: Labels) -> bytes:
    out = bytearray()
    for pair in labels:
        body = bytearray()
        for tag, text in zip(_TEXTS, pair, strict=True):
            octets = text.encode(errors="replace")
            body += tag
            varint.put(body, len(octets))
            body += octets
        out += _LABEL
        varint.put(out, len(body))
        out += body
    return bytes(out)
