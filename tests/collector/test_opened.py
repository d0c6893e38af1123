"""What is stored is shown, as far as it can be read."""

from __future__ import annotations

import pytest

from collector.api import report_json
from collector.opened import opened
from collector.store import Row
from tabuah import block
from tabuah.block import Packed
from tabuah.report import Occasion
from tests.support.reports import BEGIN_MS, packed, report


def row(of: Packed) -> Row:
    return Row("13.02.10", of.epoch, of.seq, BEGIN_MS, BEGIN_MS + 40, False, False, of.octets)


def newer(of: Packed) -> Packed:
    return block.unpack(bytes((block.VERSION + 1,)) + of.octets[1:])


def test_a_report_is_read() -> None:
    found = opened(row(packed(7)))
    assert (found.report, found.unread) == (report(7), False)


@pytest.mark.parametrize(
    "kept",
    [newer(packed(7)), block.unpack(packed(7).octets[:50] + b"\x01\x05")],
    ids=["newer", "damaged"],
)
def test_of_one_that_cannot_be_read_the_head_is_shown(kept: Packed) -> None:
    said = report_json(opened(row(kept)))
    assert said["unread"] is True
    assert (said["epoch"], said["seq"]) == ("0000000000000001", 7)
    assert said["time"] == "2026-11-24T06:00:00.000Z"
    assert (said["interval_ms"], said["measurements"]) == (10_000, [])


def test_a_goodbye_is_one_whatever_else_it_says() -> None:
    goodbye = newer(packed(7))
    goodbye = block.unpack(goodbye.octets[:49] + b"\x03" + goodbye.octets[50:])
    assert opened(row(goodbye)).report.occasion is Occasion.GOODBYE_HOST
    strange = block.unpack(goodbye.octets[:49] + b"\x63" + goodbye.octets[50:])
    assert opened(row(strange)).report.occasion is Occasion.CYCLE


def test_it_is_read_once_the_collector_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = row(newer(packed(7)))
    assert opened(kept).unread
    monkeypatch.setattr(block, "VERSION", block.VERSION + 1)
    assert opened(kept).report == report(7)
