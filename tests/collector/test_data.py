"""What the centre keeps is checked, copied beside a running collector, restored and mended."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from collector import enrolled, history
from collector.archive import back_up, restore
from collector.day import Row
from collector.identity import Identity
from collector.salvage import salvage
from collector.store import Store
from collector.upkeep import Upkeep
from tabuah.errors import TabuahError
from tests.support.reports import packed

NOW_MS = time.time_ns() // 1_000_000
DAY_MS = 86_400_000
KUBUNG = "13.02.10"
DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"


def row(seq: int, received_ms: int = NOW_MS, epoch: int = 7) -> Row:
    octets = packed(seq, epoch=epoch).octets
    return Row(KUBUNG, epoch, seq, received_ms, received_ms, False, False, octets)


def tabuah(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tabuah", "data", *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def used(data: Path) -> Path:
    """A folder that a collector has used."""
    Identity.open(data)
    enrolled.enrol(data, [KUBUNG])
    with Store.open(data) as store:
        store.append([row(seq) for seq in range(1, 500)])
    return data


def test_a_store_with_all_its_reports_passes_the_check(used: Path) -> None:
    done = tabuah("check", "--data", str(used))
    assert (done.returncode, done.stderr) == (0, "")
    assert "499 reports of 1 offices\nnothing is wrong" in done.stdout


def test_the_check_names_what_is_missing_twice_there_and_not_indexed(used: Path) -> None:
    with Store.open(used) as store:
        store.append([row(502), row(7), row(3, NOW_MS - 2 * DAY_MS, epoch=2**63)])
    done = tabuah("check", "--data", str(used), "-o", "json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["missing"] == [
        {"site": KUBUNG, "epoch": "0000000000000007", "from": 500, "to": 501},
        {"site": KUBUNG, "epoch": "8000000000000000", "from": 1, "to": 2},
    ]
    assert said["duplicates"] == [{"site": KUBUNG, "epoch": "0000000000000007", "seq": 7}]
    assert len(said["days_without_index"]) == 1
    assert said["integrity"] == []
    text = tabuah("check", "--data", str(used)).stdout
    assert f"  {KUBUNG} epoch 0000000000000007: 500 to 501 (2)" in text


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    done = tabuah("check", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "is --data right" in done.stderr


def test_a_backup_beside_a_busy_collector_holds_all_that_was_there_when_it_began(
    used: Path, tmp_path: Path
) -> None:
    out = tmp_path / "backup.tar"
    written = 499
    waits = []
    done = threading.Event()

    def write() -> None:
        nonlocal written
        with Store.open(used) as store:
            while not done.is_set():
                began = time.monotonic()
                store.append([row(written + 1)])
                waits.append(time.monotonic() - began)
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    steps: list[int] = []
    while written < 520:
        time.sleep(0.01)
    known = written
    try:
        assert back_up(used, out, lambda at, _: steps.append(at))
    finally:
        done.set()
        writer.join()
    assert max(waits) < 2.0
    assert out.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"data", "backup.tar"}
    assert steps

    again = tmp_path / "again"
    assert {"store.db", "identity.json", "enrolled.json"} <= set(restore(again, out))
    assert Identity.open(again) == Identity.open(used)
    assert {path.stat().st_mode & 0o777 for path in again.iterdir()} == {0o600}
    with Store.open(again) as store:
        kept = [seq for _, _, seq in store.ids(0)]
    assert kept == list(range(1, len(kept) + 1))
    assert known <= len(kept) <= written
    assert tabuah("check", "--data", str(again)).returncode == 0


def test_the_commands_copy_and_restore(used: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "backup.tar", tmp_path / "again"
    assert tabuah("backup", "--data", str(used), "--out", str(out)).returncode == 0
    assert tabuah("restore", "--data", str(again), "--from", str(out)).returncode == 0
    assert tabuah("check", "--data", str(again)).returncode == 0
    refused = tabuah("restore", "--data", str(again), "--from", str(out))
    assert refused.returncode == 1
    assert "not empty; a backup is restored into an empty folder" in refused.stderr


def test_nothing_is_backed_up_where_no_collector_was(tmp_path: Path) -> None:
    with pytest.raises(TabuahError, match="is --data right"):
        back_up(tmp_path, tmp_path / "out.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_cannot_be_written_leaves_nothing(used: Path, tmp_path: Path) -> None:
    with pytest.raises(TabuahError, match="check space and permissions"):
        back_up(used, tmp_path / "nowhere" / "out.tar")


def archive(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w") as made:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            made.addfile(member, io.BytesIO(b"x"))
    return path


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("store.db",), "holds no identity.json"),
        (("identity.json", "../outside"), "outside the folder"),
        (("identity.json", "/outside"), "outside the folder"),
    ],
)
def test_an_archive_that_is_no_backup_leaves_the_folder_empty(
    tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(TabuahError, match=words):
        restore(tmp_path / "data", archive(tmp_path / "x.tar", *names))
    assert list((tmp_path / "data").iterdir()) == []
    assert not (tmp_path / "outside").exists()


def test_half_an_archive_is_refused(used: Path, tmp_path: Path) -> None:
    back_up(used, tmp_path / "whole.tar")
    half = tmp_path / "half.tar"
    half.write_bytes((tmp_path / "whole.tar").read_bytes()[:-20_000])
    with pytest.raises(TabuahError, match=r"not whole|holds no identity"):
        restore(tmp_path / "again", half)
    assert list((tmp_path / "again").iterdir()) == []


def test_a_damaged_store_says_so_and_is_mended_as_the_document_says(used: Path) -> None:
    with Store.open(used) as store:
        store.append([row(1, NOW_MS - 3 * DAY_MS, epoch=1)])
        store.append([row(seq) for seq in range(500, 5_000)])
        Upkeep(store).run(NOW_MS, 9e9, 9e9)
    with (used / "store.db").open("r+b") as file:
        file.seek(4096 * 60)
        file.write(b"\xff" * 4096 * 3)
    checked = tabuah("check", "--data", str(used), "-o", "json")
    assert checked.returncode == 1
    assert "save what can be read with `tabuah data salvage`" in checked.stdout

    document = DOCUMENT.read_text()
    section = document[document.index("**A damaged store**") :]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    commands = block[1].replace("/var/lib/tabuah-collector", str(used))
    commands = commands.replace("tabuah data", f"{sys.executable} -m tabuah data")
    done = subprocess.run(["sh", "-c", commands], capture_output=True, text=True, check=False)
    assert "the database is damaged" not in done.stdout, done.stderr
    assert "missing:" in done.stdout
    with Store.open(used) as store:
        left = len(list(store.ids(0)))
        assert 4_800 < left < 5_000
        with store.reading() as connection:
            assert len(history.read_hours(connection, KUBUNG, 0, 2**62)) == 1
            assert len(history.read_edges(connection, KUBUNG, 0, 2**62)) == 1
        store.append([row(5_001)])
        Upkeep(store).run(NOW_MS + 2 * DAY_MS, 9e9, 9e9)
        assert len(store.reports(KUBUNG, 0, 2**62)) == left + 1
        assert store.newest()[KUBUNG].seq == 5_001
    assert (used / "store.db").stat().st_mode & 0o777 == 0o600


def test_a_store_that_is_whole_loses_nothing_by_being_salvaged(used: Path) -> None:
    with Store.open(used) as store:
        store.append([row(seq, NOW_MS - 5 * DAY_MS, epoch=2**64 - 1) for seq in range(1, 7_000)])
        before = [store.reports(KUBUNG, 0, 2**62), list(store.newest().values())]
    saved = salvage(used)
    assert (saved.reports, saved.lost) == (7_498, 0)
    with Store.open(used) as store:
        assert [store.reports(KUBUNG, 0, 2**62), list(store.newest().values())] == before


def test_a_salvage_that_is_interrupted_leaves_the_store_where_it_was(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("collector.salvage._table", interrupted)
        with pytest.raises(KeyboardInterrupt):
            salvage(used)
    with Store.open(used, read_only=True) as store:
        assert len(list(store.ids(0))) == 499
    if os.geteuid() == 0:
        os.chown(used / "store.db", 12_345, 12_345)
    owner = (used / "store.db").stat().st_uid
    assert salvage(used).reports == 499
    assert (used / "store.db").stat().st_uid == owner
    assert [path.name for path in used.glob("*salvag*")] == []


def test_what_is_no_database_is_left_where_it_lies(used: Path) -> None:
    (used / "store.db").write_bytes(b"not a database" * 999)
    done = tabuah("salvage", "--data", str(used))
    assert done.returncode == 1
    assert "not even its list of tables can be read" in done.stderr
    assert (used / "store.db").exists()
