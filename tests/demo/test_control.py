"""The demo's commands: what is typed, what it means, what comes back."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from demo.control import Control, RefusedError, Reply, Request, Verb, answer_of, ask, changed, parse
from demo.line import Condition
from demo.offices import AmbiguousError, Office, match
from tabuah.errors import DecodeError, NothingMatchedError, TabuahError

KUBUNG = Office("13.02.10", "Kantor Camat Kubung", "Kubung")
SINGKARAK = Office("13.02.09", "Kantor Camat X Koto Singkarak", "X Koto Singkarak")
DIATEH = Office("13.02.08", "Kantor Camat X Koto Diateh", "X Koto Diateh")
GUMANTI = Office("13.02.04", "Kantor Camat Lembah Gumanti", "Lembah Gumanti")
HILIRAN = Office("13.02.13", "Kantor Camat Hiliran Gumanti", "Hiliran Gumanti")
OFFICES = (KUBUNG, SINGKARAK, DIATEH, GUMANTI, HILIRAN)


@pytest.mark.parametrize(
    ("typed", "office"),
    [
        ("13.02.10", KUBUNG),
        ("kubung", KUBUNG),
        ("Kubung", KUBUNG),
        ("kantor camat kubung", KUBUNG),
        ("kub", KUBUNG),
        ("10", KUBUNG),
        ("x-koto-singkarak", SINGKARAK),
        ("diateh", DIATEH),
        ("lembah_gumanti", GUMANTI),
        ("hiliran", HILIRAN),
    ],
)
def test_an_office_is_found_by_code_name_or_part(typed: str, office: Office) -> None:
    assert match(typed, OFFICES) == (office,)


def test_all_means_every_office() -> None:
    assert match("all", OFFICES) == OFFICES


@pytest.mark.parametrize("typed", ["koto", "gumanti", "kantor"])
def test_a_name_that_fits_several_is_refused_with_their_names(typed: str) -> None:
    with pytest.raises(AmbiguousError, match=r"fits \d offices: 13\.02\."):
        match(typed, OFFICES)


@pytest.mark.parametrize("typed", ["kubang", "", " ", "13.02.99"])
def test_a_name_that_fits_none_is_said(typed: str) -> None:
    with pytest.raises(NothingMatchedError, match="no office"):
        match(typed, OFFICES)


@pytest.mark.parametrize(
    "request_",
    [
        Request(Verb.CUT, "kubung"),
        Request(Verb.RESTORE, "all"),
        Request(Verb.LOSS, "kubung", 12.5),
        Request(Verb.DELAY, "kubung", 600.0),
        Request(Verb.STATUS),
    ],
)
def test_a_command_survives_its_line(request_: Request) -> None:
    assert parse(request_.encode()) == request_


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "one JSON object"),
        (b"cut kubung", "one JSON object"),
        (b"[1]", "one JSON object"),
        (b'{"do": "mow", "site": "x"}', "'do' must be one of cut, restore, loss, delay, status"),
        (b'{"do": ["cut"], "site": "x"}', "'do' must be one of"),
        (b'{"do": "cut"}', "'site' must say"),
        (b'{"do": "cut", "site": 7}', "'site' must say"),
        (b'{"do": "loss", "site": "x", "value": "5"}', "must be a number"),
        (b'{"do": "loss", "site": "x", "value": true}', "must be a number"),
        (b'{"do": "loss", "site": "x", "value": 101}', "from 0 to 100"),
        (b'{"do": "loss", "site": "x", "value": NaN}', "from 0 to 100"),
        (b'{"do": "delay", "site": "x", "value": -1}', "from 0 to 60000 ms"),
    ],
)
def test_what_is_no_command_is_refused_in_words(line: bytes, complaint: str) -> None:
    with pytest.raises(DecodeError, match=complaint):
        parse(line)


@pytest.mark.parametrize(
    ("verb", "value", "after"),
    [
        (Verb.CUT, 0, Condition(cut=True, loss_ratio=0.1)),
        (Verb.RESTORE, 0, Condition()),
        (Verb.LOSS, 30, Condition(loss_ratio=0.3)),
        (Verb.DELAY, 600, Condition(loss_ratio=0.1, delay_s=0.6)),
        (Verb.STATUS, 0, Condition(loss_ratio=0.1)),
    ],
)
def test_a_command_changes_the_line_and_nothing_else(
    verb: Verb, value: float, after: Condition
) -> None:
    assert changed(Condition(loss_ratio=0.1), Request(verb, "kubung", value)) == after


def obey(request: Request) -> Reply:
    offices = match(request.site, OFFICES)
    return Reply(tuple(f"{office.name}: {request.verb.value}" for office in offices))


@pytest.mark.parametrize(
    ("request_", "exit_code"),
    [(Request(Verb.CUT, "kubang"), 3), (Request(Verb.CUT, "koto"), 2), (Request(Verb.CUT, "x"), 2)],
)
def test_a_refusal_carries_its_exit_code(request_: Request, exit_code: int) -> None:
    assert answer_of(request_.encode(), obey).exit_code == exit_code


async def test_commands_travel_over_a_socket_that_only_its_owner_can_open(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    control = Control(path, obey)
    await control.start()
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        reply = await asyncio.to_thread(ask, path, Request(Verb.CUT, "kubung"))
        assert reply.said == ("Kantor Camat Kubung: cut",)
        with pytest.raises(RefusedError, match="no office") as refused:
            await asyncio.to_thread(ask, path, Request(Verb.CUT, "kubang"))
        assert refused.value.exit_code == 3
    finally:
        await control.close()


@pytest.mark.parametrize("stale", [False, True])
async def test_where_no_demo_runs_it_is_said_how_to_start_one(tmp_path: Path, stale: bool) -> None:
    path = tmp_path / "control.sock"
    if stale:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    with pytest.raises(TabuahError, match=r"no demo runs in .*; start one with: tabuah demo"):
        await asyncio.to_thread(ask, path, Request(Verb.STATUS))
