"""A pipeline whose channels take at once whatever they are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alerts.message import Message, Status
from alerts.telling import Signal
from inventory.model import Alerts, Channel

if TYPE_CHECKING:
    from alerts.incident import Incident
    from alerts.pipeline import Outcome, Pipeline
    from alerts.steps import Decision, Step

HOOK = Channel("hook", webhook="http://127.0.0.1/")
ONE = Alerts((HOOK,))


@dataclass
class Listener:
    """Hears what a pipeline has said, and keeps what it decided."""

    pipeline: Pipeline
    heard: list[tuple[str, Message]] = field(default_factory=list)
    """By which channel, and what."""
    decisions: list[tuple[str, Decision]] = field(default_factory=list)
    revised: list[Message] = field(default_factory=list)

    def look(self, at_ms: int, *incidents: Incident) -> list[Message]:
        """Bring incidents before the pipeline, or only the time; return what was said."""
        return [
            *self._take(self.pipeline.look(incidents, at_ms), at_ms),
            *self._take(self.pipeline.tick(at_ms), at_ms),
        ]

    def told(self) -> list[tuple[str, Status, str]]:
        """Return channel, status and id of all that was said."""
        return [(channel, said.status, said.incident.id) for channel, said in self.heard]

    def why(self, incident: str, step: Step) -> list[Decision]:
        """Return what a step decided of an incident, in order."""
        return [one for id_, one in self.decisions if id_ == incident and one.step is step]

    def _take(self, out: Outcome, at_ms: int) -> list[Message]:
        self.decisions += [(one.incident, one.decision) for one in out.decided]
        self.revised += [
            self.pipeline.message(Status.FIRING, case) for case in out.revised.values()
        ]
        said = []
        for case, ear in out.due:
            case.signal(ear, Signal.HAND, at_ms)
            said.append(self.pipeline.message(ear[1], case))
            self.heard.append((ear[0], said[-1]))
            case.signal(ear, Signal.TAKE, at_ms)
        return said
