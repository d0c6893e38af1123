"""What was said before a start, as the alert path goes on with it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from alerts.case import Case
from alerts.grouping import is_many
from alerts.incident import Ending
from alerts.message import Status
from alerts.telling import Ear, Saying, Stage

if TYPE_CHECKING:
    from alerts.incident import Incident
    from collector.incident_rows import Noted


def cases_of(
    noted: Iterable[Noted], newest: Callable[[str], Incident | None], channels: Collection[str]
) -> list[Case]:
    """Return the cases that go on, or whose end some channel has yet to take.

    Args:
        noted: as `collector.incident_rows.unfinished` gave it.
        newest: how an incident is now by the ledger; None if it does not know it.
        channels: all that are open, by name.
    """
    members: dict[str, list[Noted]] = defaultdict(list)
    heads = []
    for entry in noted:
        if entry.told_as in {"", entry.incident.id}:
            heads.append(entry)
        if not is_many(entry.incident.id):
            members[entry.told_as or entry.incident.id].append(entry)
    cases = []
    for head in heads:
        case = Case(
            head.incident.id,
            replace(head.incident, ended_ms=None, ending=Ending.BACK, found=""),
            sayings=_sayings(head, channels),
        )
        for entry in members[case.id]:
            case.take(_as_noted(entry, newest(entry.incident.id) or entry.incident))
        if case.members:
            cases.append(case)
    return cases


def _as_noted(entry: Noted, newest: Incident) -> Incident:
    """Return an incident as it is known now, ended if that was noted: the rest is decided anew."""
    if not entry.resolved:
        return replace(newest, ended_ms=None, ending=Ending.BACK)
    noted = entry.incident
    return replace(newest, ended_ms=noted.ended_ms, ending=noted.ending, found=noted.known)


def _sayings(head: Noted, channels: Collection[str]) -> dict[Ear, Saying]:
    """Return what was said; an earlier version noted only who had not taken it."""
    sayings = dict(head.sayings)
    if head.told_as:
        return sayings
    for channel in channels:
        if (channel, Status.FIRING) not in sayings and not (
            head.resolved and (channel, Status.RESOLVED) not in sayings
        ):
            sayings[channel, Status.FIRING] = Saying(Stage.TAKEN, head.incident.began_ms)
    return sayings
