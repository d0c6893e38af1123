"""The record over HTTP: incidents, outages, announced work, the ledger, and what people say.

GET  /api/v1/incidents?site&status&month&limit   /api/v1/incidents/ID   .../ID/ticket
GET  /api/v1/outages?site&from&to&month&limit
GET  /api/v1/maintenance    /api/v1/ledger
POST /api/v1/said           on the data folder's socket alone
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from alerts.writing import Writer
from collector.announcing import alert_of
from collector.api import BadRequestError, Selection, selection
from collector.judgement.ledger import Entry, Outage, export_json
from collector.judgement.planned import Plan, plans
from collector.judgement.record import Said, read_book
from collector.record_json import in_month, incidents_json, outages_json, plan_json
from collector.said import read_said
from collector.story import story_json
from tabuah.errors import NothingMatchedError, TabuahError, did_you_mean

if TYPE_CHECKING:
    from collector.judgement.tracking import Incident
    from inventory.model import Inventory

_MOST_BODY: Final = 65_536


class Record(Protocol):
    """What `collector.clerk.Clerk` answers and takes; `entries` blocks on the disk."""

    def incidents(self) -> list[Incident]:
        """Return the newest version of every incident, by its begin."""

    def incident(self, incident_id: str) -> Incident | None:
        """Return the newest version of one."""

    def outages(self) -> list[Outage]:
        """Return the newest version of every outage, by its begin."""

    def said(self) -> list[Said]:
        """Return what people said and decided, in order."""

    def entries(self) -> list[Entry]:
        """Return the whole ledger."""

    async def say(self, said: Said) -> None:
        """Enter what a person said or decided."""


def record_routes(
    record: Record,
    inventory: Callable[[], Inventory],
    now_ms: Callable[[], int],
    *,
    writable: bool = False,
) -> list[Route]:
    """Return the routes; `writable` for those who may speak, which is who owns the data folder."""
    pages = _Pages(record, inventory, now_ms)
    routes = [
        Route("/api/v1/incidents", pages.incidents),
        Route("/api/v1/incidents/{id:path}/ticket", pages.ticket),
        Route("/api/v1/incidents/{id:path}", pages.story),
        Route("/api/v1/outages", pages.outages),
        Route("/api/v1/maintenance", pages.maintenance),
        Route("/api/v1/ledger", pages.ledger),
    ]
    if writable:
        routes.append(Route("/api/v1/said", pages.say, methods=["POST"]))
    return routes


class _Pages:
    def __init__(
        self, record: Record, inventory: Callable[[], Inventory], now_ms: Callable[[], int]
    ) -> None:
        self._record = record
        self._inventory = inventory
        self._now_ms = now_ms
        # Reading the whole ledger takes the interpreter from the line.
        self._one_at_a_time = asyncio.Lock()

    async def incidents(self, request: Request) -> Response:
        """Answer with all incidents, or those asked for."""
        found, said = self._record.incidents(), self._record.said()
        asked, want = self._asked(request, ("status",), {site for i in found for site in i.sites})
        return await _json(
            lambda: incidents_json(found, said, asked.get("site"), asked.get("status"), want)
        )

    async def story(self, request: Request) -> Response:
        """Answer with one incident, whole."""
        incident: str = request.path_params["id"]
        async with self._one_at_a_time:
            return await _json(
                lambda: story_json(read_book(self._record.entries()), incident, self._now_ms())
            )

    async def ticket(self, request: Request) -> Response:
        """Answer with the text that opens a ticket."""
        incident_id: str = request.path_params["id"]
        incident = self._record.incident(incident_id)
        if incident is None:
            ids = [one.id for one in self._record.incidents()]
            raise HTTPException(404, f"no incident '{incident_id}'{did_you_mean(incident_id, ids)}")
        inventory = self._inventory()
        write = Writer(inventory).ticket
        text = await asyncio.to_thread(write, alert_of(incident, inventory))
        return PlainTextResponse(text + "\n")

    async def outages(self, request: Request) -> Response:
        """Answer with the newest version of the outages that are asked for."""
        found, said = self._record.outages(), self._record.said()
        asked, want = self._asked(request, (), {one.site for one in found})
        return await _json(lambda: outages_json(found, said, asked.get("site"), want))

    async def maintenance(self, _: Request) -> Response:
        """Answer with the announced work, the inventory's too."""
        now_ms = self._now_ms()
        entered = plans(self._record.said())
        return await _json(lambda: [plan_json(one, now_ms) for one in entered])

    async def ledger(self, _: Request) -> Response:
        """Answer with the chained ledger, one JSON object a line."""
        async with self._one_at_a_time:
            text = await asyncio.to_thread(lambda: export_json(self._record.entries()))
        return Response(text, media_type="application/x-ndjson")

    async def say(self, request: Request) -> Response:
        """Take what a person says; answer with what was written down."""
        octets = await request.body()
        if len(octets) > _MOST_BODY:
            raise HTTPException(413, "too long")
        try:
            body = json.loads(octets)
        except ValueError as error:
            raise BadRequestError(f"this is no JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequestError("this is no JSON object")
        known = [one.id for one in self._record.incidents()]
        known += [one.id for one in self._record.outages()]
        entered: Sequence[Plan] = plans(self._record.said())
        try:
            said = read_said(
                body, self._inventory(), self._now_ms(), known, [one.id for one in entered]
            )
        except NothingMatchedError as error:
            raise HTTPException(404, str(error)) from error
        try:
            await self._record.say(said)
        except TabuahError as error:
            raise HTTPException(503, f"not written down: {error}") from error
        return await _json(lambda: {"act": said.act.value, "about": said.about})

    def _asked(
        self, request: Request, more: Sequence[str], sites: set[str]
    ) -> tuple[Mapping[str, str], Selection]:
        """Return the parameters, and the time that they mean."""
        given = request.query_params.multi_items()
        named = {name: value for name, value in given if name in {"site", "month", *more}}
        want = selection([pair for pair in given if pair[0] not in {"site", "month", *more}])
        inventory = self._inventory()
        site = named.get("site")
        if site is not None and site not in sites:
            try:
                inventory.site(site)
            except NothingMatchedError as error:
                raise HTTPException(404, str(error)) from error
        return named, in_month(want, named.get("month"), inventory.timezone)


async def _json(make: Callable[[], object]) -> Response:
    """Return what `make` gives as JSON; both are made in a worker thread."""

    def dump() -> bytes:
        return json.dumps(make(), ensure_ascii=False, separators=(",", ":")).encode()

    try:
        return Response(await asyncio.to_thread(dump), media_type="application/json")
    except NothingMatchedError as error:
        raise HTTPException(404, str(error)) from error
