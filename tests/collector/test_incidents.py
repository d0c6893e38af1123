"""Which incidents people hear of, and which not: goodbyes, late reports, restarts, upgrades."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.incident import Incident as Alert
from alerts.message import Status
from collector.incident_rows import Noted, Page
from collector.judgement.court import Court
from collector.judgement.evidence import Look, Observation, ServiceLook
from collector.judgement.ledger import Outage
from collector.judgement.tracking import Incident
from collector.live import State
from inventory.model import (
    Circuit,
    CircuitRole,
    Inventory,
    Service,
    Site,
    Technology,
    Upstream,
)
from tabuah import block
from tabuah.report import Occasion
from tests.support.centre import GUNUNG_TALANG, KUBUNG, Centre, Office, centre
from tests.support.reports import report, stated

SITE = Site(
    KUBUNG,
    "Kantor Kubung",
    circuits=(
        Circuit("telkom", technology=Technology.FIBRE),
        Circuit("lte", CircuitRole.BACKUP, interface="wwan0"),
    ),
)
GOOD = (
    Look("telkom", first_hop=True, centre=True, public=True, sent=4),
    Look("lte", public=True, sent=1),
)
CUT = (
    Look("telkom", first_hop=False, centre=False, public=False, sent=4, lost=4),
    Look("lte", public=True, sent=1),
)
LOSSY = (
    Look("telkom", first_hop=True, centre=True, public=True, sent=4, lost=2),
    Look("lte", public=True, sent=1),
)


@pytest.fixture
async def lone(
    tmp_path: Path, place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Centre]:
    async with centre(tmp_path, monkeypatch, place=place) as made:
        yield made


def _say(office: Office, lone: Centre, seq: int, occasion: Occasion) -> None:
    now_ms, passed_ms = lone.clock.time_ns() // 10**6, round(lone.clock.passed * 1000)
    made = report(seq, site=office.site, wall_ms=now_ms, uptime_ms=passed_ms)
    office.send([block.pack(replace(made, occasion=occasion))])


@pytest.mark.parametrize("occasion", [Occasion.GOODBYE_HOST, Occasion.GOODBYE_AGENT])
async def test_silence_after_a_goodbye_opens_no_incident(lone: Centre, occasion: Occasion) -> None:
    office = lone.office()
    office.reports(1)
    lone.wait(10)
    _say(office, lone, 2, occasion)
    lone.wait(120)
    assert lone.state() is State.SILENT
    assert lone.said == []
    await lone.restart()
    lone.wait(120)
    assert lone.said == []


async def test_late_reports_of_a_fault_open_no_alert(lone: Centre) -> None:
    office = lone.office()
    for seq in range(1, 4):
        office.reports(seq)
        lone.wait(10)
    cut = []
    for seq in range(4, 12):
        ago_ms = 1000 * (20 - seq)
        made = stated(
            seq,
            good=False,
            wall_ms=lone.clock.time_ns() // 10**6 - ago_ms,
            uptime_ms=round(lone.clock.passed * 1000) - ago_ms,
        )
        cut.append(block.pack(made))
    office.reports(12)
    office.send(cut, history=True)
    lone.wait(5)
    assert lone.said == []


async def test_an_incident_of_an_earlier_version_goes_on_and_is_ended(lone: Centre) -> None:
    told = Alert(
        id=f"{KUBUNG}-1795500000000",
        alertname="TabuahLinkDown",
        sites=(KUBUNG,),
        circuits=(),
        cause="unknown",
        severity="critical",
        began_ms=lone.collector.now_ms(),
    )
    lone.office().reports(1)
    lone.wait(1)
    lone.store.note_incidents(Page([Noted(told, fired=True)]))
    await lone.restart()
    assert lone.state() is State.SILENT
    lone.wait(60)
    assert lone.said == []
    lone.office(epoch=2).reports(1)
    lone.wait(0.5)
    await lone.has_said(1)
    assert lone.told() == [(Status.RESOLVED, told.id)]


async def test_offices_that_fall_together_are_told_of_once_by_their_upstreams_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with centre(tmp_path, monkeypatch) as lone:
        lone.inventory = Inventory(
            "Dinas Uji",
            upstreams={"sto": Upstream("sto", "STO Solok")},
            sites=tuple(
                Site(code, f"Kantor {code}", upstream="sto", circuits=(Circuit("telkom"),))
                for code in (KUBUNG, GUNUNG_TALANG)
            ),
        )
        await lone.restart()
        for seq in (1, 2):
            lone.office(KUBUNG).reports(seq)
            lone.wait(3)
            lone.office(GUNUNG_TALANG).reports(seq)
            lone.wait(7)
        lone.wait(60)
        await lone.has_said(1)
        (message,) = lone.said
        assert message.incident.alertname == "TabuahUpstreamDown"
        assert sorted(message.incident.sites) == [GUNUNG_TALANG, KUBUNG]
        assert "STO Solok" in message.summary
        await lone.restart()
        lone.wait(60)
        for code in (KUBUNG, GUNUNG_TALANG):
            lone.office(code, epoch=2).reports(1)
        lone.wait(3)
        await lone.has_said(2)
        assert [status for status, _ in lone.told()] == [Status.FIRING, Status.RESOLVED]


class _Court:
    """A court, and the next one over what the first has ruled."""

    def __init__(self) -> None:
        self.inventory = Inventory(
            "test",
            services={"siak": Service("siak", "SIAK", "https://siak.example/")},
            sites=(SITE,),
        )
        self.court = Court(self.inventory)
        self.at_ms = 1_795_500_000_000
        self.seq = 0
        self.outages: list[Outage] = []
        self.incidents: list[Incident] = []
        self.seen: list[Observation] = []

    def hear(
        self, reports: int, looks: Sequence[Look], services: Callable[[int], bool] | None = None
    ) -> list[Incident]:
        told: list[Incident] = []
        for _ in range(reports):
            self.at_ms += 10_000
            self.seq += 1
            checked = (ServiceLook("siak", services(self.seq), run=self.seq),) if services else ()
            seen = Observation(
                KUBUNG, self.at_ms, self.at_ms + 40, late=False, interval_ms=10_000, epoch=1,
                seq=self.seq, boot_id=b"b", uptime_ms=self.seq * 10_000, path="lte",
                gateway=True, circuits=tuple(looks), services=checked,
            )  # fmt: skip
            self.seen.append(seen)
            self.court.observe(seen)
            ruling = self.court.rule(self.at_ms + 100)
            self.outages += ruling.outages
            self.incidents += (*ruling.incidents, *ruling.revised)
            told += ruling.incidents
        return told

    def restart(self) -> None:
        self.court = Court(self.inventory)
        self.court.restore(self.outages, self.incidents, self.seen, self.at_ms)
        assert self.court.rule(self.at_ms + 1000).incidents == ()


@pytest.mark.parametrize("away", [True, False])
def test_what_a_standing_collectors_reflector_lost_is_not_the_lines_loss(away: bool) -> None:
    line = _Court()
    assert line.hear(20, GOOD) == []
    if away:
        line.court.was_away(line.at_ms + 9_000)
    told = [one.alertname for one in (*line.hear(2, LOSSY), *line.hear(6, GOOD))]
    assert told == ([] if away else ["TabuahLinkDegraded"])


@pytest.mark.parametrize(
    ("name", "looks", "services"),
    [
        ("TabuahLinkDegraded", LOSSY, None),
        ("TabuahLinkDown", CUT, None),
        ("TabuahServiceDown", GOOD, lambda _: False),
    ],
    ids=["degraded", "a line down beside a backup", "a service"],
)
def test_what_lasts_over_a_restart_neither_ends_nor_begins_by_it(
    name: str, looks: Sequence[Look], services: Callable[[int], bool] | None
) -> None:
    line = _Court()
    well = None if services is None else lambda _: True
    assert line.hear(20, GOOD, well) == []
    begun = [one for one in line.hear(20, looks, services) if one.version == 1]
    assert [one.alertname for one in begun] == [name]
    line.restart()
    assert [one for one in line.hear(20, looks, services) if one.version == 1] == []
    ended = [one for one in line.hear(40, GOOD, well) if not one.open]
    assert [one.id for one in ended] == [begun[0].id]
