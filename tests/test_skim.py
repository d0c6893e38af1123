"""A report skimmed says of its lines what the report says when it is read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabuah import block, sections
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
