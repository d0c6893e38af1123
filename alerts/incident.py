"""An incident as the alert path sees it: what happened, to whom, since when, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Ending(Enum):
    """How an incident ended."""

    BACK = "back"
    """The office reports again."""
    REMOVED = "removed"
    """The office was taken out of the inventory: nobody waits for it any more."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that people are told of, once when it begins and once when it ends."""

    id: str
    alertname: str
    """`TabuahLinkDown` and its like; as first fired."""
    sites: tuple[str, ...]
    circuits: tuple[str, ...]
    cause: str
    severity: str
    """critical | warning | info"""
    began_ms: int
    """ms since 1970 UTC."""
    ended_ms: int | None = None
    """None while it lasts."""
    ending: Ending = Ending.BACK
    """Told once it has ended."""
