"""An agent on a gateway whose root is read-only: one folder that it may write is enough."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.machine import environment
from tests.support.programs import Centre, centre, seconds_until

pytestmark = [pytest.mark.lab, pytest.mark.peer]

READ_ONLY = """
set -eu
folder=$1; shift
mount --make-rprivate /
mount --bind "$folder" "$folder"
while read -r _ place _; do
    [ "$place" = "$folder" ] || mount -o remount,bind,ro "$place" 2>/dev/null || true
done </proc/self/mounts
exec "$@"
"""
"""Runs a program where every mount but one folder is read-only."""


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Centre]:
    with centre(tmp_path) as made:
        yield made


def may_write(pid: int, folder: Path) -> bool:
    """Return whether a file can be made in a folder as a process sees it."""
    name = str(folder / f"tabuah-{pid}")
    done = subprocess.run(
        ["nsenter", "-t", str(pid), "-m", "sh", "-c", 'touch "$0" && rm "$0"', name],
        check=False,
        capture_output=True,
        env=environment(),
    )
    return done.returncode == 0


def test_an_agent_works_from_a_read_only_root_with_one_writable_folder(lone: Centre) -> None:
    lone.start_collector()
    config = lone.enrol()
    office = lone.folder / "office"
    office.mkdir()
    agent = lone.start(
        *("agent", "run", "--config", str(config)),
        within=("unshare", "-m", "sh", "-c", READ_ONLY, "sh", str(office)),
        environment=environment({"HOME": "/nonexistent"}),
    )
    seconds_until(lambda: len(lone.said()) >= 2, 15)
    for folder in (Path("/"), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), lone.folder):
        assert not may_write(agent.pid, folder), folder
    assert may_write(agent.pid, office)
    # An outage makes it write: what was not answered is kept, and follows.
    lone.collector.kill()
    lone.collector.wait()
    time.sleep(6)
    lone.start_collector()

    def whole() -> bool:
        numbers = sorted(report["seq"] for report in lone.said())
        late = [report for report in lone.said() if report["late"]]
        return bool(late) and numbers == list(range(1, len(numbers) + 1))

    seconds_until(whole, 20)
    agent.terminate()
    assert agent.wait(10) == 0
    assert lone.said()[-1]["occasion"] == "goodbye_agent"
    log = lone.log("agent")
    assert "ERROR" not in log
    assert "Traceback" not in log
    assert {file.name for file in office.iterdir()} <= {
        *("agent.lock", "spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm")
    }
