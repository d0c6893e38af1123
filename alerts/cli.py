"""`tabuah alerts`: try the ways to people before they are needed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import httpx

from alerts.channels import ChannelError
from alerts.opening import open_channels
from alerts.trial import trial
from alerts.words import CAUSES
from alerts.writing import Writer
from inventory.load import load
from inventory.model import Inventory, Language
from inventory.ways import lacking_ways
from tabuah.errors import NothingMatchedError, did_you_mean
from tabuah.options import inventory_option, output_option
from tabuah.wall import wall_ms

if TYPE_CHECKING:
    from alerts.message import Message


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
@click.option(
    "--cause",
    type=click.Choice(sorted(CAUSES["en"])),
    help="Show with it what would be said of an incident of that cause, marked as a trial.",
)
@click.option(
    "--language",
    type=click.Choice([language.value for language in Language]),
    help="The inventory's without it.",
)
@click.option("--print", "only_print", is_flag=True, help="Show the texts, and send nothing.")
@output_option()
@click.pass_context
def test(
    context: click.Context,
    names: tuple[str, ...],
    *,
    directory: Path,
    cause: str | None,
    language: str | None,
    only_print: bool,
    output: str,
) -> None:
    """Send a message that says it is a trial over each channel, and its end.

    Run it on the collector's machine: the way is part of what is tried. An alert path that takes
    the line of which it tells is none: send by another.

    \b
    Exit code: 0 all took it; 1 one did not; 2 the inventory is wrong; 3 no such channel.

    \b
    Examples:
      tabuah alerts test --inventory /etc/tabuah
      tabuah alerts test --inventory /etc/tabuah telegram --cause power
      tabuah alerts test --inventory . --cause last_mile --language en --print
      tabuah alerts test --inventory /etc/tabuah -o json
    """  # noqa: D301 - \b keeps click from joining the lines
    known = load(directory)
    if language is not None:
        known = replace(known, language=Language(language))
    chosen = _chosen(known, names)
    if only_print:
        messages = trial(next(iter(chosen)), known, Writer(known), wall_ms(), cause)
        _print(messages, output)
        return
    for lacking in lacking_ways(known.alerts.channels):
        click.echo(f"warning: {lacking}", err=True)
    tried = asyncio.run(_try(known, chosen, cause))
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


def _chosen(known: Inventory, names: tuple[str, ...]) -> dict[str, str]:
    """Return the kinds of the channels to try, by name.

    Raises:
        NothingMatchedError: there is no such channel, or none at all.
    """
    kinds = {channel.name: channel.kind.value for channel in known.alerts.channels}
    if not kinds:
        raise NothingMatchedError("the inventory has no alerts.channels: nobody would be told")
    for name in names:
        if name not in kinds:
            raise NothingMatchedError(f"no channel '{name}'{did_you_mean(name, kinds)}")
    return {name: kind for name, kind in kinds.items() if not names or name in names}


async def _try(known: Inventory, chosen: dict[str, str], cause: str | None) -> list[_Tried]:
    tried, writer = [], Writer(known)
    async with httpx.AsyncClient() as client:
        opened = open_channels(known, lambda: known, client, lambda _, __: None, wall_ms)
        for outbox in opened.outboxes:
            if outbox.name not in chosen:
                continue
            trouble = ""
            try:
                for message in trial(outbox.name, known, writer, wall_ms(), cause):
                    await outbox.deliver(message)
            except ChannelError as error:
                trouble = str(error)
            tried.append(_Tried(outbox.name, chosen[outbox.name], trouble))
    return tried


def _print(messages: tuple[Message, ...], output: str) -> None:
    if output == "json":
        click.echo(json.dumps([one.json() for one in messages], indent=2, ensure_ascii=False))
        return
    click.echo("\n\n".join(f"{one.summary}\n{one.description}" for one in messages))
