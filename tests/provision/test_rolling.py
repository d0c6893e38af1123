"""Plans on their way to many offices: waves, pauses, queues, and who goes on after a kill."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest

from provision.journal import Facts, Journal, Subject
from provision.queue import Queue
from provision.render import Risk
from provision.session import RefusedError, Session
from provision.states import State
from provision.waves import Phase
from tests.provision.fake import BEFORE, WANTED, KilledError
from tests.provision.town import WINDOW_S, Town, TownWorkshop, fates


def test_a_good_plan_reaches_every_office(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    town = Town(tmp_path, monkeypatch, 20)
    phase, going = town.push()
    assert phase is Phase.DONE
    assert set(fates(going).values()) == {"confirmed"}
    assert town.running() == town.codes
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if line.startswith("watching")] == [
        "watching 1 offices for 30 s; 19 wait",
        "watching 4 offices for 30 s; 16 wait",
        "watching 14 offices for 30 s; 6 wait",
    ]


def test_the_first_that_takes_it_back_pauses_and_the_second_stops_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 30)
    town.bad("03", "12", "25")
    phase, going = town.push()
    assert phase is Phase.PAUSED
    assert going.why.startswith("03: ")
    assert "dc fails" in going.why
    assert Counter(fates(going).values()) == {"confirmed": 3, "rolled_back": 1, "not begun": 26}
    phase, going = town.push()
    assert phase is Phase.STOPPED
    ends = Counter(fates(going).values())
    assert ends["rolled_back"] == 2
    assert ends["confirmed"] <= 3 + 4 + 9
    # It is not pushed again, neither to the two nor to anybody else.
    begun = [device.times_started for device in town.devices.values()]
    assert town.push()[0] is Phase.STOPPED
    assert [device.times_started for device in town.devices.values()] == begun
    # A new plan begins anew, with one office.
    for office in town.offices.each.values():
        office.good_after = True
    left = [code for code in town.codes if code not in town.running()]
    phase, going = town.push(town.entries(*left), plan="p2")
    assert phase is Phase.DONE
    assert town.running() == town.codes


def test_an_office_that_is_stuck_stops_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 5)
    town.bad("01")
    town.devices["01"].restores = False
    phase, going = town.push()
    assert phase is Phase.STOPPED
    assert fates(going)["01"] == "stuck"
    assert town.running() == ["01"]


def test_an_office_that_got_worse_while_it_is_watched_pauses_it_until_it_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 5)
    canary = town.offices.each["01"]

    def worsen(_work: str, _by: str) -> None:
        canary.good_after = False

    monkeypatch.setattr(town.offices, "ended", worsen)
    phase, going = town.push()
    assert phase is Phase.PAUSED
    assert going.why == "01 is worse since it was confirmed: dc fails"
    assert town.running() == ["01"]
    assert town.push()[0] is Phase.PAUSED
    assert town.running() == ["01"]
    canary.good_after = True
    monkeypatch.setattr(town.offices, "ended", lambda _work, _by: None)
    town.clock.sleep(1)
    town.clock.sleep(1)
    town.clock.sleep(1)
    assert town.push()[0] is Phase.DONE


def test_an_office_that_is_away_waits_until_it_expires_and_another_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 3)
    town.away.add("01")
    phase, going = town.push()
    assert phase is Phase.DONE
    assert fates(going) == {"01": "queued", "02": "confirmed", "03": "confirmed"}
    with town.journal() as journal:
        (waiting,) = Queue(journal).all()
        assert (waiting.site, waiting.why) == ("01", "cannot be reached: no route")
        assert not waiting.expired(waiting.queued_ms + 3_599_999)
        assert waiting.expired(waiting.queued_ms + 3_600_000)
        assert journal.verify() is None
    # Asked again while it is away still, it waits no longer than it was told to at first.
    assert fates(town.push()[1])["01"] == "queued"
    with town.journal() as journal:
        assert [one.expires_ms for one in Queue(journal).all()] == [waiting.expires_ms]
    town.away.clear()
    assert fates(town.push()[1])["01"] == "confirmed"
    with town.journal() as journal:
        assert Queue(journal).all() == []
        assert [link.subject for link in journal.audit()].count(Subject.QUEUE) == 2


def test_what_an_older_plan_had_waiting_is_replaced_by_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 1)
    town.away.add("01")
    town.push(plan="p1")
    town.push(plan="p2")
    with town.journal() as journal:
        assert [one.plan for one in Queue(journal).all()] == ["p2"]


def test_what_can_cut_an_office_off_waits_for_the_end_of_its_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 2)
    _phase, going = town.push(town.entries("01", risk=Risk.A))
    assert fates(going) == {"01": "queued"}
    assert "it serves its public now (Mon-Sun 00:00-24:00)" in going.ends[0].reason
    assert town.devices["01"].times_armed == 0
    going.at_site = True
    going.ends.clear()
    going.push(town.entries("01", risk=Risk.A))
    assert fates(going) == {"01": "confirmed"}
    assert fates(town.push(town.entries("02", risk=Risk.B))[1]) == {"02": "confirmed"}


def test_a_limit_leaves_the_others_for_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 6)
    assert set(fates(town.push(limit=2)[1])) == {"01", "02"}
    assert town.running() == ["01", "02"]
    assert town.push(limit=2)[0] is Phase.DONE
    assert town.running() == ["01", "02", "03", "04"]


def test_an_office_that_refuses_is_passed_over_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 3)
    town.devices["01"].running = {"ip": "another hand\n"}
    phase, going = town.push()
    assert phase is Phase.DONE
    assert fates(going) == {"01": "refused", "02": "confirmed", "03": "confirmed"}
    assert "plan again" in going.ends[0].reason


@pytest.mark.parametrize("when", [1, 4, 7, 13, 22, 30, 41, 60])
def test_ctrl_c_at_any_moment_leaves_nothing_in_doubt_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    town = Town(tmp_path, monkeypatch, 12)
    stop, calls = threading.Event(), iter(range(10_000))

    def interrupt() -> None:
        if next(calls) == when:
            stop.set()

    town.clock.ticks.append(interrupt)
    _phase, going = town.push(stop=stop)
    with town.journal() as journal:
        assert journal.unsettled() == []
    kept = sorted(code for code, fate in fates(going).items() if fate == "confirmed")
    assert town.running() == kept
    for code, device in town.devices.items():
        assert device.running == (WANTED if code in kept else BEFORE)
    town.clock.ticks.remove(interrupt)
    assert town.push()[0] is Phase.DONE
    assert town.running() == town.codes


def test_whoever_comes_after_a_killed_pusher_takes_up_the_plan_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, monkeypatch, 6)
    town.devices["03"].kills = True
    with pytest.raises(KilledError):
        town.push()
    with town.journal() as journal:
        (left,) = journal.unsettled()
        assert (left.site, left.state) == ("03", State.VERIFYING)
    town.devices["03"].kills = False
    town.settle()
    phase, going = town.push()
    assert phase is Phase.DONE
    assert set(fates(going).values()) == {"confirmed"}
    assert {device.times_started for device in town.devices.values()} == {1}


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("writes", range(10))
def test_a_disk_that_is_full_at_any_state_leaves_nothing_but_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int, good: bool
) -> None:
    """The pusher can write so many times; then it gives up, and the gateway undoes it alone."""
    town = Town(tmp_path, monkeypatch, 1)
    if not good:
        town.bad("01")
    left = iter(range(writes))
    write = Journal.audit_row

    def full(self: Journal, now_ms: int, subject: Subject, body: Facts) -> None:
        if next(left, None) is None:
            raise sqlite3.OperationalError("database or disk is full")
        write(self, now_ms, subject, body)

    monkeypatch.setattr(Journal, "audit_row", full)
    _phase, going = town.push()
    full_disk = next(left, None) is None and fates(going)["01"] == "in doubt"
    if full_disk:
        assert "journal cannot be written (database or disk is full)" in going.why
    town.clock.sleep(2 * WINDOW_S)
    monkeypatch.setattr(Journal, "audit_row", write)
    town.settle()
    with town.journal() as journal:
        assert journal.unsettled() == []
        assert journal.verify() is None
        ends = [tx.state for tx in journal.history()]
    if State.CONFIRMED in ends:
        assert good
        assert town.running() == ["01"]
    else:
        assert set(ends) <= {State.ROLLED_BACK, State.ABORTED}
        assert town.running() == []
    assert town.devices["01"].times_started <= 1


def test_what_a_device_complains_of_is_said_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_words: object) -> Session:
        raise RefusedError("line 7 is wrong: peer psk-yang-panjang key-string kata-sandi")

    town = Town(tmp_path, monkeypatch, 1)
    monkeypatch.setattr(TownWorkshop, "enter", refuse)
    monkeypatch.setattr(TownWorkshop, "secrets", lambda *_: frozenset({"psk-yang-panjang"}))
    _phase, going = town.push()
    said = capsys.readouterr().err + going.ends[0].reason
    assert "line 7 is wrong: peer ‹rahasia:" in said
    assert "psk-yang-panjang" not in said
    assert "kata-sandi" not in said
