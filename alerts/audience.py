"""The second step: who wants to hear of an incident, and whether now. Pure.

What is held back in quiet hours and lasts is told when they end; what ended before is never told.
That something ended is told at any hour to those who heard that it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from alerts.steps import Decision, Step
from inventory.model import Escalation, Severity

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from alerts.incident import Incident
    from inventory.model import Alerts, Channel, QuietHours

_RANKS: Final = {severity.value: rank for rank, severity in enumerate(Severity)}
_MINUTE_MS: Final = 60_000
_LONGEST_MINUTES: Final = 8 * 24 * 60


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told of an incident."""

    decisions: tuple[Decision, ...]
    channels: tuple[str, ...] = ()
    until_ms: int | None = None
    """Until when nobody is; None = they are told now."""


def audience(incident: Incident, alerts: Alerts, quiet_until_ms: int | None) -> Audience:
    """Return who is told that an incident began.

    Args:
        incident: of what.
        alerts: the channels, and when it is quiet.
        quiet_until_ms: when the quiet hours end; None = it is not quiet.
    """
    kept = kept_quiet(incident, alerts.quiet_hours, quiet_until_ms)
    if kept is not None:
        return Audience((kept,), until_ms=quiet_until_ms)
    decisions, channels = [], []
    for channel in alerts.channels:
        why_not = _unwanted(incident, channel)
        if not why_not and channel.escalate is Escalation.ONLY:
            why_not = "it hears what nobody acknowledged, and nothing before"
        if why_not:
            decisions.append(Decision(Step.AUDIENCE, "not told", why_not, channel.name))
        else:
            channels.append(channel.name)
    told = "told" if channels else "nobody told"
    reason = f"{incident.severity} {incident.alertname}: " + (
        f"for {', '.join(channels)}" if channels else "no channel wants it"
    )
    return Audience((Decision(Step.AUDIENCE, told, reason), *decisions), tuple(channels))


def kept_quiet(
    incident: Incident, quiet: QuietHours | None, quiet_until_ms: int | None
) -> Decision | None:
    """Return the decision to wait for the end of the quiet hours, or None."""
    if quiet is None or quiet_until_ms is None or incident.pages:
        return None
    if _RANKS[incident.severity] >= _RANKS[quiet.unless.value]:
        return None
    reason = f"{incident.severity} in quiet hours ({quiet.hours.text}): told when they end"
    return Decision(Step.AUDIENCE, "waits", reason)


def escalated_to(incident: Incident, alerts: Alerts) -> tuple[str, ...]:
    """Return who is told that nobody acknowledged an incident: who asks for it, or all people."""
    asked = [one for one in alerts.channels if one.escalate in {Escalation.YES, Escalation.ONLY}]
    chosen = asked or [one for one in alerts.channels if one.people and one.escalate is None]
    return tuple(one.name for one in chosen if not _unwanted(incident, one))


def quiet_until(quiet: QuietHours | None, zone: ZoneInfo, now_ms: int) -> int | None:
    """Return when the quiet hours end that last now; None if it is not quiet."""
    if quiet is None:
        return None
    minute = now_ms // _MINUTE_MS
    for ahead in range(_LONGEST_MINUTES):
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute + ahead)
        if not quiet.hours.covers(utc.astimezone(zone)):
            return (minute + ahead) * _MINUTE_MS if ahead else None
    return (minute + _LONGEST_MINUTES) * _MINUTE_MS


def _unwanted(incident: Incident, channel: Channel) -> str:
    wanted = [severity.value for severity in channel.severities]
    if wanted and incident.severity not in wanted:
        return f"it wants {', '.join(wanted)}; this is {incident.severity}"
    if channel.only and incident.alertname not in channel.only:
        return f"it wants only {', '.join(channel.only)}"
    return ""
