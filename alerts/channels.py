"""The edge of the alert path: messages leave here, each channel at its own pace.

A channel that fails is tried again with growing pauses, in order, so that nobody hears
'resolved' before 'firing'. Its queue is bounded: the oldest goes, and that is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from alerts.message import Message

log = logging.getLogger(__name__)

QUEUE_MOST: Final = 1_000
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Between tries; the last one repeats."""
TIMEOUT_S: Final = 10.0

Deliver = Callable[["Message"], Awaitable[None]]
"""Hands one message over; raises `ChannelError` when it could not."""


class ChannelError(Exception):
    """A message was not taken; it is tried again."""


async def trouble_of(request: Awaitable[httpx.Response]) -> str:
    """Return in a word or two why a request was not taken, empty if it was; any 2xx means taken.

    An error's own words may hold the URL, and that a token: they are not told.
    """
    try:
        (await request).raise_for_status()
    except httpx.HTTPStatusError as error:
        return f"answered {error.response.status_code}"
    except httpx.HTTPError as error:
        return type(error).__name__
    return ""


def webhook(url: str, client: httpx.AsyncClient) -> Deliver:
    """Return a channel that POSTs the message's JSON; any 2xx answer means taken."""

    async def deliver(message: Message) -> None:
        if trouble := await trouble_of(client.post(url, json=message.json(), timeout=TIMEOUT_S)):
            raise ChannelError(trouble)

    return deliver


class Outbox:
    """One channel's queue, delivered in order."""

    def __init__(
        self,
        name: str,
        deliver: Deliver,
        taken: Callable[[str, Message], None] = lambda _, __: None,
    ) -> None:
        """Prepare.

        Args:
            name: the channel's.
            deliver: hands one message over.
            taken: called with the name once a message is.
        """
        self.name = name
        self.deliver = deliver
        """Hands one message over now, past the queue: for trying."""
        self._taken = taken
        self._queue: deque[Message] = deque()
        self._filled = asyncio.Event()

    def put(self, message: Message) -> None:
        """Queue a message."""
        if len(self._queue) >= QUEUE_MOST:
            lost = self._queue.popleft()
            log.error("channel %s: queue full, lost: %s", self.name, lost.summary)
        self._queue.append(message)
        self._filled.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._filled.wait()
            while self._queue:
                message = self._queue[0]
                await self._insist(message)
                if self._queue and self._queue[0] is message:
                    self._queue.popleft()
            self._filled.clear()

    async def _insist(self, message: Message) -> None:
        tries = 0
        while True:
            try:
                await self.deliver(message)
            except ChannelError as error:
                pause = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
                tries += 1
                log.warning(
                    "channel %s: not taken (%s), again in %g s: %s",
                    self.name,
                    error,
                    pause,
                    message.summary,
                )
                await asyncio.sleep(pause)
            else:
                log.info("channel %s: said: %s", self.name, message.summary)
                self._taken(self.name, message)
                return
