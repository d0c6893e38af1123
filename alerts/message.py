"""What every channel is given, and the JSON that a webhook gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from alerts.incident import Incident
from alerts.text import cut
from tabuah.speech import rfc3339


class Status(Enum):
    """Whether the incident lasts. The value is the word in the JSON."""

    FIRING = "firing"
    ESCALATED = "escalated"
    """It lasts, and nobody has acknowledged it for too long."""
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to say about one incident."""

    status: Status
    incident: Incident
    summary: str
    description: str

    def within(self, most: int) -> Message:
        """Return the message with a description of at most so many characters."""
        return replace(self, description=cut(self.description, most))

    def json(self) -> dict[str, object]:
        """Return the webhook's JSON object; times are RFC 3339 in UTC."""
        incident = self.incident
        return {
            "status": self.status.value,
            "alertname": incident.alertname,
            "incident": incident.id,
            "sites": list(incident.sites),
            "circuits": list(incident.circuits),
            "cause": incident.cause,
            "severity": incident.severity,
            "began": rfc3339(incident.began_ms),
            "ended": None if incident.ended_ms is None else rfc3339(incident.ended_ms),
            "summary": self.summary,
            "description": self.description,
        }
