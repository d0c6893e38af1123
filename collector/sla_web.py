"""The SLA report over HTTP: `/sla` for people, `/api/v1/sla` for tools.

A report of hundreds of circuits takes seconds of CPU: it is made in a thread, one at a time, and
never in the loop that answers the offices.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from collector.api import BadRequestError
from collector.formats import local
from collector.sla_json import sheet_json
from collector.sla_model import Month
from collector.sla_report import sla_page
from collector.sla_source import SlaSource, report_month
from inventory.model import Inventory, Language
from tabuah.errors import NothingMatchedError, did_you_mean

_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_PARAMETERS: Final = ("month", "site", "lang", "standalone")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is for."""

    month: Month
    site: str | None
    language: Language
    standalone: bool
    """With its style inside, for a file that is kept or mailed."""


def sla_routes(source: Callable[[], SlaSource], now_ms: Callable[[], int]) -> list[Route]:
    """Return the routes; `source` is called in a worker thread, once for each report."""
    one_at_a_time = asyncio.Lock()

    async def page(request: Request) -> Response:
        return await answer(request, _page)

    async def api(request: Request) -> Response:
        return await answer(request, _json)

    async def answer(
        request: Request, make: Callable[[SlaSource, list[tuple[str, str]], int], Response]
    ) -> Response:
        async with one_at_a_time:
            try:
                return await asyncio.to_thread(
                    lambda: make(source(), request.query_params.multi_items(), now_ms())
                )
            except NothingMatchedError as error:
                raise HTTPException(404, str(error)) from error

    return [Route("/sla", page), Route("/api/v1/sla", api)]


def parse_month(text: str, zone: ZoneInfo) -> Month:
    """Return the month that `text` (2026-11) names in a zone.

    Raises:
        ValueError: with words that say how a month is written.
    """
    match = _MONTH.fullmatch(text)
    if match is None or not 1971 <= int(match[1]) <= 9998:
        raise ValueError(f"'{text}' is no month; write it like 2026-11")
    return Month(int(match[1]), int(match[2]), zone)


def asked(parameters: list[tuple[str, str]], inventory: Inventory, now_ms: int) -> Asked:
    """Return what a query string asks for; without a month, the one that goes on.

    Raises:
        BadRequestError: an unknown or unreadable parameter.
    """
    given = dict(parameters)
    for name in given:
        if name not in _PARAMETERS:
            known = ", ".join(_PARAMETERS)
            hint = did_you_mean(name, _PARAMETERS)
            raise BadRequestError(f"unknown parameter '{name}' (known: {known}){hint}")
    today = local(now_ms, inventory.timezone)
    try:
        month = parse_month(given.get("month", f"{today:%Y-%m}"), inventory.timezone)
    except ValueError as error:
        raise BadRequestError(f"'month': {error}") from error
    language = given.get("lang", inventory.language.value)
    if language not in {known.value for known in Language}:
        raise BadRequestError(f"'lang' is '{language}'; write id or en")
    return Asked(
        month, given.get("site"), Language(language), given.get("standalone", "") in {"1", "true"}
    )


def _page(source: SlaSource, parameters: list[tuple[str, str]], now_ms: int) -> Response:
    want = asked(parameters, source.inventory, now_ms)
    sheets = report_month(source, want.month, want.site, now_ms)
    other = Language.ENGLISH if want.language is Language.INDONESIAN else Language.INDONESIAN
    query = {"month": str(want.month), "lang": other.value}
    if want.site is not None:
        query["site"] = want.site
    return HTMLResponse(
        sla_page(
            source.inventory,
            sheets,
            want.month,
            want.language,
            now_ms,
            other_href=None if want.standalone else f"?{urlencode(query)}",
        )
    )


def _json(source: SlaSource, parameters: list[tuple[str, str]], now_ms: int) -> Response:
    want = asked(parameters, source.inventory, now_ms)
    sheets = report_month(source, want.month, want.site, now_ms)
    body = [sheet_json(sheet) for sheet in sheets]
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False),
        media_type="application/json",
    )
