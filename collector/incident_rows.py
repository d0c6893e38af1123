"""The open incidents and the messages that no channel has taken yet, as the store keeps them.

All work on a connection that they are given; `collector.logbook` says when.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, or_, select

from alerts.incident import Ending, Incident
from alerts.message import Status
from collector.schema import incidents, unsaid


@dataclass(frozen=True, slots=True)
class Noted:
    """An incident and what was said of it."""

    incident: Incident
    fired: bool = False
    """Its beginning was said, or is waiting to be."""
    resolved: bool = False
    """Likewise its end."""
    waiting: tuple[tuple[str, Status], ...] = ()
    """Channels that have not taken a message yet, and which."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be said of it."""
        return self.resolved and not self.waiting


def keep(connection: Connection, entries: Iterable[Noted]) -> None:
    """Write the entries as they are now, in place of what was known of their incidents."""
    for entry in entries:
        incident = entry.incident
        connection.execute(delete(incidents).where(incidents.c.id == incident.id))
        connection.execute(delete(unsaid).where(unsaid.c.incident == incident.id))
        connection.execute(
            insert(incidents).values(
                id=incident.id,
                alertname=incident.alertname,
                cause=incident.cause,
                severity=incident.severity,
                began_ms=incident.began_ms,
                ended_ms=incident.ended_ms,
                ending=incident.ending.value,
                fired=entry.fired,
                resolved=entry.resolved,
                sites=json.dumps(incident.sites),
                circuits=json.dumps(incident.circuits),
                about=incident.about,
                found=incident.found,
                upstream=incident.upstream,
            )
        )
        if entry.waiting:
            connection.execute(
                insert(unsaid),
                [
                    {"incident": incident.id, "channel": channel, "status": status.value}
                    for channel, status in entry.waiting
                ],
            )


def unfinished(connection: Connection) -> list[Noted]:
    """Return the incidents of which something is left to be said, the oldest first."""
    waiting: dict[str, list[tuple[str, Status]]] = {}
    for row in connection.execute(select(unsaid).order_by(unsaid.c.status)):  # firing, resolved
        waiting.setdefault(row.incident, []).append((row.channel, Status(row.status)))
    wanted = select(incidents).where(
        or_(~incidents.c.resolved, incidents.c.id.in_(select(unsaid.c.incident)))
    )
    return [
        Noted(
            Incident(
                id=row.id,
                alertname=row.alertname,
                sites=tuple(json.loads(row.sites)),
                circuits=tuple(json.loads(row.circuits)),
                cause=row.cause,
                severity=row.severity,
                began_ms=row.began_ms,
                ended_ms=row.ended_ms,
                ending=Ending(row.ending),
                upstream=row.upstream,
                about=row.about,
                found=row.found,
            ),
            row.fired,
            row.resolved,
            tuple(waiting.get(row.id, ())),
        )
        for row in connection.execute(wanted.order_by(incidents.c.began_ms, incidents.c.id))
    ]
