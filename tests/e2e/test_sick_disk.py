"""The disk of the centre is slow, its database locked by another program, or damaged."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from collector import database, enrolled
from collector.database import FILE_NAME
from tests.support import centre as centres
from tests.support import drawn, powercut
from tests.support.centre import until
from tests.support.kills import COLLECTOR, NOTHING, drill
from tests.support.programs import SITE, Centre, centre, seconds_until

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
SLOW_MS, STALLED_MS = 1_500, 8_000
PAGE = 4096


@pytest.mark.peer
@pytest.mark.timeout(300)
def test_on_a_slow_disk_answers_are_late_nobody_is_silent_and_a_restart_loses_nothing(
    tmp_path: Path,
) -> None:
    data, control = tmp_path / "centre", tmp_path / "milliseconds"
    data.mkdir(mode=0o700)
    slowed = powercut.slowed(data, powercut.library(tmp_path), control)
    with drill(tmp_path, Random(drawn.seed()), 1, 40, slowed) as drilled:
        made, burden = drilled.made, drilled.burden

        def states() -> dict[str, str]:
            return {office["code"]: office["state"] for office in made.get("api/v1/sites").json()}

        def all_up() -> bool:
            return set(states().values()) == {"up"}

        seconds_until(all_up, 20)
        control.write_text(str(SLOW_MS))
        seconds_until(lambda: "the disk is slow" in made.get("readyz").text, 20)
        assert made.get("readyz").status_code == 200
        answered = len(burden.acknowledged)
        until_s = time.monotonic() + 3
        while time.monotonic() < until_s:
            assert all_up()
            time.sleep(0.2)
        assert len(burden.acknowledged) > answered

        control.write_text(str(STALLED_MS))
        seconds_until(lambda: made.get("readyz").status_code == 503, 20)
        assert "the disk has been writing for more than 5 s" in made.get("readyz").text
        assert states()[SITE] == "up", "who is heard is not silent"

        # Killed with a queue in flight, and stopped with one.
        assert burden.under_way > 10
        drilled.kill(COLLECTOR)
        control.write_text("0")
        collector = drilled.start(COLLECTOR)
        answered = len(burden.acknowledged)
        seconds_until(lambda: len(burden.acknowledged) > answered + 20, 30)
        assert drilled.wrong() == NOTHING
        control.write_text(str(SLOW_MS))
        time.sleep(SLOW_MS / 1_000)
        collector.terminate()
        control.write_text("0")
        assert collector.wait(40) == 0
        drilled.start(COLLECTOR)
        assert drilled.settle() == []
        assert drilled.wrong() == NOTHING


async def test_a_database_that_another_program_locks_is_named_and_used_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.1)
    async with centres.centre(tmp_path, monkeypatch) as lone:
        office, path = lone.office(), lone.data / FILE_NAME
        office.reports(1)
        await until(lambda: bool(lone.socket.sent))
        office.listen()
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        office.reports(2)
        await until(lambda: not lone.collector.readiness().storing)
        said = lone.collector.readiness().detail
        assert said.startswith(f"{path}: locked by another program")
        assert said in caplog.text
        office.listen()
        assert office.acknowledged == {1}
        # A collector that starts now hears, and says the same.
        await lone.restart()
        office.reports(2)
        await until(lambda: not lone.collector.readiness().storing)
        assert lone.collector.readiness().detail == said
        other.execute("ROLLBACK")
        other.close()
        office.reports(2)
        await until(lambda: lone.collector.readiness().storing and bool(lone.socket.sent))
        office.listen()
        assert office.acknowledged == {1, 2}


def commands(after: str, made: Centre) -> str:
    """Return the commands that stand below these words in the document, for this collector."""
    text = DOCUMENT.read_text()
    block = re.search(r"```sh\n(.*?)```", text[text.index(after) :], re.DOTALL)
    assert block is not None
    told = block[1].replace("/var/lib/tabuah-collector", str(made.data))
    told = told.replace("/backup/tabuah-2026-12-31.tar", str(made.folder / "backup.tar"))
    return told.replace("tabuah data", f"{sys.executable} -m tabuah data")


def follow(words: str) -> str:
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def damage(made: Centre, at: int) -> None:
    """Stop the collector, destroy a page of its store, and see it refuse to start."""
    made.collector.terminate()
    assert made.collector.wait(40) == 0
    with (made.data / FILE_NAME).open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * PAGE)
    before = len(made.log("collector"))
    assert made.start(*made.collector_words).wait(40) == 1
    said = made.log("collector")[before:]
    assert f"{made.data / FILE_NAME}: " in said
    for command in ("check", "restore", "salvage"):
        assert f"`tabuah data {command}`" in said


def goes_on(made: Centre) -> None:
    """See the collector start, and the office go on."""
    made.start_collector()
    seconds_until(lambda: made.state() == "up", 20)
    known = len(made.said())
    seconds_until(lambda: len(made.said()) > known + 1, 20)


@pytest.mark.timeout(300)  # some twenty starts of a program
def test_from_a_damaged_database_to_a_running_collector_as_documented(tmp_path: Path) -> None:
    with centre(tmp_path) as made:
        made.start_collector()
        made.start_agent(made.enrol())
        seconds_until(lambda: len(made.said()) > 2, 20)
        backup = ("data", "backup", "--data", str(made.data), "--out", str(tmp_path / "backup.tar"))
        assert made.tabuah(*backup).returncode == 0

        enrolled.enrol(made.data, ["later"])

        damage(made, 0)
        assert "not even its list of tables" in follow(commands("**A damaged store**", made))
        told = follow(commands("If not even the list of tables can be read", made))
        assert "reports of 1 offices" in told
        assert "later" in enrolled.read(made.data), "enrolled since the backup"
        goes_on(made)

        damage(made, reports_page(made.data / FILE_NAME))
        told = follow(commands("**A damaged store**", made))
        assert "the damaged store lies in" in told
        goes_on(made)
        checked = made.tabuah("data", "check", "--data", str(made.data)).stdout
        assert "more than once" not in checked
        assert "damaged" not in checked


def reports_page(path: Path) -> int:
    """Return where in the file a page of the reports lies."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name LIKE 'reports\\_%' ESCAPE '\\'"
        ).fetchone()
    connection.close()
    return (int(root) - 1) * PAGE
