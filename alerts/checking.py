"""What `tabuah inventory check` says of a user's own texts, tried on incidents of every kind.

Found through the entry point `tabuah.inventory_checks`: the inventory knows nothing of alerts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import TemplateSyntaxError

from alerts import samples
from alerts.templating import LANGUAGES, SHIPPED, Templates
from alerts.writing import Writer
from inventory.model import HEAD, Language
from tabuah.errors import Problem, did_you_mean

if TYPE_CHECKING:
    from alerts.facts import Facts
    from inventory.model import Inventory
    from inventory.secret import SecretRef

_BEGAN_MS: Final = 1_795_500_000_000
"""Any time will do: the texts of now are not asked for."""


def problems(inventory: Inventory) -> tuple[Problem, ...]:
    """Return what is wrong with the inventory's own texts, by file and line."""
    own = inventory.alerts.templates
    if own is None:
        return ()
    if not own.is_dir():
        where = str(inventory.directory / HEAD)
        return (Problem(where, f"alerts.templates: no such folder {own}"),)
    return (*_misplaced(own), *_failing(inventory, own))


def _misplaced(own: Path) -> list[Problem]:
    """Return the files that nothing would ever read."""
    known = {path.name for path in (SHIPPED / LANGUAGES[0]).iterdir()}
    found = []
    for path in sorted(own.rglob("*")):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.parent.parent != own or path.parent.name not in LANGUAGES:
            folders = " or ".join(f"{own}/{language}/" for language in LANGUAGES)
            found.append(Problem(str(path), f"is not read: put it into {folders}"))
        elif path.name not in known and not path.name.startswith("_"):
            near = did_you_mean(path.name, known)
            what = f"stands for no shipped text{near}; begin its name with _ if others include it"
            found.append(Problem(str(path), what))
    return found


def _failing(inventory: Inventory, own: Path) -> list[Problem]:
    found: dict[Problem, None] = {}
    templates = Templates(own)

    def fill(language: str, name: str, facts: Facts) -> str:
        try:
            return templates.fill_own(language, name, facts)
        except Exception as error:  # noqa: BLE001 - a template may raise whatever Python can
            where = _place(error) or str(own / language / f"{name}.txt")
            found[Problem(where, f"{error}; the shipped text would be sent")] = None
            return Templates().fill(language, name, facts)

    for language in Language:
        spoken = replace(inventory, language=language)
        writer = Writer(spoken, _unread)
        for incident in samples.every(spoken, _BEGAN_MS):
            writer.write(incident, fill)
    return list(found)


def _unread(value: str | SecretRef | None) -> str:
    """Return what stands where a secret would: an inventory is checked where none can be read."""
    return value if isinstance(value, str) else ""


def _place(error: Exception) -> str:
    """Return FILE:LINE of the template in which an error arose, if it was in one."""
    if isinstance(error, TemplateSyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    place, frame = "", error.__traceback__
    while frame is not None:
        name = frame.tb_frame.f_code.co_filename
        if name.endswith(".txt"):
            place = f"{name}:{frame.tb_lineno}"
        frame = frame.tb_next
    return place
