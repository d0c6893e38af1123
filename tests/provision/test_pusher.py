"""A push from its first state to its last, with the pusher killed and the line cut anywhere."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.configuration import Scope, digest
from provision.journal import Journal, Subject, Transaction
from provision.means import Means
from provision.pusher import Pusher
from provision.run import Order, Target
from provision.session import OutOfReachError, Session
from provision.states import State
from tests.provision.fake import (
    BEFORE,
    WANTED,
    Clock,
    FakeDevice,
    FakeOffice,
    KilledError,
    NoSession,
    breaking,
)

KEY = b"k" * 32
ORDER = Order(Scope(), BEFORE, WANTED, 60)


class Bench:
    """A journal, a device, an office and who pushes."""

    def __init__(self, folder: Path, *, good_after: bool = True) -> None:
        self.clock = Clock()
        self.device = FakeDevice(self.clock)
        self.office = FakeOffice(self.clock, self.device, good_after)
        self.journal = Journal(folder)
        self.stop = threading.Event()
        self.reachable = True
        facts = {"before_digest": digest(BEFORE, KEY), "want_digest": digest(WANTED, KEY)}
        self.journal.open("a1", "s", "gateway", facts, 1)

    def pusher(self) -> Pusher:
        means = Means(
            self.journal,
            self.office,
            KEY,
            stop=self.stop,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        return Pusher(means)

    def target(self) -> Target:
        def connect() -> Session:
            if not self.reachable:
                raise OutOfReachError("no route")
            return NoSession()

        return Target("s", "gateway", self.device, connect)

    def push(self) -> Transaction:
        return self.pusher().push("a1", self.target(), ORDER)

    def resume(self) -> Transaction:
        return self.pusher().resume("a1", self.target(), ORDER.scope, frozenset())

    def states(self) -> list[str]:
        moved = (link for link in self.journal.audit() if link.subject is Subject.MOVED)
        return [json.loads(link.body)["to"] for link in moved]


def test_a_good_push_goes_through_every_state_and_is_saved(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.push().state is State.CONFIRMED
    walked = list(dict.fromkeys(bench.states()))
    assert walked == ["arming", "armed", "pushing", "verifying", "confirming", "confirmed"]
    assert bench.device.saved
    assert bench.device.running == WANTED
    assert bench.journal.verify() is None
    evidence = bench.journal.get("a1").facts["evidence"]
    assert isinstance(evidence, list)
    assert len(evidence) == 3


def test_an_office_that_is_worse_afterwards_has_its_old_configuration_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, good_after=False)
    done = bench.push()
    assert done.state is State.ROLLED_BACK
    assert bench.device.running == BEFORE
    assert "dc fails" in str(done.facts["reason"])
    assert bench.office.work == ["s: tabuah config push a1"]
    assert set(bench.office.over) == {"m1"}


def test_reports_of_before_are_no_evidence_though_the_collector_was_away_meanwhile(
    tmp_path: Path,
) -> None:
    """It comes back with what it had: good reports, all of them from before the change."""
    bench = Bench(tmp_path)

    def away() -> bool:
        return bench.device.applied is not None and bench.clock.now < 1020

    def hear_nothing_new() -> None:
        if bench.device.applied is not None:
            bench.office.known.pop()

    bench.office.collector_away = away
    bench.clock.ticks.append(hear_nothing_new)
    assert bench.push().state is State.ROLLED_BACK
    assert bench.device.running == BEFORE


def test_a_change_that_was_refused_half_way_is_undone_though_the_office_is_well(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.device.applies = False
    assert bench.push().state is State.ROLLED_BACK
    assert bench.device.running == BEFORE


def test_a_device_that_runs_something_else_than_planned_is_not_confirmed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    order = Order(Scope(), BEFORE, {"ip": "address wan0 10.0.0.4/24\n"}, 60)
    assert bench.pusher().push("a1", bench.target(), order).state is State.ROLLED_BACK
    assert bench.device.running == BEFORE


def test_nothing_is_armed_where_the_device_drifted_or_the_office_is_not_well(
    tmp_path: Path,
) -> None:
    drifted = Bench(tmp_path / "a")
    drifted.device.running = {"ip": "address wan0 10.0.0.7/24\n"}
    done = drifted.push()
    assert done.state is State.ABORTED
    assert "plan again" in str(done.facts["reason"])
    silent = Bench(tmp_path / "b")
    silent.office.known.clear()
    done = silent.push()
    assert done.state is State.ABORTED
    assert "live reports" in str(done.facts["reason"])
    assert drifted.device.armed_times == silent.device.armed_times == 0


def test_ctrl_c_has_the_device_undo_it_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, good_after=False)
    bench.clock.ticks.append(lambda: bench.stop.set() if bench.device.applied is not None else None)
    with pytest.raises(KeyboardInterrupt):
        bench.push()
    assert bench.journal.get("a1").state is State.ROLLED_BACK
    assert bench.device.running == BEFORE


def test_a_device_out_of_reach_is_unknown_and_tells_the_truth_when_it_is_back(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)

    def cut() -> None:
        if bench.device.applied is not None:
            bench.reachable = False

    bench.clock.ticks.append(cut)
    bench.device.breaks = lambda: "" if bench.reachable else "before"
    bench.office.good_after = False
    assert bench.push().state is State.UNKNOWN
    assert bench.resume().state is State.UNKNOWN
    bench.clock.ticks.remove(cut)
    bench.reachable = True
    assert bench.resume().state is State.ROLLED_BACK


def test_a_device_that_cannot_restore_is_stuck_until_a_person_mended_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, good_after=False)
    bench.device.restores = False
    assert bench.push().state is State.STUCK
    assert bench.resume().state is State.STUCK
    bench.device.restores = True
    assert bench.resume().state is State.ROLLED_BACK


def test_a_person_at_the_office_can_vouch_where_its_reports_cannot(tmp_path: Path) -> None:
    bench = Bench(tmp_path, good_after=False)

    def kill() -> None:
        if bench.device.applied is not None:
            raise KilledError

    bench.clock.ticks.append(kill)
    with pytest.raises(KilledError):
        bench.push()
    bench.clock.ticks.remove(kill)
    made = bench.pusher().vouch("a1", bench.target(), Scope(), "ani", "lamps are green")
    assert made.state is State.CONFIRMED
    assert "lamps are green" in str(made.facts["reason"])


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32),
    share=st.sampled_from((0.02, 0.1, 0.3)),
    good=st.booleans(),
    applies=st.booleans(),
    pause=st.integers(0, 200),
)
def test_wherever_the_pusher_is_killed_and_the_line_is_cut_the_end_is_the_truth(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    share: float,
    good: bool,
    applies: bool,
    pause: int,
) -> None:
    bench = Bench(tmp_path_factory.mktemp("j"), good_after=good)
    device = bench.device
    device.applies = applies
    device.breaks = breaking(seed, share)
    with closing(bench.journal):
        _drive(bench, pause)
        state = bench.journal.get("a1").state
        assert bench.journal.verify() is None
    assert device.armed_times <= 1
    assert device.started <= 1
    if state is State.CONFIRMED:
        assert device.saved
        assert device.running == WANTED
        assert good
        assert applies
    else:
        assert state in (State.ROLLED_BACK, State.ABORTED)
        assert device.running == BEFORE


def _drive(bench: Bench, pause: int) -> None:
    """Push, and resume after every kill, until it is settled."""
    turn = bench.push
    for attempt in range(60):
        if attempt == 40:
            bench.device.breaks = lambda: ""  # the line is mended at last
        try:
            if turn().settled:
                # Whoever confirmed it and was killed then has it saved by the next who asks.
                break
        except KilledError:
            bench.clock.sleep(pause)
        turn = bench.resume
    for _ in range(3):
        bench.clock.sleep(100)  # any timer that was left behind has fired
