"""An incident as the alert path sees it: what happened, to whom, since when, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Ending(Enum):
    """How an incident ended."""

    BACK = "back"
    """What was wrong is over."""
    REMOVED = "removed"
    """The office was taken out of the inventory: nobody waits for it any more."""
    JOINED = "joined"
    """It goes on, and is told of with the others that fell."""
    EXCUSED = "excused"
    """The office is still silent, and that is no trouble: announced work, or switched off."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that people are told of, once when it begins and once when it ends."""

    id: str
    alertname: str
    """`TabuahLinkDown` and its like; as first fired."""
    sites: tuple[str, ...]
    circuits: tuple[str, ...]
    cause: str
    """A word of the contract; as first fired."""
    severity: str
    """critical | warning | info"""
    began_ms: int
    """ms since 1970 UTC."""
    ended_ms: int | None = None
    """None while it lasts."""
    ending: Ending = Ending.BACK
    """Told once it has ended."""
    upstream: str | None = None
    """The code of what the offices share, of a common fault."""
    about: str = ""
    """What people call what failed, where that is no office: an upstream, a service."""
    found: str = ""
    """The cause as it is known now; empty = as first fired."""
    filed: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """Offices and circuits as first fired, where they are others by now."""
    confidence: str = ""
    """provisional | final; empty where nothing is claimed of the cause."""
    port: str = ""
    """up | down: the one between the office's router and the provider's terminal, if known."""
    says: str = ""
    """Why, in a few words, where no cause of the contract tells it."""
    pages: bool = False
    """It is told at once whatever work is announced and at any hour: a person must look now."""

    @property
    def kind(self) -> str:
        """Return what kind of trouble it is, with which its id begins: `down`, `area`, `circuit`.

        The alertname says what it was first taken for; this, what was seen.
        """
        return self.id.partition("-")[0]

    @property
    def filed_sites(self) -> tuple[str, ...]:
        """Return the offices by which it is filed: those of its beginning."""
        return self.sites if self.filed is None else self.filed[0]

    @property
    def filed_circuits(self) -> tuple[str, ...]:
        """Return the circuits by which it is filed."""
        return self.circuits if self.filed is None else self.filed[1]

    @property
    def known(self) -> str:
        """Return the cause as it is known now."""
        return self.found or self.cause
