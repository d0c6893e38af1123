"""The faults of the histories, made for real: the same causes, and edges within one interval.

All happen at once, each at an office of its own, at moments and offices that a seed draws. The
seed is printed when something is not as it should be; TABUAH_FAULTS_SEED repeats it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.lab.chance import sigmas
from tests.lab.machine import LabError
from tests.lab.net import Office
from tests.lab.stack import INTERVAL_S
from tests.lab.town import MANY, UPSTREAM, Break, Town, TownStack

pytestmark = [pytest.mark.lab, pytest.mark.timeout(420)]

CALM_S = 20
"""Of good reports before the first fault: a verdict speaks of what was before."""
LASTS_S = 30
FULL_S = 100
"""A full line is told by its last two minutes."""
KNOWN_WITHIN_S = 90
"""After the last repair: the spools drain, and the court waits a minute for one that does not."""
EDGE_S = INTERVAL_S + 1.0
"""One interval, and a second for a machine that is busy with other things."""
START_S = 2.0
"""A killed agent takes as long to start again, on such a machine."""
LOSS = 0.3
SLOW = {"TabuahLinkDegraded", "TabuahLinkSaturated"}
"""Such incidents last until two minutes were good."""


@dataclass(slots=True)
class Fault:
    """One thing that is broken and mended, and what the product must make of it."""

    name: str
    office: Office
    broken: Break
    begin_s: float
    lasts_s: float
    cause: str | None
    """Of the outage that must be found; None: there must be none."""
    incident: str | None = None
    """The cause of the one incident; None: there must be none."""
    countable: bool = False
    sites: tuple[Office, ...] = ()
    late_s: float = EDGE_S
    """How late its end may be told."""
    began: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """What was done, and what the product says of it."""

    seed: int
    stack: TownStack
    faults: Mapping[str, Fault]
    outages: Mapping[str, Sequence[Mapping[str, Any]]]
    """By office's code."""
    incidents: Sequence[Mapping[str, Any]]

    def of(self, office: Office) -> list[Mapping[str, Any]]:
        """Return the incidents that name an office."""
        return [one for one in self.incidents if self.stack.codes[office] in one["sites"]]

    def shown(self) -> str:
        """Return all that a failure needs to be understood."""
        lines = [f"seed {self.seed}"]
        for fault in self.faults.values():
            code = self.stack.codes[fault.office]
            lines.append(f"{fault.name} at {code}: {fault.began} to {fault.ended}")
            lines += [f"    outage {_told(one)}" for one in self.outages[code]]
            lines += [
                f"    incident {one['alertname']} {_told(one)}" for one in self.of(fault.office)
            ]
        return "\n".join(lines)


def _told(one: Mapping[str, Any]) -> str:
    says = "; ".join(each["says"] for each in one["evidence"])
    return f"{one['cause']}: {one['reason']} ({says}); {one['began']} to {one['ended']}"


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Happened]:
    """All faults, made and mended."""
    seed = int(os.environ.get("TABUAH_FAULTS_SEED") or secrets.randbelow(10**6))
    folder = tmp_path_factory.mktemp("town")
    try:
        with Town(folder, plain=10, grouped=3) as town:
            faults = _faults(town, random.Random(seed))
            lossy = {faults["lossy"].office: MANY}
            with TownStack(town, folder, lossy) as stack:
                faults["agent killed"].broken = stack.agent
                time.sleep(CALM_S)
                _make(list(faults.values()))
                yield _told_of(seed, stack, faults)
    except LabError as error:
        pytest.fail(str(error))


