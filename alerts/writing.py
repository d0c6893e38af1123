"""Writes what is said of an incident, in the organisation's language, for the inventory of now.

    incident -> facts -> parts (what to do, whom to call, the ticket) -> the text

Each part has a template of its own, so that who wants other words for one thing replaces that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alerts.facts import Facts, facts_of
from alerts.incident import Ending
from alerts.templating import PARTS, Templates
from alerts.text import Text, parsed
from inventory.secret import SecretRef
from tabuah.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.facts import Reveal
    from alerts.incident import Incident
    from inventory.model import Inventory

_OFFICES: Final = 10
"""Offices that a message describes; the ticket's own command knows no bound."""
_REMEMBERED: Final = 4_096


class Writer:
    """Knows the inventory, and so what offices are called, where they are and whom to call."""

    def __init__(self, inventory: Inventory, reveal: Reveal | None = None) -> None:
        """Prepare; `reveal` looks up what the inventory keeps elsewhere, if not where it says."""
        self._inventory = inventory
        self._reveal = reveal or self._resolve
        self._spoken: dict[str, str] = {}
        """Names of offices that were spoken of: one that is gone is still known by its own."""
        self.templates = Templates(inventory.alerts.templates)

    def renew(self, inventory: Inventory) -> None:
        """Write by this inventory from now on."""
        self._inventory = inventory
        if inventory.alerts.templates != self.templates.own:
            self.templates = Templates(inventory.alerts.templates)

    def __call__(self, incident: Incident) -> Text:
        """Return what is said of an incident: of its end once it has one, else of its beginning."""
        return self.write(incident, self.templates.fill)

    def write(self, incident: Incident, fill: Callable[[str, str, Facts], str]) -> Text:
        """Return what is said, with texts that `fill` finds by language, name and facts."""
        language = self._inventory.language.value
        facts = self._facts(incident, _OFFICES)
        for part in PARTS:
            facts[part] = fill(language, part, facts)
        return parsed(fill(language, template_of(incident), facts))

    def ticket(self, incident: Incident) -> str:
        """Return the text that opens a ticket with the provider, of all its offices."""
        facts = self._facts(incident, len(incident.sites))
        return self.templates.fill(self._inventory.language.value, "ticket", facts)

    def _facts(self, incident: Incident, most: int) -> Facts:
        return facts_of(incident, self._inventory, self._name, self._reveal, most)

    def _name(self, code: str) -> str:
        site = self._inventory.find(code)
        if site is None:
            return self._spoken.get(code, code)
        self._spoken.pop(code, None)
        self._spoken[code] = site.name
        if len(self._spoken) > _REMEMBERED:
            del self._spoken[next(iter(self._spoken))]
        return site.name

    def _resolve(self, value: str | SecretRef | None) -> str:
        if not isinstance(value, SecretRef):
            return value or ""
        try:
            return value.resolve(self._inventory.directory)
        except ConfigError:  # a text without it will do
            return ""


def template_of(incident: Incident) -> str:
    """Return the name of the template for an incident as it is now."""
    if incident.ended_ms is not None and incident.ending is not Ending.BACK:
        return str(incident.ending.value)
    return incident.alertname
