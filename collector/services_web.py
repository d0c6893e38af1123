"""What a citizen could use at an office, over HTTP: `/api/v1/sites/CODE/services?from&to`.

`day=2026-11-24` is a day of the organisation's calendar instead; today's without any.

Read from the stored reports of that time, so it is made in a thread, one at a time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector.api import BadRequestError, selection
from collector.formats import local
from collector.live import Received
from collector.service_view import (
    HOUR_MS,
    Hour,
    hold_times,
    readings,
    service_hours,
    without_line,
)
from collector.services import hour_json
from collector.sla_model import Month
from collector.sla_source import SlaSource
from collector.windows import Window
from inventory.model import Inventory
from tabuah.errors import NothingMatchedError

DAY_MS: Final = 24 * HOUR_MS
LONGEST_MS: Final = 31 * DAY_MS
"""At 10 s a month of one office is 268,000 reports: more would keep others waiting for minutes."""

Reports = Callable[[str, int, int], Iterator[Received]]
"""Of one office: its reports with from <= time < to."""


def services_routes(
    source: Callable[[], SlaSource], reports: Reports, now_ms: Callable[[], int]
) -> list[Route]:
    """Return the route; `source` and `reports` are called in a worker thread."""
    one_at_a_time = asyncio.Lock()

    async def api(request: Request) -> Response:
        code: str = request.path_params["code"]
        asked = request.query_params.multi_items()
        async with one_at_a_time:
            try:
                body = await asyncio.to_thread(
                    lambda: _body(source(), reports, code, asked, now_ms())
                )
            except NothingMatchedError as error:
                raise HTTPException(404, str(error)) from error
        return Response(body, media_type="application/json")

    return [Route("/api/v1/sites/{code}/services", api)]


def window_of(parameters: list[tuple[str, str]], inventory: Inventory, now_ms: int) -> Window:
    """Return the time that a query string asks for, from a full hour of the clock on the wall.

    Raises:
        BadRequestError: it cannot be understood, or is longer than 31 days.
    """
    days = [value for name, value in parameters if name == "day"]
    if days:
        if len(parameters) > 1:
            raise BadRequestError("'day' stands alone, without 'from' and 'to'")
        return _day(days[0], inventory, now_ms)
    asked = selection(parameters)
    if asked.limit is not None:
        raise BadRequestError("'limit' has no meaning here; narrow 'from' and 'to'")
    if asked.from_ms is None and asked.to_ms is None:
        return _day(f"{local(now_ms, inventory.timezone):%Y-%m-%d}", inventory, now_ms)
    end = now_ms if asked.to_ms is None else min(now_ms, asked.to_ms)
    begin = end - DAY_MS if asked.from_ms is None else asked.from_ms
    wall = local(begin, inventory.timezone)
    begin -= (wall.minute * 60 + wall.second) * 1000 + wall.microsecond // 1000
    if end - begin > LONGEST_MS:
        raise BadRequestError("'from' and 'to' lie further apart than 31 days; ask in parts")
    return begin, max(begin, end)


def _day(text: str, inventory: Inventory, now_ms: int) -> Window:
    try:
        day = date.fromisoformat(text)
        begin, end = (
            round(datetime.combine(each, time(), inventory.timezone).timestamp() * 1000)
            for each in (day, day + timedelta(days=1))
        )
    except (ValueError, OverflowError):
        raise BadRequestError(f"'day' is '{text}'; write it like 2026-11-24") from None
    return begin, max(begin, min(end, now_ms))


def site_hours(source: SlaSource, reports: Reports, code: str, window: Window) -> list[Hour]:
    """Return each service's hours at an office.

    Raises:
        NothingMatchedError: there is no such office.
    """
    site = source.inventory.site(code)
    wall = local(window[0], source.inventory.timezone)
    month = Month(wall.year, wall.month, source.inventory.timezone)
    accounts = source.accounts(month, [code])
    holds = hold_times(site, source.inventory)
    since_ms = window[0] - max(holds.values(), default=0)
    checks = readings(
        (received.time_ms, received.report)
        for received in _read(reports(code, since_ms, window[1]))
    )
    dead = without_line(account.stretches for account in accounts)
    return service_hours(code, holds, checks, dead, window)


def _read(found: Iterable[Received]) -> Iterator[Received]:
    return (received for received in found if not received.unread)


def _body(
    source: SlaSource,
    reports: Reports,
    code: str,
    parameters: list[tuple[str, str]],
    now_ms: int,
) -> bytes:
    window = window_of(parameters, source.inventory, now_ms)
    hours = site_hours(source, reports, code, window)
    rows = [hour_json(hour, code, source.inventory) for hour in hours]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
