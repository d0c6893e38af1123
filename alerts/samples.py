"""Incidents of every kind, to see texts before they are needed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from alerts.failing import CHANNEL_FAILING
from alerts.incident import Ending, Incident
from alerts.words import CAUSES

if TYPE_CHECKING:
    from inventory.model import Inventory

TRIAL: Final = "TabuahTrial"
_LASTED_MS: Final = 192_000


@dataclass(frozen=True, slots=True)
class _Usual:
    kind: str
    alertname: str
    severity: str = "warning"


USUAL: Final = {
    "unknown": _Usual("down", "TabuahLinkDown", "critical"),
    "power": _Usual("down", "TabuahPowerLost"),
    "gateway": _Usual("down", "TabuahGatewayFault"),
    "last_mile": _Usual("down", "TabuahLinkDown", "critical"),
    "area": _Usual("area", "TabuahUpstreamDown", "critical"),
    "provider_core": _Usual("core", "TabuahLinkDegraded"),
    "session": _Usual("circuit", "TabuahLinkDown", "critical"),
    "congestion": _Usual("slow", "TabuahLinkSaturated"),
    "centre": _Usual("service", "TabuahServiceDown"),
    "service": _Usual("service", "TabuahServiceDown"),
    "agent": _Usual("down", "TabuahAgentFault"),
    "maintenance": _Usual("down", "TabuahLinkDown", "critical"),
    "isolated": _Usual("isolated", "TabuahCollectorIsolated", "critical"),
}
"""As what each cause is mostly told."""

KINDS: Final = {
    "TabuahLinkDown": ("down", "circuit"),
    "TabuahUpstreamDown": ("area",),
    "TabuahLinkDegraded": ("slow", "core"),
    "TabuahLinkFlapping": ("flap",),
    "TabuahLinkSaturated": ("slow",),
    "TabuahPowerLost": ("down", "battery", "circuit"),
    "TabuahGatewayFault": ("down", "stuck"),
    "TabuahServiceDown": ("service",),
    "TabuahAgentFault": ("down",),
    "TabuahClockSkew": ("clock",),
    "TabuahCollectorIsolated": ("isolated",),
    CHANNEL_FAILING: ("channel",),
    TRIAL: ("trial",),
}
"""What can be told under each alertname."""


def usual(cause: str, inventory: Inventory, began_ms: int) -> Incident:
    """Return an incident as one of that cause mostly is."""
    chosen = USUAL[cause]
    made = sample(chosen.alertname, chosen.kind, cause, inventory, began_ms)
    return replace(made, severity=chosen.severity)


def every(inventory: Inventory, began_ms: int) -> Iterator[Incident]:
    """Yield an incident of every alertname, kind and cause, while it lasts and by each ending."""
    for alertname, kinds in KINDS.items():
        for kind in kinds:
            for cause in CAUSES["en"]:
                lasting = sample(alertname, kind, cause, inventory, began_ms)
                yield lasting
                yield over(lasting)
    fell = sample("TabuahLinkDown", "down", "unknown", inventory, began_ms)
    for ending in Ending:
        yield replace(over(fell), ending=ending)


def over(incident: Incident) -> Incident:
    """Return the incident as it ended a little later."""
    return replace(incident, ended_ms=incident.began_ms + _LASTED_MS)


def sample(alertname: str, kind: str, cause: str, inventory: Inventory, began_ms: int) -> Incident:
    """Return an incident of an office of the inventory, or of two where they share it."""
    codes: Sequence[str] = [site.code for site in inventory.sites[:2]] or ["13.02.10"]
    if kind in {"isolated", "channel", "trial"}:
        codes = ()
    elif kind not in {"area", "core"}:
        codes = codes[:1]
    site = inventory.find(codes[0]) if codes else None
    primary = None if site is None else site.primary
    circuits = (primary.id,) if primary is not None and kind in {"circuit", "slow"} else ()
    return Incident(
        id="-".join((kind, *codes[:1], str(began_ms))),
        alertname=alertname,
        sites=tuple(codes),
        circuits=circuits,
        cause=cause,
        severity="warning",
        began_ms=began_ms,
        about=_about(kind, inventory),
        confidence="provisional",
        says="answered 503" if kind == "channel" else "",
    )


def _about(kind: str, inventory: Inventory) -> str:
    if kind == "area":
        return next((one.name for one in inventory.upstreams.values()), "STO")
    if kind == "service":
        return next((one.name for one in inventory.services.values()), "SIAK")
    if kind in {"channel", "trial"}:
        return next((one.name for one in inventory.alerts.channels), "telegram")
    return ""
