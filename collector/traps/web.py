"""GET /api/v1/traps?site&from&to&limit: what foreign devices said by themselves, oldest first."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector.api import Json, selection
from collector.formats import rfc3339
from collector.traps import words
from tabuah.errors import NothingMatchedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.traps.book import Entry, TrapStore
    from inventory.model import Inventory


def trap_routes(store: TrapStore, inventory: Callable[[], Inventory]) -> list[Route]:
    """Return the route that lists traps."""

    async def traps(request: Request) -> Response:
        given = request.query_params.multi_items()
        want = selection([pair for pair in given if pair[0] != "site"])
        site = request.query_params.get("site")
        if site is not None:
            try:
                inventory().site(site)
            except NothingMatchedError as error:
                raise HTTPException(404, str(error)) from error

        def read() -> bytes:
            from_ms = 0 if want.from_ms is None else want.from_ms
            to_ms = 2**62 if want.to_ms is None else want.to_ms
            found = store.between(site, from_ms, to_ms, want.limit)
            return json.dumps([entry_json(one) for one in found], ensure_ascii=False).encode()

        return Response(await asyncio.to_thread(read), media_type="application/json")

    return [Route("/api/v1/traps", traps)]


def entry_json(entry: Entry) -> Json:
    """Return one entry of the list; `certain` false means that anyone may have sent it."""
    trap = entry.trap
    return {
        "time": rfc3339(trap.at_ms),
        "site": entry.site or None,
        "device": entry.device or None,
        "source": trap.source,
        "agent": trap.agent or None,
        "version": trap.version,
        "user": trap.user or None,
        "certain": entry.certain,
        "trap": trap.oid,
        "name": words.name(trap.oid),
        "says": words.says(trap),
        "uptime_ms": None if trap.uptime_ticks is None else trap.uptime_ticks * 10,
        "variables": [
            {"oid": oid, "name": name, "value": value}
            for (oid, _), (name, value) in (
                (pair, words.variable(*pair)) for pair in trap.variables
            )
        ],
    }
