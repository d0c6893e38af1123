"""`tabuah services`: what citizens could use at an office, hour by hour."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import click

from collector.options import running_option
from tabuah.options import output_option

_TIMEOUT_S = 60.0
"""A day of reports is read from disk."""


@click.command(short_help="What citizens could use at an office, hour by hour.")
@click.argument("site", metavar="SITE")
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Like 2026-11-24, in the organisation's time zone; today without it.",
)
@output_option()
@running_option()
def services(*, site: str, day: datetime | None, output: str, data: Path) -> None:
    """Say for each hour whether SIAK, LPSE, PPID, SINAWA could be used at an office.

    A service could be used while the office had power and a line, and the service answered there.
    What nobody saw is not known, never usable.

    \b
    Example:
        tabuah services 13.02.10 --day 2026-11-24 --data /var/lib/tabuah-collector
    """  # noqa: D301 - \b keeps click from joining the lines
    from collector.asking import ask_text  # noqa: PLC0415 - it loads an HTTP client
    from collector.services import lines  # noqa: PLC0415

    asked = {} if day is None else {"day": f"{day:%Y-%m-%d}"}
    path = f"/api/v1/sites/{quote(site, safe='')}/services"
    rows = json.loads(ask_text(data, path, asked, _TIMEOUT_S))
    if output == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for line in lines(rows):
        click.echo(line)
