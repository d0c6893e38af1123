"""Why? Ordered rules; the first that matches gives the cause, the evidence and how sure it is.

The order is that of docs/judgement.md: what would excuse every office is asked before what
excuses one, and what excuses the provider before what blames it. A rule speaks only from what
was seen: None is never read as 'well' or 'ill'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from collector.judgement.case import Case, Gap, Nature
from collector.judgement.evidence import (
    Cause,
    Confidence,
    Evidence,
    Source,
    Verdict,
)
from collector.judgement.faces import Face
from inventory.model import Ups

BATTERY_MS: Final = 3_600_000
"""How long before a silence a UPS's word that it runs on battery still explains it."""
SLACK_MS: Final = 30_000
"""How exactly a boot's moment is known: uptimes are read at a poll, and devices boot in turn."""

Rule = Callable[[Case], Verdict | None]


def diagnose(case: Case) -> Verdict:
    """Return the verdict of the first rule that matches."""
    for rule in RULES:
        verdict = rule(case)
        if verdict is not None:
            return _with_shown(case, verdict)
    return _with_shown(case, _unknown(case))


def _with_shown(case: Case, verdict: Verdict) -> Verdict:
    """Return the verdict with what is shown beside it and decided nothing: anyone can send it."""
    seen = case.centre
    if case.gap is not Gap.OPEN or seen is None:
        return verdict
    if seen.traps:
        verdict = replace(verdict, evidence=(*verdict.evidence, *seen.traps))
    refused = (
        (seen.wrong_digests, "wrong digests"),
        (seen.not_in_window, "outside the time window"),
        (seen.unknown_engine, "for another engine"),
        (seen.unknown_user, "by a key that is not valid"),
    )
    counts = ", ".join(f"{count} {what}" for count, what in refused if count)
    if not counts:
        return verdict
    said = Evidence(
        Source.COLLECTOR,
        seen.at_ms,
        f"datagrams in its name failed authentication: {counts}; a bad key, clock or configuration "
        "looks so, anyone can send them, and they decide nothing",
    )
    return replace(verdict, evidence=(*verdict.evidence, said))


def _verdict(case: Case, cause: Cause, reason: str, *evidence: Evidence) -> Verdict:
    final = case.gap is not Gap.OPEN and not (case.gap is not None and case.pending)
    confidence = Confidence.FINAL if final else Confidence.PROVISIONAL
    return Verdict(cause, confidence, evidence, reason)


def _collector(case: Case) -> Verdict | None:
    if case.isolated is None:
        return None
    said = Evidence(
        Source.COLLECTOR,
        case.isolated.at_ms,
        "none of the collector's own references answered, and no office was heard",
    )
    return _verdict(case, Cause.ISOLATED, "the collector itself was cut off", said)


def _maintenance(case: Case) -> Verdict | None:
    if case.window is None:
        return None
    said = Evidence(
        Source.INVENTORY, case.window.begins_ms, f"announced work: {case.window.why or 'no reason'}"
    )
    return _verdict(case, Cause.MAINTENANCE, "it began inside an announced window", said)


def _centre(case: Case) -> Verdict | None:
    """The line was good all the while; only the centre was not there, or did not answer."""
    if case.face is not Face.GOOD or case.first is None:
        return None
    look = case.first.look(case.circuit)
    if look is not None and look.centre:
        return None
    said = Evidence(
        Source.AGENT,
        case.first.at_ms,
        "the office's probes beyond the line were answered while its reports were not",
    )
    return _verdict(case, Cause.CENTRE, "the line was good; the centre did not answer", said)


def _area(case: Case) -> Verdict | None:
    if case.group is None:
        return None
    group = case.group
    said = Evidence(
        Source.PEERS,
        group.began_ms,
        f"{len(group.sites)} of {group.total} offices behind '{group.upstream}' were lost within "
        f"one interval: {', '.join(group.sites)}",
    )
    return _verdict(case, Cause.AREA, f"offices behind '{group.upstream}' fell together", said)


