"""Keys that are revoked and configurations that are copied, as the running programs see them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import SITE, Centre, centre, seconds_until


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Centre]:
    with centre(tmp_path) as made:
        yield made


def test_a_revoked_key_stops_working_within_two_seconds_and_a_new_one_takes_over(
    lone: Centre,
) -> None:
    lone.start_collector()
    config = lone.enrol()
    stolen = lone.copy(config, "stolen")
    lone.start_agent(stolen)
    seconds_until(lambda: lone.state() == "up", 10)
    before = config.read_text()
    done = lone.tabuah("enrol", SITE, "--revoke", "--data", str(lone.data))
    revoked_at = time.time()
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{SITE}: revoked, all keys up to {SITE}#1" in done.stderr
    assert config.read_text() == before, "no file is written"
    seconds_until(lambda: lone.counted("unknown_site") > 0, 5)
    time.sleep(2)
    count = len(lone.said())
    time.sleep(2.5)
    assert len(lone.said()) == count
    newest = max(report["received"] for report in lone.said())
    assert newest < rfc3339(revoked_at + 2)
    checked = lone.tabuah("agent", "check", "--config", str(stolen))
    assert "its key was revoked or replaced" in checked.stdout
    lone.start_agent(lone.enrol())
    seconds_until(lambda: len(lone.said()) > count, 10)
    assert f'user = "{SITE}#2"' in config.read_text()


def test_two_agents_of_one_configuration_are_counted_shown_and_warned_of_once(
    lone: Centre,
) -> None:
    lone.start_collector()
    config = lone.enrol()
    lone.start_agent(config)
    seconds_until(lambda: lone.state() == "up", 10)
    assert lone.cloned() is None
    second = lone.start_agent(lone.copy(config, "second"))
    seconds_until(lambda: lone.cloned() is not None, 20)
    seconds_until(lambda: lone.metric("tabuah_site_clone_reports_total") >= 4, 20)
    assert lone.log("collector").count("two agents report with one configuration") == 1
    assert "two agents" in lone.get("").text
    second.terminate()
    second.wait(10)
    time.sleep(1)
    counted = lone.metric("tabuah_site_clone_reports_total")
    time.sleep(3)
    assert lone.metric("tabuah_site_clone_reports_total") <= counted + 1
    assert lone.state() == "up"


def test_an_agent_that_is_started_again_and_again_is_no_clone(lone: Centre) -> None:
    lone.start_collector()
    config = lone.enrol()
    for _ in range(4):
        agent = lone.start_agent(config)
        count = len(lone.said())
        seconds_until(lambda count=count: len(lone.said()) >= count + 3, 10)  # type: ignore[misc]
        agent.kill()
        agent.wait()
    assert lone.metric("tabuah_site_clone_reports_total") == 0
    assert len({report["epoch"] for report in lone.said()}) == 4


def rfc3339(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + "Z"
