"""Offices at rest: a glance says well only where reading says so, and judging is the same."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from collector import clerk as clerks
from collector.clerk import Clerk
from collector.judgement.court import Court
from collector.judgement.rest import Resting
from collector.ledger_store import LedgerStore
from collector.opened import Kept
from collector.store import Row, Store
from inventory.model import Circuit, Inventory, Site, Technology
from tabuah import block, glance
from tabuah.glance import Limits
from tabuah.measurement import Kind, Role, Status, Timing
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Device, Interface, Occasion, Report
from tests.support.reports import report

if TYPE_CHECKING:
    from collector.judgement.tracking import Incident

SITE = "13.02.10"
LIMITS = Limits(rtt_us=100_000, jitter_us=30_000)
NOTHING = b""


def _octets(made: Report) -> bytes:
    return block.pack(made).octets


def _office(seq: int = 1) -> Report:
    """Return a report of an office that is asked everything a glance looks at."""
    made = report(seq)
    (centre,) = made.measurements
    ping = replace(centre, kind=Kind.PING, circuit="telkom", rtt=Timing(9, 9, 9, 2))
    router = Device(
        "router", Role.GATEWAY, Status.RESPONSE_RECEIVED, run=seq,
        interfaces=(Interface("wan0", 1), Interface("lan4", 2)),
        readings=(
            Reading(ReadingKind.REDIALS, "wan0", 2), Reading(ReadingKind.UPS_ON_BATTERY, "", 0),
        ),
    )  # fmt: skip
    return replace(
        made,
        measurements=(
            centre,
            replace(ping, probe="hop", role=Role.FIRST_HOP),
            replace(ping, probe="anchor", role=Role.PUBLIC),
            replace(ping, probe="siak", role=Role.SERVICE, kind=Kind.HTTP, service="siak"),
        ),
        devices=(router,),
    )


def _with(made: Report, number: int, **changes: object) -> Report:
    measurements = list(made.measurements)
    measurements[number] = replace(measurements[number], **changes)  # type: ignore[arg-type]
    return replace(made, measurements=tuple(measurements))


def _router(made: Report, **changes: object) -> Report:
    return replace(made, devices=(replace(made.devices[0], **changes),))  # type: ignore[arg-type]


def test_a_good_report_is_well_and_says_whether_it_divides_the_way() -> None:
    before = _octets(_office(1))
    said = glance.well(_octets(_office(2)), before, LIMITS)
    assert said & glance.WELL
    assert said & glance.DIVIDES == glance.DIVIDES
    assert glance.well(_octets(report(2)), NOTHING, LIMITS) & glance.DIVIDES != glance.DIVIDES


@pytest.mark.parametrize(
    "ill",
    [
        _with(_office(2), 0, status=Status.REQUEST_TIMED_OUT, received=0, rtt=None),
        _with(_office(2), 1, sent=5, received=4),
        _with(_office(2), 2, rtt=Timing(9, 100_001, 100_001, 2)),
        _with(_office(2), 2, rtt=Timing(9, 9, 9, 40_000)),
        _with(_office(2), 3, status=Status.UNABLE_TO_RESOLVE_DNS_NAME),
        _router(_office(2), status=Status.REQUEST_TIMED_OUT),
        _router(_office(2), interfaces=(Interface("wan0", 2), Interface("lan4", 2))),
        _router(_office(2), readings=(Reading(ReadingKind.REDIALS, "wan0", 3),)),
        _router(_office(2), readings=(Reading(ReadingKind.UPS_ON_BATTERY, "", 1),)),
        _router(_office(2), readings=(Reading(ReadingKind.OPTICAL_RX_LOSS, "wan0", 1),)),
        replace(_office(2), agent=replace(_office().agent, backlog=1)),
        replace(_office(2), occasion=Occasion.GOODBYE_HOST),
        replace(_office(2), path="seluler"),
    ],
)
def test_what_the_court_may_care_for_is_not_well(ill: Report) -> None:
    assert not glance.well(_octets(ill), _octets(_office(1)), LIMITS)


def test_what_is_so_for_good_is_well_once_it_was_so_before() -> None:
    sent_by = replace(_office(1), path="seluler")
    again = replace(_office(2), path="seluler")
    assert not glance.well(_octets(again), NOTHING, LIMITS)
    assert glance.well(_octets(again), _octets(sent_by), LIMITS)


def test_octets_that_are_no_report_are_not_well() -> None:
    good = _octets(_office(2))
    before = _octets(_office(1))
    for end in range(block.BODY_AT, len(good)):
        cut = good[:end]
        if glance.well(cut, before, LIMITS):
            assert block.read(SITE, block.unpack(cut)).agent.backlog == 0
    dice = random.Random(7)
    for _ in range(2_000):
        at = dice.randrange(block.BODY_AT, len(good))
        glance.well(good[:at] + bytes((dice.randrange(256),)) + good[at + 1 :], before, LIMITS)


class _Never(Resting):
    """The court as it is without rest."""

    def rests(self, kept: Kept) -> bool:
        return False

    def enter(self, kept: Kept) -> None:
        raise AssertionError("nobody rests here")


class _Sleepless(Court):
    def dismiss(self, site: str) -> bool:
        return False


def _clerk(inventory: Inventory, store: Store, *, rest: bool) -> Clerk:
    clerk = Clerk(inventory, LedgerStore(store))
    if not rest:
        clerk._resting = _Never(inventory)
        clerk._court = _Sleepless(inventory)
    return clerk


def _told(clerk: Clerk, said: list[Incident]) -> tuple[object, object]:
    return (
        [(o.site, o.began_ms, o.ended_ms, o.cause, o.countable) for o in clerk.outages()],
        [(one.id, one.version, one.ended_ms, one.cause) for one in said],
    )


def _story(dice: random.Random) -> list[tuple[Report, bool]]:
    """Return an office's reports, each with whether it came live: faults of all sorts, and cuts."""
    story: list[tuple[Report, bool]] = []
    epoch, trouble, lasts = 1, "", 0
    for seq in range(1, 400):
        if lasts == 0:
            trouble = dice.choice(["", "", "cut", "loss", "slow", "service", "port", "restart"])
            lasts = dice.randrange(1, 40) if trouble else dice.randrange(20, 90)
            epoch += trouble == "restart"
        lasts -= 1
        made = replace(_office(seq), id=report(seq, epoch=epoch).id)
        live = trouble != "cut"
        if trouble == "cut":
            for number in range(3):
                made = _with(made, number, status=Status.REQUEST_TIMED_OUT, received=0, rtt=None)
        elif trouble == "loss" and dice.random() < 0.5:
            made = _with(made, dice.randrange(3), sent=5, received=3)
        elif trouble == "slow":
            for number in (0, 2):
                made = _with(made, number, rtt=Timing(300_000, 300_000, 300_000, 9))
        elif trouble == "service":
            made = _with(made, 3, status=Status.REQUEST_TIMED_OUT, run=seq, received=0, rtt=None)
        elif trouble == "port":
            made = _router(made, interfaces=(Interface("wan0", 2), Interface("lan4", 2)))
        story.append((made, live))
    return story


