"""Times and durations as machines and readers of either language write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from tabuah.speech import clock, rfc3339, span

NOON_MS = 1_795_500_000_000
"""2026-11-24 06:00 UTC."""


@pytest.mark.parametrize(
    ("ms", "indonesian", "english"),
    [
        (0, "0 detik", "0 s"),
        (-5, "0 detik", "0 s"),
        (40_999, "40 detik", "40 s"),
        (60_000, "1 menit", "1 min"),
        (192_000, "3 menit 12 detik", "3 min 12 s"),
        (3 * 3_600_000 + 12 * 60_000, "3 jam 12 menit", "3 h 12 min"),
        (3_605_000, "1 jam", "1 h"),
        (26 * 3_600_000, "1 hari 2 jam", "1 d 2 h"),
    ],
)
def test_a_duration_is_said_by_its_two_largest_units(
    ms: int, indonesian: str, english: str
) -> None:
    assert (span("id", ms), span("en", ms)) == (indonesian, english)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Asia/Jakarta", "13.00 WIB"),
        ("Asia/Makassar", "14.00 WITA"),
        ("Asia/Jayapura", "15.00 WIT"),
        ("Asia/Bangkok", "13.00 +07"),
    ],
)
def test_a_time_of_day_has_the_name_of_its_own_zone(zone: str, said: str) -> None:
    assert clock("id", NOON_MS, ZoneInfo(zone)) == said


def test_seconds_are_said_where_they_matter() -> None:
    zone = ZoneInfo("Asia/Jakarta")
    assert clock("id", NOON_MS + 5_000, zone, seconds=True) == "13.00.05 WIB"
    assert clock("en", NOON_MS + 5_000, zone, seconds=True) == "13:00:05 WIB"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (NOON_MS + 7, "2026-11-24T06:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (2**63, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_machines_read_rfc_3339_whatever_a_clock_says(ms: int, text: str) -> None:
    assert rfc3339(ms) == text
