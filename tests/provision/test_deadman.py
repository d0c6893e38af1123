"""The dead-man's script by the tools that know shells; what it does is shown in tests/lab."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files

import pytest

from tests.lab.machine import search_path

pytestmark = pytest.mark.peer

SCRIPT = str(files("provision.linux").joinpath("deadman.sh"))


@pytest.mark.parametrize(
    "argv",
    [
        ("sh", "-n", SCRIPT),
        ("busybox", "sh", "-n", SCRIPT),
        # SC2015: `A && B || refuse` is meant so: refuse when either fails.
        ("shellcheck", "--shell=sh", "--exclude=SC2015", SCRIPT),
    ],
    ids=lambda argv: str(argv[0]),
)
def test_the_script_is_plain_shell(argv: tuple[str, ...]) -> None:
    program = shutil.which(argv[0], path=search_path())
    assert program is not None, f"{argv[0]} is missing; run `make test`"
    done = subprocess.run([program, *argv[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shell", [("sh",), ("busybox", "sh")], ids=lambda shell: str(shell[-2:]))
def test_no_name_of_a_transaction_is_a_path(shell: tuple[str, ...]) -> None:
    for name in ("", "../x", "a b", "a/b"):
        done = subprocess.run(
            [*shell, SCRIPT, "status", name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert "no name of a transaction" in done.stderr
