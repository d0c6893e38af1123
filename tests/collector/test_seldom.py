"""What goes on happening is told seldom, and nothing of it is left uncounted."""

from __future__ import annotations

import logging

import pytest

from collector.mishaps import Mishaps
from collector.seldom import Seldom


def test_the_first_is_told_at_once_and_the_rest_once_a_minute_with_their_count() -> None:
    seldom = Seldom(60)
    told = [seldom.due(now) for now in (0.0, 0.1, 30.0, 59.9, 60.0, 61.0, 500.0)]
    assert told == [1, 0, 0, 0, 4, 0, 2]


def test_what_nobody_foresaw_is_counted_each_time_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted: list[str] = []
    mishaps = Mishaps(counted.append)

    with caplog.at_level(logging.ERROR):
        assert mishaps.each("datagram", int, ("1", "x", "2", "y")) == [1, 2]
    assert counted == ["datagram", "datagram"]
    (record,) = caplog.records
    assert "datagram: unexpected" in record.message
    assert record.exc_info is not None
