"""An office's services hour by hour, as JSON for tools and as lines for a terminal. Pure.

hours -> the API's rows -> lines
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from collector.service_view import Hour, Use
from inventory.model import Inventory
from tabuah.speech import local, rfc3339

Json = dict[str, object]

MARKS: Final[Mapping[str, str]] = {"up": "+", "down": "x", "unknown": "."}
"""What stands for an hour on a terminal."""


def hour_json(hour: Hour, site: str, inventory: Inventory) -> Json:
    """Return one row of /api/v1/sites/CODE/services."""
    service = inventory.services.get(hour.service)
    took_ms = hour.up_ms + hour.down_ms + hour.unknown_ms
    return {
        "site": site,
        "service": hour.service,
        "name": hour.service if service is None else service.name,
        "owner": "" if service is None else service.owner,
        "begin": rfc3339(hour.begin_ms),
        "end": rfc3339(hour.begin_ms + took_ms),
        "wall_clock": local(hour.begin_ms, inventory.timezone).isoformat(timespec="minutes"),
        "use": hour.use.value,
        "up_seconds": hour.up_ms / 1000,
        "down_seconds": hour.down_ms / 1000,
        "unknown_seconds": hour.unknown_ms / 1000,
        "cause": hour.cause,
    }


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a day's rows (the API's JSON) as a strip of hours for each service, and what failed."""
    if not rows:
        yield "No hour of any service in that time."
        return
    width = max(len(str(row["name"])) for row in rows)
    hours = sorted({_begins(row) for row in rows})
    yield f"{'':{width}}  {' '.join(f'{hour:%H}' for hour in hours)}   usable"
    by_service: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_service[str(row["service"])].append(row)
    for of_service in by_service.values():
        marks = {_begins(row): MARKS[row["use"]] for row in of_service}
        strip = "  ".join(marks.get(hour, " ") for hour in hours)
        yield f"{of_service[0]['name']:{width}}   {strip}   {_share(of_service)}"
    yield ""
    yield f"{MARKS['up']} usable   {MARKS['down']} not usable   {MARKS['unknown']} not known"
    for of_service in by_service.values():
        yield from _downtime(of_service)


def _begins(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["wall_clock"])


def _share(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the share of the known time in which it could be used."""
    up = down = 0.0
    for row in rows:
        up += row["up_seconds"]
        down += row["down_seconds"]
    return f"{100 * up / (up + down):.1f}%" if up + down else "not known"


def _downtime(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["use"] != Use.DOWN.value:
            continue
        minutes = round(row["down_seconds"] / 60)
        yield (
            f"{row['name']}: {_begins(row):%H:%M} not usable for {minutes} min, "
            f"mostly for: {row['cause']}"
        )
