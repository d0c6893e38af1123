"""A plan that goes out to many offices in waves, as a table of phases. Pure.

```
            +--------------- soaked ---------------+
            v                                      |
  begin -> WAVE -- all of it ended, and well --> SOAK
            |  |                                   |
            |  +--- none is left ---> DONE         | worse
            | undone                               |
            v           the last under way ended   v
         HOLDING --------------------------------> PAUSED    the same command goes on
            | undone again, or stuck (from WAVE too)
            v           the last under way ended
         HALTING --------------------------------> STOPPED   that plan is pushed no more
```

The first wave is one office, the canary; then three, ten, and all others. Between two waves those
that were confirmed are watched for a while. The first office that takes the change back pauses the
plan: what is under way ends, nothing new begins. Whoever goes on begins with one office again. The
second one, or one that is stuck, stops the plan for good. An office that was passed over (it is
away, serves its public, drifted) was not touched and counts as nothing: another takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain, repeat
from typing import Final

from provision.states import State

SIZES: Final = (1, 3, 10)
"""The canary, then growing waves; after them all that are left."""
UNDONE_MOST: Final = 2
"""So many offices that took it back stop a plan."""


class Phase(Enum):
    """Where a plan stands."""

    WAVE = "wave"
    """Offices of a wave are under way, or begin."""
    SOAK = "soak"
    """A wave is confirmed; its offices are watched before the next."""
    HOLDING = "holding"
    """One took it back: what is under way ends, nothing begins."""
    HALTING = "halting"
    """The same, and the plan is at its end."""
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class Sign(Enum):
    """What moves it on."""

    KEPT = "an office kept the change"
    PASSED = "an office was passed over"
    UNDONE = "an office took the change back, or is out of reach"
    HALT = "a second office did, or one cannot take it back"
    COMPLETE = "the wave is complete"
    SOAKED = "its offices are as well as before"
    WORSE = "an office that kept it got worse"
    IDLE = "none is under way any more"
    EMPTY = "none is left"


P, S = Phase, Sign

TRANSITIONS: Final[Mapping[Phase, Mapping[Sign, Phase]]] = {
    P.WAVE: {
        S.KEPT: P.WAVE,
        S.PASSED: P.WAVE,
        S.UNDONE: P.HOLDING,
        S.HALT: P.HALTING,
        S.COMPLETE: P.SOAK,
        S.EMPTY: P.DONE,
    },
    P.SOAK: {S.SOAKED: P.WAVE, S.WORSE: P.PAUSED},
    P.HOLDING: {
        S.KEPT: P.HOLDING,
        S.PASSED: P.HOLDING,
        S.HALT: P.HALTING,
        S.IDLE: P.PAUSED,
    },
    P.HALTING: {
        S.KEPT: P.HALTING,
        S.PASSED: P.HALTING,
        S.HALT: P.HALTING,
        S.IDLE: P.STOPPED,
    },
    P.PAUSED: {},
    P.STOPPED: {},
    P.DONE: {},
}

OVER: Final = frozenset({P.PAUSED, P.STOPPED, P.DONE})
"""Nothing is under way, and nothing begins by itself."""
_UNDONE: Final = frozenset({State.ROLLED_BACK, State.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Rollout:
    """One plan on its way."""

    waiting: int
    """Offices that have not begun."""
    most: int | None = None
    """No wave is larger; None = no limit."""
    phase: Phase = Phase.WAVE
    kept: int = 0
    """Offices that kept it since the begin, or since the last that did not."""
    undone: int = 0
    """Offices that took it back, in all."""
    under_way: int = 0

    @property
    def room(self) -> int:
        """Return how many offices may begin now."""
        if self.phase is not Phase.WAVE:
            return 0
        end = _end(self.kept, self.most)
        return min(self.waiting, self.waiting if end is None else end - self.kept - self.under_way)

    def began(self) -> Rollout:
        """Return it after one office began."""
        return replace(self, waiting=self.waiting - 1, under_way=self.under_way + 1)

    def ended(self, state: State | None) -> Rollout:
        """Return it after an office under way ended; None or ABORTED = it was passed over."""
        sign, kept, undone = Sign.PASSED, self.kept, self.undone
        if state is State.CONFIRMED:
            sign, kept = Sign.KEPT, kept + 1
        elif state is State.STUCK or state in _UNDONE:
            kept, undone = 0, undone + 1
            halt = state is State.STUCK or undone >= UNDONE_MOST
            sign = Sign.HALT if halt else Sign.UNDONE
        phase = TRANSITIONS[self.phase][sign]
        under_way = self.under_way - 1
        if not under_way:
            if phase in (Phase.HOLDING, Phase.HALTING):
                phase = TRANSITIONS[phase][Sign.IDLE]
            elif not self.waiting:
                phase = TRANSITIONS[phase][Sign.EMPTY]
            elif sign is Sign.KEPT and kept == _end(self.kept, self.most):
                phase = TRANSITIONS[phase][Sign.COMPLETE]
        return replace(self, phase=phase, kept=kept, undone=undone, under_way=under_way)

    def soaked(self, *, well: bool) -> Rollout:
        """Return it after the offices of a wave were watched."""
        sign = Sign.SOAKED if well else Sign.WORSE
        return replace(self, phase=TRANSITIONS[self.phase][sign])


@dataclass(frozen=True, slots=True)
class End:
    """How one push of a plan ended, as the journal has it."""

    state: State
    after: int = 0
    """How many offices had taken the plan back when it began."""


def rollout(ends: Sequence[End], waiting: int, most: int | None = None) -> Rollout:
    """Return where a plan stands by what the journal has of it.

    Args:
        ends: how its pushes ended so far, in any order.
        waiting: offices of it that were not pushed to.
        most: no wave is to be larger.
    """
    states = [end.state for end in ends]
    undone = sum(1 for state in states if state in _UNDONE or state is State.STUCK)
    # Those that were under way when one took it back do not count: it begins with one again.
    kept = sum(1 for end in ends if end.state is State.CONFIRMED and end.after == undone)
    phase = Phase.WAVE
    if undone >= UNDONE_MOST or State.STUCK in states:
        phase = Phase.STOPPED
    elif not waiting:
        phase = Phase.DONE
    elif kept and kept == _end(kept - 1, most):
        # Whoever went before may have been killed while it watched.
        phase = Phase.SOAK
    return Rollout(waiting, most, phase, kept, undone)


def _end(kept: int, most: int | None) -> int | None:
    """Return with how many offices the wave ends in which `kept` have kept it; None = with all."""
    end = 0
    for size in chain(SIZES, repeat(most)):
        if size is None:
            return None
        end += size if most is None else min(size, most)
        if kept < end:
            return end
    return None
