"""The SLA report as a page: to read on a screen, to print on A4 and to sign."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from collector.sla_model import Month, Share
from collector.sla_view import Sheet, Words
from collector.sla_words import say
from inventory.model import Inventory, Language

_HERE: Final = Path(__file__).parent


def sla_page(
    inventory: Inventory,
    sheets: Sequence[Sheet],
    month: Month,
    language: Language,
    made_ms: int,
    *,
    standalone: bool = True,
) -> str:
    """Return the report as one HTML document.

    `standalone` puts the style into it, for a file that is mailed about; otherwise it is linked,
    as the collector's pages must.
    """
    words = Words(inventory, language)
    views = [words.view(sheet) for sheet in sheets]
    final = all(sheet.month.final for sheet in sheets)
    as_of = max((sheet.month.as_of_ms for sheet in sheets), default=made_ms)
    title = f"{say(language, 'title')}, {words.month(month)}"
    other = Language.ENGLISH if language is Language.INDONESIAN else Language.INDONESIAN
    return _template().render(
        say=partial(say, language),
        language=language.value,
        other_language=other.value,
        month=str(month),
        organisation=inventory.organisation,
        title=title,
        css=_style() if standalone else "",
        made=say(language, "made", time=words.moment(made_ms)),
        provisional="" if final else say(language, "provisional", time=words.moment(as_of)),
        views=views,
        totals=words.totals(sheets),
        intervals=", ".join(dict.fromkeys(view.interval for view in views)),
        zone=words.zone_name(month),
        shares=[share.value for share in Share if share is not Share.AHEAD],
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
