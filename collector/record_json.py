"""Announced work as the JSON of the API and of the commands. Pure."""

from __future__ import annotations

from collector.formats import rfc3339
from collector.judgement.planned import Plan

Json = dict[str, object]


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
