"""When was it measured? Pure: an office's clocks against what the collector heard.

An office may boot in 1970, run an hour ahead, or be stepped by NTP. Its uptime cannot: within
one boot, `received - uptime` of the quickest live report is the moment of the boot, to within
one way of the line. That anchor places every report of that boot, also one that was retried
for seconds or that waited in the socket while the collector stood still. It is kept on the
collector's monotonic clock, which nobody steps. The office's own clock is believed when it
agrees; nothing is ever placed in the future.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tabuah.block import Packed

AGREES_MS: Final = 2_000
"""A clock that differs by no more is believed."""
DRIFT: Final = 200e-6
"""How fast an uptime may fall behind ours: quartz keeps within 100 ppm, on each side. The anchor
gives way so fast; a report that is later than that was delayed."""
BOOTS_MOST: Final = 8
"""Boots remembered of one office."""


class Placed(NamedTuple):
    """A time, and how it was had."""

    time_ms: int
    """ms since 1970 UTC."""
    corrected: bool
    """It is not the office's own word."""
    skew_ms: int
    """The office's clock minus the true time, as far as it shows; positive = ahead."""


class _Anchor(NamedTuple):
    """The moment of a boot on the collector's monotonic clock, in ms, as seen at `learned_ms`."""

    boot_ms: float
    learned_ms: float
    uptime_ms: int
    """What the office said then."""


@dataclass(slots=True)
class Anchors:
    """The moment of each office's boots."""

    _boots: dict[str, OrderedDict[bytes, _Anchor]] = field(default_factory=dict)

    def place(
        self, site: str, report: Packed, received_ms: int, now: float, *, live: bool
    ) -> Placed:
        """Return when the report was measured; a live one teaches the anchor of its boot.

        Args:
            site: whose report it is.
            report: its head is enough.
            received_ms: when it came, ms since 1970 UTC.
            now: the same moment in monotonic seconds.
            live: it came as the newest, not out of the office's spool.
        """
        boots = self._boots.setdefault(site, OrderedDict())
        anchor = boots.get(report.boot_id)
        now_ms = now * 1000
        if live:
            if anchor is not None and report.uptime_ms < anchor.uptime_ms:
                # No boot's uptime goes back: what was learned of it was wrong.
                anchor = None
            boot_ms = now_ms - report.uptime_ms
            if anchor is not None:
                drift_ms = (now_ms - anchor.learned_ms) * DRIFT
                boot_ms = min(boot_ms, anchor.boot_ms + drift_ms)
            anchor = boots[report.boot_id] = _Anchor(boot_ms, now_ms, report.uptime_ms)
            boots.move_to_end(report.boot_id)
            while len(boots) > BOOTS_MOST:
                boots.popitem(last=False)
        age_ms = 0
        if anchor is not None:
            age_ms = max(0, round(now_ms - (anchor.boot_ms + report.uptime_ms)))
        if anchor is None or age_ms > received_ms:
            # A boot of which nothing was heard live, or what cannot be: only its own clock speaks.
            believed = min(report.wall_ms, received_ms)
            return Placed(believed, believed != report.wall_ms, 0)
        true_ms = received_ms - age_ms
        skew_ms = report.wall_ms - true_ms
        if abs(skew_ms) <= AGREES_MS:
            believed = min(report.wall_ms, received_ms)
            return Placed(believed, corrected=False, skew_ms=skew_ms)
        return Placed(true_ms, corrected=True, skew_ms=skew_ms)
