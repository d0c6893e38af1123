"""The steps from an incident to a channel, and what each decided. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """In the order of the line."""

    MAINTENANCE = "maintenance"
    AUDIENCE = "audience"
    GROUP = "group"
    REPEAT = "repeat"
    TEXT = "text"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one step decided, and why."""

    step: Step
    decided: str
    """In a few words."""
    reason: str
    channel: str = ""
    """Whom alone it concerns; empty = all."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as it is written down."""

    incident: str
    """The id of what it was decided of."""
    at_ms: int
    decision: Decision