def _faults(town: Town, draw: random.Random) -> dict[str, Fault]:
    offices = draw.sample(town.plain, len(town.plain))
    mine = iter(offices)
    unset: Break = town.black_hole
    rows: list[tuple[str, Office, Break, float, str | None, str | None, bool]] = [
        ("black hole", next(mine), town.black_hole, LASTS_S, "last_mile", "last_mile", True),
        ("uplink only", next(mine), town.uplink, LASTS_S, "last_mile", "last_mile", True),
        ("downlink only", next(mine), town.downlink, LASTS_S, "last_mile", "last_mile", True),
        ("carrier", next(mine), town.no_carrier, LASTS_S, "unknown", "unknown", False),
        ("gateway", next(mine), town.no_gateway, LASTS_S, "gateway", "gateway", False),
        ("upstream", next(mine), town.beyond, LASTS_S, "provider_core", "provider_core", True),
        ("agent killed", next(mine), unset, 20, "agent", "agent", False),
        ("resolvers", next(mine), town.resolvers, LASTS_S, None, "service", False),
        ("full", next(mine), town.full, FULL_S, None, "congestion", False),
        ("lossy", next(mine), town.lossy, FULL_S, None, None, False),
        ("two lines", town.twofold, town.black_hole, LASTS_S, "last_mile", "last_mile", True),
        ("group", town.grouped[0], town.no_group, LASTS_S, "area", "area", True),
    ]
    found = {}
    for name, office, broken, lasts_s, cause, incident, countable in rows:
        # The long ones begin at once, so that the others fall into their time.
        begin_s = 0.0 if lasts_s == FULL_S else draw.uniform(5, FULL_S - LASTS_S)
        sites = town.grouped if name == "group" else (office,)
        found[name] = Fault(
            name, office, broken, begin_s, lasts_s, cause, incident, countable, tuple(sites)
        )
    found["agent killed"].late_s += START_S
    return found


def _make(faults: Sequence[Fault]) -> None:
    """Break and mend, in order of time."""
    moments = [(f.begin_s, True, f) for f in faults]
    moments += [(f.begin_s + f.lasts_s, False, f) for f in faults]
    began = time.monotonic()
    for at, broken, fault in sorted(moments, key=lambda moment: moment[0]):
        time.sleep(max(0.0, began + at - time.monotonic()))
        if broken:
            fault.broken(fault.office, True)
            fault.began = datetime.now(UTC)
        else:
            fault.broken(fault.office, False)
            fault.ended = datetime.now(UTC)


def _told_of(seed: int, stack: TownStack, faults: Mapping[str, Fault]) -> Happened:
    """Return what the product says, once it knows all or has had the time."""
    deadline = time.monotonic() + KNOWN_WITHIN_S
    while True:
        incidents = json.loads(stack.fetch("/api/v1/incidents"))
        outages: dict[str, list[Mapping[str, Any]]] = {code: [] for code in stack.codes.values()}
        for one in json.loads(stack.fetch("/api/v1/outages")):
            outages[one["site"]].append(one)
        now = Happened(seed, stack, faults, outages, incidents)
        settled = all(_as_wanted(now, fault) for fault in faults.values())
        if settled or time.monotonic() > deadline:
            return now
        time.sleep(1)


def _as_wanted(now: Happened, fault: Fault) -> bool:
    for office in fault.sites:
        found = now.outages[now.stack.codes[office]]
        causes = [one["cause"] for one in found if one["ended"] is not None]
        if causes != ([] if fault.cause is None else [fault.cause]):
            return False
        incidents = now.of(office)
        if any(one["status"] == "open" and one["alertname"] not in SLOW for one in incidents):
            return False
        if fault.incident is not None and fault.incident not in {one["cause"] for one in incidents}:
            return False
    return True


LINES = (
    *("black hole", "uplink only", "downlink only", "carrier", "gateway", "upstream"),
    *("agent killed", "two lines", "group"),
)


