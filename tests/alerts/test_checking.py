"""A text of one's own is found wrong before it is needed, by its file and its line."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from alerts.checking import problems
from inventory import cli
from tests.support.solok import solok

WRONG = {
    "first.txt": "a",
    "en/TabuahLinkDown.txt": "{# mine #}\n{{ nmes }}",
    "id/TabuahClockSkew.txt": "{# nothing #}",
    "id/TabuahLinkdown.txt": "a",
    "id/TabuahPowerLost.txt": (
        "{% if kind == 'battery' %}{{ offices[7].name }}{% endif %}{{ names }}"
    ),
    "id/call.txt": "a\n{% if %}",
}
SAID = """\
first.txt: is not read: put it into id/ or en/
id/TabuahLinkdown.txt: stands for no shipped text; did you mean 'TabuahLinkDown.txt'?; begin its \
name with _ if others include it
id/call.txt:2: Expected an expression, got 'end of statement block'; the shipped text would be sent
id/TabuahPowerLost.txt:1: list object has no element 7; the shipped text would be sent
id/TabuahClockSkew.txt: it says nothing; the shipped text would be sent
en/TabuahLinkDown.txt:2: 'nmes' is undefined; the shipped text would be sent
"""


def test_each_mistake_earns_its_exact_message(tmp_path: Path) -> None:
    for name, text in WRONG.items():
        _write(tmp_path / name, text)
    said = "".join(f"{problem}\n" for problem in problems(solok(templates=tmp_path)))
    assert said.replace(f"{tmp_path}/", "") == SAID


def test_what_is_right_is_not_complained_of(tmp_path: Path) -> None:
    _write(tmp_path / "id" / "first.txt", "{% include '_greeting.txt' %} Telepon Pak Edi.")
    _write(tmp_path / "id" / "_greeting.txt", "Halo.")
    assert problems(solok(templates=tmp_path)) == ()
    assert problems(solok()) == ()


def test_the_inventorys_check_names_it_and_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "organisation: Dinas Uji\nalerts: {templates: texts}\nsites: []\n"
    )
    argv = ["check", str(tmp_path), "-o", "json"]
    done = CliRunner().invoke(cli.inventory, argv)
    assert done.exit_code == 2
    (error,) = json.loads(done.output)["errors"]
    assert error["message"] == f"alerts.templates: no such folder {tmp_path / 'texts'}"
    (tmp_path / "texts" / "id").mkdir(parents=True)
    (tmp_path / "texts" / "id" / "short.txt").write_text("\n\n{{ 1 / 0 }}\n")
    done = CliRunner().invoke(cli.inventory, argv)
    (error,) = json.loads(done.output)["errors"]
    assert (error["file"], error["line"]) == (str(tmp_path / "texts" / "id" / "short.txt"), 3)
    (tmp_path / "texts" / "id" / "short.txt").write_text("ya")
    assert CliRunner().invoke(cli.inventory, argv).exit_code == 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
