"""What is wrong now: from the scene and the judge's open findings to a list of troubles.

A trouble is what an incident is made of (`tracking`). Each has a key by which it is known again
a second later, so that its cause, its offices and its evidence may change while it lasts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from collector.judgement.case import Case, Gap, Nature, ServiceFault, Slow
from collector.judgement.diagnosis import diagnose
from collector.judgement.evidence import (
    Cause,
    CollectorSeen,
    Confidence,
    Evidence,
    Source,
    StuckSeen,
    Verdict,
)
from collector.judgement.scene import DNS
from collector.live import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collector.judgement.outages import Finding
    from collector.judgement.scene import Scene, SiteNow

LINK_DOWN: Final = "TabuahLinkDown"
UPSTREAM_DOWN: Final = "TabuahUpstreamDown"
DEGRADED: Final = "TabuahLinkDegraded"
FLAPPING: Final = "TabuahLinkFlapping"
SATURATED: Final = "TabuahLinkSaturated"
POWER_LOST: Final = "TabuahPowerLost"
GATEWAY_FAULT: Final = "TabuahGatewayFault"
SERVICE_DOWN: Final = "TabuahServiceDown"
AGENT_FAULT: Final = "TabuahAgentFault"
CLOCK_SKEW: Final = "TabuahClockSkew"
ISOLATED: Final = "TabuahCollectorIsolated"

_NAMES: Final = {
    Cause.POWER: POWER_LOST,
    Cause.GATEWAY: GATEWAY_FAULT,
    Cause.AGENT: AGENT_FAULT,
}
_CRITICAL: Final = frozenset({LINK_DOWN, UPSTREAM_DOWN, ISOLATED})

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong now."""

    key: Key
    alertname: str
    sites: tuple[str, ...]
    began_ms: int
    verdict: Verdict
    circuits: tuple[str, ...] = ()
    upstream: str | None = None

    @property
    def severity(self) -> str:
        """Return critical, warning or info."""
        if self.alertname == CLOCK_SKEW:
            return "info"
        if self.key[0] == "stuck":
            return "critical"
        return "critical" if self.alertname in _CRITICAL else "warning"


def troubles(
    scene: Scene,
    findings: Mapping[str, Sequence[Finding]],
    now_ms: int,
    isolated: CollectorSeen | None = None,
    stuck: Sequence[StuckSeen] = (),
) -> list[Trouble]:
    """Return all that is wrong, or the collector's own isolation alone, beside what is stuck."""
    found = _stuck(stuck)
    if isolated is not None:
        case = Case("", "", Nature.GAP, isolated.at_ms, None, gap=Gap.OPEN, isolated=isolated)
        verdict = replace(diagnose(case), confidence=Confidence.FINAL)
        return [*found, Trouble((ISOLATED,), ISOLATED, (), isolated.at_ms, verdict)]
    found += _lost(scene, findings, now_ms)
    found += _lines(scene, findings, now_ms)
    core = _core(scene)
    if core is not None:
        found.append(core)
    found += _services(scene)
    found += _batteries(scene)
    found += _clocks(scene)
    return found


def _stuck(seen: Sequence[StuckSeen]) -> list[Trouble]:
    """Return the gateways that could not take a push back; no announced work excuses them."""
    found = []
    for one in seen:
        says = f"config push {one.push} on {one.device}: not put back: {one.says}"
        said = Evidence(Source.GATEWAY, one.at_ms, says)
        reason = "the gateway runs neither what it ran nor what was planned"
        verdict = Verdict(Cause.GATEWAY, Confidence.FINAL, (said,), reason)
        key = ("stuck", one.site)
        found.append(Trouble(key, GATEWAY_FAULT, (one.site,), one.at_ms, verdict))
    return found


def _open(findings: Sequence[Finding], circuit: str | None) -> Finding | None:
    """Return what is found of a circuit and has not ended."""
    return next(
        (f for f in reversed(findings) if f.ended_ms is None and circuit in {None, f.circuit}),
        None,
    )


def _lost(scene: Scene, findings: Mapping[str, Sequence[Finding]], now_ms: int) -> list[Trouble]:
    """Return the offices that are gone: areas as one each, the others one by one."""
    alone: list[Trouble] = []
    areas: dict[tuple[str, int], list[tuple[SiteNow, Finding]]] = defaultdict(list)
    for code, now in scene.sites.items():
        if now.flap.flapping:
            alone.append(_flapping(code, (), now.flap.share(now_ms), now.flap.flapping_ms or 0))
            continue
        if not now.gone or now.left:
            continue
        primary = now.site.primary
        finding = _open(findings.get(code, ()), None if primary is None else primary.id)
        if finding is None:
            alone.append(_silent(code, now.standing.since_ms))
        elif finding.case.gap in {Gap.OFF, Gap.STOPPED} or finding.verdict.cause in {
            Cause.MAINTENANCE,
            Cause.ISOLATED,
        }:
            continue
        elif finding.case.group is not None:
            group = finding.case.group
            areas[group.upstream, group.began_ms].append((now, finding))
        else:
            name = _NAMES.get(finding.verdict.cause, LINK_DOWN)
            alone.append(Trouble(("down", code), name, (code,), finding.began_ms, finding.verdict))
    for (upstream, began_ms), members in areas.items():
        verdict = members[0][1].verdict
        sites = tuple(sorted(finding.site for _, finding in members))
        key = ("area", upstream, str(began_ms))
        alone.append(Trouble(key, UPSTREAM_DOWN, sites, began_ms, verdict, upstream=upstream))
    return alone


