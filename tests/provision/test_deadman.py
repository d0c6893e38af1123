"""The dead-man's script by the tools that know shells; what it does is shown in tests/lab."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from provision.shell import script
from tests.lab.machine import search_path

pytestmark = pytest.mark.peer


@pytest.fixture(params=["linux", "openwrt"])
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "deadman.sh"
    path.write_text(script(request.param))
    return str(path)


@pytest.mark.parametrize(
    "argv",
    [
        ("sh", "-n"),
        ("busybox", "sh", "-n"),
        # SC2015: `A && B || refuse` is meant so: refuse when either fails.
        ("shellcheck", "--shell=sh", "--exclude=SC2015"),
    ],
    ids=lambda argv: str(argv[0]),
)
def test_the_script_is_plain_shell(argv: tuple[str, ...], whole: str) -> None:
    program = shutil.which(argv[0], path=search_path())
    assert program is not None, f"{argv[0]} is missing; run `make test`"
    done = subprocess.run([program, *argv[1:], whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shell", [("sh",), ("busybox", "sh")], ids=lambda shell: str(shell[-2:]))
def test_no_name_of_a_transaction_is_a_path(shell: tuple[str, ...], whole: str) -> None:
    for name in ("", "../x", "a b", "a/b"):
        done = subprocess.run(
            [*shell, whole, "status", name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "no name of a transaction" in done.stderr
