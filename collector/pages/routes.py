"""`/sites/CODE` and `/incidents/ID`: requests, and where the facts for their pages come from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from alerts.writing import Writer
from collector.announcing import alert_of
from collector.judgement.record import read_book
from collector.pages.frame import Frame, environment
from collector.pages.incident import incident_page
from collector.pages.office import Past, Range, office_page
from collector.pages.sampling import Sample, Samples
from collector.story import story_json
from collector.stretches import COUNTABLE_CAUSES
from tabuah.errors import NothingMatchedError

if TYPE_CHECKING:
    from collector.record_web import Record
    from collector.rollup import Hour
    from collector.view import Centre

REFRESH_S: Final = 10

Hours = Callable[[str, int, int], list["Hour"]]
"""Of one office: its hours that begin in [from, to); blocks on the disk."""


def page_routes(centre: Centre, record: Record, hours: Hours) -> list[Route]:
    """Return the routes."""
    pages = _Pages(centre, record, hours)
    return [
        Route("/sites/{code}", pages.office),
        Route("/incidents/{id:path}", pages.incident),
    ]


class _Pages:
    def __init__(self, centre: Centre, record: Record, hours: Hours) -> None:
        self._centre, self._record, self._hours = centre, record, hours
        self._templates = environment()
        self._samples = Samples(centre.reports)
        # Reading the past takes the interpreter from the line.
        self._one_at_a_time = asyncio.Lock()

    async def office(self, request: Request) -> Response:
        """Answer with the page of an office."""
        code: str = request.path_params["code"]
        inventory, now_ms = self._centre.inventory, self._centre.now_ms()
        site = inventory.find(code)
        if site is None:
            raise HTTPException(404, f"no office '{code}' in the inventory")
        view = self._centre.view(code)
        incidents, outages = self._record.incidents(), self._record.outages()
        frame = Frame(self._templates, inventory, request.query_params.get("lang"))
        asked = _range(request.query_params.get("range"))

        def made() -> str:
            samples: Sequence[Sample] = ()
            hours: Sequence[Hour] = ()
            if asked is Range.DAY:
                samples = self._samples.last_day(code, site.interval_s, now_ms)
            else:
                hours = self._hours(code, now_ms - asked.ms, now_ms)
            past = Past(asked, samples, hours, incidents, outages)
            page = office_page(site, view, past, inventory, now_ms=now_ms, language=frame.language)
            return frame.fill("office.html", "../", REFRESH_S, page=page, ranges=list(Range))

        async with self._one_at_a_time:
            return HTMLResponse(await asyncio.to_thread(made))

    async def incident(self, request: Request) -> Response:
        """Answer with the page of an incident."""
        id_: str = request.path_params["id"]
        inventory, now_ms = self._centre.inventory, self._centre.now_ms()
        incident = self._record.incident(id_)
        if incident is None:
            raise HTTPException(404, f"no incident '{id_}'")
        frame = Frame(self._templates, inventory, request.query_params.get("lang"))

        def made() -> str:
            writer = Writer(replace(inventory, language=frame.language))
            alert = alert_of(incident, inventory)
            said = writer(alert)
            theirs = incident.cause.value in COUNTABLE_CAUSES
            page = incident_page(
                story_json(read_book(self._record.entries()), id_, now_ms),
                (said.summary, said.description),
                writer.ticket(alert) if theirs else "",
                inventory,
                now_ms=now_ms,
                language=frame.language,
            )
            return frame.fill("incident.html", "../", REFRESH_S, page=page)

        async with self._one_at_a_time:
            try:
                return HTMLResponse(await asyncio.to_thread(made))
            except NothingMatchedError as error:  # it is judged, and not written down yet
                raise HTTPException(404, f"{error}; ask again in a moment") from error


def _range(asked: str | None) -> Range:
    try:
        return Range(asked)
    except ValueError:
        return Range.DAY
