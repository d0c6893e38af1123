"""`tabuah monitoring export`, and what Prometheus' own tools say of what it writes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from click.testing import CliRunner

from alerts.monitoring import LEAST_OBJECTIVE
from alerts.monitoring_cli import monitoring
from tabuah.errors import ConfigError
from tests.support.alertmanager import Alertmanager, alertmanager
from tests.support.programs import seconds_until
from tests.support.sink import sink

INVENTORY = """\
organisation: Dinas Uji
services:
  siak: {{name: SIAK, http: "https://siak.example/health", objective: {objective}}}
sites:
  - code: "13.02.10"
    name: Kantor Camat Kubung
    circuits: [{{id: telkom, provider: Telkom, sla: {{availability: {availability}}}}}]
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    return _inventory(tmp_path)


def _inventory(folder: Path, availability: str = "0.995", objective: str = "0.99") -> Path:
    made = folder / "inventory"
    made.mkdir()
    text = INVENTORY.format(availability=availability, objective=objective)
    (made / "inventory.yaml").write_text(text)
    return made


def _export(inventory: Path, out: Path, *more: str) -> None:
    argv = ["export", "--inventory", str(inventory), "--out", str(out), *more]
    done = CliRunner().invoke(monitoring, argv, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def _tell(manager: Alertmanager, *told: dict[str, str]) -> None:
    alerts = [{"labels": labels, "annotations": {"summary": "s"}} for labels in told]
    httpx.post(f"{manager.url}/api/v2/alerts", json=alerts).raise_for_status()


def _run(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.peer
def test_prometheus_and_alertmanager_take_what_is_written(inventory: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _export(inventory, out)
    _run("promtool", "check", "config", out / "prometheus.yml")
    _run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *(out / "rules").glob("*.yml"))
    _run("amtool", "check-config", out / "alertmanager.yml")


@pytest.mark.peer
def test_places_are_those_that_were_given(inventory: Path, tmp_path: Path) -> None:
    out, token = tmp_path / "out", tmp_path / "token"
    token.write_text("secret")
    _export(
        inventory,
        out,
        *("--collector", "[2001:db8::5]:8443", "--https", "--token-file", str(token)),
        *("--alertmanager", "am1:9093", "--alertmanager", "am2:9093"),
        *("--runbooks", "https://dinas.example/runbook/"),
    )
    _run("promtool", "check", "config", out / "prometheus.yml")
    text = (out / "prometheus.yml").read_text()
    assert 'targets: ["am1:9093", "am2:9093"]' in text
    assert 'targets: ["[2001:db8::5]:8443"]' in text
    assert "scheme: https" in text
    assert f'credentials_file: "{token}"' in text
    rules = (out / "rules" / "burn.yml").read_text()
    assert "runbook_url: https://dinas.example/runbook/TabuahCircuitBudgetBurn\n" in rules
    assert "runbooks/TabuahCircuitBudgetBurn.md" not in rules


@pytest.mark.peer
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=TabuahLinkDown site=13.02.10 severity=critical cause=last_mile", "admin"),
        ("alertname=TabuahRttGrowing site=13.02.10 severity=info cause=last_mile", "admin"),
        ("alertname=TabuahServiceDown severity=critical cause=service", "service-owners"),
        ("alertname=TabuahCollectorAbsent severity=critical cause=isolated", "watcher"),
        ("alertname=TabuahDiskFilling severity=warning cause=isolated", "watcher"),
        ("alertname=TabuahChannelFailing severity=warning cause=unknown", "watcher"),
        ("alertname=TabuahAlertsNotDelivered severity=critical cause=isolated", "watcher"),
    ],
)
def test_each_alert_goes_to_those_who_can_act(
    inventory: Path, tmp_path: Path, labels: str, receiver: str
) -> None:
    _export(inventory, tmp_path / "out")
    config = tmp_path / "out" / "alertmanager.yml"
    argv = ("amtool", "config", "routes", "test", f"--config.file={config}")
    _run(*argv, f"--verify.receivers={receiver}", *labels.split())


@pytest.mark.peer
def test_the_example_of_telegram_and_email_is_taken_once_it_is_filled_in(
    inventory: Path, tmp_path: Path
) -> None:
    _export(inventory, tmp_path / "out")
    config = tmp_path / "out" / "alertmanager.yml"
    text = re.sub(r"^#( {2,})", r"\1", config.read_text(), flags=re.MULTILINE)
    assert text.count("telegram_configs") == text.count("email_configs") == 1
    config.write_text(text)
    said = _run("amtool", "check-config", config)
    assert "3 receivers" in said


