"""Where a month's report has its facts from, and how it is put together from them.

The ledger, the tickets and what people decided stand behind `SlaSource`; here is only the order of
work: account, verdict, version, sheet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

from collector.sla import judge
from collector.sla_model import Account, Month
from collector.sla_versions import Version, draft, numbered
from collector.sla_view import Sheet
from inventory.hours import Hours
from inventory.model import Circuit, Inventory, Site
from tabuah.errors import NothingMatchedError

Key = tuple[str, str]
"""Site and circuit."""


class SlaSource(Protocol):
    """What is known for a report. May block on the disk."""

    @property
    def inventory(self) -> Inventory:
        """What exists and what was promised."""

    def accounts(self, month: Month, sites: Collection[str]) -> Iterable[Account]:
        """Return what is known of the offices' circuits around the month.

        Stretches that reach over the month's edges are whole. A circuit of which nothing is
        known may be left out.
        """

    def versions(self, month: Month) -> Mapping[Key, Sequence[Version]]:
        """Return the versions kept of the month, oldest first."""

    def keep(self, month: Month, made: Mapping[Key, Version]) -> None:
        """Keep new versions beside the earlier ones."""


def report_month(source: SlaSource, month: Month, site: str | None, now_ms: int) -> list[Sheet]:
    """Return the sheets of one office's circuits or of all, in the inventory's order.

    A verdict that differs from the last one kept is kept as a new version; that of a month which
    is not over is a draft and is not.

    Raises:
        NothingMatchedError: there is no such office, or none of them has a circuit.
    """
    inventory = source.inventory
    offices = inventory.sites if site is None else (inventory.site(site),)
    known = {
        (account.site, account.circuit): account
        for account in source.accounts(month, [office.code for office in offices])
    }
    versions = source.versions(month)
    sheets: list[Sheet] = []
    made: dict[Key, Version] = {}
    for office in offices:
        for circuit in office.circuits:
            key = (office.code, circuit.id)
            account = known.get(key) or Account(*key)
            account = replace(account, in_service=_in_service(circuit, inventory.timezone))
            verdict = judge(account, month, circuit.sla, _hours(office, circuit), now_ms)
            earlier = tuple(versions.get(key, ()))
            if verdict.final:
                version, new = numbered(earlier, verdict, now_ms)
                if new:
                    made[key] = version
                else:
                    earlier = earlier[:-1]
            else:
                version = draft(verdict, now_ms)
            sheets.append(Sheet(office, circuit, verdict, version, earlier))
    if not sheets:
        asked = "the inventory has no" if site is None else f"{site} has no"
        raise NothingMatchedError(f"{asked} circuit; enter `circuits` of the offices first")
    if made:
        source.keep(month, made)
    return sheets


def _hours(office: Site, circuit: Circuit) -> Hours | None:
    """Return the contract's service hours; the office's where it names none."""
    own = None if circuit.sla is None else circuit.sla.hours
    return office.hours if own is None else own


def _in_service(circuit: Circuit, zone: ZoneInfo) -> tuple[int | None, int | None]:
    """Return from when to when the circuit was there, in ms."""

    def midnight(day: date | None) -> int | None:
        if day is None:
            return None
        return round(datetime.combine(day, time(), zone).timestamp() * 1000)

    return midnight(circuit.in_service.begins), midnight(circuit.in_service.ends)
