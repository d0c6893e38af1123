"""What a citizen at an office could use, hour by hour: SIAK, LPSE, PPID, SINAWA. Pure.

Two things must be well: the office must have power and a line, and the service must answer there.
A reading of a service speaks until the next one, at most for twice the time between two. What
nobody saw is unknown; so is a service that is not probed at that office.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from collector.stretches import Kind, Stretch, fill, overlay
from collector.windows import Window, common, union
from inventory.model import Inventory, Site, effective_probes
from tabuah.measurement import Role, Status
from tabuah.report import Report

HOUR_MS: Final = 3_600_000
SERVICE: Final = "service"
"""The cause of an hour in which the line was well and the service did not answer."""

_NO_READING: Final = frozenset(
    {Status.UNKNOWN, Status.INTERNAL_ERROR, Status.MAX_CONCURRENT_LIMIT_REACHED}
)
"""Failures of the agent itself: they say nothing of the service."""
_WITHOUT: Final = frozenset({Kind.DOWN, Kind.EXCLUDED, Kind.OFF})
_ANNOUNCED: Final = "maintenance"
"""A window of announced work says what may happen, not what did; an outage in it does."""


class Use(Enum):
    """Whether the service could be used."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


_KINDS: Final = {Kind.UP: Use.UP, Kind.DOWN: Use.DOWN, Kind.UNKNOWN: Use.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Reading:
    """One check of a service, made at an office."""

    service: str
    at_ms: int
    good: bool


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of one service at one office."""

    service: str
    begin_ms: int
    use: Use
    """What most of the hour was; of two that are even the worse: down, then unknown."""
    up_ms: int
    down_ms: int
    unknown_ms: int
    cause: str
    """Of the longest downtime in it: a cause of the ledger, or `SERVICE`; empty without one."""


def readings(reports: Iterable[tuple[int, Report]]) -> list[Reading]:
    """Return the checks of services in reports, each once however often it was reported.

    `reports` are (time of measuring in ms, report), of one office.
    """
    found: dict[tuple[int, str, int], Reading] = {}
    for time_ms, report in reports:
        for seen in report.measurements:
            if seen.role is not Role.SERVICE or not seen.service or seen.status in _NO_READING:
                continue
            key = (report.id.epoch, seen.probe, seen.run)
            found.setdefault(key, Reading(seen.service, time_ms - seen.age_ms, seen.good))
    return sorted(found.values(), key=lambda reading: reading.at_ms)


def without_line(lines: Iterable[Sequence[Stretch]]) -> list[Stretch]:
    """Return when an office had no line at all: none of its circuits worked, for known causes.

    Each of `lines` is one circuit's stretches; the causes are those of the first.
    """
    windows: list[Window] | None = None
    told: list[Stretch] = []
    for stretches in lines:
        dead = [s for s in stretches if s.kind in _WITHOUT and (s.cause != _ANNOUNCED or s.outage)]
        mine = union((s.begin_ms, s.end_ms) for s in dead)
        if windows is None:
            windows, told = mine, overlay(dead)
        else:
            windows = common(windows, mine)
    return [
        Stretch(s.site, s.circuit, *shared, s.kind, s.cause, s.outage)
        for s in told
        for shared in common([(s.begin_ms, s.end_ms)], windows or [])
    ]


def hold_times(site: Site, inventory: Inventory) -> dict[str, int]:
    """Return for each service of the office how long a reading speaks at most, in ms."""
    holds: dict[str, int] = {}
    for probe in effective_probes(site, inventory):
        if probe.service is not None:
            held = round(2000 * probe.every_s)
            holds[probe.service] = max(held, holds.get(probe.service, 0))
    return {code: holds.get(code, 0) for code in (*site.services, *holds)}


def service_hours(
    site: str,
    holds: Mapping[str, int],
    checks: Iterable[Reading],
    dead: Sequence[Stretch],
    window: Window,
) -> list[Hour]:
    """Return each service's hours in `window`, which begins on a full hour of the office's clock.

    Args:
        site: the office's code.
        holds: the services, and how long a reading of each speaks at most (`hold_times`).
        checks: what its probes saw, in any order (`readings`).
        dead: when it had no line (`without_line`).
        window: from, to.
    """
    by_service: dict[str, list[Reading]] = defaultdict(list)
    for check in sorted(checks, key=lambda c: c.at_ms):
        by_service[check.service].append(check)
    # As exclusions the line's causes come before the service's own: behind a dead line every
    # check fails.
    line = [(s.begin_ms, s.end_ms, Kind.EXCLUDED, s.cause or s.kind.value) for s in dead]
    hours: list[Hour] = []
    for service, hold_ms in holds.items():
        spoken = _spoken(by_service[service], hold_ms)
        told = overlay(Stretch(site, service, *one) for one in (*line, *spoken))
        for begin in range(window[0], window[1], HOUR_MS):
            end = min(window[1], begin + HOUR_MS)
            hours.append(_hour(service, begin, fill(told, site, service, [(begin, end)])))
    return hours


def _spoken(checks: Sequence[Reading], hold_ms: int) -> Iterable[tuple[int, int, Kind, str]]:
    for at, check in enumerate(checks):
        end = check.at_ms + hold_ms
        if at + 1 < len(checks):
            end = min(end, checks[at + 1].at_ms)
        kind, cause = (Kind.UP, "") if check.good else (Kind.DOWN, SERVICE)
        yield check.at_ms, end, kind, cause


def _hour(service: str, begin_ms: int, parts: Iterable[Stretch]) -> Hour:
    sums = dict.fromkeys(Use, 0)
    causes: dict[str, int] = defaultdict(int)
    for part in parts:
        use = _KINDS.get(part.kind, Use.DOWN)
        sums[use] += part.length_ms
        if use is Use.DOWN:
            causes[part.cause] += part.length_ms
    worst_first = (Use.DOWN, Use.UNKNOWN, Use.UP)
    return Hour(
        service=service,
        begin_ms=begin_ms,
        use=max(worst_first, key=sums.__getitem__),
        up_ms=sums[Use.UP],
        down_ms=sums[Use.DOWN],
        unknown_ms=sums[Use.UNKNOWN],
        cause=max(sorted(causes), key=causes.__getitem__, default=""),
    )
