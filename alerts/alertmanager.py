"""Alertmanager, told by its API v2 as a Prometheus would: again and again while it lasts.

An Alertmanager keeps no alert over its own restart, and forgets what is not repeated. Each member
of a cluster is told by itself, so that one that is down keeps no other from hearing, and hears
what lasts as soon as it is back. What has ended is repeated too for a while, with its true end.

An alert's `endsAt` lies far ahead while it lasts: a collector that dies must not look like a line
that is well again. That the collector is gone is told by `TabuahCollectorAbsent`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import httpx

from alerts.channels import TIMEOUT_S, ChannelError, taken
from alerts.message import Status
from alerts.text import cut
from tabuah.speech import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from alerts.message import Message

log = logging.getLogger(__name__)

AGAIN_S: Final = 30.0
"""Between two tellings of what lasts."""
LASTING_MS: Final = 24 * 3_600_000
ENDED_FOR_MS: Final = 15 * 60_000
"""How long an end is repeated, as Prometheus does."""
MOST: Final = 20_000
"""Alerts kept at once; beyond them the oldest that has ended goes."""
DESCRIPTION_MOST: Final = 3_000
"""Characters: what an Alertmanager passes on to Telegram must fit there, 4,096 with the rest."""


class Alertmanagers:
    """One cluster of Alertmanagers: a channel that goes on telling."""

    def __init__(
        self,
        name: str,
        urls: Sequence[str],
        client: httpx.AsyncClient,
        facts: Callable[[Message], Mapping[str, str]],
        now_ms: Callable[[], int],
    ) -> None:
        """Prepare.

        Args:
            name: the channel's.
            urls: of all members; the API's path is added.
            client: to post with.
            facts: what the inventory says of a message: `kecamatan`, `upstream`, a `page` to open.
            now_ms: the collector's clock.
        """
        self.tried: Callable[[str], None] = lambda _: None
        """Told of each telling why it was not taken, empty if it was."""
        self.name = name
        self._members = [_Member(name, f"{url.rstrip('/')}/api/v2/alerts", client) for url in urls]
        self._facts = facts
        self._now_ms = now_ms
        self._known: dict[str, Message] = {}

    async def deliver(self, message: Message) -> None:
        """Tell every member; done when at least one has taken it, for the others hear it again.

        Raises:
            ChannelError: none has.
        """
        self.keep(message)
        alert = self._alert(message)
        told = await asyncio.gather(*(member.tell([alert]) for member in self._members))
        if not any(told):
            refused = all(member.refused for member in self._members)
            raise ChannelError(self._trouble(), refused=refused)

    def keep(self, message: Message) -> None:
        """Go on telling this; for what was said before a restart."""
        self._known.pop(message.incident.id, None)
        self._known[message.incident.id] = message
        if len(self._known) > MOST:
            ended = (key for key, one in self._known.items() if one.status is Status.RESOLVED)
            del self._known[next(ended, next(iter(self._known)))]

    async def run(self) -> None:
        """Tell all members all that lasts, until cancelled."""
        while True:
            await asyncio.sleep(AGAIN_S)
            since_ms = self._now_ms() - ENDED_FOR_MS
            for key, message in list(self._known.items()):
                ended_ms = message.incident.ended_ms
                if ended_ms is not None and ended_ms < since_ms:
                    del self._known[key]
            alerts = [self._alert(message) for message in self._known.values()]
            if alerts:
                told = await asyncio.gather(*(member.tell(alerts) for member in self._members))
                self.tried("" if any(told) else self._trouble())

    def _trouble(self) -> str:
        return f"none of {len(self._members)} took it: {self._members[0].trouble}"

    def _alert(self, message: Message) -> dict[str, object]:
        incident = message.incident
        facts = self._facts(message)
        ends_ms = self._now_ms() + LASTING_MS if incident.ended_ms is None else incident.ended_ms
        sites, circuits = incident.filed_sites, incident.filed_circuits
        alone = len(sites) == 1
        labels = {
            "alertname": incident.alertname,
            "incident": incident.id,
            "site": sites[0] if alone else "",
            "circuit": circuits[0] if len(circuits) == 1 else "",
            "upstream": incident.upstream or facts.get("upstream", ""),
            "kecamatan": facts.get("kecamatan", "") if alone else "",
            "cause": incident.cause,
            "severity": incident.severity,
        }
        page = facts.get("page", "")
        annotations = {
            "summary": message.summary,
            "description": cut(message.description, DESCRIPTION_MOST),
            "sites": ", ".join(incident.sites),
            "cause": incident.known,
            "dashboard_url": page,
        }
        return {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": rfc3339(incident.began_ms),
            # An end at or before the beginning is none to an Alertmanager.
            "endsAt": rfc3339(max(ends_ms, incident.began_ms + 1)),
            "generatorURL": page,
        }


class _Member:
    def __init__(self, channel: str, url: str, client: httpx.AsyncClient) -> None:
        self._channel = channel
        self._url = url
        self._client = client
        self.trouble = ""
        self.refused = False

    async def tell(self, alerts: Sequence[Mapping[str, object]]) -> bool:
        trouble, self.refused = "", False
        try:
            await taken(self._client.post(self._url, json=list(alerts), timeout=TIMEOUT_S))
        except ChannelError as error:
            trouble, self.refused = str(error), error.refused
        if trouble != self.trouble:  # once, not at each telling
            host = httpx.URL(self._url).host
            if trouble:
                log.warning("channel %s: %s does not take alerts: %s", self._channel, host, trouble)
            else:
                log.info("channel %s: %s takes alerts again", self._channel, host)
        self.trouble = trouble
        return not trouble
