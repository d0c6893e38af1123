"""The journal: a state is on disk before its act, one push at a time, and an audit that proves."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from provision.journal import BusyError, Journal, Subject
from provision.states import Event, State, TransitionError
from tabuah.errors import NothingMatchedError

NOW = 1_795_500_000_000


def _open(journal: Journal, tx: str = "a1", site: str = "13.02.10") -> None:
    journal.open(tx, site, "gateway", {"author": "ani", "want": "d1"}, NOW)


def test_a_second_push_to_an_office_waits_until_the_first_is_settled(tmp_path: Path) -> None:
    one, other = Journal(tmp_path), Journal(tmp_path)
    _open(one)
    with pytest.raises(BusyError, match="transaction a1 is planned; settle it first"):
        _open(other, "a2")
    _open(other, "b1", "13.02.11")
    one.move("a1", Event.REFUSE, NOW, reason="drift")
    _open(other, "a2")
    assert [tx.id for tx in one.unsettled()] == ["b1", "a2"]


def test_a_step_that_the_table_lacks_changes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    _open(journal)
    with pytest.raises(TransitionError):
        journal.move("a1", Event.GOOD, NOW)
    assert journal.get("a1").state is State.PLANNED
    assert len(journal.audit()) == 1
    with pytest.raises(NothingMatchedError):
        journal.get("a9")


def test_facts_add_up_and_every_step_is_audited(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    _open(journal)
    journal.move("a1", Event.BEGIN, NOW + 1, window_s=300)
    journal.note("a1", Subject.EVIDENCE, NOW + 2, reports=["e/1"])
    known = journal.move("a1", Event.ARMED, NOW + 3, armed=True)
    assert known.facts == {"author": "ani", "want": "d1", "window_s": 300, "armed": True}
    assert known.was_armed
    assert journal.verify() is None
    subjects = [link.subject for link in journal.audit()]
    assert subjects == [Subject.OPENED, Subject.MOVED, Subject.EVIDENCE, Subject.MOVED]


def test_the_audit_cannot_be_rewritten_and_shows_it_when_the_file_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    _open(journal)
    journal.move("a1", Event.REFUSE, NOW)
    raw = sqlite3.connect(tmp_path / "journal.db")
    with pytest.raises(sqlite3.IntegrityError, match="only appended to"):
        raw.execute("UPDATE audit SET body = '{}'")
    with pytest.raises(sqlite3.IntegrityError, match="only appended to"):
        raw.execute("DELETE FROM audit")
    raw.execute("DROP TRIGGER audit_is_not_changed")
    raw.execute("UPDATE audit SET body = '{}' WHERE number = 1")
    raw.commit()
    raw.close()
    fault = journal.verify()
    assert fault is not None
    assert fault.number == 1


def test_what_was_moved_is_there_after_a_kill(tmp_path: Path) -> None:
    code = (
        "import os,sys,pathlib;from provision.journal import Journal;"
        "from provision.states import Event;"
        "j=Journal(pathlib.Path(sys.argv[1]));j.open('a1','s','g',{},1);"
        "j.move('a1',Event.BEGIN,2);os.kill(os.getpid(),9)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(argv, check=False, cwd=Path(__file__).parents[2]).returncode == -9
    assert Journal(tmp_path).get("a1").state is State.ARMING


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "provision"
    Journal(folder)
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "journal.db").stat().st_mode & 0o077 == 0


def test_what_came_last_is_what_was_written_last_whatever_the_clock_said(tmp_path: Path) -> None:
    """The clock was an hour ahead for the first of them."""
    journal = Journal(tmp_path)
    for tx, now_ms in (("a1", NOW + 3_600_000), ("a2", NOW)):
        journal.open(tx, "13.02.10", "gateway", {"want": tx}, now_ms)
        for event in (Event.BEGIN, Event.ARMED, Event.GO, Event.SENT, Event.GOOD):
            journal.move(tx, event, now_ms)
        journal.move(tx, Event.DEVICE_CONFIRMED, now_ms)
    assert [tx.id for tx in journal.history()] == ["a2", "a1"]
    assert journal.confirmed()["13.02.10", "gateway"].id == "a2"
