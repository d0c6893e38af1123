"""The root command: who is loaded, what is said, which exit code comes back."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import click
import pytest

from tabuah import commands
from tabuah.errors import ConfigError, NothingMatchedError, Problem
from tabuah.main import main


@click.command()
@click.option("--fail", type=click.Choice(["config", "nothing", "pipe", "interrupt", "exit"]))
@click.pass_context
def probe(ctx: click.Context, fail: str | None) -> None:
    if fail == "config":
        raise ConfigError([Problem("a.yaml:3", "no such key"), Problem("a.yaml:9", "no such role")])
    if fail == "nothing":
        raise NothingMatchedError("no office matches 'kubang'")
    if fail == "interrupt":
        raise KeyboardInterrupt
    if fail == "exit":
        ctx.exit(3)
    click.echo("done")


@pytest.fixture
def one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("tests_probe_command")
    module.probe = probe  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests_probe_command", module)
    points = (
        EntryPoint("probe", "tests_probe_command:probe", commands.GROUP),
        EntryPoint("collector", "tests_no_such_module:collector", commands.GROUP),
    )
    monkeypatch.setattr(commands, "entry_points", lambda group: points)


@pytest.mark.usefixtures("one_command")
@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["probe"], 0, ""),
        (["probe", "--fail", "exit"], 3, ""),
        (["probe", "--fail", "nothing"], 3, "tabuah: no office matches 'kubang'\n"),
        (["probe", "--fail", "config"], 2, "a.yaml:3: no such key\na.yaml:9: no such role\n"),
        (["probe", "--fail", "interrupt"], 130, None),
        (["probe", "--fial"], 2, None),
        (["prob"], 2, None),
    ],
)
def test_each_end_of_a_command_has_its_exit_code_and_its_words(
    arguments: list[str], code: int, complaint: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    if complaint is not None:
        assert capsys.readouterr().err == complaint


@pytest.mark.usefixtures("one_command")
def test_a_misspelt_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["colector", "run"]) == 2
    assert "did you mean 'collector'?" in capsys.readouterr().err


@pytest.mark.usefixtures("one_command")
def test_a_missing_library_is_said_with_the_extra_that_brings_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["collector", "run"]) == 1
    assert "needs tabuah[centre]" in capsys.readouterr().err


@pytest.mark.usefixtures("one_command")
def test_help_lists_every_command_and_loads_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "collector  Run the centre." in said
    assert "probe" in said


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tabuah ")


def test_agent_run_reaches_the_agent_and_never_imports_click(tmp_path: Path) -> None:
    package = tmp_path / "agent"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "run.py").write_text(
        "import sys\n"
        "def main(arguments):\n"
        "    print(arguments, 'click' in sys.modules, 'importlib.metadata' in sys.modules)\n"
        "    return 5\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom tabuah.main import main\n"
    code += "sys.exit(main(['agent', 'run', '--config', 'x']))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (5, "")
    assert run.stdout == "['--config', 'x'] False False\n"


def test_a_reader_who_leaves_early_is_not_complained_to() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tabuah", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1
