"""Which of several ways to the centre the reports take. Pure.

A way is a collector over a circuit. They stand in order of preference; the first is taken while
it answers. When a report has gone unanswered for `patience_s` the next is tried, and from then on
each for `SHORT_S`, round and round, until one answers. While a later way is in use, each new
report is sent by the earlier ones too: the first that answers is returned to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHORT_S: Final = 2.0
"""How long each further way has to answer: a satellite's round trip thrice."""
LEAST_PATIENCE_S: Final = 3.0


def patience_s(interval_s: float) -> float:
    """Return how long a report may go unanswered before another way is tried.

    Half an interval, so that with the report's own interval the change is made within two.
    """
    return max(LEAST_PATIENCE_S, interval_s / 2)


@dataclass(slots=True)
class Roster:
    """The ways, by number, and the one in use. `now` is monotonic seconds."""

    count: int
    patience_s: float
    active: int = 0
    _waiting_since: float | None = None
    """When the way in use was first given a report that it has not answered."""
    _missed: int = 0
    """Ways tried since any of them answered."""

    def sent(self, now: float) -> None:
        """Note that a report was given to the way in use."""
        if self._waiting_since is None:
            self._waiting_since = now

    def heard(self, way: int) -> bool:
        """Note that a way answered; return whether it is now in use instead of another."""
        self._missed = 0
        if way == self.active:
            self._waiting_since = None
            return False
        if way > self.active:
            return False
        self.active, self._waiting_since = way, None
        return True

    def turn(self, now: float) -> bool:
        """Take the next way if the one in use has had its time; return whether it changed."""
        if self.count < 2 or self._waiting_since is None:
            return False
        if now - self._waiting_since < (SHORT_S if self._missed else self.patience_s):
            return False
        self._missed += 1
        self.active = (self.active + 1) % self.count
        self._waiting_since = None
        return True

    def scouts(self) -> range:
        """Return the ways before the one in use, which new reports are sent by as well."""
        return range(self.active)
