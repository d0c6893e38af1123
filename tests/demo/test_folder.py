"""The demo's folder: one demo at a time, nothing foreign wiped, no leftovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo import folder as folders
from demo import tether
from demo.folder import birth, claim
from tabuah.errors import ConfigError, TabuahError


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = claim(tmp_path / "demo")
    with pytest.raises(TabuahError, match=f"already runs in .*process {os.getpid()}"):
        claim(tmp_path / "demo")
    first.release()
    claim(tmp_path / "demo").release()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="not a folder of tabuah demo"):
        claim(tmp_path, fresh=fresh)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_fresh_wipes_what_was_and_otherwise_it_is_kept(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    claim(root).release()
    (root / "collector" / "reports.db").write_text("x")
    (root / "webhook.jsonl").write_text("{}")
    claim(root).release()
    assert (root / "collector" / "reports.db").exists()
    claim(root, fresh=True).release()
    assert not (root / "collector" / "reports.db").exists()
    assert not (root / "webhook.jsonl").exists()
    assert (root / "collector").is_dir()


def test_a_path_too_long_for_a_socket_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    root = tmp_path / ("x" * 120)
    with pytest.raises(ConfigError, match="too long for a socket"):
        claim(root)
    assert not root.exists()


def test_what_a_killed_demo_left_running_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LEFTOVERS_WAIT_S", 0.2)
    root = tmp_path / "demo"
    killed = claim(root)
    left = subprocess.Popen(["sleep", "60"])
    other = subprocess.Popen(["sleep", "60"])
    try:
        killed.folder.remember([left.pid])
        (root / "control.sock").write_text("")
        os.close(killed.lock)
        claim(root).release()
        assert left.wait(5) == -signal.SIGKILL
        assert other.poll() is None
        assert not (root / "control.sock").exists()
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


def test_a_process_id_that_another_program_has_now_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LEFTOVERS_WAIT_S", 0.0)
    root = tmp_path / "demo"
    killed = claim(root)
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        killed.folder.remember([innocent.pid])
        marker = (root / "demo.json").read_text()
        born = birth(innocent.pid)
        assert born is not None
        (root / "demo.json").write_text(marker.replace(str(born), str(born - 1)))
        os.close(killed.lock)
        claim(root).release()
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_tethered_program_ends_with_its_parent_even_by_kill() -> None:
    command = [sys.executable, "-I", "-S", tether.__file__]
    code = (
        "import os, subprocess, sys\n"
        f"child = subprocess.Popen({command!r} + [str(os.getpid()), 'sleep', '60'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        parent.kill()
    while birth(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_whose_parent_is_gone_already_never_starts() -> None:
    run = subprocess.run(
        [sys.executable, "-I", "-S", tether.__file__, "1", "echo", "started"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (1, "")


def test_a_birth_tells_processes_apart_and_is_none_for_the_dead() -> None:
    assert birth(os.getpid()) == birth(os.getpid())
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert birth(gone.pid) is None
