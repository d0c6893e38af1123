"""The texts' templates: the shipped ones, and a user's own in their place.

A user's folder has the shipped one's shape, `id/NAME.txt` and `en/NAME.txt`, and holds only what
is to be different; `{% include "shipped/NAME.txt" %}` is the one that it stands for. It is read at
each message, so that a change takes no restart. One that fails is passed over for the shipped one:
an alert in other words than wished for is better than none. `tabuah inventory check` finds it
before that.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader

from tabuah.sandbox import sandbox

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

log = logging.getLogger(__name__)

SHIPPED: Final = Path(__file__).parent / "templates"
LANGUAGES: Final = ("id", "en")
PARTS: Final = ("short", "first", "call", "reason", "ticket", "details")
"""Templates that others use by name, each of them those before it; they may be empty."""
MOST: Final = 20_000
"""Characters of one text: what a template goes on writing after them is not waited for."""


class Templates:
    """Fills in templates by name."""

    def __init__(self, own: Path | None = None) -> None:
        """Prepare; `own` is the user's folder."""
        self.own = own
        self.failures = 0
        """Texts that a template of the user's own ought to have made, and the shipped one did."""
        self._said: dict[tuple[str, str], str] = {}
        self._own = {} if own is None else {word: _environment(word, own) for word in LANGUAGES}

    def fill(self, language: str, name: str, values: Mapping[str, object]) -> str:
        """Return the text; where the user's own template fails, that of the shipped one."""
        try:
            if self._own:
                return self.fill_own(language, name, values)
        except Exception as error:  # noqa: BLE001 - it may raise whatever Python can; none costs an alert
            self.failures += 1
            self._say(language, name, f"{type(error).__name__}: {error}")
        return _fill(_shipped(language), name, values)

    def fill_own(self, language: str, name: str, values: Mapping[str, object]) -> str:
        """Return the text by the user's own template, if there is one, whatever it raises."""
        text = _fill(self._own[language], name, values)
        if not text and name not in PARTS:
            raise ValueError("it says nothing")
        return text

    def _say(self, language: str, name: str, trouble: str) -> None:
        """Log what is wrong, once until it is something else."""
        if self._said.get((language, name)) != trouble:
            self._said[language, name] = trouble
            log.error(
                "alerts.templates: %s/%s.txt fails (%s); the shipped text is sent in its place",
                language,
                name,
                trouble,
            )


@cache
def _shipped(language: str) -> ImmutableSandboxedEnvironment:
    return sandbox(loader=FileSystemLoader(SHIPPED / language, encoding="utf-8"))


def _environment(language: str, own: Path) -> ImmutableSandboxedEnvironment:
    shipped = FileSystemLoader(SHIPPED / language)
    choices = [FileSystemLoader(own / language), shipped, PrefixLoader({"shipped": shipped})]
    return sandbox(loader=ChoiceLoader(choices))


def _fill(
    environment: ImmutableSandboxedEnvironment, name: str, values: Mapping[str, object]
) -> str:
    parts, size = [], 0
    for part in environment.get_template(f"{name}.txt").generate(values):
        parts.append(part)
        size += len(part)
        if size > MOST:
            break
    return "".join(parts)[:MOST].strip()
