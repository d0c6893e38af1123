"""After a start: what the open incidents say of how things stood goes back into the scene.

The scene is made of live reports, and there are none yet. Without this a line that has been
degraded for an hour would be told to be good until its two minutes are full again, and a service
that fails until its second check: an end and a second begin of what never ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.judgement.case import Slow
from collector.judgement.evidence import Cause, CollectorSeen
from collector.judgement.runs import WEAK_CYCLES
from collector.judgement.scene import CoreNow, ServiceNow
from collector.judgement.state import SERVICE_FAILS, Flap, Standing
from collector.judgement.troubles import ISOLATED
from collector.live import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector.judgement.scene import LineNow, Scene, SiteNow
    from collector.judgement.tracking import Incident


def resume(scene: Scene, incidents: Iterable[Incident], now_ms: int) -> CollectorSeen | None:
    """Put what open incidents say into the scene; return since when the collector was cut off."""
    isolated = None
    for incident in incidents:
        kind, began_ms = incident.key[0], incident.began_ms
        if kind == ISOLATED and scene.inventory.references:
            isolated = CollectorSeen(began_ms, references=False, hearing=False)
        elif kind == "core":
            scene.core = CoreNow(began_ms, now_ms, frozenset(incident.sites))
        for site in (scene.call(code) for code in incident.sites):
            if site is not None:
                _resume_site(site, incident, now_ms)
    return isolated


def _resume_site(site: SiteNow, incident: Incident, now_ms: int) -> None:
    kind, began_ms = incident.key[0], incident.began_ms
    line = site.lines.get(incident.circuits[0]) if incident.circuits else None
    if kind == "battery":
        site.battery_ms = began_ms
    elif kind == "clock":
        site.clock.wrong_ms = began_ms
    elif kind == "service":
        down = Standing(State.DOWN, began_ms)
        site.services[incident.key[1]] = ServiceNow(down, SERVICE_FAILS, began_ms)
    elif kind == "flap":
        flap = Flap((began_ms,), now_ms, None, began_ms)
        if line is None:
            site.flap = flap
        else:
            line.flap = flap
    elif line is not None and kind == "slow":
        _slow(line, incident)
    elif line is not None and kind == "circuit":
        line.standing, line.failed = Standing(State.DOWN, began_ms), WEAK_CYCLES
        line.failing_ms = began_ms


def _slow(line: LineNow, incident: Incident) -> None:
    says = "; ".join(one.says for one in incident.evidence)
    hop = {Cause.LAST_MILE: True, Cause.PROVIDER_CORE: False}.get(incident.cause)
    full = {Cause.CONGESTION: True, Cause.LAST_MILE: False}.get(incident.cause)
    line.quality.slow = Slow(says, from_first_hop=hop, full=full)
    line.quality.since_ms = incident.began_ms
    line.standing = Standing(State.DEGRADED, incident.began_ms)
