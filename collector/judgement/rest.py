"""Offices at rest: most say each cycle that all is well, and the court need not hear it again.

An office rests while nothing of it is open and each report follows its forerunner as on any good
day, by a glance at its octets (`tabuah.glance`). The first that does not, or a silence, brings it
before the court, and with it the last minutes, in which it is taken to have said what it said
last: that all was well, which is what each of those reports was looked at for. A report at rest is
stored and shown like any other.

What one glance cannot judge goes before the court: medians, hysteresis, faces of faults. It is let
go when for WELL_MS each report was well, which is longer than any window that it looks at.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from collector.judgement.clock import RIGHT_MS
from collector.judgement.judge import KEEP
from collector.judgement.plain import MISSED
from collector.judgement.runs import TAIL_MS
from inventory.model import DEFAULT_BOUNDS, Technology
from tabuah import glance
from tabuah.glance import Limits

if TYPE_CHECKING:
    from collector.judgement.evidence import Observation
    from collector.opened import Kept
    from inventory.model import Bounds, Inventory, Site


WELL_MS: Final = TAIL_MS
"""How long an office before the court must be well before it may rest."""


class Resting:
    """The offices that are at rest, each with its newest report."""

    def __init__(self, inventory: Inventory) -> None:
        self.offices: dict[str, Kept] = {}
        self.asking: set[str] = set()
        """Those whose probes could tell a loss of the provider's core."""
        self._limits: dict[str, Limits] = {}
        """Of the offices whose lines may be slower than the strictest bounds."""
        self._shared: dict[Limits, Limits] = {}
        """Each of those once: a fleet has a handful."""
        self.renew(inventory)

    def renew(self, inventory: Inventory) -> None:
        """Take up a changed inventory; `learn` is to be called for its offices again."""
        self._inventory = inventory
        self._strict = _strictest([_bounds(inventory, technology) for technology in Technology])
        self._limits.clear()
        for code in [code for code in self.offices if inventory.find(code) is None]:
            self.leave(code)

    def rests(self, kept: Kept) -> bool:
        """Return whether an office rests that is not before the court; if so, its report is noted.

        One that did not rest yet begins to if its report is good by itself.
        """
        code = kept.site
        before = self.offices.get(code)
        if before is not None and not _follows(before, kept):
            return False
        limits = self._limits.get(code, self._strict)
        said = glance.well(kept.block, b"" if before is None else before.block, limits)
        if not said or not _believed(kept):
            return False
        if before is not None:
            if before.glance not in {0, said}:
                return False
            kept.well_since_ms = before.well_since_ms
        kept.glance = said
        self.enter(kept)
        return True

    def may_rest(self, before: Kept, kept: Kept) -> bool:
        """Return whether an office before the court has been well for long, by two reports.

        What is found is noted in `kept`, for the next.
        """
        if not _follows(before, kept) or not _believed(kept):
            return False
        limits = self._limits.get(kept.site, self._strict)
        kept.glance = glance.well(kept.block, before.block, limits)
        if not kept.glance or before.glance not in {0, kept.glance}:
            return False
        kept.well_since_ms = before.well_since_ms
        return kept.time_ms - kept.well_since_ms >= WELL_MS

    def enter(self, kept: Kept) -> None:
        """Let an office rest from this report on."""
        self.offices[kept.site] = kept
        if kept.glance & glance.DIVIDES == glance.DIVIDES:
            self.asking.add(kept.site)
        else:
            self.asking.discard(kept.site)

    def leave(self, code: str) -> Kept | None:
        """Return the newest report of an office that rests no longer; None if it did not rest."""
        self.asking.discard(code)
        return self.offices.pop(code, None)

    def heard_ms(self, code: str) -> int | None:
        """Return when an office at rest was last heard."""
        kept = self.offices.get(code)
        return None if kept is None else kept.received_ms

    def learn(self, site: Site) -> None:
        """Note what is normal on an office's lines, if it is more than on the best."""
        bounds = [_bounds(self._inventory, c.technology or Technology.VSAT) for c in site.circuits]
        limits = _strictest(bounds) if bounds else self._strict
        if limits != self._strict:
            self._limits[sys.intern(site.code)] = self._shared.setdefault(limits, limits)


def as_before(seen: Observation, since_ms: int) -> list[Observation]:
    """Return an office's last minutes at rest, oldest first, from its last report."""
    found = [seen]
    for back in range(1, KEEP):
        ago_ms = back * seen.interval_ms
        if seen.at_ms - ago_ms < since_ms or back >= seen.seq or ago_ms > seen.uptime_ms:
            break
        found.append(
            replace(
                seen,
                at_ms=seen.at_ms - ago_ms,
                received_ms=seen.received_ms - ago_ms,
                seq=seen.seq - back,
                uptime_ms=seen.uptime_ms - ago_ms,
            )
        )
    return found[::-1]


def _follows(before: Kept, kept: Kept) -> bool:
    """Return whether a report follows another of the same start as on any good day."""
    passed_ms = kept.time_ms - before.time_ms
    return 0 <= passed_ms <= MISSED * before.interval_ms and glance.same_start(
        before.block, kept.block
    )


def _believed(kept: Kept) -> bool:
    return kept.skew_ms is None or -RIGHT_MS < kept.skew_ms < RIGHT_MS


def _bounds(inventory: Inventory, technology: Technology) -> Bounds:
    return inventory.bounds.get(technology, DEFAULT_BOUNDS[technology])


def _strictest(bounds: list[Bounds]) -> Limits:
    return Limits(
        rtt_us=int(min(one.rtt_s for one in bounds) * 1e6),
        jitter_us=int(min(one.jitter_s for one in bounds) * 1e6),
    )
