"""When was it measured? Pure: an office's clocks against what the collector heard.

An office may boot in 1970, run an hour ahead, or be stepped by NTP. Its uptime cannot: within
one boot, `received - uptime` of the quickest live report is the moment of the boot, to within
one way of the line. That anchor places every report of that boot, also one that was retried
for seconds or that waited in the socket while the collector stood still. It is kept on the
collector's monotonic clock, which nobody steps. The office's own clock is believed when it
agrees; nothing is ever placed in the future.

A boot of which nothing was heard live came and went in an outage. It was over before the boot that
is heard now began, and began after the last that is known of the boots before it, whose reports
come first, as spools are emptied oldest first. Its own clock is believed if it falls between the
two, less the error that the office's clock has now: a clock that is an hour ahead mostly was so
before. Otherwise it is taken to follow at once upon what was before it: how long the machine was
off nobody can say, and the order is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from tabuah.snmp.usm import WINDOW_SECONDS

if TYPE_CHECKING:
    from tabuah.block import Packed

AGREES_MS: Final = 2_000
"""A clock that differs by no more is believed."""
DRIFT: Final = 200e-6
"""How fast an uptime may fall behind ours: quartz keeps within 100 ppm, on each side. The anchor
gives way so fast; a report that is later than that was delayed."""
ON_ITS_WAY_MS: Final = WINDOW_SECONDS * 1000
"""So long at most a datagram is on its way: an older one is taken for a replay."""
BOOTS_MOST: Final = 8
"""Boots remembered of one office."""
CREDIBLE_MS: Final = 1_577_836_800_000
"""2020: a clock that reads an earlier time was never set."""


class Placed(NamedTuple):
    """A time, and how it was had."""

    time_ms: int
    """ms since 1970 UTC."""
    corrected: bool
    """It is not the office's own word."""
    skew_ms: int
    """The office's clock minus the true time, as far as it shows; positive = ahead."""


@dataclass(slots=True)
class _Boot:
    """One boot of an office, on the collector's monotonic clock in ms."""

    id: bytes
    began_ms: float
    learned_ms: float = -math.inf
    """When it was last heard live; -inf = never: `began_ms` is a guess."""
    uptime_ms: int = 0
    wall_ms: int = 0
    """What the office said then."""
    until_ms: float = -math.inf
    """Of its newest report that is known."""

    @property
    def heard(self) -> bool:
        """Whether anything of it was heard live."""
        return self.learned_ms > -math.inf


@dataclass(slots=True)
class _Office:
    last: _Boot | None = None
    """The one learned of last; most offices have no other."""
    others: tuple[_Boot, ...] = ()
    """Of these, too, the one learned of last is last."""
    present: bytes = b""
    """The boot that was heard live last."""
    skew_ms: int = 0
    """Of its clock, in that boot."""

    @property
    def boots(self) -> tuple[_Boot, ...]:
        """All that are known, in the order in which they were learned of."""
        return self.others if self.last is None else (*self.others, self.last)

    def find(self, boot_id: bytes) -> _Boot | None:
        """Return what is known of a boot."""
        if self.last is not None and self.last.id == boot_id:
            return self.last
        return next((boot for boot in self.others if boot.id == boot_id), None)

    def put_last(self, boot: _Boot) -> None:
        """Take a boot as the one learned of last; forget one that is past when there are many."""
        if self.last is boot:
            return
        others = [one for one in self.boots if one.id != boot.id]
        if len(others) >= BOOTS_MOST:
            others.remove(next(one for one in others if one.id != self.present))
        self.last, self.others = boot, tuple(others)


@dataclass(slots=True)
class Anchors:
    """The moment of each office's boots."""

    _offices: dict[str, _Office] = field(default_factory=dict)

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
        office = self._offices.get(site)
        if office is None:
            office = self._offices[site] = _Office()
        now_ms = now * 1000
        if live:
            _learn(office, report, now_ms)
        boot = office.find(report.boot_id)
        if boot is None or not boot.heard:
            return _guess(office, report, received_ms, now_ms)
        measured_ms = boot.began_ms + report.uptime_ms
        age_ms = max(0, round(now_ms - measured_ms))
        if age_ms > received_ms:  # that cannot be: only its own clock speaks
            believed = min(report.wall_ms, received_ms)
            return Placed(believed, believed != report.wall_ms, 0)
        boot.until_ms = max(boot.until_ms, measured_ms)
        placed = _placed(report, received_ms, age_ms)
        if live:
            office.skew_ms = placed.skew_ms
        return placed


