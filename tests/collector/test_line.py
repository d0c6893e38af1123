"""The line of `collector.app`: what is heard is judged, what is stored is answered."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from alerts.message import Status
from collector import logbook
from collector.incident_rows import Page
from collector.live import State
from collector.metrics import SitesPage
from collector.store import Row, StoreError
from tabuah import notification
from tabuah.snmp.client import Answered
from tabuah.snmp.pdu import Pdu, PduType
from tests.support.centre import GUNUNG_TALANG, KUBUNG, Centre, centre, inventory, until


@pytest.fixture
async def lone(
    tmp_path: Path, place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Centre]:
    async with centre(tmp_path, monkeypatch, place=place) as made:
        yield made


class SlowDisk:
    """Appends once it is told to go on."""

    def __init__(self, lone: Centre) -> None:
        self.go = threading.Event()
        self._append = lone.store.append
        lone.append = self.append

    def append(self, rows: Sequence[Row]) -> None:
        self.go.wait(10)
        self._append(rows)


async def test_an_office_is_answered_once_its_report_is_on_disk(lone: Centre) -> None:
    office = lone.office()
    office.reports(1)
    assert lone.state() is State.UP
    assert office.acknowledged == set()
    await until(lambda: bool(lone.socket.sent))
    office.listen()
    assert office.acknowledged == {1}
    assert [row.seq for row in lone.store.reports(office.site, 0, 2**62)] == [1]


async def test_a_disk_that_stands_still_makes_nobody_silent_and_is_said(lone: Centre) -> None:
    disk, office = SlowDisk(lone), lone.office()
    office.reports(1)
    await until(lambda: lone.collector.committer.busy_since is not None)
    for seq in range(2, 7):
        lone.wait(10)
        office.reports(seq)
    lone.wait(10)
    assert lone.state() is State.UP
    assert lone.said == []
    ready = lone.collector.readiness()
    assert not ready.storing
    assert "the disk" in ready.detail
    disk.go.set()
    await until(lambda: len(lone.store.reports(office.site, 0, 2**62)) == 6)
    await until(lambda: lone.collector.readiness().storing)

    def answered() -> bool:
        office.listen()
        return office.acknowledged == set(range(1, 7))

    await until(answered)


async def test_a_commit_of_two_seconds_is_no_trouble_yet(lone: Centre) -> None:
    disk = SlowDisk(lone)
    lone.office().reports(1)
    await until(lambda: lone.collector.committer.busy_since is not None)
    lone.wait(2)
    assert lone.collector.readiness().storing
    disk.go.set()


async def test_replays_take_no_room_in_the_queue_and_are_answered_only_once_stored(
    lone: Centre,
) -> None:
    """Who recorded an inform may send it for 150 s: a flood of it must not fill the memory."""
    disk, office = SlowDisk(lone), lone.office()
    office.reports(1)
    await until(lambda: lone.collector.committer.busy_since is not None)
    for _ in range(500):
        office.reports(1)
    assert lone.socket.sent == []
    assert len(lone.collector.committer._waiting) == 0
    disk.go.set()
    await until(lambda: bool(lone.socket.sent))
    assert len(lone.socket.sent) == 1
    lone.socket.sent.clear()
    office.reports(1)
    assert 1 in office.acknowledged, "at once: it is on disk"


async def test_a_report_upon_one_that_is_not_held_is_declined_and_counted(lone: Centre) -> None:
    office = lone.office()
    office.reports(1)
    await until(lambda: bool(lone.socket.sent))
    office.listen()
    facts = notification.key_facts(())
    binds = notification.varbinds(
        office.site, 1, facts, [office.packed(3)], history=False, base=office.packed(2)
    )
    now = lone.clock.monotonic()
    datagram = office._client.send(Pdu(PduType.INFORM, 3, varbinds=binds), now)
    lone.collector.handle([(datagram, ("127.0.0.1", 5000))])
    (declined,) = lone.socket.sent
    answer = office._client.receive(declined, now)
    assert isinstance(answer, Answered)
    assert answer.pdu.error_status == 13
    assert b'tabuah_reports_total{outcome="declined"} 1.0' in lone.collector.own.render()


async def test_what_was_said_is_known_after_a_new_inventory(lone: Centre) -> None:
    office = lone.office()
    office.reports(1)
    lone.wait(20)
    await lone.has_said(1)
    ((firing, incident),) = lone.told()
    assert firing is Status.FIRING
    lone.collector.renew(inventory(KUBUNG, GUNUNG_TALANG, "13.02.11"))
    lone.wait(60)
    office.reports(2)
    lone.wait(0.5)
    await lone.has_said(2)
    assert lone.told() == [(Status.FIRING, incident), (Status.RESOLVED, incident)]


async def test_an_office_taken_out_while_silent_ends_its_incident(
    lone: Centre,
) -> None:
    lone.office().reports(1)
    lone.wait(20)
    await lone.has_said(1)
    lone.collector.renew(inventory(GUNUNG_TALANG))
    lone.wait(0.5)
    await lone.has_said(2)
    firing, resolved = lone.said
    assert (firing.status, resolved.status) == (Status.FIRING, Status.RESOLVED)
    assert firing.incident.id == resolved.incident.id
    assert resolved.summary == f"Kantor {KUBUNG} tidak dipantau lagi sejak 13.00 WIB"
    lone.collector.renew(inventory(GUNUNG_TALANG, KUBUNG))
    lone.wait(60)
    assert len(lone.said) == 2


def metric(lone: Centre, sample: str) -> float:
    """Return a sample of the collector's own metrics."""
    for line in lone.collector.own.render().decode().splitlines():
        name, _, value = line.rpartition(" ")
        if name == sample:
            return float(value)
    raise AssertionError(f"no {sample}")


