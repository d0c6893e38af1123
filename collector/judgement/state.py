"""How an office, a line and a service are now: tables of transitions, and a damper for flapping.

One table serves all three; only what makes the signals differs. The picture of it is in
docs/judgement.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from collector.live import State

FLAP_WINDOW_MS: Final = 900_000
"""Falls further apart are faults of their own."""
FLAP_FALLS: Final = 3
"""The third fall in the window makes it flapping: two pairs of down and up were told by then."""
FLAP_CALM_MS: Final = 300_000
"""Flapping ends so long after the last change."""
SERVICE_FAILS: Final = 2
"""Checks in a row that must fail before a service is called down from an office."""


class Signal(Enum):
    """What can be said of an office, a line or a service at one moment."""

    GOOD = "good"
    SLOW = "slow"
    """It answers, beyond the bounds of its technology."""
    DEAD = "dead"
    """It is known not to work: by the office's own report over another path, by the centre's
    probe of its address, by a check that failed."""
    OVERDUE = "overdue"
    """Nothing was heard for longer than the threshold."""
    SHADOWED = "shadowed"
    """Nothing can be heard: the collector itself is cut off, or what stands before it is down."""


TRANSITIONS: Final[dict[tuple[State, Signal], State]] = {
    (State.UNKNOWN, Signal.GOOD): State.UP,
    (State.UNKNOWN, Signal.SLOW): State.DEGRADED,
    (State.UNKNOWN, Signal.DEAD): State.DOWN,
    (State.UNKNOWN, Signal.OVERDUE): State.SILENT,
    (State.UNKNOWN, Signal.SHADOWED): State.UNKNOWN,
    (State.UP, Signal.GOOD): State.UP,
    (State.UP, Signal.SLOW): State.DEGRADED,
    (State.UP, Signal.DEAD): State.DOWN,
    (State.UP, Signal.OVERDUE): State.SILENT,
    (State.UP, Signal.SHADOWED): State.UNKNOWN,
    (State.DEGRADED, Signal.GOOD): State.UP,
    (State.DEGRADED, Signal.SLOW): State.DEGRADED,
    (State.DEGRADED, Signal.DEAD): State.DOWN,
    (State.DEGRADED, Signal.OVERDUE): State.SILENT,
    (State.DEGRADED, Signal.SHADOWED): State.UNKNOWN,
    (State.SILENT, Signal.GOOD): State.UP,
    (State.SILENT, Signal.SLOW): State.DEGRADED,
    (State.SILENT, Signal.DEAD): State.DOWN,
    (State.SILENT, Signal.OVERDUE): State.SILENT,
    (State.SILENT, Signal.SHADOWED): State.UNKNOWN,
    (State.DOWN, Signal.GOOD): State.UP,
    (State.DOWN, Signal.SLOW): State.DEGRADED,
    (State.DOWN, Signal.DEAD): State.DOWN,
    # What was known to be down is not less so for falling silent.
    (State.DOWN, Signal.OVERDUE): State.DOWN,
    (State.DOWN, Signal.SHADOWED): State.UNKNOWN,
}
"""Every pair is here: a state machine that meets an absent one is a fault of ours."""

LIVE: Final = frozenset({State.UP, State.DEGRADED})
GONE: Final = frozenset({State.SILENT, State.DOWN})


@dataclass(frozen=True, slots=True)
class Standing:
    """A state and since when."""

    state: State = State.UNKNOWN
    since_ms: int = 0

    def signal(self, signal: Signal, at_ms: int) -> Standing:
        """Return the standing after a signal; itself when nothing changes."""
        after = TRANSITIONS[self.state, signal]
        return self if after is self.state else Standing(after, at_ms)


@dataclass(frozen=True, slots=True)
class Flap:
    """The recent falls of one thing."""

    falls: tuple[int, ...] = ()
    changed_ms: int = 0
    fell_ms: int | None = None
    """When it fell, while it is down."""
    flapping_ms: int | None = None
    """When the damper took over; None = it is not flapping."""
    down_ms: int = 0
    """Time spent down since the first of the falls."""

    @property
    def flapping(self) -> bool:
        """Whether single falls and returns are no longer told."""
        return self.flapping_ms is not None

    def fall(self, at_ms: int) -> Flap:
        """Return the damper after a fall."""
        falls = (*(f for f in self.falls if at_ms - f < FLAP_WINDOW_MS), at_ms)
        began = self.flapping_ms
        if began is None and len(falls) >= FLAP_FALLS:
            began = at_ms
        down_ms = self.down_ms if len(falls) > 1 else 0
        return Flap(falls, at_ms, at_ms, began, down_ms)

    def rise(self, at_ms: int) -> Flap:
        """Return the damper after a return."""
        down = 0 if self.fell_ms is None else at_ms - self.fell_ms
        return replace(self, changed_ms=at_ms, fell_ms=None, down_ms=self.down_ms + down)

    def tick(self, now_ms: int) -> Flap:
        """Return the damper at `now_ms`: calm again when nothing changed for 5 min."""
        if self.flapping and now_ms - self.changed_ms >= FLAP_CALM_MS:
            # A fall that lasts is a fall: it is told as one from now on.
            return Flap(changed_ms=self.changed_ms, fell_ms=self.fell_ms)
        return self

    def share(self, now_ms: int) -> float:
        """Return which share of the time since the first fall it was down."""
        if not self.falls:
            return 0.0
        down = self.down_ms + (0 if self.fell_ms is None else now_ms - self.fell_ms)
        return min(1.0, down / max(1, now_ms - self.falls[0]))
