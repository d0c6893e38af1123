"""`/status`: the public page. Made at most once in ten seconds, whoever asks and however many.

The public must not take from the line what the offices need: one page is made at a time, after each
the maker rests for some times what it took, and who asks meanwhile waits for the same octets.
"""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collector.guard import PUBLIC_PAGE
from collector.gzip_parts import LEVEL, accepts_gzip
from collector.pages.days import Watched
from collector.pages.frame import Frame, environment
from collector.pages.public import Place, by_office, places_of, public_page
from collector.pages.public_office import Now

if TYPE_CHECKING:
    from collector.record_web import Record
    from collector.view import Centre
    from inventory.model import Inventory

EVERYBODY: Final = frozenset(
    {PUBLIC_PAGE, "/static/page.css", "/static/status.css", "/static/tabuah.svg"}
)
"""The paths that take no token where the page is switched on."""
REFRESH_S: Final = 60
KEPT_S: Final = 10
KEPT_PAGES: Final = 32
MOST_WAITING: Final = 100
"""Requests that wait for a page to be made; others are asked to come again."""
SPARING: Final = 4.0
"""Rest as a multiple of what making took: a fifth of one core goes to the public at most."""
LONGEST_ASKED: Final = 60
"""Characters of a search that are read."""


@dataclass(frozen=True, slots=True)
class _Kept:
    made_ms: int
    body: bytes
    packed: bytes
    tag: str


def public_routes(
    centre: Centre,
    record: Record,
    inventory: Callable[[], Inventory],
    watched: Callable[[], Watched],
) -> list[Route]:
    """Return the route.

    Args:
        centre: what is known now.
        record: the outages.
        inventory: what the public is shown; offices of a drill are not in it.
        watched: since when; blocks on the disk.
    """
    return [Route(PUBLIC_PAGE, _Public(centre, record, inventory, watched).page)]


class _Public:
    def __init__(
        self,
        centre: Centre,
        record: Record,
        inventory: Callable[[], Inventory],
        watched: Callable[[], Watched],
    ) -> None:
        self._centre, self._record = centre, record
        self._inventory, self._watched = inventory, watched
        self._templates = environment()
        self._places: tuple[Inventory, tuple[Place, ...]] | None = None
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._rests_until = 0.0

    async def page(self, request: Request) -> Response:
        """Answer with the page, or with 304 to who has it."""
        inventory = self._inventory()
        frame = Frame(self._templates, inventory, request.query_params.get("lang"))
        asked = " ".join(request.query_params.get("kecamatan", "").split())[:LONGEST_ASKED]
        key = (frame.language.value, asked.casefold())
        kept = self._fresh(key)
        if kept is None:
            if self._waiting >= MOST_WAITING:
                raise HTTPException(503, "too many ask", headers={"retry-after": str(KEPT_S)})
            self._waiting += 1
            try:
                async with self._one_at_a_time:
                    kept = self._fresh(key)
                    if kept is None:
                        kept = await self._make(frame, inventory, asked)
                        self._keep(key, kept)
            finally:
                self._waiting -= 1
        return _answer(request, kept)

    def _fresh(self, key: tuple[str, str]) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None or not 0 <= self._centre.now_ms() - kept.made_ms < KEPT_S * 1000:
            return None
        return kept

    def _keep(self, key: tuple[str, str], kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_PAGES:
            self._kept.popitem(last=False)

    async def _make(self, frame: Frame, inventory: Inventory, asked: str) -> _Kept:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._rests_until - loop.time()))
        centre, began = self._centre, loop.time()
        # What is live is read here, in the loop; the page is made in a thread.
        now_ms, ready = centre.now_ms(), centre.readiness()
        views = {view.code: view for view in centre.views()}
        outages = self._record.outages()

        def made() -> _Kept:
            now = Now(views, by_office(outages), self._watched(), ready, now_ms)
            page = public_page(
                inventory, self._places_of(inventory), asked, now, language=frame.language
            )
            body = frame.fill("status.html", "", REFRESH_S, page=page, asked=asked).encode()
            tag = sha256(body).hexdigest()[:32]
            return _Kept(now_ms, body, gzip.compress(body, LEVEL, mtime=0), tag)

        try:
            return await asyncio.to_thread(made)
        finally:
            self._rests_until = loop.time() + SPARING * (loop.time() - began)

    def _places_of(self, inventory: Inventory) -> tuple[Place, ...]:
        if self._places is None or self._places[0] is not inventory:
            self._places = inventory, places_of(inventory)
        return self._places[1]


def _answer(request: Request, kept: _Kept) -> Response:
    pack = accepts_gzip(request.headers.get("accept-encoding", ""))
    tag = f'"{kept.tag}-gzip"' if pack else f'"{kept.tag}"'
    headers = {
        "cache-control": f"public, max-age={KEPT_S}",
        "etag": tag,
        "vary": "accept-encoding",
    }
    # Compared weakly, RFC 9110 13.1.2.
    known = {one.strip().removeprefix("W/") for one in _if_none_match(request).split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    if pack:
        headers["content-encoding"] = "gzip"
    body = kept.packed if pack else kept.body
    return Response(body, headers=headers, media_type="text/html; charset=utf-8")


def _if_none_match(request: Request) -> str:
    return request.headers.get("if-none-match", "")
