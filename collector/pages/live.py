"""`/events`: tells open pages, by server-sent events, that there is something new to show.

What is new, a page asks for itself; so an event is one word, and losing one costs nothing: a page
asks every few seconds anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collector.view import Centre

EVERY_S: Final = 1.0
"""How often it is looked for something new while anyone listens."""
SPARING: Final = 20.0
"""Rest as a multiple of what a look took: fleets are large."""
ALIVE_S: Final = 15.0
"""How often a listener hears that the connection lives, where nothing is new."""
LONGEST_S: Final = 600.0
"""After which a listener is to come again: what a proxy forgot ends here."""
MOST: Final = 100
"""Listeners at once; others ask again and again, as without events."""
_CHANGED: Final = b"event: changed\ndata: 1\n\n"


class Pulse:
    """Looks for something new once for all who listen."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._listeners = 0
        self._beat = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def route(self) -> Route:
        """Return the route."""
        return Route("/events", self.events)

    def close(self) -> None:
        """End all streams: the collector stops."""
        self._closed = True
        self._beat.set()

    async def events(self, _: Request) -> Response:
        """Answer with a stream of events."""
        if self._listeners >= MOST:
            return PlainTextResponse("too many listen\n", 503, headers={"retry-after": "60"})
        headers = {"x-accel-buffering": "no"}  # nginx would keep them until there are enough
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    async def _stream(self) -> AsyncGenerator[bytes, None]:
        self._listeners += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_S
        try:
            yield b"retry: 2000\n\n"
            while loop.time() < until and not self._closed:
                try:
                    async with asyncio.timeout(ALIVE_S):
                        await self._beat.wait()
                except TimeoutError:
                    yield b":\n\n"
                else:
                    yield _CHANGED
        finally:
            self._listeners -= 1

    async def _look(self) -> None:
        known = self._fingerprint()
        loop = asyncio.get_running_loop()
        took_s = 0.0
        while self._listeners:
            await asyncio.sleep(max(EVERY_S, SPARING * took_s))
            began = loop.time()
            now = self._fingerprint()
            took_s = loop.time() - began
            if now != known:
                known = now
                self._beat.set()
                self._beat = asyncio.Event()
        self._looking = None

    def _fingerprint(self) -> int:
        """Return a number that is another one when a page would show other states or incidents."""
        centre = self._centre
        states = tuple((view.code, view.state, view.lines) for view in centre.views())
        open_ones = tuple((one.id, one.version) for one in centre.open_incidents())
        return hash((centre.readiness().ready, states, open_ones))
