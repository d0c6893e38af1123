"""By which way each alert channel reaches people: no alert may need the line it tells of."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from inventory.model import ChannelKind

if TYPE_CHECKING:
    from inventory.model import Channel
    from inventory.secret import SecretRef

_INTERNET: Final = "the Internet"
_COMMAND: Final = "a command"
_OTHER_WAY: Final = (
    "a local Alertmanager with a modem of its own, or a command that sends an SMS or sounds a siren"
)


def lacking_ways(channels: Sequence[Channel]) -> Iterator[str]:
    """Yield what keeps an alert from arriving when one thing fails."""
    ways = {way for channel in channels for way in _ways(channel)}
    if not channels:
        yield "no alert channels: nobody is told"
    elif len(channels) == 1:
        kind = channels[0].kind.value
        yield (
            f"a single alert channel ({kind}): when it fails, nobody is told, not even of that; "
            "add another that goes another way"
        )
    elif ways == {_INTERNET}:
        yield (
            "all alert channels go over the Internet: when the centre's own line is down, nobody "
            f"is told; add {_OTHER_WAY}"
        )
    elif len(ways) == 1 and ways != {_COMMAND}:
        (way,) = ways
        yield f"all alert channels end at {way}: when it fails, nobody is told; add {_OTHER_WAY}"


def _ways(channel: Channel) -> Iterator[str]:
    if channel.kind is ChannelKind.COMMAND:
        yield _COMMAND
    elif channel.kind is ChannelKind.APPRISE:
        yield _INTERNET
    else:
        for url in channel.alertmanager or (channel.webhook,):
            yield _way(url)


def _way(url: str | SecretRef | None) -> str:
    """Return the machine, if it is near; what stands elsewhere is taken to be far."""
    if not isinstance(url, str):
        return _INTERNET
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.netloc.rpartition("@")[2] if _is_near(host) else _INTERNET


def _is_near(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a name; one without a dot is of our own network
        return "." not in host or host.endswith((".local", ".lan", ".internal"))
    return address.is_private or address.is_loopback
