"""What each step decided of an incident, as it was written down when it did. Pure.

the record -> JSON for the API, lines for a terminal
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from alerts.steps import Step
from collector.formats import rfc3339
from collector.judgement.evidence import Cause
from tabuah.errors import NothingMatchedError, did_you_mean

if TYPE_CHECKING:
    from alerts.steps import Decided
    from collector.incident_rows import Noted
    from collector.judgement.ledger import Outage

Json = dict[str, object]

_ORDER: Final = {step: place for place, step in enumerate(Step)}


def explain_json(
    incident: str,
    noted: Sequence[Noted],
    decided: Iterable[Decided],
    outages: Iterable[Outage],
    ids: Collection[str],
) -> Json:
    """Return what was decided of an incident and why.

    Args:
        incident: its id; an outage's will do where work was announced: that is no incident.
        noted: what the store noted of it, and of the case that it is told as.
        decided: the decisions on both, in order.
        outages: of the ledger.
        ids: of all incidents that are known.

    Raises:
        NothingMatchedError: nobody knows it.
    """
    own = next((one for one in noted if one.incident.id == incident), None)
    if own is None:
        return _unnoted(incident, outages, ids)
    case = next((one for one in noted if one.incident.id == own.told_as), own)
    known = own.incident
    return {
        "incident": incident,
        "told_as": own.told_as or None,
        "alertname": known.alertname,
        "cause": known.cause,
        "severity": known.severity,
        "sites": list(known.sites),
        "began": rfc3339(known.began_ms),
        "ended": None if known.ended_ms is None else rfc3339(known.ended_ms),
        "channels": [
            {
                "channel": channel,
                "status": status.value,
                "stage": saying.stage.value,
                "at": rfc3339(saying.at_ms),
            }
            for (channel, status), saying in case.sayings
        ],
        "steps": [
            {
                "at": rfc3339(one.at_ms),
                "step": one.decision.step.value,
                "channel": one.decision.channel or None,
                "decided": one.decision.decided,
                "reason": one.decision.reason,
            }
            for one in sorted(decided, key=lambda d: (d.at_ms, _ORDER[d.decision.step]))
        ],
    }


def explain_lines(told: dict[str, Any]) -> list[str]:
    """Return an explanation, as `explain_json` gave it, as lines for a terminal."""
    about = (told[name] for name in ("alertname", "severity", "cause") if told[name])
    lines = [f"{told['incident']}: {', '.join(about)}"]
    if told["told_as"] not in {None, told["incident"]}:
        lines.append(f"  told as {told['told_as']}")
    for step in told["steps"]:
        whom = f" {step['channel']}:" if step["channel"] else ""
        lines.append(f"  {step['at']}  {step['step']:<11}{whom} {step['decided']}")
        lines.append(f"  {'':24}  {'':11} {step['reason']}")
    if not told["steps"]:
        lines.append("  nothing was written down of it")
    if told["channels"]:
        lines.append("channels:")
    lines += [
        f"  {one['channel']}: {one['status']} {one['stage']} {one['at']}"
        for one in told["channels"]
    ]
    return lines


def _unnoted(incident: str, outages: Iterable[Outage], ids: Collection[str]) -> Json:
    """Return what the ledger says of what the alert path never heard of."""
    outage = next((one for one in outages if one.id == incident), None)
    if outage is None and incident not in ids:
        raise NothingMatchedError(f"no incident '{incident}'{did_you_mean(incident, ids)}")
    steps: list[Json] = []
    if outage is not None:
        planned = outage.cause is Cause.MAINTENANCE
        steps.append(
            {
                "at": rfc3339(outage.began_ms),
                "step": Step.MAINTENANCE.value,
                "channel": None,
                "decided": "not sent" if planned else "an outage, not an incident",
                "reason": outage.reason,
            }
        )
    return {
        "incident": incident,
        "told_as": None,
        "alertname": None,
        "cause": None if outage is None else outage.cause.value,
        "severity": None,
        "sites": [] if outage is None else [outage.site],
        "began": None if outage is None else rfc3339(outage.began_ms),
        "ended": None if outage is None or outage.ended_ms is None else rfc3339(outage.ended_ms),
        "channels": [],
        "steps": steps,
    }
