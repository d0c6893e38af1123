from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.hours import DAYS, parse_hours

WIB = ZoneInfo("Asia/Jakarta")
TUESDAY = datetime(2026, 11, 24, tzinfo=WIB)


@pytest.mark.parametrize(
    ("text", "hour", "minute", "covered"),
    [
        ("Mon-Fri 07:30-16:00", 7, 29, False),
        ("Mon-Fri 07:30-16:00", 7, 30, True),
        ("Mon-Fri 07:30-16:00", 15, 59, True),
        ("Mon-Fri 07:30-16:00", 16, 0, False),
        ("Tue 00:00-24:00", 23, 59, True),
        ("Wed-Mon 00:00-24:00", 12, 0, False),
        ("Sat-Tue 08:00-12:00", 8, 0, True),
        ("Mon 08:00-12:00, Tue 13:00-15:00", 14, 0, True),
        ("Tue 08:00-12:00, Tue 13:00-15:00", 12, 30, False),
    ],
)
def test_an_office_is_open_in_its_hours(text: str, hour: int, minute: int, covered: bool) -> None:
    assert parse_hours(text).covers(TUESDAY.replace(hour=hour, minute=minute)) is covered


@given(
    st.sampled_from(DAYS),
    st.sampled_from(DAYS),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
def test_hours_that_are_read_name_their_days_and_minutes(
    first: str, last: str, begins: int, ends: int
) -> None:
    text = f"{first}-{last} {begins // 60:02}:{begins % 60:02}-{ends // 60:02}:{ends % 60:02}"
    if begins >= ends:
        with pytest.raises(ValueError, match="ends before it begins"):
            parse_hours(text)
        return
    (stretch,) = parse_hours(text).stretches
    assert {DAYS.index(first), DAYS.index(last)} <= set(stretch.days)
    assert (stretch.begins_minute, stretch.ends_minute) == (begins, ends)


@given(st.text())
def test_any_text_is_hours_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_hours(text).text == text
