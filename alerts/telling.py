"""The fourth step: each channel hears a beginning once, and its end if it heard that. Pure.

    due --hand--> handed --take--> taken
     |              |
     +--- spare ----+--> spared

A message is `handed` on disk before its channel is given it, and `taken` once the channel has
said so: whoever starts again after that hands over again what nobody is known to have taken, and
says the end to all who may have heard the beginning. What is still `due` when its incident ends
is spared. Incident and status are the same when it is said again: a receiver can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from alerts.message import Status


class Stage(Enum):
    """How far one message has come at one channel."""

    DUE = "due"
    HANDED = "handed"
    TAKEN = "taken"
    SPARED = "spared"


class Signal(Enum):
    """What happens to it."""

    HAND = "hand"
    TAKE = "take"
    SPARE = "spare"


TRANSITIONS: Final = {
    (Stage.DUE, Signal.HAND): Stage.HANDED,
    (Stage.DUE, Signal.SPARE): Stage.SPARED,
    (Stage.HANDED, Signal.HAND): Stage.HANDED,  # again, after a start
    (Stage.HANDED, Signal.TAKE): Stage.TAKEN,
    (Stage.HANDED, Signal.SPARE): Stage.SPARED,  # its channel is there no more
}
"""An absent pair changes nothing."""

Ear = tuple[str, Status]
"""A channel's name, and what it is told."""


@dataclass(frozen=True, slots=True)
class Saying:
    """One message at one channel."""

    stage: Stage
    at_ms: int
    """Since when."""

    def signal(self, signal: Signal, now_ms: int) -> Saying:
        """Return how it stands after that."""
        after = TRANSITIONS.get((self.stage, signal), self.stage)
        return self if after is self.stage else Saying(after, now_ms)

    @property
    def waiting(self) -> bool:
        """Whether it is still to be taken."""
        return self.stage in {Stage.DUE, Stage.HANDED}

    @property
    def heard(self) -> bool:
        """Whether the channel heard it, or may have."""
        return self.stage in {Stage.HANDED, Stage.TAKEN}


Sayings = Mapping[Ear, Saying]


def due(sayings: Sayings, channels: Iterable[str], status: Status, now_ms: int) -> Sayings:
    """Return what is to be said anew: to each channel once, and nothing after the end."""
    return {
        (channel, status): Saying(Stage.DUE, now_ms)
        for channel in channels
        if (channel, status) not in sayings and (channel, Status.RESOLVED) not in sayings
    }


def ended(sayings: Sayings, now_ms: int) -> Sayings:
    """Return what the end changes: who heard the beginning hears the end, who waits is spared."""
    changed: dict[Ear, Saying] = {}
    for (channel, status), saying in sayings.items():
        if status is Status.RESOLVED:
            continue
        if saying.stage is Stage.DUE:
            changed[channel, status] = saying.signal(Signal.SPARE, now_ms)
        elif saying.heard and (channel, Status.RESOLVED) not in sayings:
            changed[channel, Status.RESOLVED] = Saying(Stage.DUE, now_ms)
    return changed
