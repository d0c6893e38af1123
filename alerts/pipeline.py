"""From an incident to what each channel is told. Pure; each step returns its reason.

    incident -> said before? -> text -> message

Maintenance, audience, grouping and repeats take their places in this line as they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from alerts.message import Message, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.incident import Incident
    from alerts.text import Text


class Reason(Enum):
    """Why something is said, or not."""

    BEGAN = "it began, and nobody was told yet"
    ENDED = "it ended, and those who were told are told so"
    SAID = "it was said already"
    NEVER_FIRED = "it ended before anybody was told"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to say, if anything, and why."""

    reason: Reason
    message: Message | None = None
    revised: Message | None = None
    """What is known of it by now, for those who go on telling what lasts."""


@dataclass(slots=True)
class Pipeline:
    """Decides what to say of each incident, and remembers what was said."""

    write: Callable[[Incident], Text]
    """Finds the words for an incident: of its end once it has one, else of its beginning."""
    _firing: dict[str, Incident] = field(default_factory=dict)
    """By id, as first fired."""

    def remember(self, incident: Incident) -> None:
        """Note that the incident's beginning was said: at start, before anything is decided."""
        self._firing[incident.id] = incident

    def is_firing(self, incident: str) -> bool:
        """Return whether the begin of the incident of that id was said, and not its end."""
        return incident in self._firing

    def message(self, status: Status, incident: Incident) -> Message:
        """Return what is said of an incident's beginning or end."""
        if status is Status.FIRING:
            incident = replace(incident, ended_ms=None)
        said = self.write(incident)
        return Message(status, incident, said.summary, said.description)

    def decide(self, incident: Incident) -> Decision:
        """Return what the channels are to be told of the incident as it is now."""
        first = self._firing.get(incident.id)
        if incident.ended_ms is None:
            if first is not None:
                known = self.message(Status.FIRING, _filed(incident, first))
                return Decision(Reason.SAID, revised=known)
            self._firing[incident.id] = incident
            return Decision(Reason.BEGAN, self.message(Status.FIRING, incident))
        if first is None:
            return Decision(Reason.NEVER_FIRED)
        del self._firing[incident.id]
        return Decision(Reason.ENDED, self.message(Status.RESOLVED, _filed(incident, first)))


def _filed(incident: Incident, first: Incident) -> Incident:
    """Return the incident under what it was first told: alerts are filed by their labels."""
    return replace(
        incident,
        alertname=first.alertname,
        cause=first.cause,
        severity=first.severity,
        found=incident.known,
        filed=(first.sites, first.circuits),
    )
