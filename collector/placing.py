"""When was it measured? Pure: an office's clocks against what the collector heard.

An office may boot in 1970, run an hour ahead, or be stepped by NTP. Its uptime cannot: within
one boot, `received - uptime` of the quickest live report is the moment of the boot on the
collector's clock, to within one way of the line. That anchor places every report of that
boot. The office's own clock is believed when it agrees; nothing is ever placed in the future.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tabuah.block import Packed

AGREES_MS: Final = 2_000
"""A clock that differs by no more is believed."""
BOOTS_MOST: Final = 8
"""Boots remembered of one office."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A time, and how it was had."""

    time_ms: int
    """ms since 1970 UTC."""
    corrected: bool
    """It is not the office's own word."""
    skew_ms: int
    """The office's clock minus the true time, as far as it shows; positive = ahead."""


@dataclass(slots=True)
class Anchors:
    """The moment of each office's boots, on the collector's clock."""

    _boots: dict[str, OrderedDict[bytes, int]] = field(default_factory=dict)

    def place(self, site: str, report: Packed, received_ms: int, *, live: bool) -> Placed:
        """Return when the report was measured; a live one teaches the anchor of its boot."""
        boots = self._boots.setdefault(site, OrderedDict())
        anchor = boots.get(report.boot_id)
        if live:
            quickest = received_ms - report.uptime_ms
            if anchor is None or not -AGREES_MS < quickest - anchor < AGREES_MS:
                # First heard of this boot, or the collector's own clock was stepped.
                anchor = quickest
            anchor = boots[report.boot_id] = min(anchor, quickest)
            boots.move_to_end(report.boot_id)
            while len(boots) > BOOTS_MOST:
                boots.popitem(last=False)
        if anchor is None:
            # A boot of which nothing was heard live: only its own clock speaks of it.
            believed = min(report.wall_ms, received_ms)
            return Placed(believed, believed != report.wall_ms, 0)
        true_ms = min(anchor + report.uptime_ms, received_ms)
        skew_ms = report.wall_ms - true_ms
        if abs(skew_ms) <= AGREES_MS:
            believed = min(report.wall_ms, received_ms)
            return Placed(believed, corrected=False, skew_ms=skew_ms)
        return Placed(true_ms, corrected=True, skew_ms=skew_ms)
