"""Is an office's clock right? With hysteresis, so that one at the bound is told of once.

Its reports are placed at the true time whatever it says (`collector.placing`); its certificates,
logs and schedules are not. A clock that NTP has yet to set after a boot gets a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WRONG_MS: Final = 10_000
RIGHT_MS: Final = 5_000
LASTS_MS: Final = 60_000
"""How long it must be wrong, or right again, before that is said."""


@dataclass(slots=True)
class Clock:
    """The clock of one office; times are ms since 1970 UTC, as the collector knows them."""

    skew_ms: int = 0
    """As last heard: the office's clock minus the true time."""
    wrong_ms: int | None = None
    """Since when it is called wrong; None = it is not."""
    _other_ms: int | None = None
    """Since when it has been otherwise than it is called."""

    def add(self, at_ms: int, skew_ms: int) -> None:
        """Take the skew of one live report."""
        self.skew_ms = skew_ms
        wrong = self.wrong_ms is not None
        other = abs(skew_ms) < RIGHT_MS if wrong else abs(skew_ms) >= WRONG_MS
        if not other:
            self._other_ms = None
            return
        if self._other_ms is None:
            self._other_ms = at_ms
        if at_ms - self._other_ms >= LASTS_MS:
            self.wrong_ms = None if wrong else self._other_ms
            self._other_ms = None

    @property
    def calm(self) -> bool:
        """Whether it is right, and was all the while."""
        return self.wrong_ms is None and self._other_ms is None and not self.skew_ms

    @property
    def right(self) -> bool:
        """Whether it is right, and not on its way to being called wrong."""
        return self.wrong_ms is None and self._other_ms is None

    def says(self) -> str:
        """Return how it is off, in plain English."""
        way = "ahead" if self.skew_ms > 0 else "behind"
        return f"its clock is {_span(abs(self.skew_ms) / 1000)} {way}"


def _span(seconds: float) -> str:
    for size, word in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"