@pytest.mark.peer
def test_what_one_fall_makes_needless_is_held_back_by_upstream_and_by_centre(
    inventory: Path, tmp_path: Path
) -> None:
    _export(inventory, tmp_path / "out")
    exported = yaml.safe_load((tmp_path / "out" / "alertmanager.yml").read_text())
    for receiver in exported["receivers"]:
        receiver["webhook_configs"] = [{"url": "HOOK"}]
    config = (
        yaml.safe_dump(exported).replace("{", "{{").replace("}", "}}").replace("HOOK", "{hook}")
    )
    with sink() as hook, alertmanager(tmp_path / "am", hook.url, config) as manager:
        # What holds back is told first: who hears all at once may pass a target on before it knows.
        _tell(
            manager,
            {"alertname": "TabuahUpstreamDown", "upstream": "sto-solok"},
            {"alertname": "TabuahServiceDown", "cause": "centre"},
            {"alertname": "TabuahLinkDown", "site": "b", "upstream": "sto-alahan"},
        )
        seconds_until(lambda: len(hook.heard) == 3, 15)
        _tell(
            manager,
            {"alertname": "TabuahLinkDown", "site": "a", "upstream": "sto-solok"},
            {"alertname": "TabuahCircuitBudgetBurn", "site": "a", "upstream": "sto-solok"},
            {"alertname": "TabuahServiceBudgetBurn", "site": "a", "cause": "service"},
            {"alertname": "TabuahLinkDegraded", "site": "b", "upstream": "sto-alahan"},
            {"alertname": "TabuahLinkDegraded", "site": "c", "upstream": "sto-alahan"},
            {"alertname": "TabuahPowerLost", "site": "d", "upstream": "sto-solok"},
        )

        def held() -> set[tuple[str, str]]:
            return {
                (alert["labels"]["alertname"], alert["labels"].get("site", ""))
                for alert in manager.alerts()
                if alert["status"]["inhibitedBy"]
            }

        seconds_until(lambda: len(held()) == 4 and len(hook.heard) >= 5, 15)
        assert held() == {
            ("TabuahLinkDown", "a"),
            ("TabuahCircuitBudgetBurn", "a"),
            ("TabuahServiceBudgetBurn", "a"),
            ("TabuahLinkDegraded", "b"),
        }
        said = {
            (alert["labels"]["alertname"], alert["labels"].get("site", ""))
            for message in hook.heard
            for alert in message["alerts"]
        }
        assert said == {
            ("TabuahUpstreamDown", ""),
            ("TabuahServiceDown", ""),
            ("TabuahLinkDown", "b"),
            ("TabuahLinkDegraded", "c"),
            ("TabuahPowerLost", "d"),
        }


@pytest.mark.parametrize(
    ("availability", "objective", "named"),
    [
        ("0.93", "0.99", "sla.availability of circuit 'telkom' of site 13.02.10 is 0.93"),
        ("0.995", "0.5", "the objective of service 'siak' is 0.5"),
    ],
)
def test_an_objective_at_which_an_alert_could_never_fire_is_refused(
    tmp_path: Path, availability: str, objective: str, named: str
) -> None:
    inventory = _inventory(tmp_path, availability, objective)
    with pytest.raises(ConfigError) as raised:
        _export(inventory, tmp_path / "out")
    assert named in str(raised.value)
    assert "would never fire" in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_the_least_objective_is_that_of_the_facts() -> None:
    assert f"{LEAST_OBJECTIVE:.4f}" == "0.9306"


def test_runbooks_are_written_beside_the_rules(inventory: Path, tmp_path: Path) -> None:
    _export(inventory, tmp_path / "out")
    _export(inventory, tmp_path / "out")  # again: what was there is replaced
    book = tmp_path / "out" / "rules" / "runbooks" / "TabuahLinkDown.md"
    assert "Lakukan dulu" in book.read_text()


def test_a_place_that_is_none_is_refused(inventory: Path, tmp_path: Path) -> None:
    argv = ["export", "--inventory", str(inventory), "--out", str(tmp_path / "out")]
    for more in (["--collector", "nowhere"], ["--alertmanager", "am"], ["--runbooks", "docs"]):
        done = CliRunner().invoke(monitoring, [*argv, *more])
        assert done.exit_code == 2, done.output
