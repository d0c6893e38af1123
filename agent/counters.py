"""Turns an interface's raw SNMP counters into totals that only grow within an epoch. Pure.

A difference of two readings means octets only if nothing began anew between them: the SNMP
engine (snmpEngineBoots), the system (sysUpTime), the interface's counters
(ifCounterDiscontinuityTime), or the interface itself (another ifIndex behind the same ifName, as
after a PPPoE redial). If anything did, a new epoch begins: what was counted in between is not
known. Its totals begin at what the device shows, so that they agree with it; but those of 32-bit
octet counters begin at 0, for when they have wrapped, a later begin at what is shown would fall
below the total before, and a reader that takes a fall for a reset would count up to 4 GiB twice.

If nothing did, and a counter still fell:
- a Counter64 was reset all the same, for it cannot wrap (RFC 2863): new epoch;
- a Counter32 wrapped once, if the rate that follows is not above 1.1 x the interface's speed;
  else the difference is dropped, and counted as dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

_WRAP_32 = 1 << 32
_RATE_SLACK = 1.1
_SHORTEST_FRAME_OCTETS = 64
"""An errored or discarded packet has at least these, by which a packet counter's rate is bound."""
_UPTIME_WRAP_TICKS = 1 << 32
_UPTIME_TOLERANCE_S = 60.0
_TICKS_A_SECOND = 100


class Width(IntEnum):
    """Bits of a counter."""

    COUNTER32 = 32
    COUNTER64 = 64


class Counters(NamedTuple):
    """The six counters of an interface: octets first, then packets."""

    in_octets: int = 0
    out_octets: int = 0
    in_errors: int = 0
    out_errors: int = 0
    in_discards: int = 0
    out_discards: int = 0


_OCTET_COUNTERS = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One interface's raw counters, and all by which they can be compared with others."""

    at_s: float
    """When it was read, on our monotonic clock."""
    uptime_ticks: int
    """sysUpTime, 1/100 s."""
    index: int
    """ifIndex."""
    raw: Counters
    width: Width = Width.COUNTER64
    """Of the octet counters; the others have 32 bits in every MIB."""
    speed_bps: int = 0
    """0 = not known."""
    discontinuity_ticks: int = 0
    """ifCounterDiscontinuityTime; 0 = none since the system began."""
    boots: int | None = None
    """snmpEngineBoots; None over SNMPv2c."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What an interface has carried since the epoch began."""

    epoch: int
    counters: Counters
    last: Reading
    dropped: int = 0
    """Differences that were not believed, since the first reading."""


def first(reading: Reading, epoch: int) -> Totals:
    """Return the totals at the begin of an epoch."""
    return Totals(epoch, _begin(reading), reading)


def advance(before: Totals, reading: Reading) -> Totals:
    """Return the totals after one more reading."""
    if not continuous(before.last, reading):
        return Totals(before.epoch + 1, _begin(reading), reading, before.dropped)
    totals: list[int] = []
    dropped = before.dropped
    for place, (total, old, new) in enumerate(
        zip(before.counters, before.last.raw, reading.raw, strict=True)
    ):
        octets = place < _OCTET_COUNTERS
        difference = new - old
        if difference < 0:
            if octets and reading.width is Width.COUNTER64:
                return Totals(before.epoch + 1, _begin(reading), reading, before.dropped)
            difference += _WRAP_32
            if difference > _most(before.last, reading, octets=octets):
                difference = 0
                dropped += 1
        totals.append(total + difference)
    return Totals(before.epoch, Counters(*totals), reading, dropped)


def continuous(before: Reading, after: Reading) -> bool:
    """Return whether nothing began anew between two readings."""
    return (
        before.boots == after.boots
        and before.index == after.index
        and before.width is after.width
        and before.discontinuity_ticks == after.discontinuity_ticks
        and not restarted(before.uptime_ticks, after.uptime_ticks, after.at_s - before.at_s)
    )


def restarted(before_ticks: int, after_ticks: int, elapsed_s: float) -> bool:
    """Return whether sysUpTime began anew within `elapsed_s` of our own clock.

    It also falls when its 32 bits are full, every 497.1 days: then what it shows agrees with the
    time that went by.
    """
    if after_ticks >= before_ticks:
        return False
    shown_s = (after_ticks + _UPTIME_WRAP_TICKS - before_ticks) / _TICKS_A_SECOND
    return abs(shown_s - elapsed_s) > _UPTIME_TOLERANCE_S


def _begin(reading: Reading) -> Counters:
    if reading.width is Width.COUNTER64:
        return reading.raw
    return reading.raw._replace(in_octets=0, out_octets=0)


def _most(before: Reading, after: Reading, *, octets: bool) -> float:
    """Return the most that a counter can grow between two readings; 0 when the speed is unknown."""
    elapsed_s = max(0.0, after.at_s - before.at_s)
    most_octets = _RATE_SLACK * max(before.speed_bps, after.speed_bps) / 8 * elapsed_s
    return most_octets if octets else most_octets / _SHORTEST_FRAME_OCTETS
