"""What all pages stand in: the templates, the reader's language, and links that keep it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from collector.pages.words import word
from collector.words import say
from inventory.model import Inventory, Language

_TEMPLATES: Final = Path(__file__).parent.parent / "templates"


def environment() -> Environment:
    """Return the templates' environment: nothing is put in unescaped, and nothing is left out."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def language_of(asked: str | None, otherwise: Language) -> Language:
    """Return the language that a request asks for, or the other if it asks for none we know."""
    try:
        return Language(asked)
    except ValueError:
        return otherwise


class Frame:
    """Fills templates for one reader."""

    def __init__(self, made: Environment, inventory: Inventory, asked: str | None) -> None:
        self._made = made
        self.language = language_of(asked, inventory.language)
        self._organisation = inventory.organisation
        self._query = "" if self.language is inventory.language else f"?lang={self.language.value}"

    def fill(self, template: str, root: str, refresh_s: int, **values: object) -> str:
        """Return a page; `root` leads from it to the first page, and is empty there."""
        english = self.language is Language.ENGLISH
        other = Language.INDONESIAN if english else Language.ENGLISH
        return self._made.get_template(template).render(
            organisation=self._organisation,
            language=self.language.value,
            other_language=other.value,
            keep=self._query,
            root=root,
            refresh_seconds=refresh_s,
            say=partial(say, self.language),
            word=partial(word, self.language),
            **values,
        )
