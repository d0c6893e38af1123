"""How incidents and what people say of them stand in the ledger: bodies of its entries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from collector.judgement.evidence import Cause, Confidence, Evidence, Source
from collector.judgement.ledger import Entry, Json, Outage, Subject, read_outage
from collector.judgement.tracking import Incident


class Act(Enum):
    """What a person did."""

    ACKNOWLEDGED = "acknowledged"
    NOTE = "note"
    TICKET_OPENED = "ticket_opened"
    TICKET_CLOSED = "ticket_closed"
    LIABILITY = "liability"
    """Whose an outage is: `text` is a cause's word, or `provider` or `ours`."""
    MAINTENANCE = "maintenance"
    MAINTENANCE_ENDED = "maintenance_ended"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a person said or decided."""

    act: Act
    about: str
    """The incident's, outage's or maintenance's id."""
    at_ms: int
    """When it holds: a ticket's own time, not that of typing."""
    by: str
    text: str = ""
    sites: tuple[str, ...] = ()
    """maintenance: whom it touches."""
    until_ms: int | None = None
    """maintenance: its end; of one that comes again, that of the first time."""
    circuits: tuple[str, ...] = ()
    """maintenance: of those sites; empty = all of them."""
    every_ms: int | None = None
    """maintenance: how long after its begin it comes again, until a person ends it."""


@dataclass(frozen=True, slots=True)
class Book:
    """The ledger, read."""

    outages: tuple[Outage, ...] = ()
    """All versions, in order of writing; likewise below."""
    incidents: tuple[Incident, ...] = ()
    said: tuple[Said, ...] = ()
    watched: dict[tuple[str, str], int] = field(default_factory=dict)
    """Since when each circuit is watched, by site and circuit."""
    written: tuple[tuple[str, int], ...] = ()
    """Id and time of writing of each version of an outage or incident, in order."""


def read_book(entries: Iterable[Entry]) -> Book:
    """Return what the entries say.

    Raises:
        ValueError: one cannot be understood.
    """
    outages, incidents, said, written = [], [], [], []
    watched: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry.subject is Subject.OUTAGE:
            outages.append(read_outage(entry.body))
            written.append((outages[-1].id, entry.written_ms))
        elif entry.subject is Subject.INCIDENT:
            incidents.append(read_incident(entry.body))
            written.append((incidents[-1].id, entry.written_ms))
        elif entry.subject is Subject.WATCH:
            body = json.loads(entry.body)
            watched.setdefault((body["site"], body["circuit"]), body["since_ms"])
        else:
            said.append(read_said(entry.body))
    return Book(tuple(outages), tuple(incidents), tuple(said), watched, tuple(written))


def watch_body(site: str, circuit: str, since_ms: int) -> Json:
    """Return the entry that begins the watch over a circuit."""
    return {"site": site, "circuit": circuit, "since_ms": since_ms}


def incident_body(incident: Incident) -> Json:
    """Return an incident as the body of an entry."""
    return {
        "id": incident.id,
        "version": incident.version,
        "key": list(incident.key),
        "alertname": incident.alertname,
        "severity": incident.severity,
        "sites": list(incident.sites),
        "circuits": list(incident.circuits),
        "upstream": incident.upstream,
        "cause": incident.cause.value,
        "confidence": incident.confidence.value,
        "reason": incident.reason,
        "evidence": [
            {"source": e.source.value, "at_ms": e.at_ms, "says": e.says} for e in incident.evidence
        ],
        "began_ms": incident.began_ms,
        "ended_ms": incident.ended_ms,
    }


def read_incident(text: str) -> Incident:
    """Return the incident of an entry's body.

    Raises:
        ValueError: it is not one.
    """
    try:
        body = json.loads(text)
        return Incident(
            id=body["id"],
            version=body["version"],
            key=tuple(body["key"]),
            alertname=body["alertname"],
            severity=body["severity"],
            sites=tuple(body["sites"]),
            circuits=tuple(body["circuits"]),
            upstream=body["upstream"],
            cause=Cause(body["cause"]),
            confidence=Confidence(body["confidence"]),
            reason=body["reason"],
            evidence=tuple(
                Evidence(Source(e["source"]), e["at_ms"], e["says"]) for e in body["evidence"]
            ),
            began_ms=body["began_ms"],
            ended_ms=body["ended_ms"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"an entry that is no incident: {text[:80]}") from error


def said_body(said: Said) -> Json:
    """Return what a person said as the body of an entry."""
    return {
        "act": said.act.value,
        "about": said.about,
        "at_ms": said.at_ms,
        "by": said.by,
        "text": said.text,
        "sites": list(said.sites),
        "until_ms": said.until_ms,
        "circuits": list(said.circuits),
        "every_ms": said.every_ms,
    }


def read_said(text: str) -> Said:
    """Return what a person said, of an entry's body.

    Raises:
        ValueError: it is nothing of the kind.
    """
    try:
        body = json.loads(text)
        return Said(
            Act(body["act"]),
            body["about"],
            body["at_ms"],
            body["by"],
            body["text"],
            tuple(body["sites"]),
            body["until_ms"],
            tuple(body.get("circuits", ())),
            body.get("every_ms"),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"an entry that no person wrote: {text[:80]}") from error
