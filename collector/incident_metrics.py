"""Open incidents on the metrics page, and which of them an office is shown with. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from collector.families import Family
from collector.metrics import labels

if TYPE_CHECKING:
    from collector.judgement.tracking import Incident

ACTIVE: Final = Family(
    "tabuah_incident_active", "gauge", "1 for each open incident and each of its sites."
)
_SEVERITIES: Final = ("critical", "warning", "info")


def active(incidents: Iterable[Incident]) -> bytes:
    """Return the family's part of the page; one that touches no office has an empty site."""
    lines = [f"# HELP {ACTIVE.name} {ACTIVE.help}", f"# TYPE {ACTIVE.name} {ACTIVE.kind}"]
    for one in incidents:
        for site in one.sites or ("",):
            about = labels(
                incident=one.id,
                site=site,
                upstream=one.upstream or "",
                cause=one.cause.value,
                severity=one.severity,
            )
            lines.append(f"{ACTIVE.name}{about}1")
    return ("\n".join(lines) + "\n").encode(errors="replace")


def worst_of(incidents: Iterable[Incident]) -> dict[str, Incident]:
    """Return for each office the incident to show: the severest, of those the first."""
    found: dict[str, Incident] = {}
    for one in sorted(incidents, key=lambda one: (_SEVERITIES.index(one.severity), one.began_ms)):
        for site in one.sites:
            found.setdefault(site, one)
    return found
