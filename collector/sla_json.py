"""The SLA report as JSON and as lines of text. Pure.

Times are RFC 3339 UTC, lengths of time in seconds, availability a number cut to eight decimals,
money whole rupiah; null where there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from collector.formats import rfc3339
from collector.sla_model import CircuitMonth, Episode, Figures
from collector.sla_versions import DRAFT, Version
from collector.sla_view import Sheet, hms
from inventory.model import Sla

Json = dict[str, object]


def sheet_json(sheet: Sheet) -> Json:
    """Return one circuit's month."""
    month = sheet.month
    return {
        "site": sheet.site.code,
        "name": sheet.site.name,
        "circuit": sheet.circuit.id,
        "provider": sheet.circuit.provider,
        "product": sheet.circuit.product,
        "sid": sheet.circuit.sid,
        "month": str(month.month),
        "timezone": month.month.zone.key,
        "from": rfc3339(month.window[0]),
        "to": rfc3339(month.window[1]),
        "as_of": rfc3339(month.as_of_ms),
        "final": month.final,
        "contract": None if month.sla is None else _contract(month.sla, month),
        "seconds": month.hours_ms / 1000,
        "times": {share.value: ms / 1000 for share, ms in month.times.items()},
        "availability": _availability(month.due),
        "kept": month.kept,
        "restitution": month.due.claim,
        "restitution_potential": month.due.potential,
        "measured": _figures(month.measured),
        "ticketed": _figures(month.ticketed),
        "lost_to_late_tickets": {"seconds": month.lost_ms / 1000, "rupiah": month.lost_rupiah},
        "outages": [_episode(episode, month) for episode in month.episodes],
        "version": _version(sheet.version),
        "earlier_versions": [_version(version) for version in sheet.earlier],
    }


def _contract(sla: Sla, month: CircuitMonth) -> Json:
    return {
        "availability": float(sla.availability),
        "monthly_fee": sla.monthly_fee,
        "fee_in_service": None if month.fee is None else float(month.fee),
        "formula": None if sla.formula is None else sla.formula.value,
        "min_outage_seconds": sla.min_outage_s,
        "clock_start": sla.clock_start.value,
        "exclusions": [exclusion.value for exclusion in sla.exclusions],
        "mttr_seconds": sla.mttr_s,
        "hours": None if month.hours is None else month.hours.text,
    }


def _figures(figures: Figures) -> Json:
    return {
        "countable_seconds": figures.countable_ms / 1000,
        "open_seconds": figures.open_ms / 1000,
        "unknown_seconds": figures.unknown_ms / 1000,
        "availability": _availability(figures),
        "restitution": figures.claim,
        "restitution_potential": figures.potential,
        "restitution_if_open_is_the_providers": figures.with_open,
    }


def _availability(figures: Figures) -> list[float]:
    return [_cut(figures.low), _cut(figures.high)]


def _cut(share: Fraction) -> float:
    return (share * 10**8).__floor__() / 10**8


def _episode(episode: Episode, month: CircuitMonth) -> Json:
    stretch = episode.stretch
    ongoing = not month.final and stretch.end_ms >= month.as_of_ms
    return {
        "outage": stretch.outage,
        "began": rfc3339(stretch.begin_ms),
        "ended": None if ongoing else rfc3339(stretch.end_ms),
        "kind": stretch.kind.value,
        "cause": stretch.cause or stretch.kind.value,
        "unbroken_seconds": episode.unbroken_ms / 1000,
        "times": {share.value: ms / 1000 for share, ms in episode.times.items()},
        "ticketed_seconds": episode.ticketed_ms / 1000,
        "tickets": [
            {
                "number": ticket.number,
                "opened": rfc3339(ticket.opened_ms),
                "closed": None if ticket.closed_ms is None else rfc3339(ticket.closed_ms),
            }
            for ticket in episode.tickets
        ],
        "liability": None if episode.liability is None else episode.liability.value,
        "late_repair": episode.late_repair,
        "evidence": list(episode.evidence),
    }


def _version(version: Version) -> Json:
    return {
        "number": None if version.number == DRAFT else version.number,
        "computation": version.computation,
        "digest": version.digest,
        "made": rfc3339(version.made_ms),
        "availability": [_cut(share) for share in version.availability],
        "restitution": version.claim,
        "restitution_potential": version.potential,
    }


def lines(report: Sequence[Mapping[str, Any]]) -> list[str]:  # the API's JSON
    """Return the summary of `sheet_json`s as lines for a terminal, headings first.

    Money stands in whole rupiah, lengths of time as h:mm:ss.
    """
    rows = [
        ("SITE", "CIRCUIT", "AVAILABILITY", "PROMISED", "DOWN", "UNKNOWN", "CLAIM", "POTENTIAL")
    ]
    for sheet in report:
        low, high = (_percent(share) for share in sheet["availability"])
        due = sheet["ticketed" if _by_ticket(sheet) else "measured"]
        contract = sheet["contract"]
        rows.append(
            (
                f"{sheet['site']} {sheet['name']}",
                sheet["circuit"],
                high if low == high else f"{low}..{high}",
                "-" if contract is None else _percent(contract["availability"]),
                hms(round(due["countable_seconds"] * 1000)),
                hms(round(due["unknown_seconds"] * 1000)),
                _money(sheet["restitution"]),
                _money(sheet["restitution_potential"]),
            )
        )
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            text.ljust(widths[at]) if at < 2 else text.rjust(widths[at])
            for at, text in enumerate(row)
        )
        for row in rows
    ]


def _by_ticket(sheet: Mapping[str, Any]) -> bool:
    return sheet["contract"] is not None and sheet["contract"]["clock_start"] == "ticket"


def _percent(share: float) -> str:
    # Cut, not rounded: what is missed by a hair must not read as kept.
    return f"{int(share * 1_000_000 + 1e-6) / 10_000:.4f}%"


def _money(rupiah: int | None) -> str:
    return "-" if rupiah is None else f"{rupiah:,}"
