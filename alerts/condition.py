"""Whether a channel works, and when people ought to hear that it does not. Pure.

A try that fails now and then is what retries are for. What is told is an episode: several tries
over half a minute, and none taken. Its end is told once, and another one of the same channel not
within the hour: a channel that comes and goes is one trouble, not twenty.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

TRIES: Final = 3
LASTING_S: Final = 30.0
APART_S: Final = 3_600.0


class Turn(Enum):
    """What people are to hear of a channel."""

    FAILS = "fails"
    WORKS = "works"


@dataclass(slots=True)
class Condition:
    """One channel's tries, as far as they matter. Times are monotonic seconds."""

    trouble: str = ""
    """Why the last try failed; empty = it was taken, or there was none yet."""
    _tries: int = 0
    _since: float = 0.0
    _told: bool = False
    _last_told: float | None = None

    def tried(self, trouble: str, now: float) -> Turn | None:
        """Take up what became of a try; `trouble` is empty if it was taken."""
        self.trouble = trouble
        if not trouble:
            turn = Turn.WORKS if self._told else None
            self._tries, self._told = 0, False
            return turn
        if not self._tries:
            self._since = now
        self._tries += 1
        if self._told or self._tries < TRIES or now - self._since < LASTING_S:
            return None
        if self._last_told is not None and now - self._last_told < APART_S:
            return None
        self._told, self._last_told = True, now
        return Turn.FAILS

    def resume(self, trouble: str, now: float) -> None:
        """Go on with an episode that was told before a start: its end is still to be told."""
        self.trouble = trouble
        self._tries, self._since = 1, now
        self._told, self._last_told = True, now

    def lasted_s(self, now: float) -> float:
        """Return for how long every try has failed."""
        return now - self._since if self._tries else 0.0
