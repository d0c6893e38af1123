"""The demo's command line, spoken to a control socket as a running demo serves it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.cli import DEFAULT_DATA, _hints
from demo.control import Control, Reply, Request, Verb
from demo.line import Condition
from demo.offices import Office, match
from demo.relay import Address
from demo.run import main_program
from demo.view import Row, status
from demo.watch import Seen
from tabuah.main import main

KUBUNG = Office("13.02.10", "Kantor Camat Kubung", "Kubung")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[tuple[Path, list[Request]]]:
    heard: list[Request] = []

    def obey(request: Request) -> Reply:
        heard.append(request)
        if request.verb is Verb.STATUS:
            return Reply(
                status={"page": "x", "sites": status([Row(KUBUNG, Seen("up"), Condition())])}
            )
        return Reply(tuple(f"{office.name}: done" for office in match(request.site, [KUBUNG])))

    control = Control(tmp_path / "control.sock", obey)
    await control.start()
    yield tmp_path, heard
    await control.close()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (["cut", "kubung"], Request(Verb.CUT, "kubung")),
        (["restore", "all"], Request(Verb.RESTORE, "all")),
        (["loss", "13.02.10", "12.5"], Request(Verb.LOSS, "13.02.10", 12.5)),
        (["delay", "kubung", "600"], Request(Verb.DELAY, "kubung", 600)),
    ],
)
async def test_what_is_typed_reaches_the_demo_and_its_answer_the_terminal(
    running: tuple[Path, list[Request]],
    typed: list[str],
    asked: Request,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, heard = running
    assert await asyncio.to_thread(main, ["demo", *typed, "--data", str(folder)]) == 0
    assert await asyncio.to_thread(main, ["demo", "--data", str(folder), *typed]) == 0
    assert heard == [asked, asked]
    assert capsys.readouterr().out == "Kantor Camat Kubung: done\n" * 2


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (["cut", "kubang"], 3),
        (["cut"], 2),
        (["loss", "kubung", "101"], 2),
        (["loss", "kubung", "many"], 2),
        (["delay", "kubung", "-5"], 2),
    ],
)
async def test_what_cannot_be_done_has_its_exit_code(
    running: tuple[Path, list[Request]], typed: list[str], code: int
) -> None:
    folder, _ = running
    assert await asyncio.to_thread(main, ["demo", "--data", str(folder), *typed]) == code


async def test_the_status_is_listed_for_people_and_for_programs(
    running: tuple[Path, list[Request]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = running
    assert await asyncio.to_thread(main, ["demo", "status", "--data", str(folder)]) == 0
    assert capsys.readouterr().out.split() == [
        "13.02.10",
        "up",
        "good",
        "Kantor",
        "Camat",
        "Kubung",
    ]
    assert (
        await asyncio.to_thread(main, ["demo", "status", "-o", "json", "--data", str(folder)]) == 0
    )
    assert json.loads(capsys.readouterr().out)["sites"][0]["state"] == "up"


def test_where_no_demo_runs_the_exit_code_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "cut", "kubung", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"tabuah: no demo runs in {tmp_path}; start one with: tabuah demo --data {tmp_path}\n"
    )


def test_a_folder_with_other_things_is_refused_as_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("")
    assert main(["demo", "--data", str(tmp_path)]) == 2
    assert "not a folder of tabuah demo" in capsys.readouterr().err


def test_the_hints_can_be_typed_as_they_stand() -> None:
    here = "\n".join(_hints("tabuah", DEFAULT_DATA)(Address("127.0.0.1", 8081)))
    assert "http://127.0.0.1:8081/metrics" in here
    assert "tabuah demo cut kubung " in here
    assert "--data" not in here
    assert "demo restore kubung --data /x " in "\n".join(_hints("t", Path("/x"))(Address("h", 1)))


@pytest.mark.parametrize(
    ("argv0", "found", "program"),
    [
        ("/anywhere/tabuah", "/usr/bin/tabuah", "tabuah"),
        (f"{Path.cwd()}/.venv/bin/tabuah", None, ".venv/bin/tabuah"),
        ("/opt/tabuah/bin/tabuah", None, "/opt/tabuah/bin/tabuah"),
        ("/x/tabuah/__main__.py", None, "python -m tabuah"),
    ],
)
def test_a_person_is_told_how_to_call_tabuah_again(
    argv0: str, found: str | None, program: str
) -> None:
    assert main_program(argv0, found) == program
