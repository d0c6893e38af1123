"""The disk of the centre is full: it acknowledges nothing, says so, judges on, and recovers."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import Centre, centre, seconds_until

pytestmark = pytest.mark.lab

SIZE = "16m"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Centre]:
    """A centre whose data folder is a file system of its own."""
    with centre(tmp_path) as made:
        made.data.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tabuah-test"]
        subprocess.run([*mount, str(made.data)], check=True)
        try:
            yield made
        finally:
            made.stop()
            subprocess.run(["umount", str(made.data)], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12):
            try:
                while ballast.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def numbers(centre: Centre) -> list[int]:
    return [report["seq"] for report in centre.said()]


def test_a_full_disk_stops_acknowledgements_and_not_judging(small: Centre) -> None:
    config = small.enrol()
    small.start_collector()
    agent = small.start_agent(config)
    seconds_until(lambda: small.state() == "up" and len(numbers(small)) > 2, 20)

    fill(small.data / "ballast")
    seconds_until(lambda: small.get("readyz").status_code == 503, 30)
    assert "the disk is full; free some space there" in small.get("readyz").text
    assert small.get("healthz").status_code == 200
    stored, unstored = numbers(small), small.counted("unstored")
    time.sleep(4)
    assert numbers(small) == stored
    assert small.counted("unstored") > unstored
    assert small.state() == "up"

    agent.send_signal(signal.SIGSTOP)
    seconds_until(lambda: small.state() == "silent", 40)
    agent.send_signal(signal.SIGCONT)
    seconds_until(lambda: small.state() == "up", 20)
    assert numbers(small) == stored
    assert small.get("readyz").status_code == 503

    (small.data / "ballast").unlink()
    seconds_until(lambda: small.get("readyz").status_code == 200, 20)
    newest = max(stored) + 8
    seconds_until(lambda: max(numbers(small), default=0) >= newest, 30)
    seconds_until(lambda: sorted(numbers(small)) == list(range(1, len(numbers(small)) + 1)), 30)
    checked = small.tabuah("data", "check", "--data", str(small.data))
    assert "more than once" not in checked.stdout
    assert "damaged" not in checked.stdout
