"""What happens a thousand times a second is said once a minute, with its count. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Seldom:
    """Says when a thing that goes on happening may be told again."""

    every_s: float = 60.0
    _untold: int = 0
    _told: float | None = None

    def due(self, now: float) -> int:
        """Count one more; return how many there are to tell of, 0 when it is too soon to tell.

        Args:
            now: monotonic seconds.
        """
        self._untold += 1
        if self._told is not None and now - self._told < self.every_s:
            return 0
        count, self._untold, self._told = self._untold, 0, now
        return count
