"""Writes what is said of an incident, in the organisation's language, for the inventory of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.text import Text, text

if TYPE_CHECKING:
    from alerts.incident import Incident
    from inventory.model import Inventory


class Writer:
    """Knows the inventory, and so what offices are called, where they are and whom to call."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._former: dict[str, str] = {}
        """Names of offices that are gone: their incidents end after them."""

    def renew(self, inventory: Inventory) -> None:
        """Write by this inventory from now on; an office that is gone is still known by name."""
        self._former |= {
            code: name
            for code, name in self._inventory.names.items()
            if inventory.find(code) is None
        }
        self._inventory = inventory

    def __call__(self, incident: Incident) -> Text:
        """Return what is said of an incident: of its end once it has one, else of its beginning."""
        known = self._inventory
        names = ", ".join(self._name(code) for code in incident.sites)
        return text(incident, names, known.language.value, known.timezone)

    def _name(self, code: str) -> str:
        site = self._inventory.find(code)
        return self._former.get(code, code) if site is None else site.name
