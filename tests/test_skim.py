"""A report skimmed says of its lines what the report says when it is read."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabuah import block, glance, sections
from tabuah.errors import DecodeError
from tabuah.report import Report
from tabuah.skim import skim, skimmed
from tests.support.reports import full_report
from tests.support.strategies import reports


def _body(report: Report) -> bytes:
    return block.pack(report).octets[block.BODY_AT :]


@given(reports)
def test_skimming_tells_what_reading_tells(report: Report) -> None:
    body = _body(report)
    assert skim(body) == skimmed(sections.read(body))


def test_a_usual_report_is_read_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    body = full_report(7).octets[block.BODY_AT :]
    said = skimmed(sections.read(body))
    monkeypatch.setattr(sections, "read", None)
    assert skim(body) == said


@given(st.binary(max_size=200), st.integers(0, 400), st.binary(max_size=8))
def test_octets_that_are_no_report_are_refused_and_nothing_else(
    tail: bytes, at: int, put: bytes
) -> None:
    body = full_report(3).octets[block.BODY_AT :]
    for damaged in (tail, body[:at] + tail, body[:at] + put + body[at + len(put) :]):
        with suppress(DecodeError):
            skim(damaged)


@given(st.integers(0, 60))
def test_a_section_that_ends_early_takes_the_defaults(cut: int) -> None:
    """An older agent writes fewer fields: what is behind them belongs to the next section."""
    made = full_report(5).octets[block.BODY_AT :]
    length = made[1]
    body = bytes((made[0], max(5, length - cut))) + made[2 : 2 + max(5, length - cut)]
    body += made[2 + length :]
    try:
        said = skimmed(sections.read(body))
    except DecodeError:
        return
    assert skim(body) == said


def _cpu_s(octets: bytes) -> float:
    began = time.process_time()
    with suppress(DecodeError):
        skim(octets[block.BODY_AT :])
    assert not glance.well(octets, octets, glance.Limits(1, 1))
    return time.process_time() - began


def test_a_number_without_end_stops_no_collector() -> None:
    """Shifted on and on it took the square of its length: four seconds in one datagram."""
    head = full_report(3).octets[: block.BODY_AT]
    assert _cpu_s(head + b"\x01" + b"\xff" * block.MAX_INFLATED) < 0.5
    # Where a text should be, and where the first field is.
    assert _cpu_s(head + b"\x01\x7f" + b"\xff" * block.MAX_INFLATED) < 0.5


def test_what_must_be_as_before_is_not_sought_in_more_than_an_office_says() -> None:
    """Ports that are down, and found at the very end of the report before."""
    head = full_report(3).octets[: block.BODY_AT]
    down = b"\x03\x02\0\x02"
    assert _cpu_s(head + down * (block.MAX_INFLATED // len(down))) < 2.0
    assert glance.well(head + down * 9, head + down * 9, glance.Limits(1, 1))
