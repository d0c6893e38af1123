"""Options that all commands of `tabuah config` share, and how they print."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tabuah.options import F, inventory_option


def common(function: F) -> F:
    """Give a command `--inventory` and `--data`."""
    for option in (
        click.option(
            "--data",
            metavar="DIR",
            required=True,
            type=click.Path(path_type=Path),
            help="The data folder of the running collector.",
        ),
        inventory_option(says="The inventory; what is to be pushed stands in DIR/provision."),
    ):
        function = option(function)
    return function


def echo_json(said: object) -> None:
    """Print JSON for programs."""
    click.echo(json.dumps(said, indent=2, ensure_ascii=False))


def colour() -> bool:
    """Return whether a person looks at stdout."""
    return sys.stdout.isatty()
