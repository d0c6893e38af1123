"""The third step: what is told as one. Pure.

Offices that fall with a common upstream are one incident already (`collector.judgement`): they
waited for each other there. What is left is a storm: more than a handful of one kind within a
minute have something in common, known or not, and are told of as one; who comes later joins it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from alerts.steps import Decision, Step
from inventory.model import Severity

if TYPE_CHECKING:
    from alerts.incident import Incident

TOGETHER_MS: Final = 60_000
MANY: Final = 10
"""Of one kind, told one by one within `TOGETHER_MS`; what is more is told as one."""
_MANY: Final = "_many"
"""Stands in the id of a case of many where an incident's has a code, which begins otherwise."""
_SEVERITIES: Final = [severity.value for severity in Severity]


@dataclass(slots=True)
class Lately:
    """What was told lately of one kind."""

    alone: deque[int] = field(default_factory=deque)
    """When, ms since 1970 UTC; of those within `TOGETHER_MS`."""
    storm: str | None = None
    """The id under which many are told."""
    joined_ms: int = 0
    """When the last one joined it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Under which id an incident is told."""

    decision: Decision
    id: str


def group(incident: Incident, lately: Lately, now_ms: int) -> Group:
    """Return with which others an incident is told, if with any."""
    if lately.storm is not None and now_ms - lately.joined_ms < TOGETHER_MS:
        reason = f"many {incident.alertname} within a minute are told as one: it joins them"
        return Group(Decision(Step.GROUP, f"told as {lately.storm}", reason), lately.storm)
    recent = sum(now_ms - at_ms < TOGETHER_MS for at_ms in lately.alone)
    if recent >= MANY:
        storm = f"{incident.kind}-{_MANY}-{now_ms}"
        reason = f"more than {MANY} {incident.alertname} within a minute: told as one from here on"
        return Group(Decision(Step.GROUP, f"told as {storm}", reason), storm)
    if incident.upstream is not None:
        reason = f"{len(incident.sites)} offices behind {incident.upstream} are one incident"
    else:
        reason = "it shares no cause with others that is known"
    return Group(Decision(Step.GROUP, "told by itself", reason), incident.id)


def is_many(id_: str) -> bool:
    """Return whether it is the id of a case of many, and of no incident."""
    return id_.split("-")[1:2] == [_MANY]


def note(lately: Lately, found: Group, incident: Incident, now_ms: int) -> None:
    """Note where an incident went."""
    if found.id != incident.id:
        lately.storm, lately.joined_ms = found.id, now_ms
        return
    lately.alone.append(now_ms)
    while lately.alone and now_ms - lately.alone[0] >= TOGETHER_MS:
        lately.alone.popleft()


def together(id_: str, members: Iterable[Incident]) -> Incident:
    """Return many incidents of one kind as one: of those that last, or of all once none does."""
    known = list(members)
    lasting = [one for one in known if one.ended_ms is None]
    told = lasting or known
    return replace(
        told[0],
        id=id_,
        sites=tuple(sorted({site for one in told for site in one.sites})),
        circuits=(),
        cause=_same(known, lambda one: one.cause, "unknown"),
        found=_same(told, lambda one: one.known, "unknown"),
        severity=max((one.severity for one in known), key=_SEVERITIES.index),
        began_ms=min(one.began_ms for one in known),
        ended_ms=None if lasting else max(one.ended_ms or 0 for one in known),
        upstream=None,
        about="",
        pages=any(one.pages for one in known),
    )


def _same(incidents: Iterable[Incident], of: Callable[[Incident], str], otherwise: str) -> str:
    found = {of(one) for one in incidents}
    return found.pop() if len(found) == 1 else otherwise
