"""What is kept stays kept: full, damaged, foreign, held by another, unwritable."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.spool import MOST_OCTETS, Spool
from tabuah import block
from tabuah.block import Packed
from tabuah.errors import TabuahError
from tests.support.reports import full_report, packed, stated

SITE = "13.02.10"


def seqs(spool: Spool) -> list[int]:
    """Return the numbers of all that is kept, batch by batch."""
    found: list[Packed] = []
    while batch := spool.oldest(1 << 16, {(report.epoch, report.seq) for report in found}):
        found += batch
    return [report.seq for report in found]


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


def test_a_batch_is_as_many_reports_as_its_block_holds_and_never_empty(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        for seq in range(1, 200):
            spool.put(packed(seq))
        for limit in (200, 430, 860):
            batch = spool.oldest(limit)
            assert len(block.encode(batch, history=True)) <= limit
            more = [*batch, packed(len(batch) + 1)]
            assert len(block.encode(more, history=True)) > limit
        assert [report.seq for report in spool.oldest(1)] == [1]


def test_a_batch_upon_a_report_that_the_centre_holds_has_room_for_more(tmp_path: Path) -> None:
    base = packed(500)
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        for seq in range(1, 50):
            spool.put(packed(seq))
        batch = spool.oldest(430, base=base)
        assert len(block.encode(batch, history=True, base=base)) <= 430
        assert len(batch) > len(spool.oldest(430))


def test_reports_under_way_are_passed_over(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        for seq in range(1, 201):
            spool.put(packed(seq))
        under_way = frozenset((1, seq) for seq in range(1, 151))
        assert [r.seq for r in spool.oldest(1 << 20, under_way)] == list(range(151, 201))


def test_unsent_reports_of_an_older_start_go_out_first(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path, SITE) as spool:
        for seq in (7, 8):
            spool.put(packed(seq, epoch=2**64 - 1))
    with Spool(path, SITE) as spool:
        for seq in (1, 2):
            spool.put(packed(seq, epoch=5))
        assert [(r.epoch, r.seq) for r in spool.oldest(1 << 20)] == [
            (2**64 - 1, 7), (2**64 - 1, 8), (5, 1), (5, 2),
        ]  # fmt: skip
        assert spool.oldest(1 << 20, {(2**64 - 1, 7)})[0].seq == 8


def test_seven_days_at_ten_seconds_fit_with_all_that_an_office_says(tmp_path: Path) -> None:
    """By what a thousand reports take: six probes, a router of two ports and nine readings."""
    path = tmp_path / "spool.sqlite"
    with Spool(path, SITE) as spool:
        few, many, before = 256, 1280, 0
        for seq in range(1, many + 1):
            spool.put(full_report(seq))
            if seq == few:
                before = spool.octets
        a_report = (spool.octets - before) / (many - few)
    assert 60_480 * a_report < MOST_OCTETS - (1 << 19), f"{a_report} octets a report"


@settings(max_examples=8, deadline=None)
@given(
    changes=st.sets(st.integers(2, 900), max_size=12),
    room=st.integers(65_000, 82_000),
)
def test_a_full_spool_keeps_its_size_and_every_edge_and_counts_what_it_dropped(
    changes: set[int], room: int
) -> None:
    unwritable = Path(__file__) / "spool.sqlite"  # so that it is kept in memory
    with Spool(unwritable, SITE, room) as spool:
        good = True
        for seq in range(1, 901):
            good = good != (seq in changes)
            spool.put(block.pack(stated(seq, good=good)))
            assert spool.octets <= room
        assert spool.dropped > 0
        kept = seqs(spool)
        assert kept == sorted(set(kept))
        assert len(kept) == spool.count
        assert len(kept) + spool.dropped == 900
        assert {1, 900} <= set(kept)
        assert set(changes) | {seq - 1 for seq in changes} <= set(kept)


def test_a_spool_of_edges_alone_lets_go_of_the_oldest() -> None:
    unwritable = Path(__file__) / "spool.sqlite"
    with Spool(unwritable, SITE, 80_000) as spool:
        for seq in range(1, 1_000):
            spool.put(block.pack(stated(seq, good=seq % 2 == 0)))
        kept = seqs(spool)
        assert kept == list(range(kept[0], 1_000))
        assert len(kept) + spool.dropped == 999


def test_samples_that_are_too_old_go_and_their_edges_stay(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite", SITE, most_age_s=3_600) as spool:
        for seq in range(1, 769):
            spool.put(block.pack(stated(seq, good=seq != 100)))
        kept = set(seqs(spool))
        assert {1, 99, 100, 101} <= kept
        assert {seq for seq in kept if seq not in (1, 99, 100, 101)} == set(range(408, 769))


def test_what_a_full_spool_drops_is_said_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    unwritable = Path(__file__) / "spool.sqlite"
    with Spool(unwritable, SITE, 80_000) as spool:
        for seq in range(1, 1_000):
            spool.put(packed(seq))
        assert spool.dropped > 128
    assert len([r for r in caplog.records if "were dropped" in r.message]) == 1


def test_a_damaged_report_is_set_aside_and_the_others_go_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path, SITE) as spool:
        for seq in range(1, 11):
            spool.put(packed(seq))
    database = sqlite3.connect(path)
    damage = "UPDATE kept SET octets = ? WHERE seq = ?"
    database.execute(damage, (b"half", 3))
    (octets,) = database.execute("SELECT octets FROM kept WHERE seq = 6").fetchone()
    database.execute(damage, (octets[:-3] + bytes(3), 6))
    database.commit()
    database.close()
    with Spool(path, SITE) as spool:
        whole = [1, 2, 4, 5, 7, 8, 9, 10]
        assert seqs(spool) == whole
        assert (seqs(spool), spool.count, spool.dropped) == (whole, 8, 2)
    assert "2 kept reports are damaged" in caplog.text
    with Spool(path, SITE) as spool:
        assert spool.dropped == 2


@settings(max_examples=12, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 100), st.integers(0, 2**16))
def test_whatever_a_bad_flash_made_of_the_file_measuring_goes_on(
    rubbish: bytes, percent: int, cut: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "spool.sqlite"
        with Spool(path, SITE) as spool:
            for seq in range(1, 60):
                spool.put(packed(seq))
        content = bytearray(path.read_bytes())
        at = len(content) * percent // 100
        content[at : at + len(rubbish)] = rubbish
        path.write_bytes(content[: max(len(content) - cut, 0)] if percent % 2 else content)
        with Spool(path, SITE) as spool:
            spool.put(packed(1_000))
            found = seqs(spool)
            assert found[-1] == 1_000
            assert set(found) <= {*range(1, 60), 1_000}, "nothing is made up"


def test_the_reports_of_a_spool_of_version_0_1_0_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE report (id INTEGER PRIMARY KEY AUTOINCREMENT, epoch INTEGER NOT NULL, "
        "seq INTEGER NOT NULL, octets BLOB NOT NULL, UNIQUE (epoch, seq));"
        "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
        "INSERT INTO counter VALUES ('dropped', 3);"
    )
    for seq in (4, 5):
        database.execute(
            "INSERT INTO report (epoch, seq, octets) VALUES (1, ?, ?)", (seq, packed(seq).octets)
        )
    database.commit()
    database.close()
    for _ in range(2):
        with Spool(path, SITE) as spool:
            assert (seqs(spool), spool.count, spool.dropped) == ([4, 5], 2, 3)


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


def test_an_outage_after_a_backlog_of_an_earlier_start_is_delivered_too(tmp_path: Path) -> None:
    """The base of what was delivered is gone, and the next one gets its number."""
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        for seq in (1, 2):
            spool.put(packed(seq))
    with Spool(tmp_path / "spool.sqlite", SITE) as spool:
        spool.discard(spool.oldest(1 << 16))
        for seq in (3, 4):
            spool.put(packed(seq, epoch=2))
        assert [report.seq for report in spool.oldest(1 << 16)] == [3, 4]
        assert spool.dropped == 0
