"""The collector's own line is cut: nobody is told that an office is down, then or after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.message import Status
from collector.eyes import Kind
from collector.live import State
from inventory.model import Circuit, Reference
from tabuah.snmp.receiver import Reason
from tests.support.centre import GUNUNG_TALANG, KUBUNG, Centre, centre, until

REFERENCE = (Kind.REFERENCE, "192.0.2.1")


@pytest.fixture
async def lone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Centre]:
    async with centre(tmp_path, monkeypatch) as made:
        reference = Reference(REFERENCE[1])
        made.collector.renew(replace(made.inventory, references=(reference,)))
        made.collector.watch._began = made.clock.monotonic()
        yield made


def see(lone: Centre, *, answers: bool) -> None:
    """Let the reference answer now, or not."""
    now, eyes = lone.clock.monotonic(), lone.collector.watch.eyes
    if answers:
        eyes.answered(REFERENCE, now, now)
    else:
        eyes.lost(REFERENCE, now, now)


def named(lone: Centre) -> list[tuple[Status, str]]:
    return [(message.status, message.incident.alertname) for message in lone.said]


async def test_a_cut_off_collector_speaks_of_itself_alone(lone: Centre) -> None:
    kubung, talang = lone.office(KUBUNG), lone.office(GUNUNG_TALANG)
    for seq in range(1, 6):
        kubung.reports(seq)
        lone.wait(3)
        talang.reports(seq)
        see(lone, answers=True)
        lone.wait(7)
    # The first office is overdue while the other could not yet have been missed.
    for _ in range(2):
        lone.wait(2)
        see(lone, answers=False)
    lone.wait(60)
    assert lone.state(KUBUNG) is lone.state(GUNUNG_TALANG) is State.UNKNOWN
    await lone.has_said(1)  # what ends before a channel had its turn is not told
    see(lone, answers=True)
    lone.wait(2)
    kubung.reports(6)
    lone.wait(5)
    talang.reports(6)
    lone.wait(8)
    await lone.has_said(2)
    assert named(lone) == [
        (Status.FIRING, "TabuahCollectorIsolated"),
        (Status.RESOLVED, "TabuahCollectorIsolated"),
    ]


async def test_an_office_that_does_not_come_back_with_the_line_is_told_of_then(
    lone: Centre,
) -> None:
    kubung, talang = lone.office(KUBUNG), lone.office(GUNUNG_TALANG)
    kubung.reports(1)
    talang.reports(1)
    see(lone, answers=True)
    lone.wait(5)
    see(lone, answers=False)
    see(lone, answers=False)
    lone.wait(60)
    see(lone, answers=True)
    kubung.reports(2)
    lone.wait(9)
    assert len(lone.said) <= 2
    lone.wait(4)
    await until(lambda: (Status.FIRING, "TabuahLinkDown") in named(lone))


async def test_with_references_lost_and_others_heard_a_fall_is_told_of_an_interval_later(
    lone: Centre,
) -> None:
    kubung, talang = lone.office(KUBUNG), lone.office(GUNUNG_TALANG)
    kubung.reports(1)
    see(lone, answers=False)
    see(lone, answers=False)
    for seq in range(1, 5):
        talang.reports(seq)
        lone.wait(10)
    await until(lambda: named(lone) == [(Status.FIRING, "TabuahLinkDown")])


async def test_what_was_refused_in_an_offices_name_is_counted_until_it_is_heard(
    lone: Centre,
) -> None:
    kubung = lone.office()
    kubung.reports(1)
    kubung._client._user = replace(kubung._client._user, auth_key=bytes(32))
    kubung.reports(2)
    refusals = lone.collector.refusals
    assert refusals.count(KUBUNG, Reason.WRONG_DIGEST) == 1
    lone.office(KUBUNG, epoch=2).reports(1)
    assert refusals.count(KUBUNG, Reason.WRONG_DIGEST) == 0


async def test_a_bad_key_is_shown_beside_the_silence_and_decides_nothing(lone: Centre) -> None:
    sites = tuple(
        replace(site, circuits=(Circuit("telkom"),)) for site in lone.collector.inventory.sites
    )
    lone.collector.renew(replace(lone.collector.inventory, sites=sites))
    kubung = lone.office()
    kubung.reports(1)
    lone.wait(20)
    (incident,) = lone.collector.clerk.incidents()
    kubung._client._user = replace(kubung._client._user, auth_key=bytes(32))
    for seq in range(2, 40):
        kubung.reports(seq)
        lone.wait(5)
    (after,) = lone.collector.clerk.incidents()
    assert (after.cause, after.id) == (incident.cause, incident.id)
    assert "wrong digests" in after.evidence[-1].says
    assert "decide nothing" in after.evidence[-1].says
    assert after.version == incident.version + 1, "told of once, however many there are"


async def test_what_the_centre_sees_is_in_the_metrics(lone: Centre) -> None:
    see(lone, answers=True)
    kubung = lone.office()
    kubung._client._user = replace(kubung._client._user, auth_key=bytes(32))
    kubung.reports(1)
    lone.collector.watch.pings["answered"] = 3
    page = lone.collector.own.render().decode()
    assert 'tabuah_reference_up{reference="192.0.2.1"} 1.0' in page
    assert 'tabuah_centre_pings_total{outcome="answered"} 3.0' in page
    refused = f'tabuah_site_refused_datagrams_total{{reason="wrong_digest",site="{KUBUNG}"}} 1.0'
    assert refused in page or refused.replace("1.0", "1") in page, page