def _silent(code: str, since_ms: int) -> Trouble:
    case = Case(code, "", Nature.GAP, since_ms, None, gap=Gap.OPEN)
    return Trouble(("down", code), LINK_DOWN, (code,), since_ms, diagnose(case))


def _flapping(code: str, circuits: tuple[str, ...], share: float, began_ms: int) -> Trouble:
    said = Evidence(Source.COLLECTOR, began_ms, f"down {share:.0%} of the time since it began")
    verdict = Verdict(
        Cause.UNKNOWN, Confidence.PROVISIONAL, (said,), "it falls and returns again and again"
    )
    return Trouble(("flap", code, *circuits), FLAPPING, (code,), began_ms, verdict, circuits)


def _lines(scene: Scene, findings: Mapping[str, Sequence[Finding]], now_ms: int) -> list[Trouble]:
    """Return the circuits that are down or degraded while their office is heard."""
    found = []
    for code, now in scene.sites.items():
        if now.gone or now.standing.state is State.UNKNOWN:
            continue
        for circuit, line in now.lines.items():
            if line.flap.flapping:
                began_ms = line.flap.flapping_ms or 0
                found.append(_flapping(code, (circuit,), line.flap.share(now_ms), began_ms))
            elif line.standing.state is State.DOWN:
                finding = _open(findings.get(code, ()), circuit)
                if finding is None or finding.verdict.cause is Cause.MAINTENANCE:
                    continue
                name = _NAMES.get(finding.verdict.cause, LINK_DOWN)
                key = ("circuit", code, circuit)
                found.append(
                    Trouble(key, name, (code,), finding.began_ms, finding.verdict, (circuit,))
                )
            elif line.standing.state is State.DEGRADED and line.quality.slow is not None:
                if scene.core is not None and scene.core.explains(code, line.standing.since_ms):
                    continue
                case = Case(
                    code,
                    circuit,
                    Nature.DEGRADED,
                    line.standing.since_ms,
                    None,
                    slow=line.quality.slow,
                )
                verdict = diagnose(case)
                full = verdict.cause is Cause.CONGESTION
                found.append(
                    Trouble(
                        ("slow", code, circuit),
                        SATURATED if full else DEGRADED,
                        (code,),
                        line.standing.since_ms,
                        verdict,
                        (circuit,),
                    )
                )
    return found


def _core(scene: Scene) -> Trouble | None:
    """Return the loss of public addresses from most offices, if there is one."""
    core = scene.core
    if core is None or not scene.core_lost:
        return None
    says = f"public addresses lost from {len(core.sites)} offices; first hop and centre answer"
    slow = Slow(says, from_first_hop=False, full=None, core=True)
    case = Case("", "", Nature.DEGRADED, core.began_ms, None, slow=slow)
    key = ("core", str(core.began_ms))
    return Trouble(key, DEGRADED, tuple(sorted(core.sites)), core.began_ms, diagnose(case))


def _services(scene: Scene) -> list[Trouble]:
    """Return the services that fail from offices with a good line, each as one."""
    asking: dict[str, int] = defaultdict(int)
    failing: dict[str, list[SiteNow]] = defaultdict(list)
    core = scene.core
    for code, now in scene.sites.items():
        if now.gone:
            continue
        for service, one in now.services.items():
            asking[service] += 1
            # What fails with the provider's core belongs to it.
            if one.touched and not (core is not None and core.explains(code, one.failing_ms)):
                failing[service].append(now)
    # A name that no resolver tells is no fault of the service's.
    unresolved = {now.site.code for now in failing.get(DNS, ())}
    found = []
    for service, offices in failing.items():
        touched = [
            now
            for now in offices
            if service == DNS
            or now.site.code not in unresolved
            or now.services[service].stage != "resolve"
        ]
        # Two checks in a row, or two offices at once: one failure alone is chance. Two lossy lines
        # fail at once often enough: that proves nothing.
        sure = any(now.services[service].standing.state is State.DOWN for now in touched)
        if not sure and sum(now.services[service].told for now in touched) < 2:
            continue
        sites = tuple(sorted(now.site.code for now in touched))
        began_ms = min(now.services[service].failing_ms for now in touched)
        fault = ServiceFault(service, sites, asking[service], touched[0].services[service].stage)
        case = Case("", "", Nature.SERVICE, began_ms, None, service=fault)
        found.append(Trouble(("service", service), SERVICE_DOWN, sites, began_ms, diagnose(case)))
    return found


def _batteries(scene: Scene) -> list[Trouble]:
    """Return the offices that run on battery while their line still carries."""
    found = []
    for code, now in scene.sites.items():
        if now.battery_ms is None or now.gone:
            continue
        said = Evidence(Source.UPS, now.battery_ms, "the UPS runs on battery")
        verdict = Verdict(
            Cause.POWER, Confidence.FINAL, (said,), "mains lost; the line still carries"
        )
        found.append(Trouble(("battery", code), POWER_LOST, (code,), now.battery_ms, verdict))
    return found


def _clocks(scene: Scene) -> list[Trouble]:
    """Return the offices whose clock is wrong, or was when they were last heard."""
    found = []
    for code, now in scene.sites.items():
        since_ms = now.clock.wrong_ms
        if since_ms is not None:
            said = Evidence(Source.AGENT, since_ms, now.clock.says())
            reason = "its reports are placed at the true time"
            verdict = Verdict(Cause.AGENT, Confidence.FINAL, (said,), reason)
            found.append(Trouble(("clock", code), CLOCK_SKEW, (code,), since_ms, verdict))
    return found
