"""A year as fourteen offices would report it: what `observe` yields, with faults by a seed.

A made-up kabupaten, not measured anywhere: about once a fortnight the mains fail at an office,
eight times a year its line is cut, its STO four times a year, two offices shut down each night.
Reports that go unanswered wait and come late, all at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from collector.judgement.evidence import Look, Observation, ServiceLook
from inventory.model import (
    Circuit,
    CircuitRole,
    Formula,
    Inventory,
    Service,
    Site,
    Sla,
    Technology,
    Ups,
    Upstream,
)
from tabuah.report import Occasion

OFFICES = 14
BEGIN_MS = 1_767_200_400_000
"""1 January 2026 in WIB."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
SERVICES = ("siak", "lpse")

RATES = {
    # kind: (times a year and office, median of its length in ms)
    "cut": (8, 2 * HOUR_MS),
    "short": (20, 60_000),
    "power": (25, HOUR_MS),
    "gateway": (12, 150_000),
    "port": (2, 20 * 60_000),
    "core": (1, 30 * 60_000),
    "slow": (12, 3 * HOUR_MS),
    "full": (40, HOUR_MS),
    "agent": (6, 5_000),
    "service": (5, 30 * 60_000),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that happens to an office, in ms since the year began."""

    begin_ms: int
    end_ms: int
    kind: str


@dataclass(frozen=True, slots=True)
class Step:
    """What the centre gets at one moment: a live report, and the late ones that follow it."""

    received_ms: int
    seen: Observation
    late: tuple[Observation, ...] = ()


def inventory() -> Inventory:
    """Return the offices: two STOs behind one witel, two offices with a second line."""
    sla = Sla(Decimal("0.995"), 10_000_000, Formula.PRORATA_EXCESS, 300.0)
    return Inventory(
        "Kabupaten",
        upstreams={
            "witel": Upstream("witel", "Witel"),
            "sto-0": Upstream("sto-0", "STO 0", "witel"),
            "sto-1": Upstream("sto-1", "STO 1", "witel"),
        },
        services={code: Service(code, code.upper(), f"https://{code}/") for code in SERVICES},
        sites=tuple(_site(number, sla) for number in range(OFFICES)),
    )


def _site(number: int, sla: Sla) -> Site:
    circuits = [Circuit("telkom", technology=Technology.FIBRE, sla=sla)]
    if number < 2:
        circuits.append(Circuit("lte", CircuitRole.BACKUP, interface="lte0"))
    return Site(
        f"k{number:02}",
        f"Kantor Camat {number}",
        upstream=f"sto-{number % 2}",
        ups=Ups.NONE,
        interval_s=60.0,
        circuits=tuple(circuits),
        services=SERVICES,
    )


def faults(site: Site, number: int, seed: int, often: int = 1) -> list[Fault]:
    """Return what happens to an office in the year, in order, one at a time.

    `often` is how many times as much happens as in a plain year.
    """
    draw = random.Random(f"{seed} {site.code}")
    common = random.Random(f"{seed} {site.upstream}")
    found = [
        Fault(begin, begin + round(common.lognormvariate(0, 0.8) * HOUR_MS), "cut")
        for begin in (common.randrange(YEAR_MS) for _ in range(4 * often))
    ]
    for kind, (times, median_ms) in RATES.items():
        for _ in range(round(draw.uniform(0.5, 1.5) * times * often)):
            begin = draw.randrange(YEAR_MS)
            found.append(Fault(begin, begin + round(draw.lognormvariate(0, 1) * median_ms), kind))
    for _ in range(3 * often):
        begin = draw.randrange(YEAR_MS)
        found += [Fault(begin + 90_000 * n, begin + 90_000 * n + 40_000, "short") for n in range(8)]
    if number >= OFFICES - 2:
        found += [
            Fault(day * DAY_MS + 17 * HOUR_MS, (day + 1) * DAY_MS + 7 * HOUR_MS, "night")
            for day in range(364)
        ]
    line: list[Fault] = []
    for fault in sorted(found, key=lambda f: f.begin_ms):
        if not line or fault.begin_ms >= line[-1].end_ms:
            line.append(fault)
    return line


@dataclass(slots=True)
class _Office:
    site: Site
    number: int
    faults: list[Fault]
    draw: random.Random
    at: int = 0
    boot: int = 1
    epoch: int = 1
    booted_ms: int = BEGIN_MS - DAY_MS
    gateway_booted_ms: int = BEGIN_MS - DAY_MS
    held: list[Observation] = field(default_factory=list)
    checked: int = 0


def year(
    offices: Inventory, interval_ms: int, seed: int, span_ms: int = YEAR_MS, often: int = 1
) -> Iterator[list[Step]]:
    """Yield what the centre gets, an interval at a time, in order of arrival."""
    living = [
        _Office(site, n, faults(site, n, seed, often), random.Random(f"{seed} {n}"))
        for n, site in enumerate(offices.sites)
    ]
    for seq, begin in enumerate(range(0, span_ms, interval_ms), start=1):
        steps = []
        for office in living:
            step = _cycle(office, begin + office.number * interval_ms // OFFICES, interval_ms, seq)
            if step is not None:
                steps.append(step)
        yield steps


def _cycle(office: _Office, at: int, interval_ms: int, seq: int) -> Step | None:
    while office.at < len(office.faults) and office.faults[office.at].end_ms <= at:
        _end(office, office.faults[office.at])
        office.at += 1
    fault = office.faults[office.at] if office.at < len(office.faults) else None
    kind = fault.kind if fault is not None and fault.begin_ms <= at else ""
    if kind in {"power", "night", "agent"}:
        return None
    soon = fault is not None and fault.kind == "night" and fault.begin_ms - at <= interval_ms
    backup = len(office.site.circuits) > 1
    seen = _observation(office, at, interval_ms, seq, kind, goodbye=soon)
    if kind in {"cut", "short", "port", "core"} and not backup:
        office.held.append(seen)
        return None
    late, office.held = tuple(office.held), []
    return Step(BEGIN_MS + at + 40, seen, late)


def _end(office: _Office, fault: Fault) -> None:
    if fault.kind in {"power", "night"}:
        office.boot += 1
        office.epoch += 1
        office.booted_ms = office.gateway_booted_ms = BEGIN_MS + fault.end_ms - 30_000
    elif fault.kind == "agent":
        office.epoch += 1
    elif fault.kind == "gateway":
        office.gateway_booted_ms = BEGIN_MS + fault.end_ms - 20_000


def _observation(
    office: _Office, at: int, interval_ms: int, seq: int, kind: str, *, goodbye: bool
) -> Observation:
    at_ms = BEGIN_MS + at
    late = kind in {"cut", "short", "port", "core"} and len(office.site.circuits) == 1
    if at - office.checked >= 300_000:
        office.checked = at
    run = office.checked // 300_000
    answered = kind not in {"cut", "short", "port", "core", "gateway"}
    rtt = 20_000 + round(office.draw.random() * 5_000)
    lost = int(kind == "slow" and office.draw.random() < 0.1)
    look = Look(
        "telkom",
        first_hop=answered or kind == "core",
        centre=answered and not lost,
        public=answered,
        resolver=answered,
        resolver_run=run,
        port=kind != "port" if kind != "gateway" else None,
        first_hop_sent=1,
        first_hop_lost=lost,
        first_hop_rtt_us=4_000,
        sent=2,
        lost=lost if answered else 2,
        rtt_us=rtt if answered else None,
        jitter_us=900,
        load=0.97 if kind == "full" else 0.2,
    )
    looks: tuple[Look, ...] = (look,)
    if len(office.site.circuits) > 1:
        looks = (look, Look("lte", public=True, sent=1, rtt_us=60_000))
    good = answered and kind != "service"
    return Observation(
        site=office.site.code,
        at_ms=at_ms,
        received_ms=at_ms + 40,
        late=late,
        interval_ms=interval_ms,
        epoch=office.epoch,
        seq=seq,
        boot_id=office.boot.to_bytes(16, "big"),
        uptime_ms=at_ms - office.booted_ms,
        occasion=Occasion.GOODBYE_HOST if goodbye else Occasion.CYCLE,
        path="telkom" if answered or len(looks) == 1 else "lte",
        srtt_ms=40,
        gateway=kind != "gateway",
        gateway_uptime_ms=None if kind == "gateway" else at_ms - office.gateway_booted_ms,
        circuits=looks,
        services=tuple(ServiceLook(code, good, run=run) for code in SERVICES) if answered else (),
    )
