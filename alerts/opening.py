"""The inventory's channels, opened: secrets resolved, each with a queue of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from alerts import channels
from alerts.alertmanager import Alertmanagers
from alerts.channels import Outbox
from alerts.facts import page_of
from alerts.people import by_apprise, by_command
from inventory.model import ChannelKind
from inventory.secret import resolve_text
from tabuah.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from alerts.channels import Deliver
    from alerts.condition import Turn
    from alerts.message import Message
    from inventory.model import Channel, Inventory

    Taken = Callable[[str, Message], None]
    Turned = Callable[[Outbox, Turn], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """All ways to people."""

    outboxes: tuple[Outbox, ...]
    """One for each channel, by the inventory's order."""
    clusters: tuple[Alertmanagers, ...]
    """Those of them that go on telling what lasts."""


def open_channels(
    known: Inventory,
    newest: Callable[[], Inventory],
    client: httpx.AsyncClient,
    taken: Taken,
    now_ms: Callable[[], int],
    *,
    turned: Turned = lambda _, __: None,
) -> Opened:
    """Return the channels of the inventory as it is now.

    Args:
        known: the inventory whose channels they are.
        newest: what it is by then; asked at each message what it says of an office.
        client: to speak HTTP with.
        taken: called with a channel's name and each message that it has taken.
        now_ms: the collector's clock.
        turned: called when people ought to hear that a channel fails, or works again.

    Raises:
        ConfigError: a secret cannot be read, or Apprise does not know a URL.
    """
    outboxes, clusters = [], []
    for channel in known.alerts.channels:
        if channel.kind is ChannelKind.ALERTMANAGER:
            urls = [resolve_text(url, known.directory) for url in channel.alertmanager]
            cluster = Alertmanagers(channel.name, urls, client, partial(_facts, newest), now_ms)
            clusters.append(cluster)
            outbox = Outbox(channel.name, cluster.deliver, taken, turned)
            cluster.tried = outbox.tried
        else:
            outbox = Outbox(channel.name, _single(channel, known, client), taken, turned)
        outboxes.append(outbox)
    return Opened(tuple(outboxes), tuple(clusters))


def _single(channel: Channel, known: Inventory, client: httpx.AsyncClient) -> Deliver:
    if channel.webhook is not None:
        return channels.webhook(resolve_text(channel.webhook, known.directory), client)
    if channel.apprise is not None:
        try:
            return by_apprise(resolve_text(channel.apprise, known.directory))
        except ValueError as error:
            named = f"alerts.channels '{channel.name}'"
            raise ConfigError([Problem(str(known.directory), f"{named}: {error}")]) from error
    return by_command(channel.command)


def _facts(newest: Callable[[], Inventory], message: Message) -> Mapping[str, str]:
    known, sites = newest(), message.incident.filed_sites
    page = {"page": page_of(message.incident, known)}
    site = known.find(sites[0]) if len(sites) == 1 else None
    if site is None:
        return page
    return {**page, "kecamatan": site.kecamatan, "upstream": site.upstream or ""}
