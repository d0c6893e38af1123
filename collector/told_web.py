"""What was said and why, over HTTP.

GET /api/v1/incidents/ID/explain
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from collector.explaining import explain_json
from tabuah.errors import NothingMatchedError

if TYPE_CHECKING:
    from starlette.requests import Request

    from collector.clerk import Clerk
    from collector.store import Store


def told_routes(store: Store, clerk: Clerk) -> list[Route]:
    """Return the route; before that of the incident itself, whose ids may hold a slash."""

    async def explain(request: Request) -> Response:
        incident: str = request.path_params["id"]
        outages = clerk.outages()
        ids = {one.id for one in clerk.incidents()}

        def dump() -> bytes:
            noted, decided = store.what_was_said(incident)
            told = explain_json(incident, noted, decided, outages, ids)
            return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()

        try:
            return Response(await asyncio.to_thread(dump), media_type="application/json")
        except NothingMatchedError as error:
            raise HTTPException(404, str(error)) from error

    return [Route("/api/v1/incidents/{id:path}/explain", explain)]
