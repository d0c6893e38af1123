"""The centre's commands, as people type them."""

from __future__ import annotations

import os
from pathlib import Path

import click

from collector.enrol import enrol as enrol_offices
from collector.enrol import file_name
from inventory.load import load
from inventory.model import Endpoint
from inventory.values import endpoint


class EndpointType(click.ParamType[Endpoint]):
    """HOST:PORT; an IPv6 address stands in brackets."""

    name = "HOST:PORT"

    def convert(
        self, value: str | Endpoint, param: click.Parameter | None, ctx: click.Context | None
    ) -> Endpoint:
        """Return the address that `value` is."""
        if isinstance(value, Endpoint):
            return value
        try:
            return endpoint(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(short_help="Make an office's configuration, its key included.")
@click.argument("sites", metavar="SITE...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All offices of the inventory.")
@click.option(
    "--inventory",
    "directory",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="The inventory.",
)
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="The collector's data folder; made if it is not there.",
)
@click.option(
    "--collector",
    "collectors",
    metavar="HOST:PORT",
    required=True,
    multiple=True,
    type=EndpointType(),
    help="Where offices reach this collector; give it again for a second address of the same one.",
)
@click.option(
    "--out",
    metavar="FILE|DIR",
    default=".",
    show_default=True,
    help="Where to write; in a folder the file is called agent-CODE.toml.",
)
@click.option(
    "--rotate", is_flag=True, help="A new key; the old one works until the new one is first used."
)
@click.option("--force", is_flag=True, help="Replace a file even if it is another office's.")
def enrol(
    *,
    sites: tuple[str, ...],
    every: bool,
    directory: Path,
    data: Path,
    collectors: tuple[Endpoint, ...],
    out: str,
    rotate: bool,
    force: bool,
) -> None:
    """Make the configuration of one or more offices' agents, their keys included.

    Each is written to a file of mode 0600, never to the terminal: carry it to the office's
    gateway over a channel that you trust. Works beside a running collector, which needs no
    restart. Done again, it writes the same key; --rotate makes a new one.
    """
    if bool(sites) == every:
        raise click.UsageError("name the offices, or give --all")
    inventory = load(directory)
    codes = [site.code for site in inventory.sites] if every else list(dict.fromkeys(sites))
    for code in codes:
        inventory.site(code)  # before anything is made
    made = enrol_offices(
        inventory, _paths(codes, out), data, collectors, rotate=rotate, force=force
    )
    for office in made:
        click.echo(f"{office.path}: {office.user}", err=True)


def _paths(codes: list[str], out: str) -> dict[str, Path]:
    """Return the file of each office, making the folder if `out` must be one."""
    target = Path(out)
    if len(codes) > 1 or out.endswith(os.sep) or target.is_dir():
        if target.exists() and not target.is_dir():
            raise click.UsageError(f"--out {out}: several offices need a folder, this is a file")
        try:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"--out {out}: {error.strerror}") from error
        return {code: target / file_name(code) for code in codes}
    return dict.fromkeys(codes, target)
