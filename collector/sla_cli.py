"""`tabuah sla`: a month against the contracts, as text, JSON or a page to print and sign."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from collector.options import running_option
from tabuah.options import output_option


class MonthType(click.ParamType[str]):
    """A calendar month in the organisation's zone, like 2026-11."""

    name = "YYYY-MM"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the month as it was written."""
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value, re.ASCII):
            self.fail(f"'{value}' is no month; write it like 2026-11", param, ctx)
        return value


@click.command(short_help="A month's availability and restitution, by contract.")
@click.option("--month", required=True, type=MonthType(), help="In the organisation's time zone.")
@click.option("--site", metavar="CODE", help="One office; all without it.")
@output_option("html", says="html: the report to print on A4 and to sign.")
@click.option(
    "--lang",
    type=click.Choice(["id", "en"]),
    help="Of the html report; without it the inventory's.",
)
@running_option()
def sla(*, month: str, site: str | None, output: str, lang: str | None, data: Path) -> None:
    """Compute a month's availability and restitution of each circuit.

    Availability is told as lowest..highest: the lowest takes time that nobody recorded for down,
    the highest for up. The claim is on countable downtime, the potential on the unknown too.
    A month that is over gets a version; when late reports change its verdict, a new one, and
    earlier ones are kept.

    \b
    Example:
        tabuah sla --month 2026-11 --data /var/lib/tabuah-collector
        tabuah sla --month 2026-11 -o html --data /var/lib/tabuah-collector > sla.html
    """  # noqa: D301 - \b keeps click from joining the lines
    from collector.asking import ask_text  # noqa: PLC0415 - it loads an HTTP client
    from collector.sla_json import lines  # noqa: PLC0415

    asked = {"month": month}
    if site is not None:
        asked["site"] = site
    if output == "html":
        asked["standalone"] = "1"
        if lang is not None:
            asked["lang"] = lang
        click.echo(ask_text(data, "/sla", asked, _TIMEOUT_S))
        return
    report = json.loads(ask_text(data, "/api/v1/sla", asked, _TIMEOUT_S))
    if output == "json":
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    for line in lines(report):
        click.echo(line)
    drafts = [sheet for sheet in report if not sheet["final"]]
    if drafts:
        click.echo(f"The month is not over: computed up to {drafts[0]['as_of']}.", err=True)


_TIMEOUT_S = 300.0
"""A province's report is seconds of CPU, and a collector on a small machine has other work."""
