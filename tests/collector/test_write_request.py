"""What is written is what remote write's schema says, and answers are told apart."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.backfill import read_labels
from collector.metrics import labels
from collector.write_request import Answer, Labels, Sample, encode, judge

Fields = list[tuple[int, int | bytes]]


def fields(octets: bytes) -> Fields:
    """Read a protobuf message by its wire format alone: (field number, value)."""
    found: Fields = []
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            octet = octets[at]
            at += 1
            value |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                return value

    while at < len(octets):
        tag = number()
        match tag & 7:
            case 0:
                found.append((tag >> 3, number()))
            case 1:
                found.append((tag >> 3, octets[at : at + 8]))
                at += 8
            case 2:
                length = number()
                assert at + length <= len(octets)
                found.append((tag >> 3, octets[at : at + length]))
                at += length
            case kind:
                raise AssertionError(kind)
    return found


def inner(value: int | bytes) -> Fields:
    assert isinstance(value, bytes)
    return fields(value)


def decode(octets: bytes) -> dict[Labels, list[tuple[int, float]]]:
    found: dict[Labels, list[tuple[int, float]]] = {}
    for field, series in fields(octets):
        assert field == 1
        pairs, samples = [], []
        for part, content in inner(series):
            first, second = (value for _, value in inner(content))
            if part == 1:
                assert isinstance(first, bytes)
                assert isinstance(second, bytes)
                pairs.append((first.decode(), second.decode()))
            else:
                assert isinstance(first, bytes)
                assert isinstance(second, int)
                samples.append((second, struct.unpack("<d", first)[0]))
        assert tuple(pairs) not in found
        found[tuple(pairs)] = samples
    return found


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
some_labels = st.dictionaries(texts, texts, min_size=1, max_size=4).map(
    lambda pairs: tuple(sorted(pairs.items()))
)
samples = st.builds(
    Sample,
    time_ms=st.integers(0, 2**63 - 1),
    labels=st.sampled_from(
        [(("__name__", "a"),), (("__name__", "a"), ("site", "13.02.10")), (("__name__", "b"),)]
    )
    | some_labels,
    value=st.floats(allow_nan=False),
)


@given(st.lists(samples))
def test_encode_then_decode_is_identity(given_samples: list[Sample]) -> None:
    expected: dict[Labels, list[tuple[int, float]]] = {}
    for sample in given_samples:
        expected.setdefault(sample.labels, []).append((sample.time_ms, sample.value))
    assert decode(encode(given_samples)) == expected


@given(texts, texts)
def test_labels_come_back_from_the_page_as_they_were(site: str, probe: str) -> None:
    text = labels(site=site, probe=probe).strip()
    expected = {"__name__": "tabuah_x", "job": "tabuah", "site": site, "probe": probe}
    assert dict(read_labels("tabuah_x", text)) == {k: v for k, v in expected.items() if v}


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (204, "", Answer.TAKEN),
        (200, "too old sample", Answer.TAKEN),
        (500, "too old sample\n", Answer.TOO_OLD),
        (400, "out of bounds\n", Answer.TOO_OLD),
        (400, "out of order sample\n", Answer.TOO_OLD),
        (500, "duplicate sample for timestamp\n", Answer.BAD),
        (400, "snappy: corrupt input", Answer.BAD),
        (413, "", Answer.BAD),
        (500, "no space left on device", Answer.LATER),
        (503, "", Answer.LATER),
        (429, "", Answer.LATER),
        (401, "", Answer.LATER),
        (404, "", Answer.LATER),
        (302, "", Answer.LATER),
    ],
)
def test_an_answer_says_whether_another_attempt_can_help(
    status: int, body: str, answer: Answer
) -> None:
    assert judge(status, body) is answer
