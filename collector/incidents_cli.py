"""`tabuah incidents`: what is wrong, what was, and what people say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from collector.options import data_given, record_data_option
from collector.sla_cli import MonthType
from tabuah.options import output_option


@click.group(
    invoke_without_command=True, short_help="What is wrong and what was; tickets, notes, liability."
)
@record_data_option()
@click.option("--site", metavar="CODE", help="One office; all without it.")
@click.option("--month", type=MonthType(), help="In the organisation's time zone; all without it.")
@click.option("--open", "only_open", is_flag=True, help="Only what is not over.")
@output_option()
@click.pass_context
def incidents(
    ctx: click.Context,
    *,
    data: Path | None,
    site: str | None,
    month: str | None,
    only_open: bool,
    output: str,
) -> None:
    """List incidents, the oldest first; or with a command, tell of one and speak of it.

    Asks the running collector, or reads its store when none runs.

    \b
    Example:
        tabuah incidents --open --data /var/lib/tabuah-collector
        tabuah incidents show ID --data /var/lib/tabuah-collector
        tabuah incidents ticket ID --number INC12345678 --data /var/lib/tabuah-collector
    """  # noqa: D301 - \b keeps click from joining the lines
    ctx.obj = data
    if ctx.invoked_subcommand is not None:
        return
    from collector import record_access  # noqa: PLC0415 - SQLAlchemy and httpx are slow to load

    found = record_access.incidents(
        data_given(ctx, data), site, "open" if only_open else None, month
    )
    if output == "json":
        _echo_json(found)
        return
    for one in found:
        names = ", ".join(one["sites"]) or "-"
        ended = one["ended"] or "open"
        click.echo(
            f"{one['id']:34} {one['alertname']:24} {one['cause']:13} {one['confidence']:11} "
            f"{one['began']} {ended:24} {names}"
        )
    if not found:
        click.echo("no incidents", err=True)


@incidents.command(short_help="One incident whole: timeline, evidence, versions.")
@click.argument("incident", metavar="ID")
@record_data_option()
@output_option()
@click.pass_context
def show(ctx: click.Context, *, incident: str, data: Path | None, output: str) -> None:
    """Tell the story of one incident: what was seen when, how it was judged, and its outages.

    \b
    Example:
        tabuah incidents show down-13.02.10-1795500017000 --data /var/lib/tabuah-collector
    """  # noqa: D301
    from collector import record_access  # noqa: PLC0415
    from collector.story import story_lines  # noqa: PLC0415

    story = record_access.story(data_given(ctx, data), incident)
    if output == "json":
        _echo_json(story)
        return
    for line in story_lines(story):
        click.echo(line)


@incidents.command(short_help="Say that somebody looks after it.")
@click.argument("incident", metavar="ID")
@click.argument("text", required=False, default="")
@record_data_option()
@click.pass_context
def ack(ctx: click.Context, *, incident: str, text: str, data: Path | None) -> None:
    """Say that somebody looks after an incident; the name is that of the user who types.

    \b
    Example:
        tabuah incidents ack ID "calling the office" --data /var/lib/tabuah-collector
    """  # noqa: D301
    _say(ctx, data, "acknowledged", incident, text=text)


@incidents.command(short_help="Write a note to it.")
@click.argument("incident", metavar="ID")
@click.argument("text")
@record_data_option()
@click.pass_context
def note(ctx: click.Context, *, incident: str, text: str, data: Path | None) -> None:
    """Write a note to an incident.

    \b
    Example:
        tabuah incidents note ID "the PIC says the power is on" --data /var/lib/tabuah-collector
    """  # noqa: D301
    _say(ctx, data, "note", incident, text=text)


@incidents.command(short_help="Draft the ticket's text; or note its number.")
@click.argument("incident", metavar="ID")
@click.option("--number", metavar="INC...", help="The provider's ticket; without it, a draft.")
@click.option("--opened", metavar="TIME", help="When it was opened; now without it.")
@click.option("--closed", metavar="TIME", help="When it was closed; 'now' will do.")
@record_data_option()
@output_option()
@click.pass_context
def ticket(
    ctx: click.Context,
    *,
    incident: str,
    number: str | None,
    opened: str | None,
    closed: str | None,
    data: Path | None,
    output: str,
) -> None:
    """Print the text that opens a ticket with the provider; with --number, note its ticket.

    A time without an offset is the organisation's. Many providers count an outage only from the
    ticket on: open it at once.

    \b
    Example:
        tabuah incidents ticket ID --data /var/lib/tabuah-collector
        tabuah incidents ticket ID --number INC12345678 --data /var/lib/tabuah-collector
        tabuah incidents ticket ID --number INC12345678 --closed now --data ...
    """  # noqa: D301
    from collector import record_access  # noqa: PLC0415

    folder = data_given(ctx, data)
    if number is None:
        if opened or closed:
            raise click.UsageError("--opened and --closed are of a ticket: give --number")
        text = record_access.ticket(folder, incident)
        if output == "json":
            _echo_json({"incident": incident, "draft": text})
        else:
            click.echo(text, nl=False)
        return
    if opened or not closed:
        record_access.say(folder, "ticket_opened", incident, text=number, at=opened)
    if closed:
        record_access.say(folder, "ticket_closed", incident, text=number, at=closed)
    click.echo(f"{incident}: ticket {number} noted", err=True)


@incidents.command(short_help="Say whose it is.")
@click.argument("incident", metavar="ID")
@click.argument("whose", metavar="provider|ours|CAUSE")
@record_data_option()
@click.pass_context
def liability(ctx: click.Context, *, incident: str, whose: str, data: Path | None) -> None:
    """Say whose fault the outages of an incident were; it decides what was open in the contract.

    \b
    Example:
        tabuah incidents liability ID provider --data /var/lib/tabuah-collector
    """  # noqa: D301
    _say(ctx, data, "liability", incident, text=whose)


def _say(ctx: click.Context, data: Path | None, act: str, incident: str, *, text: str) -> None:
    from collector import record_access  # noqa: PLC0415

    record_access.say(data_given(ctx, data), act, incident, text=text)
    click.echo(f"{incident}: noted", err=True)


def _echo_json(value: Any) -> None:  # the API's JSON
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
