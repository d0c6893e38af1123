"""The demo's programs: kept running, and stopped by their own ids in time."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import pytest

from demo import children as programs
from demo.children import Child, Children, pause_after
from demo.folder import birth
from demo.router import Command


async def until(condition: object, wait_s: float = 5.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def sleeper(tmp_path: Path, code: str = "", name: str = "sleeper") -> Child:
    script = f"{code}\nimport time\nprint('ready', flush=True)\ntime.sleep(60)"
    return Child(name, Command((sys.executable, "-c", script)), tmp_path / f"{name}.log")


@pytest.mark.parametrize(
    ("lasted_s", "pause_s", "after_s"), [(0.1, 0.5, 1), (0.1, 1, 2), (5, 8, 10), (61, 10, 1)]
)
def test_what_dies_at_once_is_given_longer_pauses(
    lasted_s: float, pause_s: float, after_s: float
) -> None:
    assert pause_after(lasted_s, pause_s) == after_s


async def test_a_program_that_dies_is_told_of_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "FIRST_PAUSE_S", 0.05)
    said: list[str] = []
    remembered: list[list[int]] = []
    family = Children(said.append, remembered.append)
    child = sleeper(tmp_path)
    family.start(child)
    await until(lambda: "ready" in child.log.read_text() if child.log.exists() else False)
    first = child.pid
    assert first is not None
    assert child.process is not None
    child.process.send_signal(signal.SIGKILL)
    await until(lambda: child.starts == 2 and child.pid is not None)
    assert said == [f"sleeper ended with code -9; starting it again in 0 s; its log is {child.log}"]
    second = child.pid
    assert second is not None
    assert remembered == [[first], [second]]
    family.ask(["sleeper"])
    await family.wait(["sleeper"], 5)
    assert birth(second) is None
    assert len(said) == 1


async def test_a_program_that_will_not_stop_is_ended_when_patience_is(tmp_path: Path) -> None:
    family = Children(lambda _: None, lambda _: None)
    deaf = sleeper(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", "deaf")
    willing = sleeper(tmp_path, name="willing")
    for child in (deaf, willing):
        family.start(child)
    await until(
        lambda: all(c.log.exists() and "ready" in c.log.read_text() for c in (deaf, willing))
    )
    pids = [deaf.pid, willing.pid]
    began = time.monotonic()
    family.ask(["deaf", "willing", "unknown"])
    await family.wait(["deaf", "willing", "unknown"], 0.3)
    assert (deaf.pid, willing.pid) == (pids[0], None)
    await family.end()
    assert time.monotonic() - began < 2
    assert [birth(pid) for pid in pids if pid is not None] == [None, None]


async def test_a_program_in_the_pause_before_its_next_start_is_not_started_any_more(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    family = Children(said.append, lambda _: None)
    family.start(Child("brief", Command(("false",)), tmp_path / "log"))
    await until(lambda: said)
    family.ask(["brief"])
    await family.wait(["brief"], 1)
    assert family.all["brief"].starts == 1
