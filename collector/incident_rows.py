"""What was said of incidents and why, as the store keeps it.

All work on a connection that they are given; `collector.logbook` says when.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select

from alerts.incident import Ending, Incident
from alerts.message import Status
from alerts.steps import Decided, Decision, Step
from alerts.telling import Ear, Saying, Stage
from collector.schema import decisions, incidents, told

_T = TypeVar("_T")
_AT_ONCE: Final = 500
"""Ids in one statement."""


@dataclass(frozen=True, slots=True)
class Noted:
    """An incident, or a case that many are told as, and what was said of it."""

    incident: Incident
    """As first fired; once it ended, with its end."""
    fired: bool = False
    """Its beginning was said, or is to be."""
    resolved: bool = False
    """It is over: its end was said or is to be, or nobody was told of it."""
    told_as: str = ""
    """The id of the case; empty = not told, or by an earlier version that did not note it."""
    sayings: tuple[tuple[Ear, Saying], ...] = ()
    """Of a case."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is written at once."""

    entries: Sequence[Noted] = ()
    decided: Sequence[Decided] = ()


def keep(connection: Connection, page: Page) -> None:
    """Write the entries as they are now in place of what was known, and add the decisions."""
    for entries in _chunks(page.entries):
        ids = [entry.incident.id for entry in entries]
        connection.execute(delete(incidents).where(incidents.c.id.in_(ids)))
        connection.execute(delete(told).where(told.c.incident.in_(ids)))
        connection.execute(insert(incidents), [_row(entry) for entry in entries])
        said = [
            {
                "incident": entry.incident.id,
                "channel": channel,
                "status": status.value,
                "stage": saying.stage.value,
                "at_ms": saying.at_ms,
            }
            for entry in entries
            for (channel, status), saying in entry.sayings
        ]
        if said:
            connection.execute(insert(told), said)
    if page.decided:
        connection.execute(
            insert(decisions),
            [
                {
                    "incident": one.incident,
                    "at_ms": one.at_ms,
                    "step": one.decision.step.value,
                    "channel": one.decision.channel,
                    "decided": one.decision.decided,
                    "reason": one.decision.reason,
                }
                for one in page.decided
            ],
        )


def unfinished(connection: Connection) -> list[Noted]:
    """Return the cases of which something is left to be said, the oldest first, and their members.

    A member of a case of many has its own entry, without sayings.
    """
    waiting = select(told.c.incident).where(told.c.stage.in_([Stage.DUE.value, Stage.HANDED.value]))
    cases = select(incidents.c.id).where(
        incidents.c.fired,
        or_(incidents.c.told_as == "", incidents.c.told_as == incidents.c.id),
        or_(~incidents.c.resolved, incidents.c.id.in_(waiting)),
    )
    wanted = select(incidents).where(or_(incidents.c.id.in_(cases), incidents.c.told_as.in_(cases)))
    return _noted(connection, wanted)


def noted(connection: Connection, ids: Iterable[str]) -> list[Noted]:
    """Return what is known of incidents or cases by their ids."""
    return _noted(connection, select(incidents).where(incidents.c.id.in_(list(ids))))


def over(connection: Connection, most: int) -> list[str]:
    """Return the ids of what is over, the newest last."""
    newest = (
        select(incidents.c.id)
        .where(incidents.c.resolved)
        .order_by(func.coalesce(incidents.c.ended_ms, incidents.c.began_ms).desc())
        .limit(most)
    )
    return list(reversed(connection.scalars(newest).all()))


def decided(connection: Connection, ids: Iterable[str]) -> list[Decided]:
    """Return what was decided of incidents or cases, in order."""
    wanted = select(decisions).where(decisions.c.incident.in_(list(ids))).order_by(decisions.c.id)
    return [
        Decided(
            row.incident,
            row.at_ms,
            Decision(Step(row.step), row.decided, row.reason, row.channel),
        )
        for row in connection.execute(wanted)
    ]


def forget(connection: Connection, before_ms: int) -> None:
    """Let go of what was over before a time; what is still to be said stays."""
    ended_ms = func.coalesce(incidents.c.ended_ms, incidents.c.began_ms)
    waiting = select(told.c.incident).where(told.c.stage.in_([Stage.DUE.value, Stage.HANDED.value]))
    past = select(incidents.c.id).where(
        incidents.c.resolved, ended_ms < before_ms, incidents.c.id.not_in(waiting)
    )
    ids = connection.scalars(past.limit(_AT_ONCE)).all()
    for table, column in (
        (decisions, decisions.c.incident),
        (told, told.c.incident),
        (incidents, incidents.c.id),
    ):
        connection.execute(delete(table).where(column.in_(ids)))


def _noted(connection: Connection, wanted: Select[Any]) -> list[Noted]:
    rows = connection.execute(wanted.order_by(incidents.c.began_ms, incidents.c.id)).all()
    sayings: dict[str, list[tuple[Ear, Saying]]] = defaultdict(list)
    for chunk in _chunks(rows):
        said = select(told).where(told.c.incident.in_([row.id for row in chunk]))
        for row in connection.execute(said.order_by(told.c.at_ms)):
            ear = (row.channel, Status(row.status))
            sayings[row.incident].append((ear, Saying(Stage(row.stage), row.at_ms)))
    return [
        Noted(_incident(row), row.fired, row.resolved, row.told_as, tuple(sayings.get(row.id, ())))
        for row in rows
    ]


def _row(entry: Noted) -> dict[str, object]:
    incident = entry.incident
    return {
        "id": incident.id,
        "alertname": incident.alertname,
        "cause": incident.cause,
        "severity": incident.severity,
        "began_ms": incident.began_ms,
        "ended_ms": incident.ended_ms,
        "ending": incident.ending.value,
        "fired": entry.fired,
        "resolved": entry.resolved,
        "sites": json.dumps(incident.sites),
        "circuits": json.dumps(incident.circuits),
        "about": incident.about,
        "found": incident.found,
        "upstream": incident.upstream,
        "told_as": entry.told_as,
    }


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        id=row.id,
        alertname=row.alertname,
        sites=tuple(json.loads(row.sites)),
        circuits=tuple(json.loads(row.circuits)),
        cause=row.cause,
        severity=row.severity,
        began_ms=row.began_ms,
        ended_ms=row.ended_ms,
        ending=Ending(row.ending),
        upstream=row.upstream,
        about=row.about,
        found=row.found,
    )


def _chunks(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for first in range(0, len(things), _AT_ONCE):
        yield things[first : first + _AT_ONCE]
