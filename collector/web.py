"""The collector over HTTP: the status page, the metrics, the API and the health checks.

Runs in the event loop that also answers the offices, so whatever takes long (rendering the
metrics, reading the store) is done in a worker thread.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from collector.api import BadRequestError, Json, report_json, selection, site_json
from collector.guard import SECURITY_HEADERS, Names, SecurityHeaders, Token
from collector.gzip_parts import LEVEL, accepts_gzip
from collector.incident_metrics import active, worst_of
from collector.metrics import CONTENT_TYPE, SitesPage
from collector.overview import overview
from collector.pages.frame import Frame, environment
from collector.pages.outlines import Outlines, read_outlines
from collector.scribe import Scribe
from collector.view import Centre
from inventory.model import Inventory

_HERE: Final = Path(__file__).parent
_REFRESH_S: Final = 5
_AT_ONCE: Final = 200
"""Reports or offices that are read and sent at once."""
_FEW: Final = 300
"""Offices whose metrics are rendered in a thread: in a tenth of a second."""
_INFLATED_AT_ONCE: Final = 1 << 18
_READERS: Final = 2
"""Requests for long lists that are read for at the same time; the others take turns."""


def make_app(
    centre: Centre,
    token: str | None = None,
    names: Collection[str] | None = None,
    more: Sequence[Route] = (),
    everybody: Collection[str] = (),
) -> Starlette:
    """Return the ASGI application that shows `centre`.

    With a token every page but /healthz and /readyz asks for it. Without one, serve it on
    loopback or on a socket of mode 0600 only, and on loopback give the names, which may be none,
    by which it may be asked for beside those of loopback. `more` are the routes of other modules;
    `everybody` may ask for those paths, without a token and by any name.

    Raises:
        ValueError: the token is empty, and would let everyone in.
    """
    if token is not None and not token.strip():
        raise ValueError("the token of the pages is empty; give one, or serve them on loopback")
    pages = _Pages(centre)
    middleware = [Middleware(SecurityHeaders)]
    if token is not None:
        middleware.append(Middleware(Token, token=token, everybody=everybody))
    elif names is not None:
        middleware.append(Middleware(Names, allowed=names, everybody=everybody))
    return Starlette(
        routes=[
            Route("/", pages.index),
            Route("/metrics", pages.metrics),
            Route("/healthz", pages.healthz),
            Route("/readyz", pages.readyz),
            Route("/api/v1/sites", pages.sites),
            Route("/api/v1/sites/{code}/reports", pages.reports),
            *more,
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _refusal, BadRequestError: _bad, Exception: _broken},
    )


class _Pages:
    """The routes, and what they keep between requests: templates and cached label texts."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._sites = SitesPage()
        self._scribe: Scribe | None = None
        # Two scrapes at once would take twice the CPU from the offices, and share one cache.
        self._one_scrape = asyncio.Lock()
        # Reading reports and writing JSON takes the interpreter from the line.
        self._few_readers = asyncio.Semaphore(_READERS)
        self._templates = environment()
        self._outlines: tuple[Path | None, Outlines] | None = None

    async def index(self, request: Request) -> Response:
        """Answer with the status page."""
        inventory = self._centre.inventory
        frame = Frame(self._templates, inventory, request.query_params.get("lang"))
        # What is live is read here, in the loop; a page of thousands of rows is made in a thread.
        build = partial(
            overview,
            inventory,
            {view.code: view for view in self._centre.views()},
            self._centre.rates,
            self._centre.readiness(),
            now_ms=self._centre.now_ms(),
            language=frame.language,
            incidents=self._centre.open_incidents(),
        )

        def made() -> str:
            return frame.fill(
                "index.html", "", _REFRESH_S, page=build(outlines=self._outlines_of(inventory))
            )

        return HTMLResponse(await asyncio.to_thread(made))

    def _outlines_of(self, inventory: Inventory) -> Outlines:
        """Return the boundaries of the inventory's map, read once."""
        if self._outlines is None or self._outlines[0] != inventory.boundaries:
            path = inventory.boundaries
            self._outlines = path, {} if path is None else read_outlines(path)
        return self._outlines[1]

    async def metrics(self, request: Request) -> Response:
        """Answer a scrape."""
        pack = accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {"content-type": CONTENT_TYPE, "vary": "accept-encoding"}
        if pack:
            headers["content-encoding"] = "gzip"
        async with self._one_scrape:
            with self._centre.own.render_seconds.time():
                inventory = self._centre.inventory
                if len(inventory.sites) > _FEW:
                    scribe = self._scribe_of(inventory)
                    pieces = await scribe.page(self._centre, await self._tail())
                    if pack:
                        return Response(b"".join(pieces), headers=headers)
                    return StreamingResponse(_unpacked(pieces), headers=headers)
                body = await asyncio.to_thread(
                    self._sites.render,
                    inventory,
                    list(self._centre.views()),
                    self._centre.now_ms(),
                )
                body += await self._tail()
                if pack:
                    body = await asyncio.to_thread(gzip.compress, body, LEVEL, mtime=0)
                return Response(body, headers=headers)

    async def _tail(self) -> bytes:
        """Return the part of the metrics page that speaks of no single site's report."""
        incidents = self._centre.open_incidents()
        return await asyncio.to_thread(lambda: active(incidents) + self._centre.own.render())

    def _scribe_of(self, inventory: Inventory) -> Scribe:
        if self._scribe is None or self._scribe.inventory is not inventory:
            before, self._scribe = self._scribe, Scribe(inventory)
            if before is not None:
                before.end()
        return self._scribe

    async def healthz(self, _: Request) -> Response:
        """Answer that the process lives."""
        return _json({"alive": True})

    async def readyz(self, _: Request) -> Response:
        """Answer whether reports are being heard and stored."""
        now = self._centre.readiness()
        body = {"storing": now.storing, "hearing": now.hearing, "detail": now.detail}
        return _json(body, 200 if now.ready else 503)

    async def sites(self, _: Request) -> Response:
        """Answer with every site of the inventory."""
        views = {view.code: view for view in self._centre.views()}
        now_ms = self._centre.now_ms()
        worst = worst_of(self._centre.open_incidents())
        found = (
            site_json(site, views.get(site.code), now_ms, worst.get(site.code))
            for site in self._centre.inventory.sites
        )
        return await self._listed(found)

    async def reports(self, request: Request) -> Response:
        """Answer with the stored reports of one site."""
        code: str = request.path_params["code"]
        known = self._centre.view(code) is not None
        if not known and self._centre.inventory.find(code) is None:
            raise HTTPException(404, f"no site '{code}' in the inventory")
        asked = selection(request.query_params.multi_items())
        found = self._centre.reports(code, asked.from_ms, asked.to_ms, asked.limit)
        return await self._listed(report_json(one) for one in found)

    async def _listed(self, found: Iterator[Json]) -> Response:
        """Return a JSON array of what is made as it is sent: neither a year nor a country is small.

        What cannot be read at all is an error, and not half a list.
        """
        first = await self._some_json(found)
        return StreamingResponse(self._list_json(first, found), media_type="application/json")

    async def _list_json(self, first: bytes, found: Iterator[Json]) -> AsyncIterator[bytes]:
        yield b"["
        part = first
        while part:
            yield part
            part = await self._some_json(found)
            if part:
                yield b","
        yield b"]"

    async def _some_json(self, found: Iterator[Json]) -> bytes:
        """Return the next entries, joined by commas; nothing when there are no more."""
        async with self._few_readers:
            return await asyncio.to_thread(
                lambda: b",".join(_dump(one) for one in islice(found, _AT_ONCE))
            )


def _unpacked(pieces: list[bytes]) -> Iterator[bytes]:
    """Yield what gzip packed; Starlette goes through it in threads."""
    inflater = zlib.decompressobj(wbits=31)
    for piece in pieces:
        rest = piece
        while rest:
            yield inflater.decompress(rest, _INFLATED_AT_ONCE)
            rest = inflater.unconsumed_tail


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _json(value: object, status: int = 200) -> Response:
    return Response(_dump(value), status, media_type="application/json")


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/"):
        response = _json({"error": error.detail}, error.status_code)
        response.headers.update(error.headers or {})
        return response
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)


async def _bad(_: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, 400)


async def _broken(_: Request, __: Exception) -> Response:
    # Made outside the middleware (Starlette's outermost layer), so the headers are put on here.
    return PlainTextResponse(
        "internal error, see the collector's log\n", 500, headers=SECURITY_HEADERS
    )
