"""The edge of the alert path: messages leave here, each channel at its own pace.

A channel that fails is tried again with growing pauses, in order, so that nobody hears
'resolved' before 'firing'; that it fails is told by the others. Its queue is bounded: the oldest
goes, and that is logged and counted. A message that is refused for what it is, and not for the
state that the channel is in, is given up after a few tries: it must not keep the others waiting.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Final

import httpx

from alerts.condition import Condition, Turn
from alerts.failing import is_about

if TYPE_CHECKING:
    from alerts.message import Message

log = logging.getLogger(__name__)

QUEUE_MOST: Final = 1_000
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Between tries; the last one repeats."""
TIMEOUT_S: Final = 10.0
REFUSALS: Final = 5
"""How often a message may be refused for what it is."""
WEBHOOK_MOST: Final = 8_000
"""Characters of a description."""
_BAD_MESSAGE: Final = frozenset({400, 413, 422})
"""HTTP's words for it: bad request, content too large, unprocessable content (RFC 9110)."""

Deliver = Callable[["Message"], Awaitable[None]]
"""Hands one message over; raises `ChannelError` when it could not."""


class Outcome(Enum):
    """What became of a try, or of a message."""

    TAKEN = "taken"
    FAILED = "failed"
    """It is tried again."""
    REFUSED = "refused"
    """Given up: it was refused again and again for what it is."""
    LOST = "lost"
    """The queue was full."""


class ChannelError(Exception):
    """A message was not taken; it is tried again."""

    def __init__(self, trouble: str, *, refused: bool = False) -> None:
        """Say why.

        Args:
            trouble: in a word or two.
            refused: the message itself is found bad: to send it again may never help.
        """
        super().__init__(trouble)
        self.refused = refused


async def taken(request: Awaitable[httpx.Response]) -> None:
    """Return once a request was taken; any 2xx means that.

    Raises:
        ChannelError: it was not. An error's own words may hold the URL, and that a token: they are
            not repeated.
    """
    try:
        (await request).raise_for_status()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise ChannelError(f"answered {status}", refused=status in _BAD_MESSAGE) from None
    except httpx.HTTPError as error:
        raise ChannelError(type(error).__name__) from None


async def trouble_of(request: Awaitable[httpx.Response]) -> str:
    """Return in a word or two why a request was not taken, empty if it was."""
    try:
        await taken(request)
    except ChannelError as error:
        return str(error)
    return ""


def webhook(url: str, client: httpx.AsyncClient) -> Deliver:
    """Return a channel that POSTs the message's JSON; any 2xx answer means taken."""

    async def deliver(message: Message) -> None:
        said = message.within(WEBHOOK_MOST).json()
        await taken(client.post(url, json=said, timeout=TIMEOUT_S))

    return deliver


class Outbox:
    """One channel's queue, delivered in order."""

    def __init__(
        self,
        name: str,
        deliver: Deliver,
        taken: Callable[[str, Message], None] = lambda _, __: None,
        turned: Callable[[Outbox, Turn], None] = lambda _, __: None,
    ) -> None:
        """Prepare.

        Args:
            name: the channel's.
            deliver: hands one message over.
            taken: called with the name once a message is, or is given up.
            turned: called when people ought to hear that the channel fails, or works again.
        """
        self.name = name
        self.deliver = deliver
        """Hands one message over now, past the queue: for trying."""
        self.condition = Condition()
        self.counts = dict.fromkeys(Outcome, 0)
        self.behind: Callable[[], int] = lambda: 0
        """Says how many messages wait elsewhere for their turn here."""
        self._taken = taken
        self._turned = turned
        self._queue: deque[Message] = deque()
        self._filled = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Return how many messages are not taken yet."""
        return len(self._queue) + self.behind()

    def put(self, message: Message) -> None:
        """Queue a message; one that says of this very channel that it fails is let go."""
        if is_about(message.incident, self.name):
            self._taken(self.name, message)
            return
        if len(self._queue) >= QUEUE_MOST:
            lost = self._queue.popleft()
            self.counts[Outcome.LOST] += 1
            log.error("channel %s: queue full, lost: %s", self.name, lost.summary)
        self._queue.append(message)
        self._filled.set()

    def tried(self, trouble: str) -> None:
        """Take up what became of a try, of whoever tried; `trouble` is empty if it was taken."""
        self.counts[Outcome.FAILED if trouble else Outcome.TAKEN] += 1
        turn = self.condition.tried(trouble, time.monotonic())
        if turn is not None:
            said = f"fails: {trouble}" if turn is Turn.FAILS else "works again"
            log.warning("channel %s: it %s; the others are told", self.name, said)
            self._turned(self, turn)

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
        tries = refusals = 0
        while True:
            try:
                await self.deliver(message)
            except ChannelError as error:
                refusals += error.refused
                pause = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
                tries += 1
                self.tried(str(error))
                if refusals >= REFUSALS:
                    break
                log.warning(
                    "channel %s: not taken (%s), again in %g s: %s",
                    self.name,
                    error,
                    pause,
                    message.summary,
                )
                await asyncio.sleep(pause)
            else:
                self.tried("")
                log.info("channel %s: said: %s", self.name, message.summary)
                self._taken(self.name, message)
                return
        self.counts[Outcome.REFUSED] += 1
        log.error(
            "channel %s: refused %d times (%s), given up: %s",
            self.name,
            refusals,
            self.condition.trouble,
            message.summary,
        )
        self._taken(self.name, message)
