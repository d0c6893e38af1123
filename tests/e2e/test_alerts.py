"""Each incident is said once when it begins and once when it ends, whatever happens to the centre.

The real programs, and a webhook's other end.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Centre, centre, seconds_until
from tests.support.sink import Sink, sink


@pytest.fixture
def hook() -> Iterator[Sink]:
    with sink() as kept:
        yield kept


@pytest.fixture
def lone(tmp_path: Path, hook: Sink) -> Iterator[Centre]:
    alerts = f"{{channels: [{{name: hook, webhook: '{hook.url}'}}]}}"
    with centre(tmp_path, alerts=alerts) as made:
        yield made


@pytest.fixture
def silent(lone: Centre, hook: Sink) -> Path:
    """Have an office that fell silent, and was spoken of; return its configuration."""
    lone.start_collector()
    config = lone.enrol()
    agent = lone.start_agent(config)
    seconds_until(lambda: lone.state() == "up", 10)
    agent.kill()
    agent.wait()
    seconds_until(lambda: len(hook.heard) == 1, 20)
    assert hook.heard[0]["status"] == "firing"
    time.sleep(2)  # that it was taken is noted beside it: milliseconds, on a machine that idles
    return config


def test_the_end_is_said_after_the_inventory_was_read_anew(
    lone: Centre, hook: Sink, silent: Path
) -> None:
    lone.collector.send_signal(signal.SIGHUP)
    seconds_until(lambda: "inventory read anew" in lone.log("collector"), 5)
    lone.start_agent(silent)
    seconds_until(lambda: len(hook.heard) == 2, 15)
    incident = hook.heard[0]["incident"]
    assert hook.told() == [("firing", incident), ("resolved", incident)]


def test_a_restart_while_an_office_is_silent_says_nothing_twice_and_its_end_once(
    lone: Centre, hook: Sink, silent: Path
) -> None:
    lone.collector.kill()
    lone.collector.wait()
    lone.start_collector()
    assert lone.state() == "silent"
    time.sleep(12)  # longer than the threshold
    assert len(hook.heard) == 1
    lone.start_agent(silent)
    seconds_until(lambda: len(hook.heard) == 2, 15)
    incident = hook.heard[0]["incident"]
    assert hook.told() == [("firing", incident), ("resolved", incident)]


def test_an_office_that_returns_while_the_collector_is_away_is_said_to_be_back(
    lone: Centre, hook: Sink, silent: Path
) -> None:
    lone.collector.terminate()
    assert lone.collector.wait(10) == 0
    lone.start_agent(silent)
    time.sleep(2)
    lone.start_collector()
    seconds_until(lambda: len(hook.heard) == 2, 15)
    incident = hook.heard[0]["incident"]
    assert hook.told() == [("firing", incident), ("resolved", incident)]


def test_what_a_channel_would_not_take_is_told_by_the_next_collector(
    lone: Centre, hook: Sink
) -> None:
    lone.start_collector()
    agent = lone.start_agent(lone.enrol())
    seconds_until(lambda: lone.state() == "up", 10)
    hook.refusing = True
    agent.kill()
    agent.wait()
    seconds_until(lambda: hook.refused >= 1, 20)
    lone.collector.kill()
    lone.collector.wait()
    hook.refusing = False
    lone.start_collector()
    seconds_until(lambda: len(hook.heard) == 1, 10)
    time.sleep(2)
    assert [status for status, _ in hook.told()] == ["firing"]


def test_what_was_decided_is_explained_by_the_running_collector_and_from_its_store(
    lone: Centre, hook: Sink, silent: Path
) -> None:
    incident = hook.heard[0]["incident"]
    argv = ("alerts", "explain", incident, "--data", str(lone.data))
    served = lone.tabuah(*argv, "-o", "json")
    assert served.returncode == 0, served.stderr
    told = json.loads(served.stdout)
    steps = [one["step"] for one in told["steps"]]
    assert steps == ["maintenance", "audience", "group", "repeat", "text", "channel"]
    assert all(one["reason"] for one in told["steps"])
    (said,) = told["channels"]
    assert (said["channel"], said["status"], said["stage"]) == ("hook", "firing", "taken")
    lone.collector.kill()
    lone.collector.wait()
    assert json.loads(lone.tabuah(*argv, "-o", "json").stdout) == told
    assert "firing taken" in lone.tabuah(*argv).stdout
    assert lone.tabuah("alerts", "explain", "down-0", *argv[3:]).returncode == 3
