"""The SLA report as a page: to read on a screen, to print on A4 and to sign."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import escape

from collector.sla_model import Month
from collector.sla_view import Sheet, Words
from collector.sla_words import say
from inventory.model import Inventory, Language

_HERE: Final = Path(__file__).parent
_COLUMNS: Final = ("began", "ended", "lasted", "cause", "counts_as", "tickets", "evidence")
"""Said once for each outage: looked up and escaped beforehand."""


def sla_page(
    inventory: Inventory,
    sheets: Sequence[Sheet],
    month: Month,
    language: Language,
    made_ms: int,
    *,
    other_href: str | None = None,
) -> str:
    """Return the report as one HTML document.

    Without `other_href` it holds its style and can be mailed about. With it, the way to the
    report in the other language, it is a page of the collector and links its style, as the
    pages' CSP asks.
    """
    words = Words(inventory, language)
    views = [words.view(sheet) for sheet in sheets]
    final = all(sheet.month.final for sheet in sheets)
    as_of = max((sheet.month.as_of_ms for sheet in sheets), default=made_ms)
    title = f"{say(language, 'title')}, {words.month(month)}"
    other = Language.ENGLISH if language is Language.INDONESIAN else Language.INDONESIAN
    return _template().render(
        say=partial(say, language),
        words={key: escape(say(language, key)) for key in _COLUMNS},
        language=language.value,
        other_language=other.value,
        organisation=inventory.organisation,
        title=title,
        css=_style() if other_href is None else "",
        other_href=other_href,
        made=say(language, "made", time=words.moment(made_ms)),
        provisional="" if final else say(language, "provisional", time=words.moment(as_of)),
        views=views,
        totals=words.totals(sheets),
        intervals=", ".join(dict.fromkeys(view.interval for view in views)),
        zone=words.zone_name(month),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("sla.html")


@lru_cache(maxsize=1)
def _style() -> str:
    return (_HERE / "static" / "sla.css").read_text()