@pytest.mark.parametrize("name", LINES)
def test_a_fault_made_for_real_is_one_outage_of_its_cause_and_time(
    happened: Happened, name: str
) -> None:
    fault = happened.faults[name]
    assert fault.began is not None
    assert fault.ended is not None
    for office in fault.sites:
        found = happened.outages[happened.stack.codes[office]]
        assert [one["cause"] for one in found] == [fault.cause], happened.shown()
        (outage,) = found
        assert outage["circuit"] == "telkom"
        assert outage["countable"] is fault.countable, happened.shown()
        early = abs((datetime.fromisoformat(outage["began"]) - fault.began).total_seconds())
        late = abs((datetime.fromisoformat(outage["ended"]) - fault.ended).total_seconds())
        edges = (early <= EDGE_S, late <= fault.late_s)
        assert edges == (True, True), (early, late, happened.shown())


ALONE = [name for name in LINES if name != "group"]


@pytest.mark.parametrize("name", [*ALONE, "resolvers", "full"])
def test_it_is_one_incident_that_ends_with_its_cause(happened: Happened, name: str) -> None:
    fault = happened.faults[name]
    told = happened.of(fault.office)
    assert [one["cause"] for one in told] == [fault.incident], happened.shown()
    (incident,) = told
    assert incident["status"] == "closed" or name == "full", happened.shown()
    assert incident["sites"] == [happened.stack.codes[fault.office]]


def test_a_group_that_falls_is_one_incident(happened: Happened) -> None:
    fault = happened.faults["group"]
    codes = {happened.stack.codes[office] for office in fault.sites}
    told = {one["id"]: one for office in fault.sites for one in happened.of(office)}
    falls = list(told.values())
    (area,) = (one for one in falls if one["alertname"] == "TabuahUpstreamDown")
    assert (area["cause"], area["status"], area["upstream"]) == ("area", "closed", UPSTREAM)
    assert len(codes & set(area["sites"])) >= 2, happened.shown()
    # On a busy machine one may be missed long before the others, and is told of first; it is told
    # with them then, and its outage is one (`LINES` above).
    assert {one["cause"] for one in falls} == {"area"}, happened.shown()
    alone = [one["reason"] for one in falls if one is not area]
    assert set(alone) <= {"it is told of with the others"}, happened.shown()


def test_what_is_particular_is_said(happened: Happened) -> None:
    stack, faults = happened.stack, happened.faults
    (carrier,) = happened.outages[stack.codes[faults["carrier"].office]]
    assert carrier["reason"] == "ONT without power or WAN cable out", happened.shown()
    (two,) = happened.of(faults["two lines"].office)
    assert two["circuits"] == ["telkom"], happened.shown()


@pytest.mark.parametrize("name", ["resolvers", "full", "lossy"])
def test_what_is_no_outage_is_none(happened: Happened, name: str) -> None:
    office = happened.faults[name].office
    assert happened.outages[happened.stack.codes[office]] == [], happened.shown()


def test_heavy_loss_is_told_as_loss_and_nothing_falls(happened: Happened) -> None:
    fault = happened.faults["lossy"]
    assert fault.began is not None
    assert fault.ended is not None
    told = {one["alertname"] for one in happened.of(fault.office)}
    assert told <= {"TabuahLinkDegraded"}, happened.shown()
    sent = received = 0
    known: set[tuple[str, int]] = set()
    for report in happened.stack.reports(fault.office):
        if (report.time - fault.began).total_seconds() <= 2 * INTERVAL_S:
            continue
        if report.time >= fault.ended:
            continue
        for seen in report.measurements:
            if (seen.probe, seen.run) in known:
                continue
            known.add((seen.probe, seen.run))
            if seen.probe in {"hop", "anchor"} and seen.sent == MANY:
                sent += seen.sent
                received += seen.received
    assert sent > 20 * MANY
    assert sigmas(received, sent, (1 - LOSS) ** 2) < 3, (received, sent)


def test_nobody_else_is_told_of(happened: Happened) -> None:
    expected = {
        happened.stack.codes[office] for fault in happened.faults.values() for office in fault.sites
    }
    named = {site for one in happened.incidents for site in one["sites"]}
    assert named <= expected, happened.shown()
    causes = {one["cause"] for one in happened.incidents}
    assert causes.isdisjoint({"isolated", "centre", "maintenance"}), happened.shown()
