"""Looks, once in a while, at what a device has: so that each poll asks for that alone.

A device that lacks a table is no error, and is not asked for it again until the next look: after
an hour, or when the device began anew. A look that fails is repeated, ever more rarely; the poll
goes on with what is known.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from agent import evidence
from agent.evidence import Capabilities
from agent.snmp_session import PollFailure, SnmpSession

log = logging.getLogger(__name__)

EVERY_S = 3600.0
_AGAIN_S = 60.0


class Discovery:
    """What one device was found to have, and when to look again."""

    def __init__(self, device: str) -> None:
        self.known = Capabilities()
        self._device = device
        self._due_s: float | None = None
        self._failures = 0

    def due(self, now: float) -> bool:
        """Return whether it is time to look."""
        return self._due_s is None or now >= self._due_s

    def forget(self) -> None:
        """Begin anew: the device did."""
        self.known, self._due_s, self._failures = Capabilities(), None, 0

    async def look(self, session: SnmpSession, interfaces: Iterable[str], now: float) -> None:
        """See what the device has; `interfaces` are the names of those that are watched."""
        # What it could not do an hour ago, it may have learned.
        session.pace = replace(session.pace, bulk=True)
        try:
            first = await session.get(evidence.FIRST)
            table = await session.walk(*evidence.columns(first.found))
        except PollFailure as failure:
            self._due_s = now + min(EVERY_S, _AGAIN_S * 2.0**self._failures)
            self._failures = min(self._failures + 1, 10)
            log.debug("device %s: a look at what it has failed: %s", self._device, failure)
            return
        self.known = evidence.capabilities(first.found, table, interfaces)
        self._due_s, self._failures = now + EVERY_S, 0
