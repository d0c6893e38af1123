"""From changes of state to incidents: one begins when an office falls silent, and ends with it.

For now every silence is an incident of one office with the cause 'unknown'.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from alerts.incident import Ending, Incident
from collector.live import State

if TYPE_CHECKING:
    from collector.health import Change


class Incidents:
    """The open incidents, by office."""

    def __init__(self) -> None:
        self._open: dict[str, Incident] = {}

    def remember(self, incident: Incident) -> None:
        """Note an incident that is open since before the start."""
        self._open[incident.sites[0]] = incident

    def changed(self, change: Change) -> Incident | None:
        """Return the incident that a change of state began or ended, if it did."""
        if change.after is State.SILENT:
            incident = Incident(
                id=f"{change.site}-{change.at_ms}",
                alertname="TabuahLinkDown",
                sites=(change.site,),
                circuits=(),
                cause="unknown",
                severity="critical",
                began_ms=change.at_ms,
            )
            self._open[change.site] = incident
            return incident
        begun = self._open.pop(change.site, None)
        return None if begun is None else replace(begun, ended_ms=change.at_ms)

    def removed(self, site: str, now_ms: int) -> Incident | None:
        """Return the incident that ended with its office's leaving the inventory, if one did."""
        begun = self._open.pop(site, None)
        return None if begun is None else replace(begun, ended_ms=now_ms, ending=Ending.REMOVED)
