"""GET /api/v1/traps?site&from&to&limit: what foreign devices said by themselves, oldest first."""

from __future__ import annotations

import asyncio
import json
from itertools import islice
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from collector.api import Json, selection
from collector.formats import rfc3339
from collector.traps import words
from collector.traps.book import PAGE
from tabuah.errors import NothingMatchedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

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

        from_ms = 0 if want.from_ms is None else want.from_ms
        to_ms = 2**62 if want.to_ms is None else want.to_ms
        found = store.between(site, from_ms, to_ms, want.limit)
        # What cannot be read at all is an error, and not half a list.
        first = await asyncio.to_thread(_some_json, found)
        return StreamingResponse(_list_json(first, found), media_type="application/json")

    return [Route("/api/v1/traps", traps)]


async def _list_json(first: bytes, found: Iterator[Entry]) -> AsyncIterator[bytes]:
    """Yield a JSON array, a page at a time."""
    yield b"["
    part = first
    while part:
        yield part
        part = await asyncio.to_thread(_some_json, found)
        if part:
            yield b","
    yield b"]"


def _some_json(found: Iterator[Entry]) -> bytes:
    """Return the next traps, joined by commas; nothing when there are no more."""
    return b",".join(
        json.dumps(entry_json(one), ensure_ascii=False).encode() for one in islice(found, PAGE)
    )


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
