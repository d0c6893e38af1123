"""What a contract gives back for downtime: four formulas by name, exact until one rounding. Pure.

With F the fee, H the hours, D the downtime that counts, S the availability promised and
A = 1 - D/H (docs/inventory.md). The four come from contracts and papers of different providers;
none is a default, for only a signed contract says which one holds.

Amounts are fractions until `rupiah` rounds once, half up, to whole rupiah: F x D / H alone is
seldom a decimal that ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from inventory.model import Formula

_NOTHING: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a formula is given; times in any one unit, as long as it is the same."""

    fee: Fraction
    """Rupiah before tax, of the time that the circuit was in service."""
    hours: Fraction
    """All hours of the month, of the service hours if there are any; above zero."""
    down: Fraction
    """Those that count as downtime, 0 to `hours`."""
    promised: Fraction
    """S, 0 to 1; 0 promises nothing, and nothing is owed."""

    @property
    def availability(self) -> Fraction:
        """Return A."""
        return 1 - self.down / self.hours


def _prorata_all(t: Terms) -> Fraction:
    return t.fee * t.down / t.hours if t.availability < t.promised else _NOTHING


def _prorata_excess(t: Terms) -> Fraction:
    return t.fee * max(_NOTHING, t.down - (1 - t.promised) * t.hours) / t.hours


def _prorata_excess_over_s(t: Terms) -> Fraction:
    return (
        t.fee * max(_NOTHING, t.promised - t.availability) / t.promised if t.promised else _NOTHING
    )


def _x_y_over_z_slg(t: Terms) -> Fraction:
    return t.fee * t.down / (t.hours * t.promised) if t.promised else _NOTHING


FORMULAS: Final[Mapping[Formula, Callable[[Terms], Fraction]]] = {
    Formula.PRORATA_ALL: _prorata_all,
    Formula.PRORATA_EXCESS: _prorata_excess,
    Formula.PRORATA_EXCESS_OVER_S: _prorata_excess_over_s,
    Formula.X_Y_OVER_Z_SLG: _x_y_over_z_slg,
}

WRITTEN: Final[Mapping[Formula, str]] = {
    Formula.PRORATA_ALL: "F × D / H (A < S)",
    Formula.PRORATA_EXCESS: "F × max(0, D - (1 - S) × H) / H",
    Formula.PRORATA_EXCESS_OVER_S: "F × max(0, S - A) / S",
    Formula.X_Y_OVER_Z_SLG: "F × D / (H × S)",
}
"""The formulas as a report prints them."""


def restitution(formula: Formula, terms: Terms) -> Fraction:
    """Return the rupiah that the formula gives, unrounded, never more than the fee."""
    return min(terms.fee, FORMULAS[formula](terms))


def rupiah(amount: Fraction) -> int:
    """Return whole rupiah, half up: 138,888.89 is 138,889 and 0.5 is 1."""
    return (amount + Fraction(1, 2)).__floor__()
