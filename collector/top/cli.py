"""`tabuah top`: the live table in a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collector.options import running_option
from inventory.model import DEFAULT_ZONE, Language
from tabuah.errors import NothingMatchedError, TabuahError
from tabuah.speech import rfc3339
from tabuah.wall import wall_ms

if TYPE_CHECKING:
    from collector.top.view import Depth, Json


@click.command(short_help="The offices live in the terminal, and one in depth.")
@running_option()
@click.option(
    "--lang",
    "language",
    type=click.Choice([each.value for each in Language]),
    default=Language.INDONESIAN.value,
    show_default=True,
    help="Of what is shown.",
)
def top(*, data: Path, language: str) -> None:
    """Show all offices, the worst first, and keep them up to date until `q`.

    Enter opens an office, `/` finds by name, state or cause, `t` leaves only trouble.

    \b
    Example:
        tabuah top --data /var/lib/tabuah-collector
        tabuah top --data .tabuah-demo/collector --lang en
    """  # noqa: D301 - \b keeps click from joining the lines
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        complaint = TabuahError("this needs a terminal; for a script: tabuah sites -o json")
        complaint.exit_code = 2
        raise complaint
    from collector.top.screens import Top  # noqa: PLC0415 - slow to load
    from collector.top.view import Reader  # noqa: PLC0415

    sites_of(data)  # what is wrong with the folder is said before the screen is taken
    reader = Reader(Language(language), DEFAULT_ZONE)
    Top(lambda: sites_of(data), lambda code: office_of(data, code), wall_ms, reader).run()


def sites_of(data: Path) -> list[Json]:
    """Return /api/v1/sites of the collector with that folder."""
    from collector.asking import ask  # noqa: PLC0415 - it loads an HTTP client

    listed: list[Json] = ask(data, "/api/v1/sites")
    return listed


def office_of(data: Path, code: str) -> Depth:
    """Return all that the API says of one office.

    Raises:
        NothingMatchedError: it is no longer in the inventory.
    """
    from collector.asking import ask  # noqa: PLC0415
    from collector.top.view import LATEST_S, Depth  # noqa: PLC0415

    office = next((one for one in sites_of(data) if one["code"] == code), None)
    if office is None:
        raise NothingMatchedError(f"the inventory has no office {code} any more")
    since = rfc3339(wall_ms() - LATEST_S * 1000)
    reports: list[Any] = ask(data, f"/api/v1/sites/{code}/reports", {"from": since})
    return Depth(
        office,
        reports[-1] if reports else None,
        ask(data, "/api/v1/incidents", {"site": code}),
        ask(data, "/api/v1/outages", {"site": code}),
    )
