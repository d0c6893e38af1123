"""Versions of a month's verdict: a new one when late data changed anything. Pure.

Whoever keeps them stores what is returned here and hands it back next time; nothing is overwritten,
so that a signed berita acara can be set beside what is known today.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from collector.sla import COMPUTATION
from collector.sla_model import CircuitMonth
from inventory.model import Sla

DRAFT: Final = 0
"""The number of a verdict on a month that is not over."""


@dataclass(frozen=True, slots=True)
class Version:
    """One computation of a circuit's month, as it was."""

    number: int
    """Counts from 1 for each circuit and month; `DRAFT` while the month goes on."""
    computation: int
    """The rules by which it was made (`COMPUTATION`)."""
    digest: str
    """SHA-256 in hex of all that the figures follow from."""
    made_ms: int
    high: str
    """Availability as the contract counts it, exact: `143/144`."""
    low: str
    claim: int | None
    """Rupiah."""
    potential: int | None

    @property
    def availability(self) -> tuple[Fraction, Fraction]:
        """Return low and high."""
        return Fraction(self.low), Fraction(self.high)


def digest(month: CircuitMonth) -> str:
    """Return a digest that differs whenever the verdict, or what it rests on, does.

    It covers the judged month, not everything the ledger holds: what changed in another month
    makes no new version of this one. A month that is not over changes with each minute.
    """
    content = {
        "computation": COMPUTATION,
        "circuit": [month.site, month.circuit],
        "month": [str(month.month), month.month.zone.key],
        "window": [*month.window, month.as_of_ms],
        "hours": None if month.hours is None else month.hours.text,
        "sla": None if month.sla is None else _contract(month.sla),
        "pieces": [
            [piece.stretch.begin_ms, piece.stretch.end_ms, piece.share.value, piece.episode]
            for piece in month.pieces
        ],
        "episodes": [
            [
                *(e.stretch.begin_ms, e.stretch.end_ms, e.stretch.kind.value),
                *(e.stretch.cause, e.stretch.outage, e.unbroken_ms, e.ticketed_ms),
                [[t.number, t.opened_ms, t.closed_ms] for t in e.tickets],
                None if e.liability is None else e.liability.value,
                list(e.evidence),
            ]
            for e in month.episodes
        ],
    }
    packed = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(packed.encode()).hexdigest()


def _contract(sla: Sla) -> list[object]:
    return [
        str(sla.availability),
        sla.monthly_fee,
        None if sla.formula is None else sla.formula.value,
        sla.min_outage_s,
        sla.clock_start.value,
        sorted(exclusion.value for exclusion in sla.exclusions),
        sla.mttr_s,
    ]


def numbered(earlier: Sequence[Version], month: CircuitMonth, now_ms: int) -> tuple[Version, bool]:
    """Return the version of this verdict, and whether it is new and must be kept.

    `earlier` are the circuit's versions of the month, oldest first. The same verdict as the last
    is the last again, with its own time.
    """
    found = digest(month)
    if earlier and earlier[-1].digest == found:
        return earlier[-1], False
    return _version(earlier[-1].number + 1 if earlier else 1, month, found, now_ms), True


def draft(month: CircuitMonth, now_ms: int) -> Version:
    """Return the version of a verdict that is not kept: number `DRAFT`."""
    return _version(DRAFT, month, digest(month), now_ms)


def _version(number: int, month: CircuitMonth, found: str, now_ms: int) -> Version:
    return Version(
        number=number,
        computation=COMPUTATION,
        digest=found,
        made_ms=now_ms,
        high=str(month.due.high),
        low=str(month.due.low),
        claim=month.due.claim,
        potential=month.due.potential,
    )
