"""`tabuah alerts`: that of `alerts.cli`, and what takes the collector's record: `explain`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from alerts.cli import alerts
from collector.options import data_given, record_data_option
from tabuah.options import output_option

__all__ = ["alerts"]


@alerts.command(short_help="Why an incident was told, to whom, or why not.")
@click.argument("incident", metavar="INCIDENT")
@record_data_option()
@output_option()
@click.pass_context
def explain(ctx: click.Context, *, incident: str, data: Path | None, output: str) -> None:
    """Print what each step decided of an incident and why, as it was written down then.

    Asks the running collector, or reads its store when none runs. Of announced work give the
    outage's id (tabuah outages): silence in it is no incident.

    \b
    Example:
        tabuah alerts explain down-13.02.10-1795500017000 --data /var/lib/tabuah-collector
    """  # noqa: D301 - \b keeps click from joining the lines
    from collector import record_access  # noqa: PLC0415 - SQLAlchemy and httpx are slow to load
    from collector.explaining import explain_lines  # noqa: PLC0415

    told = record_access.explanation(data_given(ctx, data), incident)
    if output == "json":
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in explain_lines(told):
        click.echo(line)
