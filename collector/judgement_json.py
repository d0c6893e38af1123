"""Incidents and outages as the JSON of the API and of the commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from collector.formats import rfc3339
from collector.judgement.ledger import Outage

if TYPE_CHECKING:
    from collector.judgement.evidence import Evidence
    from collector.judgement.tracking import Incident

Json = dict[str, object]


def incident_json(incident: Incident) -> Json:
    """Return one entry of /api/v1/incidents."""
    return {
        "id": incident.id,
        "status": "open" if incident.open else "closed",
        "alertname": incident.alertname,
        "sites": list(incident.sites),
        "circuits": list(incident.circuits),
        "upstream": incident.upstream,
        "cause": incident.cause.value,
        "confidence": incident.confidence.value,
        "severity": incident.severity,
        "began": rfc3339(incident.began_ms),
        "ended": None if incident.ended_ms is None else rfc3339(incident.ended_ms),
        "version": incident.version,
        "reason": incident.reason,
        "evidence": evidence_json(incident.evidence),
    }


def outage_json(outage: Outage) -> Json:
    """Return one entry of /api/v1/outages."""
    return {
        "id": outage.id,
        "site": outage.site,
        "circuit": outage.circuit,
        "began": rfc3339(outage.began_ms),
        "ended": None if outage.ended_ms is None else rfc3339(outage.ended_ms),
        "cause": outage.cause.value,
        "kind": outage.kind.value,
        "confidence": outage.confidence.value,
        "countable": outage.countable,
        "version": outage.version,
        "reason": outage.reason,
        "evidence": evidence_json(outage.evidence),
    }


def evidence_json(evidence: Sequence[Evidence]) -> list[Json]:
    """Return what a verdict rests on."""
    return [
        {"source": one.source.value, "time": rfc3339(one.at_ms), "says": one.says}
        for one in evidence
    ]


def overlapping(
    outages: Iterable[Outage], site: str | None, from_ms: int | None, to_ms: int | None
) -> list[Outage]:
    """Return the outages of a site, or of all, that overlap [from_ms, to_ms)."""
    return [
        one
        for one in outages
        if site in {None, one.site}
        and (to_ms is None or one.began_ms < to_ms)
        and (from_ms is None or one.ended_ms is None or one.ended_ms > from_ms)
    ]