async def test_one_report_that_cannot_be_stored_keeps_no_other_back(
    lone: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    append = lone.append

    def particular(rows: Sequence[Row]) -> None:
        append([row._replace(time_ms=2**70) if row.seq == 13 else row for row in rows])

    lone.append = particular
    office, other = lone.office(), lone.office(GUNUNG_TALANG)
    office.reports(1)
    other.reports(1)
    office.reports(12, 13, 14, history=True)
    await until(lambda: len(lone.socket.sent) == 2)
    for each in (office, other):
        each.listen()
        assert each.acknowledged == {1}
    stored = {row.seq for row in lone.store.reports(KUBUNG, 0, 2**62)}
    assert stored == {1, 12, 14}
    assert metric(lone, 'tabuah_reports_total{outcome="malformed"}') == 1
    assert metric(lone, 'tabuah_reports_total{outcome="late"}') == 2
    (line,) = [one for one in caplog.messages if "report 13 cannot be stored: " in one]
    assert "too large" in line or "out of range" in line
    assert "INSERT" not in line
    assert lone.collector.readiness().storing


async def test_a_group_whose_answers_fail_is_forgotten_and_the_next_is_answered(
    lone: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = lone.office()
    with monkeypatch.context() as broken:
        broken.setattr(lone.collector, "_answer", lambda *_, **__: 1 / 0)
        office.reports(1)
        await until(lambda: metric(lone, 'tabuah_mishaps_total{where="commit"}') == 1)
    office.reports(1)
    await until(lambda: bool(lone.socket.sent))
    office.listen()
    assert office.acknowledged == {1}


async def test_a_full_disk_is_logged_once_a_minute_with_its_count(
    lone: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: Sequence[Row]) -> None:
        raise StoreError("the disk is full")

    def unstored(count: int) -> bool:
        return metric(lone, 'tabuah_reports_total{outcome="unstored"}') == count

    lone.append = full
    for seq in range(1, 8):
        lone.office().reports(seq)
        await until(partial(unstored, seq))
        lone.wait(10)
    said = [record.message for record in caplog.records if "not stored" in record.message]
    assert said == [
        "not stored, and not acknowledged, 1 times: the disk is full",
        "not stored, and not acknowledged, 6 times: the disk is full",
    ]
    assert not lone.collector.readiness().storing


async def test_a_report_that_was_retried_for_seconds_shows_no_false_skew(lone: Centre) -> None:
    office = lone.office()
    office.reports(1)
    lone.wait(10)
    waiting = office.packed(2)
    lone.wait(7)
    office.send([waiting])
    view = lone.collector.view(KUBUNG)
    assert view is not None
    page = SitesPage().render(lone.inventory, [view], lone.collector.now_ms()).decode()
    found = re.search(
        r'^tabuah_agent_clock_skew_seconds\{site="13\.02\.10"\} (.*)$', page, re.MULTILINE
    )
    assert found is not None
    assert abs(float(found[1])) < 0.01


async def test_a_first_contact_and_a_return_after_our_restart_are_no_replays(lone: Centre) -> None:
    lone.office().reports(1)
    assert metric(lone, 'tabuah_reports_total{outcome="resync"}') == 1
    assert metric(lone, 'tabuah_reports_total{outcome="replayed"}') == 0
    assert metric(lone, 'tabuah_usm_stats_total{reason="not_in_window"}') == 1


async def test_an_incident_is_said_once_though_the_collector_restarts(lone: Centre) -> None:
    lone.office().reports(1)
    lone.wait(20)
    await lone.has_said(1)
    ((status, incident),) = lone.told()
    assert status is Status.FIRING
    for _ in range(2):
        await lone.restart()
        assert lone.state() is State.SILENT, "nobody has heard of it since"
        lone.wait(60)
    await lone.has_said(1)
    assert lone.told() == [(Status.FIRING, incident)]
    lone.office(epoch=2).reports(1)
    lone.wait(0.5)
    await lone.has_said(2)
    assert lone.told() == [(Status.FIRING, incident), (Status.RESOLVED, incident)]
    await lone.restart()
    lone.wait(5)
    await lone.has_said(2)
    assert len(lone.said) == 2
    assert lone.store.unfinished_incidents() == []


async def test_an_office_that_came_back_while_nobody_listened_ends_its_incident(
    lone: Centre,
) -> None:
    office = lone.office()
    office.reports(1)
    lone.wait(20)
    await lone.restart()
    lone.clock.passed += 3
    came_ms = lone.collector.now_ms()
    lone.office(epoch=2).reports(1)
    lone.wait(0.5)
    await lone.has_said(2)
    firing, resolved = lone.said
    assert resolved.status is Status.RESOLVED
    assert resolved.incident.id == firing.incident.id
    assert resolved.incident.ended_ms == came_ms


async def test_what_a_channel_had_not_taken_is_said_after_a_restart(lone: Centre) -> None:
    lone.takes = False
    lone.office().reports(1)
    lone.wait(20)
    await until(lambda: lone.refused == 1)
    lone.office(epoch=2).reports(1)
    lone.wait(0.5)
    await lone.restart()
    assert lone.said == []
    lone.takes = True
    await lone.restart()
    await lone.has_said(2)
    ((first, one), (second, same)) = lone.told()
    assert (first, second) == (Status.FIRING, Status.RESOLVED)
    assert one == same
    await lone.restart()
    assert len(lone.said) == 2


async def test_an_office_taken_out_while_the_collector_was_stopped_ends_its_incident(
    lone: Centre,
) -> None:
    lone.office().reports(1)
    lone.wait(20)
    lone.inventory = inventory(GUNUNG_TALANG)
    await lone.restart()
    lone.wait(0.5)
    await lone.has_said(2)
    assert [status for status, _ in lone.told()] == [Status.FIRING, Status.RESOLVED]
    assert "tidak dipantau lagi" in lone.said[1].summary
    await lone.restart()
    assert len(lone.said) == 2


async def test_a_full_disk_delays_no_alert_and_what_was_said_is_noted_once_it_can_be(
    lone: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "RETRY_S", 0.02)
    note, refusals = lone.logbook._write, 0

    def full(page: Page) -> None:
        nonlocal refusals
        refusals += 1
        if refusals < 4:
            raise StoreError("the disk is full")
        note(page)

    monkeypatch.setattr(lone.logbook, "_write", full)
    lone.office().reports(1)
    lone.wait(20)
    await lone.has_said(1)
    assert [status for status, _ in lone.told()] == [Status.FIRING]
    assert lone.store.unfinished_incidents() == []
    await until(lambda: len(lone.store.unfinished_incidents()) == 1)
    await lone.restart()
    lone.wait(60)
    assert len(lone.said) == 1
