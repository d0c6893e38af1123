"""Service hours: when an office serves citizens, written `Mon-Fri 07:30-16:00`.

Several stretches are joined by commas: `Mon-Thu 07:30-16:00, Fri 07:30-16:30`. A stretch ends
on the day it begins, 24:00 at the latest; one over midnight is written as two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_INDONESIAN = dict(zip(("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"), DAYS, strict=True))
"""Only to suggest: one way to write a day is enough."""
_STRETCH = re.compile(
    r"(?P<first>[A-Za-z]+)(?:-(?P<last>[A-Za-z]+))?\s+"
    r"(?P<bh>\d{1,2}):(?P<bm>\d{2})-(?P<eh>\d{1,2}):(?P<em>\d{2})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The same hours on some days of the week."""

    days: tuple[int, ...]
    """Monday is 0, as in `datetime.weekday`."""
    begins_minute: int
    """Minutes since midnight, included."""
    ends_minute: int
    """Minutes since midnight, excluded; 1440 is the end of the day."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When an office is open. `text` is how the inventory says it."""

    text: str
    stretches: tuple[Stretch, ...]

    def covers(self, local: datetime) -> bool:
        """Return whether the office is open at `local`, a time in the inventory's time zone."""
        minute = local.hour * 60 + local.minute
        return any(
            local.weekday() in stretch.days
            and stretch.begins_minute <= minute < stretch.ends_minute
            for stretch in self.stretches
        )


def parse_hours(text: str) -> Hours:
    """Return the hours that `text` means.

    Raises:
        ValueError: with words that say what is wrong and how hours are written.
    """
    return Hours(text, tuple(_stretch(part.strip()) for part in text.split(",")))


def _stretch(text: str) -> Stretch:
    match = _STRETCH.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is no service hours; write them like Mon-Fri 07:30-16:00")
    first = _day(match["first"])
    last = _day(match["last"]) if match["last"] else first
    # Sat-Mon goes round the end of the week.
    days = tuple((first + step) % 7 for step in range((last - first) % 7 + 1))
    begins = _minute(match["bh"], match["bm"])
    ends = _minute(match["eh"], match["em"])
    if begins >= ends:
        raise ValueError(
            f"'{text}' ends before it begins; write hours over midnight as two, "
            "like Mon 20:00-24:00, Tue 00:00-04:00"
        )
    return Stretch(tuple(sorted(days)), begins, ends)


def _day(word: str) -> int:
    if word not in DAYS:
        begin = word[:3].title()
        near = _INDONESIAN.get(begin, begin)
        hint = f"; did you mean '{near}'?" if near in DAYS else ""
        raise ValueError(f"'{word}' is no day; days are {' '.join(DAYS)}{hint}")
    return DAYS.index(word)


def _minute(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > 24 * 60:
        raise ValueError(f"'{hour}:{minute}' is no time of day; write 00:00 to 24:00")
    return total
