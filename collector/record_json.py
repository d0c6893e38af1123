"""Choosing among the record, and its JSON, as the API and the commands give it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from collector.api import BadRequestError, Selection
from collector.formats import rfc3339
from collector.judgement.ledger import Outage
from collector.judgement.planned import Plan
from collector.judgement.record import Said
from collector.judgement_json import incident_json, outage_json, overlapping
from collector.sla_web import parse_month
from collector.story import people_json

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from collector.judgement.tracking import Incident

Json = dict[str, object]

STATUSES = ("open", "closed")


def incidents_json(
    incidents: Iterable[Incident],
    said: Sequence[Said],
    site: str | None,
    status: str | None,
    want: Selection,
) -> list[Json]:
    """Return the incidents of an office that share time with a selection; None = all.

    Raises:
        BadRequestError: the status is neither open nor closed.
    """
    if status is not None and status not in STATUSES:
        raise BadRequestError(f"'status' is '{status}'; write open or closed")
    chosen = [
        one
        for one in incidents
        if (site is None or site in one.sites)
        and (status is None or one.open is (status == "open"))
        and (want.to_ms is None or one.began_ms < want.to_ms)
        and (want.from_ms is None or one.ended_ms is None or one.ended_ms > want.from_ms)
    ]
    return [{**incident_json(one), **people_json(said, one.id)} for one in chosen[: want.limit]]


def outages_json(
    outages: Iterable[Outage], said: Sequence[Said], site: str | None, want: Selection
) -> list[Json]:
    """Return the outages of an office that share time with a selection; None = all."""
    chosen = overlapping(outages, site, want.from_ms, want.to_ms)
    return [{**outage_json(one), **people_json(said, one.id)} for one in chosen[: want.limit]]


def plan_json(plan: Plan, now_ms: int) -> Json:
    """Return one entry of /api/v1/maintenance; `begins` and `ends` are those of its next time."""
    window = plan.window
    for one in plan.windows(now_ms + (plan.every_ms or 0) + 1):
        window = one
        if one.ends_ms > now_ms:
            break
    return {
        "id": plan.id,
        "sites": sorted(window.sites),
        "circuits": sorted(window.circuits),
        "begins": rfc3339(window.begins_ms),
        "ends": rfc3339(window.ends_ms),
        "every_days": None if plan.every_ms is None else plan.every_ms // 86_400_000,
        "over": plan.over(now_ms),
        "why": window.why,
        "by": plan.by,
    }


def in_month(want: Selection, month: str | None, zone: ZoneInfo) -> Selection:
    """Return the selection, or that of a calendar month like 2026-11.

    Raises:
        BadRequestError: it is no month, or stands beside other bounds.
    """
    if month is None:
        return want
    if want.from_ms is not None or want.to_ms is not None:
        raise BadRequestError("'month' stands without 'from' and 'to'")
    try:
        begin_ms, end_ms = parse_month(month, zone).window
    except ValueError as error:
        raise BadRequestError(f"'month': {error}") from error
    return Selection(begin_ms, end_ms, want.limit)
