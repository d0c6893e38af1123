"""Options that several of the centre's commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tabuah.options import F


def data_option(
    says: str = "The collector's data folder; made if it is not there.",
) -> Callable[[F], F]:
    """Return `--data DIR` of a command that needs no running collector, given as `data`."""
    return click.option(
        "--data", metavar="DIR", required=True, type=click.Path(path_type=Path), help=says
    )


def running_option() -> Callable[[F], F]:
    """Return `--data DIR` of a command that asks the running collector, given as `data`."""
    return click.option(
        "--data",
        metavar="DIR",
        required=True,
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="The data folder of the running collector.",
    )


def record_data_option() -> Callable[[F], F]:
    """Return `--data DIR` of a group and of its commands, wherever it was typed: `data_given`."""
    return click.option(
        "--data",
        metavar="DIR",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="The collector's data folder.",
    )


def data_given(ctx: click.Context, own: Path | None) -> Path:
    """Return the folder that a command was given, or its group.

    Raises:
        UsageError: neither was.
    """
    group: object = ctx.obj
    data = own or (group if isinstance(group, Path) else None)
    if data is None:
        raise click.UsageError("Missing option '--data'.", ctx)
    return data
