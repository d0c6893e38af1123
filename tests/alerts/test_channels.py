"""Each kind of channel, spoken to its real other end."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from alerts import alertmanager as managers
from alerts import cli, heartbeat, people
from alerts.alertmanager import Alertmanagers
from alerts.channels import ChannelError
from alerts.incident import Incident
from alerts.message import Message, Status
from alerts.monitoring_cli import monitoring
from alerts.people import by_apprise, by_command, fitted
from tabuah.errors import ConfigError, NothingMatchedError
from tests.support.alertmanager import Alertmanager, alertmanager
from tests.support.centre import until
from tests.support.sink import Sink, sink

BEGAN_MS = time.time_ns() // 1_000_000 - 60_000
DOWN = Message(
    Status.FIRING,
    Incident(
        id="2026-11-24-1",
        alertname="TabuahLinkDown",
        sites=("13.02.10",),
        circuits=("telkom",),
        cause="last_mile",
        severity="critical",
        began_ms=BEGAN_MS,
    ),
    "Koneksi Kantor Camat Kubung terputus",
    "Penyebab: gangguan jaringan akses Telkom.",
)
UP = replace(
    DOWN,
    status=Status.RESOLVED,
    incident=replace(DOWN.incident, ended_ms=BEGAN_MS + 30_000),
    summary="Koneksi Kantor Camat Kubung pulih",
)


@pytest.fixture
def hook() -> Iterator[Sink]:
    with sink() as kept:
        yield kept


@asynccontextmanager
async def _told(*urls: str) -> AsyncIterator[Alertmanagers]:
    async with httpx.AsyncClient() as client:
        facts = {"kecamatan": "Kubung", "upstream": "sto-solok", "page": "https://tabuah.example/"}
        cluster = Alertmanagers("am", urls, client, lambda _: facts, _now_ms)
        telling = asyncio.create_task(cluster.run())
        try:
            yield cluster
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managers, "AGAIN_S", 0.2)


@pytest.mark.peer
async def test_an_alertmanager_has_the_labels_of_the_contract_and_passes_on_both_ends(
    tmp_path: Path, hook: Sink
) -> None:
    with alertmanager(tmp_path / "am", hook.url) as manager:
        async with _told(manager.url) as cluster:
            await cluster.deliver(DOWN)
            (alert,) = manager.alerts()
            assert alert["labels"] == {
                "alertname": "TabuahLinkDown",
                "incident": "2026-11-24-1",
                "site": "13.02.10",
                "circuit": "telkom",
                "upstream": "sto-solok",
                "kecamatan": "Kubung",
                "cause": "last_mile",
                "severity": "critical",
            }
            assert alert["annotations"]["summary"] == DOWN.summary
            assert alert["annotations"]["dashboard_url"] == "https://tabuah.example/"
            assert alert["generatorURL"] == "https://tabuah.example/"
            await until(lambda: [one["status"] for one in hook.heard] == ["firing"], 15.0)
            await cluster.deliver(UP)
            await until(
                lambda: [one["status"] for one in hook.heard] == ["firing", "resolved"], 15.0
            )
            (ended,) = hook.heard[-1]["alerts"]
            assert ended["endsAt"][:19] == _rfc3339(BEGAN_MS + 30_000)


@pytest.mark.peer
@pytest.mark.usefixtures("often")
async def test_one_that_forgot_everything_hears_again_what_lasts(
    tmp_path: Path, hook: Sink
) -> None:
    with alertmanager(tmp_path / "am", hook.url) as manager:
        async with _told(manager.url) as cluster:
            await cluster.deliver(DOWN)
            _restart(manager)
            await until(lambda: len(manager.alerts()) == 1, 15.0)


@pytest.mark.peer
@pytest.mark.usefixtures("often")
async def test_of_two_one_may_be_down_and_hears_when_it_is_back(tmp_path: Path, hook: Sink) -> None:
    with (
        alertmanager(tmp_path / "a", hook.url) as one,
        alertmanager(tmp_path / "b", hook.url) as two,
    ):
        two.stop()
        async with _told(one.url, two.url) as cluster:
            await cluster.deliver(DOWN)  # raises nothing: it was taken
            assert len(one.alerts()) == 1
            two.start()
            await until(lambda: len(two.alerts()) == 1, 15.0)


@pytest.mark.peer
@pytest.mark.usefixtures("often")
async def test_what_ended_while_it_was_down_is_told_as_ended(tmp_path: Path, hook: Sink) -> None:
    with alertmanager(tmp_path / "am", hook.url) as manager:
        async with _told(manager.url) as cluster:
            await cluster.deliver(DOWN)
            await until(lambda: len(hook.heard) == 1, 15.0)
            manager.stop()
            with pytest.raises(ChannelError, match="none of 1 took it"):
                await cluster.deliver(UP)
            manager.start()
            await asyncio.sleep(1)
            assert manager.alerts() == []


async def test_a_collector_that_dies_does_not_make_a_line_look_well() -> None:
    async with _told("http://127.0.0.1:9") as cluster:
        with pytest.raises(ChannelError):
            await cluster.deliver(DOWN)
        ends = cluster._alert(DOWN)["endsAt"]
    assert str(ends) > _rfc3339(_now_ms() + 12 * 3_600_000)


async def test_a_command_gets_the_message_and_no_shell(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    script = _script(tmp_path, f'cat > "{heard}"; echo "$TABUAH_STATUS $1" >> "{heard}"')
    await by_command((str(script), "$(touch nothing)"))(DOWN)
    text = heard.read_text()
    assert '"alertname": "TabuahLinkDown"' in text
    assert text.endswith("firing $(touch nothing)\n")


async def test_a_command_is_not_given_the_collectors_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABUAH_TELEGRAM", "tgram://secret/1")
    heard = tmp_path / "heard"
    await by_command((str(_script(tmp_path, f'env > "{heard}"')),))(DOWN)
    assert "secret" not in heard.read_text()


async def test_a_command_that_fails_or_hangs_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ChannelError, match="ended with 3"):
        await by_command((str(_script(tmp_path, "exit 3")),))(DOWN)
    with pytest.raises(ChannelError, match="No such file"):
        await by_command((str(tmp_path / "nothing"),))(DOWN)
    monkeypatch.setattr(people, "COMMAND_S", 0.2)
    with pytest.raises(ChannelError, match=r"took more than 0\.2 s"):
        await by_command(("/bin/sleep", "30"))(DOWN)


async def test_apprise_delivers(hook: Sink) -> None:
    await by_apprise(hook.url.replace("http://", "json://"))(UP)
    (heard,) = hook.heard
    assert heard["title"] == UP.summary
    assert heard["message"] == UP.description
    assert heard["type"] == "success"
    hook.refusing = True
    with pytest.raises(ChannelError):
        await by_apprise(hook.url.replace("http://", "json://"))(UP)


async def test_ntfy_gets_the_first_line_as_its_title(hook: Sink) -> None:
    hook.taking = 200  # it says nothing else
    url = hook.url.replace("http://", "ntfy://").replace("/hook", "/tabuah")
    await by_apprise(url)(replace(DOWN, description="Kantor <Kubung> & lainnya"))
    (heard,) = hook.heard
    assert (heard["topic"], heard["title"]) == ("tabuah", DOWN.summary)
    assert heard["message"] == "Kantor <Kubung> & lainnya"


def test_a_service_is_given_what_it_has_room_for() -> None:
    long = replace(DOWN, description="kata " * 2_000)
    assert fitted(DOWN, 250, 4_096) == (DOWN.summary, DOWN.description)
    title, body = fitted(long, 0, 160)
    assert title == DOWN.summary
    assert len(title) + 2 + len(body) <= 160
    assert body.endswith("...")
    assert [len(part) <= 30 for part in fitted(long, 0, 30)] == [True, True]


def test_a_url_that_apprise_does_not_know_is_refused_without_its_token() -> None:
    with pytest.raises(ValueError, match="does not know this URL") as raised:
        by_apprise("tgrm://123:secret/42")
    assert "secret" not in str(raised.value)


async def test_the_heart_beats_while_all_is_well_and_only_then(
    hook: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.05)
    well = True
    async with httpx.AsyncClient() as client:
        beating = asyncio.create_task(heartbeat.beat(hook.url, client, lambda: well))
        await until(lambda: hook.beats >= 3, 15.0)
        well = False
        await asyncio.sleep(0.2)
        stopped_at = hook.beats
        await asyncio.sleep(0.3)
        assert hook.beats == stopped_at
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


def _restart(manager: Alertmanager) -> None:
    manager.stop()
    manager.start()


def _script(folder: Path, line: str) -> Path:
    made = folder / "siren"
    made.write_text(f"#!/bin/sh\n{line}\n")
    made.chmod(made.stat().st_mode | stat.S_IXUSR)
    return made


def _rfc3339(at_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms / 1000))


@pytest.mark.peer
def test_a_trial_tells_which_channel_takes_messages(tmp_path: Path, hook: Sink) -> None:
    (tmp_path / "inventory.yaml").write_text(
        f"""
