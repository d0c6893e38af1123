"""A case: what is told as one, and how far that has come at each channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from alerts.grouping import is_many, together
from alerts.message import Status
from alerts.telling import Ear, Saying, Sayings, Signal

if TYPE_CHECKING:
    from alerts.incident import Incident


@dataclass(slots=True)
class Case:
    """One incident or many that are told as one; `id` is what receivers know it by."""

    id: str
    first: Incident
    """As first fired: alerts are filed by their labels."""
    members: dict[str, Incident] = field(default_factory=dict)
    """As they are now, by id; one alone has the case's own."""
    sayings: dict[Ear, Saying] = field(default_factory=dict)
    _lasting: set[str] = field(default_factory=set)

    def take(self, incident: Incident) -> None:
        """Take one of its incidents as it is now."""
        self.members[incident.id] = incident
        if incident.ended_ms is None:
            self._lasting.add(incident.id)
        else:
            self._lasting.discard(incident.id)

    @property
    def many(self) -> bool:
        """Whether it is told of more than one incident."""
        return is_many(self.id)

    @property
    def lasts(self) -> bool:
        """Whether any of its incidents does."""
        return bool(self._lasting)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be said of it."""
        return not self.lasts and not any(one.waiting for one in self.sayings.values())

    @property
    def fired_ms(self) -> int:
        """Return since when people were told, or were to be."""
        told = (one.at_ms for (_, status), one in self.sayings.items() if status is Status.FIRING)
        return min(told, default=self.first.began_ms)

    def now(self) -> Incident:
        """Return what is known by now, under what it was first told."""
        first = self.first
        known = together(self.id, self.members.values()) if self.many else self.members[self.id]
        return replace(
            known,
            alertname=first.alertname,
            cause=first.cause,
            severity=first.severity,
            upstream=first.upstream if first.upstream is not None else known.upstream,
            found=known.known,
            # Many are filed by none of their offices: any of them may be back first.
            filed=((), ()) if self.many else (first.sites, first.circuits),
        )

    def change(self, changes: Sayings) -> list[Ear]:
        """Take up what a step changed; return what is due anew."""
        new = [ear for ear in changes if ear not in self.sayings]
        self.sayings.update(changes)
        return new

    def signal(self, ear: Ear, signal: Signal, now_ms: int) -> bool:
        """Note what happened to a message; return whether that changed anything."""
        before = self.sayings.get(ear)
        if before is None:
            return False
        self.sayings[ear] = before.signal(signal, now_ms)
        return self.sayings[ear] != before

    def spare_strangers(self, channels: Iterable[str], now_ms: int) -> None:
        """Give up what waits for channels that the inventory has no more."""
        known = set(channels)
        for ear in self.sayings:
            if ear[0] not in known:
                self.signal(ear, Signal.SPARE, now_ms)

    def heard_by(self, channel: str) -> bool:
        """Return whether a channel heard of it, or may have, and has not been told the end."""
        if (channel, Status.RESOLVED) in self.sayings:
            return False
        return any(one.heard for (name, _), one in self.sayings.items() if name == channel)
