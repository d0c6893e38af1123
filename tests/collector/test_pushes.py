"""What the collector learns of config pushes from their journal: who is stuck, and who drifted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from alerts.writing import Writer
from collector.announcing import alert_of
from collector.judgement.court import Court
from collector.judgement.evidence import Cause, Window
from collector.pushes import Pushes
from inventory.load import load
from provision.drifts import Drifts
from provision.journal import Journal
from provision.states import Event

NOW = 1_795_500_000_000
INVENTORY = """\
organisation: Dinas Kominfo
language: en
sites:
  - {code: "13.02.10", name: Kantor Camat Kubung}
"""


@pytest.fixture
def court(tmp_path: Path) -> Court:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return Court(load(tmp_path))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "data" / "provision")
    journal.open("t1", "13.02.10", "gw", {"want": {}, "want_digest": "d"}, NOW)
    for event in (Event.BEGIN, Event.ARMED, Event.GO, Event.SENT):
        journal.move("t1", event, NOW + 1_000)
    journal.move("t1", Event.BAD, NOW + 2_000, reason="router fails")
    return journal


def test_a_gateway_that_is_stuck_is_told_whatever_work_is_announced_until_it_is_mended(
    tmp_path: Path, court: Court, journal: Journal
) -> None:
    court.plan([Window(frozenset({"13.02.10"}), NOW - 1, NOW + 600_000, "tabuah config push t1")])
    pushes = Pushes(tmp_path / "data", court.stuck)
    asyncio.run(pushes.look())
    assert court.rule(NOW + 3_000).incidents == ()
    journal.move("t1", Event.DEVICE_NOT_RESTORED, NOW + 4_000)
    asyncio.run(pushes.look())
    (told,) = court.rule(NOW + 5_000).incidents
    assert (told.alertname, told.severity, told.cause) == (
        *("TabuahGatewayFault", "critical"),
        Cause.GATEWAY,
    )
    assert told.began_ms == NOW + 4_000
    assert told.evidence[0].says == "config push t1 on gw: not put back: router fails"
    said = Writer(court.inventory)(alert_of(told, court.inventory))
    assert said.summary.startswith("Kantor Camat Kubung: a config push could not be undone since")
    assert "tabuah config rollback" in said.description
    assert court.rule(NOW + 6_000).incidents == ()
    journal.move("t1", Event.DEVICE_RESTORED, NOW + 7_000)
    asyncio.run(pushes.look())
    (ended,) = court.rule(NOW + 8_000).incidents
    assert (ended.id, ended.ended_ms) == (told.id, NOW + 8_000)
    over = Writer(court.inventory)(alert_of(ended, court.inventory))
    assert "the gateway of Kantor Camat Kubung is settled" in over.summary


def test_one_that_was_stuck_before_a_restart_is_told_once(
    tmp_path: Path, court: Court, journal: Journal
) -> None:
    journal.move("t1", Event.DEVICE_NOT_RESTORED, NOW + 4_000)
    asyncio.run(Pushes(tmp_path / "data", court.stuck).look())
    told = court.rule(NOW + 5_000).incidents
    again = Court(court.inventory)
    asyncio.run(Pushes(tmp_path / "data", again.stuck).look())
    again.restore((), told, (), NOW + 60_000)
    assert again.rule(NOW + 60_001).incidents == ()


def test_drift_and_what_is_in_doubt_are_shown_to_whoever_scrapes(
    tmp_path: Path, journal: Journal
) -> None:
    Drifts(journal).saw(("13.02.10", "gw"), NOW, drifted=True)
    pushes = Pushes(tmp_path / "data", lambda _stuck: None)
    asyncio.run(pushes.look())
    registry = CollectorRegistry()
    registry.register(pushes)
    page = generate_latest(registry).decode()
    assert 'tabuah_config_drift{device="gw",site="13.02.10"} 1.0' in page
    assert 'tabuah_config_transactions{state="rolling_back"} 1.0' in page
    assert 'tabuah_config_transactions{state="stuck"} 0.0' in page
    Drifts(journal).saw(("13.02.10", "gw"), NOW + 1, drifted=False)
    asyncio.run(pushes.look())
    page = generate_latest(registry).decode()
    assert 'tabuah_config_drift{device="gw",site="13.02.10"} 0.0' in page


def test_where_nothing_was_ever_pushed_there_is_nothing_to_tell(tmp_path: Path) -> None:
    pushes = Pushes(tmp_path, lambda _stuck: pytest.fail("told of nothing"))
    asyncio.run(pushes.look())
    assert list(pushes.collect()) == []


def test_a_journal_that_cannot_be_read_takes_nothing_back(
    tmp_path: Path, court: Court, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.move("t1", Event.DEVICE_NOT_RESTORED, NOW + 4_000)
    pushes = Pushes(tmp_path / "data", court.stuck)
    asyncio.run(pushes.look())
    assert len(court.rule(NOW + 5_000).incidents) == 1
    journal.close()
    (tmp_path / "data" / "provision" / "journal.db").write_bytes(b"damaged" * 1000)
    asyncio.run(pushes.look())
    asyncio.run(pushes.look())
    assert court.rule(NOW + 6_000).incidents == ()
    assert len([one for one in caplog.messages if "cannot be read" in one]) == 1
