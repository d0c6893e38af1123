"""What several offices share: a fault of an area is one fault, whoever noticed it.

An area is two offices or more, and at least half of those behind an upstream, whose outages
*began* within one interval. Only offices still unexplained or with the first hop lost count: who
has evidence of power, gateway or agent, or whose first hop answered, is taken out, and the rest
is judged again. One that was down before, or is flapping, keeps its own.

The upstream named is the lowest that the fallen share: their STO, unless a second STO's offices,
or half of all the others behind the witel, fell with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from collector.judgement.case import Gap, Group
from collector.judgement.evidence import Cause
from collector.judgement.faces import Face
from collector.judgement.outages import Finding, judged

if TYPE_CHECKING:
    from inventory.model import Inventory

LEAST_SITES: Final = 2
LEAST_SHARE: Final = 0.5

_UNEXPLAINED: Final = frozenset({Gap.OPEN, Gap.MISSING})


def behind_each(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Return the offices behind each upstream, near and far; looks at all offices."""
    behind: dict[str, list[str]] = defaultdict(list)
    for site in inventory.outlines:
        for upstream in inventory.upstream_chain(site):
            behind[upstream.code].append(site.code)
    return {code: tuple(sites) for code, sites in behind.items()}


def share(
    findings: Sequence[Finding],
    inventory: Inventory,
    behind: Mapping[str, Collection[str]],
    primaries: Mapping[str, str],
    interval_ms: int,
) -> list[Finding]:
    """Return the findings, those of an area judged again as members of it.

    Args:
        findings: of all offices, each judged by itself.
        inventory: which upstreams there are.
        behind: the offices behind each (`behind_each`).
        primaries: the primary circuit of each office that was found something of.
        interval_ms: within which they must have begun.
    """
    fallen = sorted(
        (f for f in findings if eligible(f) and f.circuit == primaries.get(f.site)),
        key=lambda f: f.fell_ms,
    )
    groups: dict[int, Group] = {}
    for together in _together(fallen, interval_ms):
        members = {f.site: f for f in together}
        fell_ms = {code: f.fell_ms for code, f in members.items()}
        for group in groups_of(fell_ms, inventory, behind):
            groups.update({id(members[site]): group for site in group.sites})
    return [
        judged(f, replace(f.case, group=groups[id(f)])) if id(f) in groups else f for f in findings
    ]


def eligible(finding: Finding) -> bool:
    """Return whether an outage may be part of an area: unexplained, or the first hop lost."""
    if finding.verdict.cause not in {Cause.UNKNOWN, Cause.LAST_MILE, Cause.SESSION}:
        return False
    case = finding.case
    return case.gap in _UNEXPLAINED or case.face in {Face.NO_HOP, Face.DARK, Face.NO_SESSION}


def _together(fallen: Sequence[Finding], interval_ms: int) -> Iterable[list[Finding]]:
    """Yield those that began within one interval of the first of them."""
    batch: list[Finding] = []
    for finding in fallen:
        if batch and finding.fell_ms - batch[0].fell_ms > interval_ms:
            yield batch
            batch = []
        batch.append(finding)
    if batch:
        yield batch


def groups_of(
    fallen: Mapping[str, int], inventory: Inventory, behind: Mapping[str, Collection[str]]
) -> list[Group]:
    """Return the areas that explain the fallen offices (by code, when they fell)."""
    if len(fallen) < LEAST_SITES:
        return []
    areas: dict[str, set[str]] = {}
    # From the leaves up, so that an upstream knows which areas lie under it.
    for code in sorted(behind, key=lambda code: (-_level(code, inventory), code)):
        down = {site for site in behind[code] if site in fallen}
        if len(down) < LEAST_SITES or len(down) < LEAST_SHARE * len(behind[code]):
            continue
        offices = set(behind[code])
        under = [area for area in areas if areas[area] <= offices]
        if len(under) == 1:
            # One area and a stray elsewhere are two faults.
            rest = offices.difference(behind[under[0]])
            strays = down - areas[under[0]]
            if len(strays) < LEAST_SITES or len(strays) < LEAST_SHARE * len(rest):
                continue
        for area in under:
            del areas[area]
        areas[code] = down
    return [
        Group(
            code,
            tuple(sorted(sites)),
            len(behind[code]),
            min(fallen[site] for site in sites),
        )
        for code, sites in sorted(areas.items())
    ]


def _level(code: str, inventory: Inventory) -> int:
    """Return how many upstreams stand above this one."""
    level, seen = 0, {code}
    upstream = inventory.upstreams.get(code)
    while upstream is not None and upstream.parent is not None and upstream.parent not in seen:
        seen.add(upstream.parent)
        level += 1
        upstream = inventory.upstreams.get(upstream.parent)
    return level
