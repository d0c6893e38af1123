"""`tabuah maintenance`: announced work, entered by people, once or again and again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from collector.options import running_option
from tabuah.options import output_option


@click.group(short_help="Announced work: nothing is alerted, and the contract may exclude it.")
def maintenance() -> None:
    """Announced work: while it lasts its offices' silence is no incident."""


@maintenance.command(short_help="Enter announced work.")
@click.argument("where", metavar="SITE|UPSTREAM|all...", nargs=-1, required=True)
@click.option("--circuit", "circuits", metavar="ID", multiple=True, help="Of those offices alone.")
@click.option("--begins", metavar="TIME", help="When; now without it.")
@click.option("--ends", metavar="TIME", help="Until when.")
@click.option("--lasts", metavar="DURATION", help="Or how long: 4h, 90m.")
@click.option("--every", metavar="DAYS", help="It comes again so long after its begin: 1d, 7d.")
@click.option("--why", default="", help="What is done, and by whom.")
@running_option()
@output_option()
def add(
    *,
    where: tuple[str, ...],
    circuits: tuple[str, ...],
    begins: str | None,
    ends: str | None,
    lasts: str | None,
    every: str | None,
    why: str,
    data: Path,
    output: str,
) -> None:
    """Enter announced work at offices, at all behind an upstream, or at all there are.

    A time without an offset is the organisation's. Work that was announced and entered late may
    begin in the past: it holds for the contract's figures, and takes no alert back.

    \b
    Example:
        tabuah maintenance add 13.02.10 --begins 2026-12-01T22:00 --lasts 4h --why "Telkom" --data ...
        tabuah maintenance add sto-solok --begins 2026-12-06T01:00 --lasts 2h --every 7d --data ...
    """  # noqa: D301, E501 - \b keeps click from joining the lines
    from collector import record_access  # noqa: PLC0415 - SQLAlchemy and httpx are slow to load

    made = record_access.say(
        data,
        "maintenance",
        sites=list(where),
        circuits=list(circuits),
        at=begins,
        until=ends,
        lasts=lasts,
        every=every,
        text=why,
    )
    click.echo(json.dumps({"id": made["about"]}) if output == "json" else made["about"])


@maintenance.command("list", short_help="The announced work that was entered.")
@click.option("--all", "every", is_flag=True, help="What is over, too.")
@running_option()
@output_option()
def list_(*, every: bool, data: Path, output: str) -> None:
    """List announced work that was entered by hand; the inventory's own stands in the inventory.

    \b
    Example:
        tabuah maintenance list --data /var/lib/tabuah-collector
    """  # noqa: D301
    from collector import record_access  # noqa: PLC0415

    found = [one for one in record_access.maintenance(data) if every or not one["over"]]
    if output == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for one in found:
        again = f"every {one['every_days']} d" if one["every_days"] else "once"
        lines = f" ({', '.join(one['circuits'])})" if one["circuits"] else ""
        click.echo(
            f"{one['id']:5} {one['begins']} {one['ends']} {again:9} "
            f"{', '.join(one['sites'])}{lines}  {one['why']}"
        )
    if not found:
        click.echo("no announced work", err=True)


@maintenance.command(short_help="End it now.")
@click.argument("work", metavar="ID")
@click.option("--at", metavar="TIME", help="When it ended; now without it.")
@running_option()
def end(*, work: str, at: str | None, data: Path) -> None:
    """End announced work early, or for good if it comes again and again.

    \b
    Example:
        tabuah maintenance end m1 --data /var/lib/tabuah-collector
    """  # noqa: D301
    from collector import record_access  # noqa: PLC0415

    record_access.say(data, "maintenance_ended", work, at=at)
    click.echo(f"{work}: ended", err=True)
