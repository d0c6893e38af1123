"""`tabuah config` where nothing can be reached: exit codes, and words that say what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from provision.journal import Journal
from provision.queue import Queue, Queued
from tabuah.main import main
from tabuah.wall import wall_ms

INVENTORY = """\
organisation: Dinas Kominfo
sites:
  - code: "13.02.10"
    name: Kantor Camat Kubung
    devices:
      - {name: gw, host: 127.0.0.1, platform: PLATFORM, role: gateway, interfaces: [lo],
         login: {user: root, key: "file:id", port: 9}}
  - {code: "13.02.11", name: Kantor Camat Gunung Talang}
"""


class Terminal:
    """One who types commands."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.platform("linux")

    def platform(self, name: str) -> None:
        text = INVENTORY.replace("PLATFORM", name)
        (self.folder / "inventory.yaml").write_text(text)

    def types(self, *words: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        verb, *rest = words
        where = ("--inventory", str(self.folder), "--data", str(self.folder / "data"))
        code = main(("config", verb, *where, *rest))
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, capsys)


def test_a_gateway_out_of_reach_is_named_and_fails(terminal: Terminal) -> None:
    code, out, _err = terminal.types("plan", "13.02.10", "-o", "json")
    assert code == 1
    assert json.loads(out)["devices"] == []
    assert "13.02.10: gw: root@127.0.0.1:9: cannot be reached" in json.loads(out)["failed"][0]
    assert terminal.types("backup")[0] == 1


def test_a_platform_that_nobody_knows_is_refused_with_the_nearest_name(terminal: Terminal) -> None:
    terminal.platform("cisco_iox")
    code, _out, err = terminal.types("plan", "13.02.10")
    assert code == 1
    assert "platform 'cisco_iox' is none that can be read here; did you mean 'cisco_ios'?" in err


def test_what_does_not_exist_has_exit_code_three(terminal: Terminal) -> None:
    assert terminal.types("plan", "13.02.99")[0] == 3
    code, _out, err = terminal.types("plan", "13.02.11")
    assert code == 3
    assert "no gateway with a 'login'" in err
    assert terminal.types("show", "no-such")[0] == 3
    assert terminal.types("drift")[0] == 3


def test_a_plan_that_is_none_or_was_changed_has_exit_code_two(terminal: Terminal) -> None:
    plan = terminal.folder / "plan.json"
    assert terminal.types("push", "--plan", str(plan))[0] == 2
    plan.write_text('{"version": 1, "digest": "x"}')
    code, _out, err = terminal.types("push", "--plan", str(plan))
    assert code == 2
    assert "was changed after it was made; plan again" in err


def test_what_is_in_doubt_is_listed_and_resumed_where_nothing_was_armed(
    terminal: Terminal,
) -> None:
    assert terminal.types("status") == (0, "", "")
    scope = {"interfaces": [], "keys": [], "files": [], "nftables": False, "frr": False}
    facts = {"author": "ani", "before": {"ip": "a\n"}, "want": {"ip": "b\n"}, "scope": scope}
    journal = Journal(terminal.folder / "data" / "provision")
    journal.open("t1", "13.02.10", "gw", facts, 1_795_500_000_000)
    assert terminal.types("status")[1].startswith("t1  13.02.10 gw  planned  2026-")
    assert terminal.types("resume")[0] == 0
    assert terminal.types("status")[1] == ""
    code, out, _err = terminal.types("show", "t1")
    assert code == 0
    assert "-a" in out
    assert "+b" in out
    assert "moved: refuse aborted its pusher was gone before anything was armed" in out
    assert json.loads(terminal.types("history", "-o", "json")[1])[0]["state"] == "aborted"
    code, _out, err = terminal.types("rollback", "t1")
    assert code == 1
    assert "t1 is aborted: there is nothing to undo" in err
    journal.close()


def test_pushes_that_wait_are_listed_and_those_that_waited_too_long_are_told_not_pushed(
    terminal: Terminal,
) -> None:
    assert terminal.types("status")[0] == 0
    entry = {
        "site": "13.02.10",
        "device": "gw",
        "before_digest": "a",
        "want_digest": "b",
        "risk": "B",
        "errors": [],
        "said": {"author": "ani", "planned_by": "budi"},
    }
    journal = Journal(terminal.folder / "data" / "provision")
    now_ms = wall_ms()
    away = Queued("13.02.10", "gw", "p1", entry, "cannot be reached", now_ms, now_ms + 60_000)
    Queue(journal).add(away)
    out = terminal.types("status")[1]
    assert out.startswith("13.02.10 gw  queued  until 2")
    assert out.rstrip().endswith("cannot be reached")
    # It is tried again, and waits on.
    code, out, _err = terminal.types("resume", "-o", "json")
    assert code == 0
    assert json.loads(out)["plans"][0]["offices"][0]["state"] == "queued"
    Queue(journal).remove(away, now_ms, "for the test")
    Queue(journal).add(replace(away, expires_ms=now_ms - 1))
    assert "expired" in terminal.types("status")[1]
    assert json.loads(terminal.types("status", "-o", "json")[1])[0]["state"] == "expired"
    code, out, err = terminal.types("resume")
    assert code == 1
    assert "13.02.10 gw: has waited too long; plan again" in err
    assert terminal.types("resume", "--drop-expired")[0] == 1
    assert terminal.types("status") == (0, "", "")
    assert journal.verify() is None


def test_accepting_a_drift_wants_offices_and_a_reason(terminal: Terminal) -> None:
    code, _out, err = terminal.types("drift", "--accept")
    assert code == 2
    assert "--accept names the offices, says --because" in err


def test_settings_for_an_office_that_is_none_are_refused_with_their_line(
    terminal: Terminal,
) -> None:
    (terminal.folder / "provision").mkdir()
    path = terminal.folder / "provision" / "settings.yaml"
    path.write_text('soak: 1m\nsites:\n  "13.02.12":\n    vars: {ntp: [10.200.0.1]}\n')
    code, _out, err = terminal.types("status")
    assert code == 2
    assert f"{path}:4: sites.13.02.12: no such office; did you mean" in err


@pytest.mark.parametrize(
    "verb",
    [
        *("plan", "push", "status", "confirm", "rollback", "resume"),
        *("trust", "backup", "drift", "history", "show"),
    ],
)
def test_every_command_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("config", verb, "--help")) == 0
    assert f"tabuah config {verb}" in capsys.readouterr().out
