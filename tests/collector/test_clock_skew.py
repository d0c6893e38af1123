"""An office whose clock is wrong is told of once, quietly, and told of when it is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from collector.judgement.clock import LASTS_MS, Clock
from collector.judgement.court import Court
from collector.judgement.evidence import Look, Observation
from collector.judgement.tracking import Incident
from collector.live import State
from inventory.model import Circuit, Inventory, Site
from tests.support.centre import centre

SITE = "13.02.10"
SECOND = 1000
REPORT = Observation(
    SITE, 0, 0, late=False, interval_ms=10_000, epoch=1, seq=1, boot_id=b"b", uptime_ms=1,
    circuits=(Look("telkom", first_hop=True, centre=True, public=True),),
)  # fmt: skip


def heard(clock: Clock, *skews_s: float, begin_ms: int = 0) -> Clock:
    for number, skew in enumerate(skews_s):
        clock.add(begin_ms + number * 10 * SECOND, round(skew * SECOND))
    return clock


def test_a_clock_is_wrong_once_it_was_so_for_a_minute() -> None:
    assert heard(Clock(), *[30.0] * 6).wrong_ms is None
    clock = heard(Clock(), *[30.0] * 7)
    assert clock.wrong_ms == 0
    assert clock.says() == "its clock is 30 s ahead"


def test_a_boot_before_ntp_is_no_wrong_clock() -> None:
    assert heard(Clock(), -1.8e9, -1.8e9, 0, *[30.0] * 6).wrong_ms is None


def test_at_the_bound_it_does_not_flutter() -> None:
    clock = heard(Clock(), *[12.0] * 7)
    told = clock.wrong_ms
    heard(clock, *[8.0, 12.0, 4.0, 11.0, 4.0] * 10, begin_ms=LASTS_MS)
    assert clock.wrong_ms == told
    heard(clock, *[1.0] * 7, begin_ms=20 * LASTS_MS)
    assert clock.wrong_ms is None


def test_the_span_is_said_as_people_would() -> None:
    assert Clock(-3 * 3_600_000).says() == "its clock is 3 hours behind"
    assert Clock(50 * 365 * 86_400_000).says() == "its clock is 18250 days ahead"


def run(court: Court, skew_ms: int, begin_ms: int, reports: int) -> list[Incident]:
    told: list[Incident] = []
    for number in range(reports):
        at_ms = begin_ms + number * 10 * SECOND
        seen = replace(REPORT, at_ms=at_ms, received_ms=at_ms, seq=number + 1, skew_ms=skew_ms)
        court.observe(seen)
        told += court.rule(at_ms + 1).incidents
    return told


def test_it_is_an_incident_of_its_own_in_the_lowest_voice_and_survives_a_restart() -> None:
    inventory = Inventory("test", sites=(Site(SITE, "Kubung", circuits=(Circuit("telkom"),)),))
    court = Court(inventory)
    (begun,) = run(court, 3_600_000, 0, 12)
    assert (begun.alertname, begun.severity, begun.sites) == ("TabuahClockSkew", "info", (SITE,))
    assert begun.evidence[0].says == "its clock is 60 minutes ahead"
    again = Court(inventory)
    again.restore((), [begun], (), 120 * SECOND)
    assert run(again, 3_600_000, 120 * SECOND, 12) == []
    (ended,) = run(again, 0, 300 * SECOND, 12)
    assert (ended.id, ended.open) == (begun.id, False)


async def test_people_are_told_of_it_as_of_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with centre(tmp_path, monkeypatch) as lone:
        office = lone.office()
        for seq in range(1, 10):
            hour_ahead = lone.clock.time_ns() // 1_000_000 + 3_600_000
            office.reports(seq, wall_ms=hour_ahead)
            lone.wait(10)
        await lone.has_said(1)
        (message,) = lone.said
        assert message.incident.alertname == "TabuahClockSkew"
        assert message.incident.severity == "info"
        assert "Jam perangkat" in message.summary
        assert lone.state() is State.UP
