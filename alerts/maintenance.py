"""The first step: what happens inside announced work is told when it outlasts the work. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alerts.steps import Decision, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alerts.incident import Incident


@dataclass(frozen=True, slots=True)
class Work:
    """Announced work."""

    sites: frozenset[str]
    begins_ms: int
    ends_ms: int
    why: str = ""
    circuits: frozenset[str] = frozenset()
    """Of those sites, by id; empty = all of them."""

    def covers(self, site: str, circuits: tuple[str, ...], at_ms: int) -> bool:
        """Return whether an office's trouble is the work's at that time."""
        touched = not self.circuits or (bool(circuits) and self.circuits.issuperset(circuits))
        return touched and site in self.sites and self.begins_ms <= at_ms < self.ends_ms


@dataclass(frozen=True, slots=True)
class Muted:
    """What the work makes of an incident."""

    decision: Decision
    until_ms: int | None = None
    """Until when nothing is said; None = nothing keeps us."""


def muted(incident: Incident, works: Iterable[Work], now_ms: int) -> Muted:
    """Return whether all that an incident touches is under announced work now."""
    covering = {
        site: [work for work in works if work.covers(site, incident.circuits, now_ms)]
        for site in incident.sites
    }
    if not covering or not all(covering.values()):
        some = any(covering.values())
        reason = "announced work touches only some of it" if some else "no announced work there"
        return Muted(Decision(Step.MAINTENANCE, "goes on", reason))
    why = next(iter(covering.values()))[0].why or "no reason given"
    if incident.pages:
        reason = f"announced work ({why}) does not keep this kind: a person must look now"
        return Muted(Decision(Step.MAINTENANCE, "goes on", reason))
    until_ms = min(max(work.ends_ms for work in found) for found in covering.values())
    reason = f"inside announced work: {why}; told if it outlasts that"
    return Muted(Decision(Step.MAINTENANCE, "not sent", reason), until_ms)
