"""The heartbeat: somebody outside is told each minute that the collector lives, and misses it.

A dead man's switch (Healthchecks, Uptime Kuma's push, a script on another machine): what dies says
nothing, so somebody else must notice the silence.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import httpx

from alerts.channels import TIMEOUT_S, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0


async def beat(url: str, client: httpx.AsyncClient, well: Callable[[], bool]) -> None:
    """Call `url` each minute while `well()`, until cancelled; the URL is never logged."""
    trouble = ""
    while True:
        if well():
            now = await trouble_of(client.get(url, timeout=TIMEOUT_S))
            if now != trouble:
                if now:
                    log.warning("heartbeat: not taken: %s", now)
                else:
                    log.info("heartbeat: taken again")
            trouble = now
        await asyncio.sleep(EVERY_S)
