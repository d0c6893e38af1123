"""How many offices are pushed to next: one, a few, many; and when no more. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from provision.states import State

SIZES = (1, 3, 10)
"""The canary, then growing waves; the rest comes in the largest."""


class Verdict(Enum):
    """Whether to go on."""

    GO = "go"
    ROLLED_BACK = "an office undid its change: see why before you go on"
    STUCK = "an office is stuck or out of reach: a person must look"
    NOT_PUSHED = "an office could not be pushed to"


def next_wave(ends: Sequence[State], waiting: int, most: int) -> tuple[Verdict, int]:
    """Return whether to go on, and with how many.

    Args:
        ends: how the pushes so far ended, in order.
        waiting: offices that are left.
        most: so many at once at the utmost.
    """
    if any(end in (State.STUCK, State.UNKNOWN) for end in ends):
        return Verdict.STUCK, 0
    if State.ROLLED_BACK in ends:
        return Verdict.ROLLED_BACK, 0
    if any(end is not State.CONFIRMED for end in ends):
        return Verdict.NOT_PUSHED, 0
    done, size = 0, SIZES[-1]
    for each in SIZES:
        if len(ends) <= done:
            size = each
            break
        done += min(each, most)
    return Verdict.GO, min(size, most, waiting)
