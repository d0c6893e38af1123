"""The main job from nothing: fourteen offices, one of them cut, and what people see of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.programs import seconds_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

KUBUNG = "13.02.10"


class Demo:
    """A running `tabuah demo`, asked as a user would."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._log = (data.parent / "demo.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tabuah", "demo", "--data", str(data)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def command(self, *words: str) -> str:
        told = subprocess.run(
            [sys.executable, "-m", "tabuah", "demo", *words, "--data", str(self.data)],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return told.stdout

    def record(self, *words: str) -> str:
        """Return what a command says of the demo's collector."""
        told = subprocess.run(
            [sys.executable, "-m", "tabuah", *words, "--data", str(self.data / "collector")],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return told.stdout

    def url(self) -> str:
        """The page's address, as it is told to the user."""
        for line in self.said().splitlines():
            if line.startswith("Page"):
                return line.split()[1]
        raise AssertionError(f"no page is named yet:\n{self.said()}")

    def said(self) -> str:
        return Path(self._log.name).read_text()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url() + path, timeout=10)

    def messages(self) -> list[dict[str, Any]]:
        file = self.data / "webhook.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def stop(self) -> int:
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGINT)
        code = self._process.wait(20)
        self._log.close()
        return code


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo") / "data")
    try:
        yield running
    finally:
        assert running.stop() == 0, running.said()


def _in_state(demo: Demo, site: str, state: str) -> bool:
    return f'tabuah_site_state{{site="{site}",state="{state}"}} 1' in demo.get("metrics").text


def _verdict(demo: Demo) -> tuple[str, str, bool]:
    """Return what the only outage is held to be: cause, confidence, whether it counts."""
    (outage,) = demo.get(f"api/v1/outages?site={KUBUNG}").json()
    return outage["cause"], outage["confidence"], outage["countable"]


def test_an_office_is_cut_and_restored_before_the_eyes_of_the_admin(demo: Demo) -> None:
    def all_up() -> bool:
        return demo.get("metrics").text.count(',state="up"} 1') == 14

    seconds_until(all_up, 60)
    page = demo.get("").text
    assert "Semua 14 kantor terhubung" in page
    assert page.count("Kantor Camat ") >= 14

    demo.command("cut", "kubung")
    seconds_until(lambda: _in_state(demo, KUBUNG, "silent"), 20)
    assert "Tidak melapor" in demo.get("").text
    seconds_until(lambda: len(demo.messages()) == 1, 5)
    (firing,) = demo.messages()
    assert (firing["status"], firing["sites"]) == ("firing", [KUBUNG])
    offices = {office["code"]: office for office in demo.get("api/v1/sites").json()}
    cut = offices.pop(KUBUNG)
    assert (cut["state"], cut["incident"]) == ("silent", firing["incident"])
    assert {office["state"] for office in offices.values()} == {"up"}
    (incident,) = demo.get("api/v1/incidents").json()
    assert (incident["status"], incident["confidence"]) == ("open", "provisional")
    (outage,) = demo.get(f"api/v1/outages?site={KUBUNG}").json()
    assert (outage["ended"], outage["version"]) == (None, 1)

    time.sleep(12)  # long enough that at least one report is overtaken
    demo.command("restore", "kubung")
    seconds_until(lambda: _in_state(demo, KUBUNG, "up"), 10)
    seconds_until(lambda: len(demo.messages()) == 2, 5)
    resolved = demo.messages()[1]
    assert (resolved["status"], resolved["incident"]) == ("resolved", firing["incident"])
    assert resolved["ended"] is not None

    def whole() -> bool:
        reports = demo.get(f"api/v1/sites/{KUBUNG}/reports").json()
        numbers = sorted(report["seq"] for report in reports)
        late = [report for report in reports if report["late"]]
        return bool(late) and numbers == list(range(1, len(numbers) + 1))

    seconds_until(whole, 15)
    seconds_until(lambda: _verdict(demo) == ("last_mile", "final", True), 15)
    (outage,) = demo.get(f"api/v1/outages?site={KUBUNG}").json()
    assert outage["version"] == 2
    assert outage["ended"] is not None
    told = demo.record("outages", "verify")
    assert "entries hold" in told


def test_the_scraped_page_is_as_prometheus_wants_it(demo: Demo) -> None:
    seconds_until(lambda: demo.get("readyz").status_code == 200, 60)
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=demo.get("metrics").content,
        capture_output=True,
        timeout=30,
        check=False,
    )
    complaints = (checked.stdout + checked.stderr).decode().splitlines()
    # The contract counts a line's speed in bits, as the field does (docs/adr/0008).
    assert all("tabuah_interface_speed_bits_per_second" in line for line in complaints), complaints


def test_what_matches_no_office_is_said_so(demo: Demo) -> None:
    seconds_until(lambda: demo.get("healthz").status_code == 200, 60)
    told = subprocess.run(
        [sys.executable, "-m", "tabuah", "demo", "cut", "atlantis", "--data", str(demo.data)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert told.returncode == 3
    assert "atlantis" in told.stderr
