"""From an incident as it was judged to what the alert path is told of it, and back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alerts.incident import Ending
from alerts.incident import Incident as Alert
from alerts.maintenance import Work
from collector.judgement.evidence import Cause, Confidence, Evidence, Source
from collector.judgement.tracking import WITH_OTHERS, Incident
from collector.judgement.troubles import AGENT_FAULT, GATEWAY_FAULT, LINK_DOWN, POWER_LOST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from collector.judgement.evidence import Window
    from inventory.model import Inventory

_OF_ONE_OFFICE: Final = frozenset({LINK_DOWN, POWER_LOST, GATEWAY_FAULT, AGENT_FAULT})
_SERVICE: Final = "service"
_PAGES: Final = frozenset({"stuck"})
"""Kinds that a person must look at now, whatever work is announced and at any hour."""
_RESOLVERS: Final = {"dns": "DNS"}


def alert_of(incident: Incident, inventory: Inventory, gone: Collection[str] = ()) -> Alert:
    """Return the incident as people are told of it; `gone` are the offices not heard now."""
    return Alert(
        id=incident.id,
        alertname=incident.alertname,
        sites=incident.sites,
        circuits=incident.circuits,
        cause=incident.cause.value,
        severity=incident.severity,
        began_ms=incident.began_ms,
        ended_ms=incident.ended_ms,
        ending=_ending(incident, inventory, gone),
        upstream=incident.upstream,
        about=_about(incident, inventory),
        found=incident.cause.value,
        confidence=incident.confidence.value,
        port=_port(incident),
        pages=incident.key[0] in _PAGES,
    )


def works_of(windows: Iterable[Window]) -> tuple[Work, ...]:
    """Return announced work as the alert path is told of it."""
    return tuple(
        Work(one.sites, one.begins_ms, one.ends_ms, one.why, one.circuits) for one in windows
    )


def taken_up(alert: Alert) -> Incident | None:
    """Return an incident that people were told of and the ledger does not know, to go on with.

    An earlier version kept none in the ledger, and a disk may refuse. Only an office's fall is
    known again by what was noted of it; of another kind there is None: it is over.
    """
    if alert.alertname not in _OF_ONE_OFFICE or len(alert.sites) != 1 or alert.circuits:
        return None
    said = Evidence(Source.COLLECTOR, alert.began_ms, "no report")
    return Incident(
        id=alert.id,
        version=1,
        key=("down", *alert.sites),
        alertname=alert.alertname,
        severity=alert.severity,
        sites=alert.sites,
        circuits=(),
        upstream=alert.upstream,
        cause=Cause(alert.known),
        confidence=Confidence.PROVISIONAL,
        reason="it was told of before the collector started",
        evidence=(said,),
        began_ms=alert.began_ms,
    )


def _ending(incident: Incident, inventory: Inventory, gone: Collection[str]) -> Ending:
    if incident.sites and all(inventory.find(code) is None for code in incident.sites):
        return Ending.REMOVED
    if incident.reason == WITH_OTHERS:
        return Ending.JOINED
    if incident.key[0] in {"down", "area"} and all(code in gone for code in incident.sites):
        return Ending.EXCUSED
    return Ending.BACK


def _port(incident: Incident) -> str:
    """Return what the evidence says of the port between the router and the provider's terminal."""
    says = next((one.says for one in incident.evidence if " port " in one.says), "")
    return ("down" if "down" in says else "up") if says else ""


def _about(incident: Incident, inventory: Inventory) -> str:
    if incident.upstream is not None:
        upstream = inventory.upstreams.get(incident.upstream)
        return incident.upstream if upstream is None else upstream.name
    if incident.key[0] != _SERVICE:
        return ""
    service = inventory.services.get(incident.key[1])
    return _RESOLVERS.get(incident.key[1], incident.key[1]) if service is None else service.name
