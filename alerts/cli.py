"""`tabuah alerts`: try the ways to people before they are needed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path

import click
import httpx

from alerts.channels import ChannelError
from alerts.incident import Incident
from alerts.message import Message, Status
from alerts.opening import open_channels
from inventory.load import load
from inventory.model import Inventory
from tabuah.errors import NothingMatchedError, did_you_mean
from tabuah.options import inventory_option, output_option
from tabuah.wall import wall_ms

_WORDS = {
    "id": (
        "Uji coba tabuah: tidak ada gangguan",
        "Pesan ini dikirim dengan `tabuah alerts test` untuk menguji saluran '{name}'.",
    ),
    "en": (
        "A trial of tabuah: nothing is wrong",
        "This message was sent by `tabuah alerts test` to try the channel '{name}'.",
    ),
}


@dataclass(frozen=True, slots=True)
class _Tried:
    name: str
    kind: str
    trouble: str
    """Empty = it was taken."""


@click.group(no_args_is_help=True)
def alerts() -> None:
    """Try the channels by which people are told."""


@alerts.command()
@click.argument("names", metavar="[CHANNEL]...", nargs=-1)
@inventory_option()
@output_option()
@click.pass_context
def test(context: click.Context, names: tuple[str, ...], directory: Path, output: str) -> None:
    r"""Send a message that says it is a trial over each channel, and its end.

    Run it on the collector's machine: the way is part of what is tried. An alert path that takes
    the line of which it tells is none: send by another.

    \b
    Exit code: 0 all took it; 1 one did not; 2 the inventory is wrong; 3 no such channel.

    \b
    Examples:
      tabuah alerts test --inventory /etc/tabuah
      tabuah alerts test --inventory /etc/tabuah telegram -o json
    """
    known = load(directory)
    tried = asyncio.run(_try(known, names))
    if output == "json":
        rows = [
            {"channel": one.name, "kind": one.kind, "taken": not one.trouble, "error": one.trouble}
            for one in tried
        ]
        click.echo(json.dumps(rows, indent=2))
    for one in tried if output == "text" else ():
        click.echo(f"{one.name} ({one.kind}): {one.trouble or 'taken'}")
    if any(one.trouble for one in tried):
        context.exit(1)


async def _try(known: Inventory, names: tuple[str, ...]) -> list[_Tried]:
    kinds = {channel.name: channel.kind.value for channel in known.alerts.channels}
    if not kinds:
        raise NothingMatchedError("the inventory has no alerts.channels: nobody would be told")
    for name in names:
        if name not in kinds:
            raise NothingMatchedError(f"no channel '{name}'{did_you_mean(name, kinds)}")
    tried = []
    async with httpx.AsyncClient() as client:
        opened = open_channels(known, lambda: known, client, lambda _, __: None, wall_ms)
        for outbox in opened.outboxes:
            if names and outbox.name not in names:
                continue
            firing = _trial(known.language.value, outbox.name)
            ended = replace(firing.incident, ended_ms=firing.incident.began_ms + 1_000)
            trouble = ""
            try:
                await outbox.deliver(firing)
                await outbox.deliver(replace(firing, status=Status.RESOLVED, incident=ended))
            except ChannelError as error:
                trouble = str(error)
            tried.append(_Tried(outbox.name, kinds[outbox.name], trouble))
    return tried


def _trial(language: str, channel: str) -> Message:
    summary, description = _WORDS[language]
    began_ms = wall_ms()
    incident = Incident(
        id=f"trial-{began_ms}",
        alertname="TabuahTrial",
        sites=(),
        circuits=(),
        cause="unknown",
        severity="info",
        began_ms=began_ms,
    )
    return Message(Status.FIRING, incident, summary, description.format(name=channel))
