"""Jinja2 in its sandbox, as every template here is filled in.

A template can neither reach Python nor the disk, and what is not defined is an error: a text with
a hole in it is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import BaseLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


def sandbox(
    finalize: Callable[[object], object] | None = None, loader: BaseLoader | None = None
) -> ImmutableSandboxedEnvironment:
    """Return an environment in which a line that holds nothing but a tag leaves no line.

    Args:
        finalize: what each value becomes before it is put in; raises if it must not be.
        loader: finds the templates that a template names; without it, it may name none.
    """
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=finalize,
        loader=loader,
    )
