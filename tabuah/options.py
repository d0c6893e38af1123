"""Options that commands of several programs share: one name, one spelling, one default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])  # click decorates whatever function it is given


def inventory_option(*, required: bool = True, says: str = "The inventory.") -> Callable[[F], F]:
    """Return `--inventory DIR`, given as `directory`."""
    return click.option(
        "--inventory",
        "directory",
        metavar="DIR",
        required=required,
        type=click.Path(path_type=Path),
        help=says,
    )


def output_option(*formats: str, says: str | None = None) -> Callable[[F], F]:
    """Return `-o text|json|...`, given as `output`; text without it."""
    return click.option(
        *("-o", "--output"),
        type=click.Choice(["text", "json", *formats]),
        default="text",
        show_default=True,
        help=says,
    )
