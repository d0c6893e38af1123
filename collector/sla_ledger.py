"""From the ledger to the accounts of a month's report. Pure.

    outages, announced work, what people said -> Account

People speak of incidents, contracts of outages: a ticket or a liability of an incident holds for
every outage of its offices and circuits that shares time with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from collector.judgement.evidence import Window
from collector.judgement.ledger import Outage, newest, stretches
from collector.judgement.planned import entered_windows
from collector.judgement.record import Act, Book, Said
from collector.judgement.tracking import Incident
from collector.sla import WINDOWED
from collector.sla_model import Account, Liability, Ticket
from collector.stretches import COUNTABLE_CAUSES, OPEN_CAUSES, Kind, Stretch

PROVIDER: Final = "provider"
"""As a person writes it; a cause's word says the same by whose cause it is."""

Key = tuple[str, str]
"""Site and circuit."""


def ledger_accounts(book: Book, planned: Sequence[Window], until_ms: int) -> list[Account]:
    """Return the account of each circuit that is watched.

    Args:
        book: the ledger, read.
        planned: announced work that the inventory lists; what was entered later is in the book.
        until_ms: up to when the record was judged: what is open lasts until then.
    """
    current = {id_: o for id_, o in newest(book.outages).items() if not o.withdrawn}
    line: dict[Key, list[Stretch]] = defaultdict(list)
    for stretch in stretches(current.values(), book.watched, until_ms):
        line[stretch.site, stretch.circuit].append(stretch)
    windows = [*planned, *entered_windows(book.said, until_ms)]
    evidence: dict[Key, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for outage in current.values():
        evidence[outage.site, outage.circuit][outage.id] = _evidence(outage)
    tickets, liabilities = _people(book, current, until_ms)
    return [
        Account(
            site=key[0],
            circuit=key[1],
            stretches=(*line[key], *_maintenance(key, windows)),
            tickets=tuple(t for id_ in evidence[key] for t in tickets[id_]),
            liabilities={id_: liabilities[id_] for id_ in evidence[key] if id_ in liabilities},
            evidence=evidence[key],
        )
        for key in book.watched
    ]


def outages_of(incident: Incident, outages: Iterable[Outage], until_ms: int) -> list[Outage]:
    """Return the outages that an incident speaks of; what is open lasts until `until_ms`."""
    ended_ms = until_ms if incident.ended_ms is None else incident.ended_ms
    return [
        outage
        for outage in outages
        if outage.site in incident.sites
        and (not incident.circuits or outage.circuit in incident.circuits)
        and outage.began_ms < ended_ms
        and (until_ms if outage.ended_ms is None else outage.ended_ms) > incident.began_ms
    ]


def _maintenance(key: Key, windows: Iterable[Window]) -> list[Stretch]:
    return [
        Stretch(*key, window.begins_ms, window.ends_ms, Kind.EXCLUDED, WINDOWED)
        for window in windows
        if window.touches(*key) and window.begins_ms < window.ends_ms
    ]


def _evidence(outage: Outage) -> tuple[str, ...]:
    told = tuple(f"{one.source.value}: {one.says}" for one in outage.evidence)
    return told or ((outage.reason,) if outage.reason else ())


def _people(
    book: Book, outages: dict[str, Outage], until_ms: int
) -> tuple[dict[str, list[Ticket]], dict[str, Liability]]:
    """Return tickets and liabilities by outage; of liabilities the last word holds."""
    incidents = {incident.id: incident for incident in book.incidents}
    opened: dict[tuple[str, str], tuple[int, int | None]] = {}
    liabilities: dict[str, Liability] = {}

    def about(one: Said) -> list[str]:
        if one.about in outages:
            return [one.about]
        incident = incidents.get(one.about)
        if incident is None:
            return []
        return [outage.id for outage in outages_of(incident, outages.values(), until_ms)]

    for one in book.said:
        if one.act in {Act.TICKET_OPENED, Act.TICKET_CLOSED}:
            for id_ in about(one):
                since_ms, closed_ms = opened.get((id_, one.text), (one.at_ms, None))
                if one.act is Act.TICKET_CLOSED:
                    closed_ms = one.at_ms
                opened[id_, one.text] = (since_ms, closed_ms)
        elif one.act is Act.LIABILITY:
            for id_ in about(one):
                liabilities.pop(id_, None)
                if one.text not in OPEN_CAUSES:
                    theirs = one.text in COUNTABLE_CAUSES | {PROVIDER}
                    liabilities[id_] = Liability.PROVIDER if theirs else Liability.OTHER
    tickets: dict[str, list[Ticket]] = defaultdict(list)
    for (id_, number), (since_ms, closed_ms) in opened.items():
        tickets[id_].append(Ticket(number, id_, since_ms, closed_ms))
    return tickets, liabilities
