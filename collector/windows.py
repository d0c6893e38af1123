"""Windows of time: months, service hours and tickets, as whole milliseconds since 1970 UTC. Pure.

Months and hours are those of the organisation's zone; begins are included, ends are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from inventory.hours import Hours

Window = tuple[int, int]
"""From, included, to, excluded."""

_MINUTE_MS: Final = 60_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def common(first: Sequence[Window], second: Sequence[Window]) -> list[Window]:
    """Return the time that two sorted lists of windows share."""
    shared: list[Window] = []
    left = right = 0
    while left < len(first) and right < len(second):
        begin = max(first[left][0], second[right][0])
        end = min(first[left][1], second[right][1])
        if begin < end:
            shared.append((begin, end))
        if first[left][1] < second[right][1]:
            left += 1
        else:
            right += 1
    return shared


def union(windows: Iterable[Window]) -> list[Window]:
    """Return the time that any of the windows covers, sorted and without overlaps."""
    joined: list[Window] = []
    for begin, end in sorted(window for window in windows if window[0] < window[1]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def length(windows: Iterable[Window]) -> int:
    """Return the milliseconds of windows that do not overlap."""
    return sum(end - begin for begin, end in windows)


def month_window(year: int, month: int, zone: ZoneInfo) -> Window:
    """Return the calendar month in `zone`; with daylight saving its hours are those that passed.

    In WIB, November 2026 begins at 2026-10-31T17:00Z.
    """
    following = date(year + month // 12, month % 12 + 1, 1)
    return midnight(date(year, month, 1), zone), midnight(following, zone)


def service_windows(
    hours: Hours | None, zone: ZoneInfo, begin_ms: int, end_ms: int
) -> list[Window]:
    """Return when the office is open within [begin_ms, end_ms), as `Hours.covers` would say.

    Without hours it is always open.
    """
    if hours is None:
        return union([(begin_ms, end_ms)])
    found: list[Window] = []
    day = _local(begin_ms, zone).date()
    while (begins := midnight(day, zone)) < end_ms:
        tomorrow = day + timedelta(days=1)
        found.extend(_open_on(hours, zone, begins, midnight(tomorrow, zone)))
        day = tomorrow
    return common(union(found), [(begin_ms, end_ms)])


def _open_on(hours: Hours, zone: ZoneInfo, begin_ms: int, end_ms: int) -> Iterable[Window]:
    if end_ms - begin_ms == 24 * 60 * _MINUTE_MS:
        weekday = _local(begin_ms, zone).weekday()
        return [
            (
                begin_ms + stretch.begins_minute * _MINUTE_MS,
                begin_ms + stretch.ends_minute * _MINUTE_MS,
            )
            for stretch in hours.stretches
            if weekday in stretch.days
        ]
    # The clocks were changed: twice a year, minute by minute, whatever is skipped or repeated.
    return [
        (minute, minute + _MINUTE_MS)
        for minute in range(begin_ms, end_ms, _MINUTE_MS)
        if hours.covers(_local(minute, zone))
    ]


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return when the day begins in `zone`."""
    return round(datetime.combine(day, time(), zone).timestamp()) * 1000


def _local(ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone)