organisation: Dinas Uji
alerts:
  channels:
    - {{name: hook, webhook: "{hook.url}"}}
    - {{name: siren, command: [/bin/false]}}
sites: []
"""
    )
    argv = ["test", "--inventory", str(tmp_path)]
    done = CliRunner().invoke(cli.alerts, argv)
    assert done.exit_code == 1
    assert done.stdout == "hook (webhook): taken\nsiren (command): /bin/false ended with 1\n"
    assert [heard["status"] for heard in hook.heard] == ["firing", "resolved"]
    assert "tidak ada gangguan" in hook.heard[0]["summary"]
    assert CliRunner().invoke(cli.alerts, [*argv, "hook"]).exit_code == 0
    nobody = CliRunner().invoke(cli.alerts, [*argv, "hok"])
    assert isinstance(nobody.exception, NothingMatchedError)
    assert "did you mean 'hook'" in str(nobody.exception)


def test_a_trial_may_show_what_would_be_said_in_either_language(tmp_path: Path, hook: Sink) -> None:
    (tmp_path / "inventory.yaml").write_text(
        f"""
organisation: Dinas Uji
alerts: {{channels: [{{name: hook, webhook: "{hook.url}"}}]}}
sites: [{{code: "13.02.10", name: Kantor Camat Kubung}}]
"""
    )
    argv = ["test", "--inventory", str(tmp_path), "--cause", "power"]
    done = CliRunner().invoke(cli.alerts, [*argv, "-o", "json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == [
        {"channel": "hook", "kind": "webhook", "taken": True, "error": ""}
    ]
    assert "warning: a single alert channel (webhook)" in done.stderr
    firing, resolved = hook.heard
    assert firing["summary"].startswith("UJI COBA: Kantor Camat Kubung terputus sejak ")
    assert "untuk menguji kanal hook" in firing["description"]
    assert (firing["alertname"], firing["severity"]) == ("TabuahTrial", "info")
    assert resolved["summary"].startswith("UJI COBA: Pulih ")
    shown = CliRunner().invoke(cli.alerts, [*argv, "--language", "en", "--print"])
    assert "TRIAL: Kantor Camat Kubung is cut off since " in shown.stdout
    assert len(hook.heard) == 2  # printed, not sent


def test_no_channel_and_a_wrong_inventory_have_their_own_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text("organisation: Dinas Uji\nsites: []\n")
    argv = ["test", "--inventory", str(tmp_path)]
    nobody = CliRunner().invoke(cli.alerts, argv)
    assert isinstance(nobody.exception, NothingMatchedError)
    assert nobody.exception.exit_code == 3
    (tmp_path / "inventory.yaml").write_text("organisation: Dinas Uji\nalert: {}\nsites: []\n")
    wrong = CliRunner().invoke(cli.alerts, argv)
    assert isinstance(wrong.exception, ConfigError)
    assert wrong.exception.exit_code == 2


def test_help_keeps_its_examples_line_by_line() -> None:
    for group, name, line in (
        (
            cli.alerts,
            "test",
            "  tabuah alerts test --inventory /etc/tabuah telegram --cause power\n",
        ),
        (monitoring, "export", "  amtool check-config monitoring/alertmanager.yml\n"),
    ):
        said = CliRunner().invoke(group, [name, "--help"]).output
        assert line in said
        assert "\\b" not in said