def _agent(case: Case) -> Verdict | None:
    if case.nature is not Nature.GAP:
        return None
    before, after, seen = case.before, case.after, case.centre
    if case.face is Face.GOOD and case.first is not None:
        said = Evidence(
            Source.AGENT,
            case.first.at_ms,
            "the centre answered the office's probe while its reports were not taken",
        )
        return _verdict(case, Cause.AGENT, "the line was good; its reports were not taken", said)
    if case.gap in {Gap.STOPPED, Gap.RESTARTED, Gap.STOOD_STILL}:
        at_ms = case.began_ms if after is None else after.at_ms
        said = Evidence(Source.AGENT, at_ms, f"{case.gap.value}")
        return _verdict(case, Cause.AGENT, "the agent was not running; the line is unknown", said)
    if case.gap is Gap.REBOOTED and before is not None and after is not None:
        booted = after.gateway_booted_ms
        if booted is not None and booted < before.at_ms - SLACK_MS and not before.on_battery:
            said = Evidence(
                Source.GATEWAY,
                booted,
                "the gateway ran on while the agent's host rebooted",
            )
            return _verdict(case, Cause.AGENT, "only the agent's host restarted", said)
    if case.gap is Gap.OPEN and seen is not None and seen.address:
        said = Evidence(Source.COLLECTOR, seen.at_ms, "the office's address answers")
        return _verdict(case, Cause.AGENT, "the line answers, the agent does not", said)
    return None


def _power(case: Case) -> Verdict | None:
    first, before, after = case.first, case.before, case.after
    if case.face is Face.NO_POWER and first is not None:
        said = Evidence(
            Source.UPS, first.at_ms, "the UPS ran on battery, and the port or gateway was dead"
        )
        return _verdict(case, Cause.POWER, "mains lost: on battery with the line's end dead", said)
    if case.gap is Gap.OPEN and (told := _told_of_battery(case)) is not None:
        return _verdict(case, Cause.POWER, "on battery, then silence: it has run out", told)
    if before is None or case.gap not in {Gap.OPEN, Gap.REBOOTED}:
        return None
    battery = Evidence(Source.UPS, before.at_ms, "the last report before said: on battery")
    if case.gap is Gap.OPEN:
        if not before.on_battery:
            return None
        return _verdict(case, Cause.POWER, "on battery, then silence: it has run out", battery)
    if after is None:
        return None
    evidence = [
        Evidence(
            Source.AGENT,
            after.booted_ms,
            f"the host booted within the gap ({after.uptime_ms // 1000} s before its first "
            "report), without a mark of a clean shutdown",
        )
    ]
    if before.on_battery:
        evidence.append(battery)
    booted = after.gateway_booted_ms
    if booted is not None and booted >= before.at_ms - SLACK_MS:
        evidence.append(Evidence(Source.GATEWAY, booted, "the gateway booted within the gap too"))
    reason = (
        "host and gateway lost power"
        if len(evidence) > 1
        else "the host lost power; no other device of the office tells of it"
    )
    return _verdict(case, Cause.POWER, reason, *evidence)


def _told_of_battery(case: Case) -> Evidence | None:
    """Return the UPS's own signed word that it runs on battery, from shortly before or since."""
    told_ms = None if case.centre is None else case.centre.battery_ms
    if told_ms is None or told_ms < case.began_ms - BATTERY_MS:
        return None
    before = case.before
    if before is not None and before.on_battery is False and before.at_ms > told_ms:
        return None
    return Evidence(Source.UPS, told_ms, "the UPS told by a signed trap that it runs on battery")


def _gateway(case: Case) -> Verdict | None:
    if case.face is not Face.NO_GATEWAY or case.first is None:
        return None
    evidence = [Evidence(Source.AGENT, case.first.at_ms, "the gateway stopped answering the agent")]
    booted = None if case.after is None else case.after.gateway_booted_ms
    if booted is not None and booted >= case.began_ms - SLACK_MS:
        evidence.append(Evidence(Source.GATEWAY, booted, "the gateway rebooted, the agent did not"))
    return _verdict(case, Cause.GATEWAY, "the office's own gateway or LAN", *evidence)


def _last_mile(case: Case) -> Verdict | None:
    first = case.first
    if case.nature is Nature.DEGRADED and case.slow is not None:
        slow = case.slow
        # A busy line's own queue lies before the first hop too: only an idle one accuses.
        if slow.from_first_hop is True and slow.full is False:
            said = Evidence(Source.AGENT, case.began_ms, slow.says)
            return _verdict(case, Cause.LAST_MILE, "worse from the first hop on, line idle", said)
        return None
    if case.face is not Face.NO_HOP or first is None:
        return None
    look = first.look(case.circuit)
    port = None if look is None else look.port
    if first.gateway is None and port is None:
        return None
    evidence = [
        Evidence(Source.AGENT, first.at_ms, "agent and gateway ran; the first hop was lost")
    ]
    if look is not None and look.no_light:
        evidence.append(Evidence(Source.GATEWAY, first.at_ms, "the fibre module gets no light"))
    if port is True:
        evidence.append(
            Evidence(Source.GATEWAY, first.at_ms, "the port to the provider's terminal was up")
        )
    elif case.ups is Ups.AGENT:
        # The terminal is not on the UPS: a power cut would look just so.
        return None
    return _verdict(case, Cause.LAST_MILE, "lost between the office and the first hop", *evidence)


