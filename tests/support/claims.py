"""What a history is worth: its verdicts through the chained ledger to the month's report.

    Told -> entries of the ledger -> Book -> Account -> CircuitMonth

The lines are taken to have been watched, and good, since the month began; the report is made when
the history ends. See tests/scenarios/README.md for the grammar.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from collector.judgement.ledger import Entry, Json, Subject, outage_body
from collector.judgement.record import (
    Act,
    Said,
    incident_body,
    read_book,
    said_body,
    watch_body,
)
from collector.sla_ledger import ledger_accounts
from collector.sla_model import Account, CircuitMonth, Month
from collector.sla_source import Key, report_month
from collector.sla_versions import Version
from inventory.hours import parse_hours
from inventory.model import ClockStart, Exclusion, Formula, Inventory, Sla
from tabuah.chain import append, verify
from tests.support.histories import Told, Yaml, begin_of, end_of, inventory_of, ms, windows_of

USUAL = Sla(
    availability=Decimal("0.9999"),
    monthly_fee=43_200_000,
    formula=Formula.PRORATA_ALL,
    min_outage_s=300.0,
)
"""A minute of a month of 30 days is worth Rp1.000; 4 min 19 s of it are allowed."""


def months_of(story: Yaml, told: Told, formula: Formula | None = None) -> dict[Key, CircuitMonth]:
    """Return the month of each circuit in which the history ends; `formula` overrules its own."""
    sla = _contract(story.get("contract", "usual"))
    if formula is not None:
        sla = replace(sla, formula=formula)
    inventory = _with_contract(inventory_of(story), sla)
    now_ms = begin_of(story) + end_of(story)
    month = _month_of(now_ms, inventory)
    entries = _ledger(story, told, inventory, month)
    assert verify(entries) is None
    accounts = ledger_accounts(read_book(entries), windows_of(story), now_ms)
    sheets = report_month(_Source(inventory, accounts), month, None, now_ms)
    return {(sheet.site.code, sheet.circuit.id): sheet.month for sheet in sheets}


def _ledger(story: Yaml, told: Told, inventory: Inventory, month: Month) -> list[Entry]:
    since_ms = month.window[0] - 7 * 86_400_000
    bodies: list[tuple[Subject, Json]] = [
        (Subject.WATCH, watch_body(site.code, circuit.id, since_ms))
        for site in inventory.sites
        for circuit in site.circuits
    ]
    bodies += [(Subject.OUTAGE, outage_body(outage)) for outage in told.versions]
    bodies += [(Subject.INCIDENT, incident_body(incident)) for incident in told.incidents]
    bodies += [(Subject.PERSON, said_body(said)) for said in _said(story, told)]
    entries: list[Entry] = []
    for number, (subject, body) in enumerate(bodies):
        last = entries[-1] if entries else None
        entries.append(append(last, begin_of(story) + number, subject, body))
    return entries


def _said(story: Yaml, told: Told) -> Iterable[Said]:
    """Yield what people said: of an office's outage, by its place in the order, or of work."""
    for one in story.get("said", ()):
        at_ms = begin_of(story) + ms(one["at"])
        act = Act(one["act"])
        if act is Act.MAINTENANCE:
            until_ms = begin_of(story) + ms(one["until"])
            yield Said(act, "m1", at_ms, "admin", "", tuple(one["offices"]), until_ms)
            continue
        outages = [o for o in told.newest() if o.site == one["office"]]
        about = outages[one.get("outage", 1) - 1].id
        if "incident" in one:
            about = told.last()[one["incident"] - 1].id
        yield Said(act, about, at_ms, "admin", one.get("text", "INC40218833"))


def _contract(given: object) -> Sla:
    if not isinstance(given, Mapping):
        return USUAL
    sla = replace(
        USUAL,
        exclusions=tuple(Exclusion(word) for word in given.get("exclusions", ())),
        hours=parse_hours(given["hours"]) if "hours" in given else None,
        formula=Formula(given.get("formula", USUAL.formula)),
        clock_start=ClockStart(given.get("clock_start", ClockStart.MEASURED)),
        monthly_fee=given.get("monthly_fee", USUAL.monthly_fee),
    )
    if "min_outage" in given:
        sla = replace(sla, min_outage_s=ms(given["min_outage"]) / 1000)
    return replace(sla, availability=Decimal(str(given.get("availability", sla.availability))))


def _with_contract(inventory: Inventory, sla: Sla) -> Inventory:
    sites = tuple(
        replace(site, circuits=tuple(replace(circuit, sla=sla) for circuit in site.circuits))
        for site in inventory.sites
    )
    return replace(inventory, sites=sites)


def _month_of(at_ms: int, inventory: Inventory) -> Month:
    first = Month(2026, 11, inventory.timezone)
    return first if at_ms <= first.window[1] else Month(2026, 12, inventory.timezone)


class _Source:
    """What `report_month` asks for, without a disk."""

    def __init__(self, inventory: Inventory, accounts: Sequence[Account]) -> None:
        self.inventory = inventory
        self._accounts = accounts

    def accounts(self, month: Month, sites: Collection[str]) -> Iterable[Account]:
        return self._accounts

    def versions(self, month: Month) -> Mapping[Key, Sequence[Version]]:
        return {}

    def keep(self, month: Month, made: Mapping[Key, Version]) -> None:
        raise AssertionError("the month of a history is not over")