@pytest.mark.parametrize("seed", range(12))
def test_judging_is_the_same_whether_an_office_may_rest_or_not(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clerks, "SLOW_S", 60.0)  # a slow machine's pauses are no part of the story
    circuits = (Circuit("telkom", technology=Technology.FIBRE),)
    inventory = Inventory("test", sites=(Site(SITE, "Kubung", circuits=circuits),))
    told = []
    with Store.open(tmp_path) as store:
        for rest in (True, False):
            clerk = _clerk(inventory, store, rest=rest)
            said: list[Incident] = []
            kept: list[Row] = []
            silent = False
            for made, live in _story(random.Random(seed)):
                at_ms = made.wall_ms
                row = Row(
                    SITE,
                    made.id.epoch,
                    made.id.seq,
                    at_ms,
                    at_ms + 40,
                    not live,
                    False,
                    _octets(made),
                )
                if live:
                    clerk.live(Kept(row, 0))
                    silent = False
                    for late in kept:
                        clerk.late(late._replace(received_ms=at_ms + 500))
                    kept.clear()
                else:
                    kept.append(row)
                    if len(kept) == 2 and not silent:
                        clerk.silent(SITE, kept[0].time_ms - 10_000, at_ms)
                        silent = True
                said += clerk.tick(at_ms + 600)
            told.append(_told(clerk, said))
    assert told[0] == told[1]


def _calm(seq: int) -> Report:
    """Return a report that is well whatever was before it."""
    return _router(_office(seq), interfaces=(Interface("wan0", 1),), readings=())


def test_an_office_rests_from_its_first_good_report_until_one_is_not(tmp_path: Path) -> None:
    inventory = Inventory("test", sites=(Site(SITE, "Kubung", circuits=(Circuit("telkom"),)),))
    with Store.open(tmp_path) as store:
        clerk = _clerk(inventory, store, rest=True)
        for seq in range(1, 4):
            clerk.live(_kept(_calm(seq)))
            assert SITE not in clerk._court.scene.sites
        clerk.live(_kept(_with(_calm(4), 1, sent=5, received=4)))
        assert SITE in clerk._court.scene.sites
        for seq in range(5, 34):
            clerk.live(_kept(_calm(seq)))
            assert SITE in clerk._court.scene.sites
        clerk.live(_kept(_calm(34)))
        assert SITE not in clerk._court.scene.sites


def _kept(made: Report) -> Kept:
    ids = (SITE, made.id.epoch, made.id.seq)
    return Kept(Row(*ids, made.wall_ms, made.wall_ms + 40, False, False, _octets(made)), 0)