def _session(case: Case) -> Verdict | None:
    if case.face is not Face.NO_SESSION or case.first is None:
        return None
    said = Evidence(
        Source.GATEWAY, case.first.at_ms, "the port is up, the session was made and lost again"
    )
    return _verdict(case, Cause.SESSION, "the provider answers the dialling and refuses", said)


def _provider_core(case: Case) -> Verdict | None:
    if case.face is Face.NO_CORE and case.first is not None:
        said = Evidence(
            Source.AGENT,
            case.first.at_ms,
            "the first hop answered; neither the centre nor any public address did",
        )
        return _verdict(case, Cause.PROVIDER_CORE, "lost beyond the provider's first hop", said)
    if case.slow is not None and case.slow.core:
        said = Evidence(Source.PEERS, case.began_ms, case.slow.says)
        return _verdict(case, Cause.PROVIDER_CORE, "public addresses lost from most offices", said)
    if case.service is not None and case.service.core:
        said = Evidence(Source.PEERS, case.began_ms, "public addresses are lost from most offices")
        return _verdict(case, Cause.PROVIDER_CORE, "it fails with the provider's core", said)
    if case.slow is not None and case.slow.from_first_hop is False and not case.slow.full:
        said = Evidence(Source.AGENT, case.began_ms, case.slow.says)
        return _verdict(case, Cause.PROVIDER_CORE, "worse only beyond the first hop", said)
    return None


def _congestion(case: Case) -> Verdict | None:
    if case.slow is None or not case.slow.full:
        return None
    said = Evidence(Source.GATEWAY, case.began_ms, case.slow.says)
    return _verdict(case, Cause.CONGESTION, "the line is full", said)


def _service(case: Case) -> Verdict | None:
    fault = case.service
    if fault is None:
        return None
    said = Evidence(
        Source.AGENT,
        case.began_ms,
        f"'{fault.service}' fails at {fault.stage} from {len(fault.failing)} of {fault.asking} "
        "offices whose line is good",
    )
    if fault.service == "dns":
        reason = "no resolver answers while addresses do"
    elif len(fault.failing) == 1 and fault.asking > 1:
        reason = f"closed to this office alone: {fault.failing[0]}"
    else:
        reason = "the service itself: its owner, not the line"
    return _verdict(case, Cause.SERVICE, reason, said)


def _unknown(case: Case) -> Verdict:
    if case.face is Face.NO_PORT:
        reason = "ONT without power or WAN cable out"
        source, at_ms = Source.GATEWAY, case.began_ms
        says = "the gateway's port to the provider's terminal was down; agent and gateway ran"
    elif case.face is Face.DARK:
        reason = "no probe divides the way: neither first hop nor port is watched"
        source, at_ms, says = Source.AGENT, case.began_ms, "everything beyond the office was lost"
    elif case.face is Face.NO_HOP:
        reason = "power of the provider's terminal cannot be told from the line"
        source, at_ms, says = Source.AGENT, case.began_ms, "the first hop was lost"
    elif case.gap is not None:
        reason = "nothing is known of this time yet" if case.gap is Gap.OPEN else case.gap.value
        source, at_ms, says = Source.COLLECTOR, case.began_ms, "no report"
    else:
        reason = "nothing tells the cause"
        source, at_ms = Source.AGENT, case.began_ms
        says = case.slow.says if case.slow is not None else "it fails"
    return _verdict(case, Cause.UNKNOWN, reason, Evidence(source, at_ms, says))


RULES: Final[tuple[Rule, ...]] = (
    _collector,
    _maintenance,
    _centre,
    _area,
    _agent,
    _power,
    _gateway,
    _last_mile,
    _session,
    _provider_core,
    _congestion,
    _service,
)
"""In order; what none of them knows is `unknown`."""