def _learn(office: _Office, report: Packed, now_ms: float) -> None:
    """Take the moment of a boot from a live report, unless a quicker one has told it."""
    began_ms = now_ms - report.uptime_ms
    boot = office.find(report.boot_id)
    wrong = (
        boot is not None and report.boot_id == office.present and _goes_back(boot, report, now_ms)
    )
    if boot is None or not boot.heard or wrong:
        boot = _Boot(report.boot_id, began_ms, now_ms, report.uptime_ms, report.wall_ms)
    elif report.uptime_ms >= boot.uptime_ms:
        drift_ms = (now_ms - boot.learned_ms) * DRIFT
        boot.began_ms = min(began_ms, boot.began_ms + drift_ms)
        boot.learned_ms = now_ms
        boot.uptime_ms, boot.wall_ms = report.uptime_ms, report.wall_ms
    else:
        return  # a straggler: neither its boot nor its time is the present
    office.present = boot.id
    office.put_last(boot)


def _goes_back(boot: _Boot, report: Packed, now_ms: float) -> bool:
    """Whether what was learned of a boot is wrong: no boot's uptime goes back.

    One that is less is mostly of a report that was delayed, above all when its clock is as much
    less; the clock may have been stepped since. But no report is delayed for longer than it is
    sent again, and of none that was does the clock say that it is of now.
    """
    back_ms = boot.uptime_ms - report.uptime_ms
    went_on_ms = report.wall_ms - boot.wall_ms
    if back_ms <= 0 or abs(went_on_ms + back_ms) <= AGREES_MS:
        return False
    delay_ms = now_ms - boot.began_ms - report.uptime_ms
    of_now = abs(went_on_ms - (now_ms - boot.learned_ms)) <= AGREES_MS
    return of_now or delay_ms > report.interval_ms + ON_ITS_WAY_MS


def _guess(office: _Office, report: Packed, received_ms: int, now_ms: float) -> Placed:
    """Place a report of a boot that was never heard live, between what is known."""
    present = office.find(office.present)
    others = (
        boot.until_ms for boot in office.boots if boot.id not in (office.present, report.boot_id)
    )
    after_ms = max(others, default=-math.inf)
    before_ms = now_ms if present is None else min(present.began_ms, now_ms)
    skew_ms = office.skew_ms if abs(office.skew_ms) > AGREES_MS else 0
    wall_ms = now_ms - (received_ms - (report.wall_ms - skew_ms))
    if after_ms <= wall_ms <= before_ms and report.wall_ms > CREDIBLE_MS:
        measured_ms = wall_ms
    else:
        boot = office.find(report.boot_id)
        if boot is not None:
            measured_ms = boot.began_ms + report.uptime_ms
        elif after_ms > -math.inf:
            measured_ms = after_ms + report.uptime_ms
        else:
            measured_ms = before_ms
        skew_ms = 1  # its own word is not taken
    measured_ms = min(measured_ms, before_ms)
    began_ms = measured_ms - report.uptime_ms
    known = office.find(report.boot_id) or _Boot(report.boot_id, began_ms)
    known.began_ms = began_ms
    known.until_ms = max(known.until_ms, measured_ms)
    office.put_last(known)
    time_ms = max(received_ms - max(round(now_ms - measured_ms), 0), 0)
    return Placed(time_ms, corrected=skew_ms != 0, skew_ms=report.wall_ms - time_ms)


def _placed(report: Packed, received_ms: int, age_ms: int) -> Placed:
    """Place a report of a known age; its own clock is believed when it agrees."""
    true_ms = received_ms - age_ms
    skew_ms = report.wall_ms - true_ms
    if abs(skew_ms) <= AGREES_MS:
        believed = min(report.wall_ms, received_ms)
        return Placed(believed, corrected=False, skew_ms=skew_ms)
    return Placed(true_ms, corrected=True, skew_ms=skew_ms)
