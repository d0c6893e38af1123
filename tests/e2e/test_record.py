"""A common fault from its first second to the signed record: the real programs over a cut line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.cut_line import CutLine, cut_line
from tests.support.programs import Centre, centre, seconds_until
from tests.support.sink import Sink, sink

pytestmark = pytest.mark.timeout(300)

CODES = [f"13.02.{number:02d}" for number in range(3, 9)]
INTERVAL_S = 3


def _inventory(lone: Centre, hook: Sink) -> str:
    head = f"""
organisation: Dinas Uji
language: en
upstreams: {{sto: {{name: STO Solok}}}}
alerts: {{channels: [{{name: hook, webhook: '{hook.url}'}}]}}
sites:
"""
    return head + "".join(
        f"""
  - code: "{code}"
    name: Kantor {code}
    upstream: sto
    interval: {INTERVAL_S}s
    circuits: [{{id: telkom, sla: {{availability: 0.995, monthly_fee: 1000000,
      formula: prorata_all, min_outage: 1s}}}}]
    probes:
      - {{name: router, tcp: "{hook.url.split("/")[2]}", role: gateway, every: 1s, timeout: 500ms}}
      - {{name: hop, udp: "127.0.0.1:{lone.reflector}", role: first_hop, every: 1s,
          timeout: 500ms}}
"""
        for code in CODES
    )


@pytest.fixture
def hook() -> Iterator[Sink]:
    with sink() as kept:
        yield kept


@pytest.fixture
def line() -> Iterator[CutLine]:
    with cut_line() as made:
        yield made


@pytest.fixture
def six(tmp_path: Path, hook: Sink, line: CutLine) -> Iterator[Centre]:
    """Six offices behind one upstream, whose agents report over one line."""
    with centre(tmp_path) as lone:
        (lone.inventory / "inventory.yaml").write_text(_inventory(lone, hook))
        lone.start_collector()
        reports, reflector = line.to(lone.reports), line.to(lone.reflector)
        made = lone.tabuah(
            *("enrol", "--all", "--inventory", str(lone.inventory), "--data", str(lone.data)),
            *("--collector", f"127.0.0.1:{lone.reports}", "--out", f"{tmp_path}/agents/"),
        )
        assert made.returncode == 0, made.stderr
        for code in CODES:
            config = tmp_path / "agents" / f"agent-{code}.toml"
            told = config.read_text().replace(f":{lone.reports}", f":{reports}")
            told = told.replace(f":{lone.reflector}", f":{reflector}")
            told = re.sub('data = ".*"', f'data = "{tmp_path}/{code}"', told)
            config.write_text(told)
            lone.start_agent(config)
        seconds_until(lambda: _states(lone) == {"up"}, 30)
        yield lone


def _states(lone: Centre) -> set[str]:
    return {office["state"] for office in lone.get("api/v1/sites").json()}


def _record(lone: Centre, *words: str) -> Any:
    told = lone.tabuah(*words, "--data", str(lone.data), "-o", "json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def test_six_offices_lost_together_are_one_incident_over_a_restart_and_six_outages_on_paper(
    six: Centre, hook: Sink, line: CutLine
) -> None:
    line.cut = True
    seconds_until(lambda: len(hook.heard) == 1, 30)
    (firing,) = hook.heard
    assert (firing["alertname"], firing["cause"]) == ("TabuahUpstreamDown", "area")
    seconds_until(lambda: _states(six) == {"silent"}, 10)
    (incident,) = six.get("api/v1/incidents").json()
    assert incident["sites"] == CODES
    assert (incident["status"], incident["confidence"]) == ("open", "provisional")
    assert [office["incident"] for office in six.get("api/v1/sites").json()] == [incident["id"]] * 6
    page = six.get("metrics").text
    assert page.count(f'tabuah_incident_active{{incident="{incident["id"]}"') == 6

    six.collector.kill()
    six.collector.wait()
    six.start_collector()
    assert _states(six) == {"silent"}
    seconds_until(lambda: len(six.get("api/v1/outages").json()) == 6, 10)
    line.cut = False
    seconds_until(lambda: len(hook.heard) == 2, 30)
    assert hook.told() == [("firing", incident["id"]), ("resolved", incident["id"])]
    assert "STO Solok" in hook.heard[1]["summary"]

    def final() -> bool:
        found = six.get("api/v1/outages").json()
        assert {one["confidence"] for one in found} == {"final"}, found
        assert all(one["ended"] for one in found), found
        return True

    seconds_until(final, 30)
    outages = _record(six, "outages")
    assert sorted(one["site"] for one in outages) == CODES
    for outage in outages:
        assert (outage["cause"], outage["countable"]) == ("area", True)
        assert outage["version"] >= 2
    story = _record(six, "incidents", "show", incident["id"])
    assert (story["status"], story["cause"], story["confidence"]) == ("closed", "area", "final")
    assert sorted(one["site"] for one in story["outages"] if not one["withdrawn"]) == CODES
    assert _record(six, "outages", "verify")["fault"] is None
    assert len(hook.heard) == 2
    began = datetime.fromisoformat(outages[0]["began"]).astimezone(ZoneInfo("Asia/Jakarta"))
    sheets = _record(six, "sla", "--month", f"{began:%Y-%m}")
    assert [sheet["site"] for sheet in sheets] == CODES
    assert all(sheet["measured"]["countable_seconds"] > 5 for sheet in sheets)
    _people_speak(six, incident["id"])
    _read_without_a_collector(six, incident["id"])


def _people_speak(lone: Centre, incident: str) -> None:
    data = ("--data", str(lone.data))
    number = "INC12345678"
    draft = lone.tabuah("incidents", "ticket", incident, *data)
    assert all(f"Kantor {code}" in draft.stdout for code in CODES), draft.stdout
    for words in (
        ("incidents", "ack", incident, "calling"),
        ("incidents", "ticket", incident, "--number", number),
        ("incidents", "ticket", incident, "--number", number, "--closed", "now"),
        ("outages", "liability", _record(lone, "outages")[0]["id"], "ours"),
    ):
        told = lone.tabuah(*words, *data)
        assert told.returncode == 0, told.stderr
    story = _record(lone, "incidents", "show", incident)
    assert story["acknowledged"] is not None
    assert story["tickets"][0]["number"] == number
    assert story["tickets"][0]["closed"] is not None
    assert {one["liability"] for one in story["outages"]} == {None, "ours"}
    made = _record(lone, "maintenance", "add", "sto", "--lasts", "2h", "--every", "7d")
    (plan,) = _record(lone, "maintenance", "list")
    assert (plan["id"], plan["sites"], plan["every_days"]) == (made["id"], CODES, 7)
    assert lone.tabuah("maintenance", "end", made["id"], *data).returncode == 0
    assert _record(lone, "maintenance", "list") == []
    assert lone.tabuah("incidents", "ack", "down-0", *data).returncode == 3
    assert lone.tabuah("outages", "--site", "13.02.99", *data).returncode == 3
    assert lone.tabuah("outages", "liability", incident, "god", *data).returncode == 2


def _read_without_a_collector(lone: Centre, incident: str) -> None:
    served = _record(lone, "incidents", "show", incident)
    lone.collector.terminate()
    assert lone.collector.wait(10) == 0
    assert _record(lone, "incidents", "show", incident) == served
    assert len(_record(lone, "outages")) == 6
    assert _record(lone, "outages", "verify")["fault"] is None
    told = lone.tabuah("incidents", "ack", incident, "--data", str(lone.data))
    assert (told.returncode, "no collector answers" in told.stderr) == (1, True)
