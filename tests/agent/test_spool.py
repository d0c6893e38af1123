"""What is kept stays kept: full, damaged, foreign, held by another, unwritable."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.spool import Spool
from tabuah.errors import TabuahError
from tests.support.reports import packed

SITE = "13.02.10"


def seqs(spool: Spool, limit: int = 1 << 20) -> list[int]:
    return [report.seq for report in spool.oldest(limit)]


def test_what_was_put_is_there_after_another_open_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path, SITE) as spool:
        for seq in (1, 2, 3):
            spool.put(packed(seq))
    with Spool(path, SITE) as spool:
        assert spool.count == 3
        assert seqs(spool) == [1, 2, 3]
        spool.discard([packed(1), packed(3)])
        assert (seqs(spool), spool.count) == ([2], 1)


def test_a_report_put_twice_is_kept_once(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        spool.put(packed(1))
        spool.put(packed(1))
        assert (seqs(spool), spool.count) == ([1], 1)


def test_a_batch_is_bounded_but_never_empty(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        for seq in range(1, 30):
            spool.put(packed(seq))
        size = len(packed(1).octets)
        assert seqs(spool, 4 * size) == [1, 2, 3, 4]
        assert seqs(spool, 1) == [1]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 12))
def test_a_full_spool_drops_its_oldest_and_counts_them(row: list[int], room: int) -> None:
    size = len(packed(1).octets)
    unwritable = Path(__file__) / "spool.sqlite"  # so that it is kept in memory
    with Spool(unwritable, SITE, room * size) as spool:
        kept: list[int] = []
        dropped = 0
        for seq in row:
            spool.put(packed(seq))
            if seq not in kept:
                kept.append(seq)
            dropped += max(0, len(kept) - room)
            kept = kept[-room:]
        assert seqs(spool) == kept
        assert spool.count == len(kept)
        assert spool.dropped == dropped


def test_a_damaged_file_is_set_aside_and_the_next_one_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spool.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with Spool(path, SITE) as spool:
        spool.put(packed(1))
        assert seqs(spool) == [1]
    (aside,) = tmp_path.glob("spool.damaged-*")
    assert aside.read_bytes().startswith(b"not a database")
    assert "set aside" in caplog.text


def test_reports_of_another_office_never_go_out_under_this_ones_name(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path, SITE) as spool:
        spool.put(packed(1))
    with Spool(path, "13.02.11") as spool:
        assert spool.count == 0
    (aside,) = tmp_path.glob("spool.other-office-*")
    with Spool(aside, SITE) as spool:
        assert seqs(spool) == [1]


@pytest.mark.timeout(30)
def test_a_spool_that_another_program_holds_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path, SITE) as spool:
        spool.put(packed(1))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TabuahError, match="another program holds it"):
        Spool(path, SITE)
    holder.execute("ROLLBACK")
    holder.close()
    with Spool(path, SITE) as spool:
        assert seqs(spool) == [1]


def test_where_nothing_can_be_written_reports_are_kept_in_memory_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with (
        caplog.at_level(logging.ERROR),
        Spool(tmp_path / "file" / "spool.sqlite", SITE) as spool,
    ):
        spool.put(packed(1))
        assert seqs(spool) == [1]
    assert "kept in memory" in caplog.text


def test_a_full_file_system_is_told_and_what_was_kept_stays(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the file system refuse, in a process of its own."""
    script = f"""
import resource, signal
from pathlib import Path
from agent.spool import Spool
from tabuah.errors import TabuahError
from tests.support.reports import packed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Spool(Path({str(tmp_path)!r}) / "spool.sqlite", {SITE!r}) as spool:
    spool.put(packed(1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    try:
        for seq in range(2, 2000):
            spool.put(packed(seq))
    except TabuahError as error:
        print(seq, error)
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "cannot keep a report" in told.stdout
    refused = int(told.stdout.split()[0])
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        assert spool.count == refused - 1
