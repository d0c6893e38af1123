"""A push from its first state to its last, with the pusher killed and the line cut anywhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.configuration import Sections, digest
from provision.journal import Journal, Subject, Transaction
from provision.means import Means
from provision.pusher import Pusher
from provision.run import Order, Target
from provision.session import OutOfReachError, Session
from provision.states import State
from tests.provision.fake import FakeOffice, KilledError, breaking
from tests.provision.rigs import EVERY, KINDS, Breaking, Rig, make

pytestmark = [pytest.mark.peer, pytest.mark.lab]

KEY = b"k" * 32


class Bench:
    """A journal, a gateway, an office and who pushes."""

    def __init__(self, folder: Path, rig: Rig, wanted: Sections | None = None) -> None:
        self.rig = rig
        self.clock = rig.clock
        self.dialect = Breaking(rig.dialect, lambda: "")
        self.office = FakeOffice(self.clock, rig.well)
        self.journal = Journal(folder)
        self.stop = threading.Event()
        self.killed_at: State | None = None
        """Where the pusher is killed, when it has written down that it is there."""
        self.reachable = True
        self.was = rig.runs()
        self.order = Order(rig.scope, rig.before, wanted or rig.good, rig.window_s)
        facts = {
            "before_digest": digest(self.order.before, KEY),
            "want_digest": digest(self.order.wanted, KEY),
        }
        self.journal.open("a1", "s", "gateway", facts, 1)

    def pusher(self) -> Pusher:
        def say(tx: Transaction, _words: str) -> None:
            if tx.state is self.killed_at:
                raise KilledError

        means = Means(
            self.journal,
            self.office,
            KEY,
            say=say,
            stop=self.stop,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        return Pusher(means)

    def target(self) -> Target:
        def connect() -> Session:
            if not self.reachable:
                raise OutOfReachError("no route")
            return self.rig.connect()

        return Target("s", "gateway", self.dialect, connect)

    def push(self) -> Transaction:
        return self.pusher().push("a1", self.target(), self.order)

    def resume(self) -> Transaction:
        return self.pusher().resume("a1", self.target(), self.order.scope, frozenset())

    def wait(self, seconds: int, until: Callable[[], bool] = lambda: False) -> None:
        """Let so many seconds pass, or fewer if something is true before."""
        for _ in range(seconds):
            if until():
                return
            self.clock.sleep(1)

    def states(self) -> list[str]:
        moved = (link for link in self.journal.audit() if link.subject is Subject.MOVED)
        return [json.loads(link.body)["to"] for link in moved]


everywhere = pytest.mark.parametrize("rig", EVERY, indirect=True)


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = make(request.param, tmp_path / "gateway")
    yield made
    made.close()


@everywhere
def test_a_good_push_goes_through_every_state_and_is_saved(tmp_path: Path, rig: Rig) -> None:
    bench = Bench(tmp_path, rig)
    assert bench.push().state is State.CONFIRMED
    walked = list(dict.fromkeys(bench.states()))
    assert walked == ["arming", "armed", "pushing", "verifying", "confirming", "confirmed"]
    evidence = bench.journal.get("a1").facts["evidence"]
    assert isinstance(evidence, list)
    assert len(evidence) == 3
    assert bench.journal.verify() is None
    kept = rig.runs()
    assert kept != bench.was
    rig.reboot()
    bench.wait(rig.window_s)
    assert rig.runs() == kept


@everywhere
def test_an_office_that_is_worse_afterwards_has_its_old_configuration_back(
    tmp_path: Path, rig: Rig
) -> None:
    bench = Bench(tmp_path, rig, rig.bad)
    done = bench.push()
    assert done.state is State.ROLLED_BACK
    assert rig.runs() == bench.was
    assert bench.office.work == ["s: tabuah config push a1"]
    assert set(bench.office.over) == {"m1"}


def test_reports_of_before_are_no_evidence_though_the_collector_was_away_meanwhile(
    tmp_path: Path, rig: Rig
) -> None:
    """It comes back with what it had: good reports, all of them from before the change."""
    bench = Bench(tmp_path, rig)
    began: list[float] = []

    def away() -> bool:
        return bool(began) and bench.clock.now < began[0] + 20

    def hear_nothing_new() -> None:
        if rig.changed():
            began.append(bench.clock.now)
        if began:
            bench.office.known.pop()

    bench.office.collector_away = away
    bench.clock.ticks.append(hear_nothing_new)
    assert bench.push().state is State.ROLLED_BACK
    assert rig.runs() == bench.was


@everywhere
def test_a_change_that_was_refused_half_way_is_undone_though_the_office_is_well(
    tmp_path: Path, rig: Rig
) -> None:
    bench = Bench(tmp_path, rig, rig.refused)
    assert bench.push().state is State.ROLLED_BACK
    assert rig.runs() == bench.was


def test_a_device_that_runs_something_else_than_planned_is_not_confirmed(
    tmp_path: Path, rig: Rig
) -> None:
    bench = Bench(tmp_path, rig)
    bench.order = replace(bench.order, wanted={**rig.before})
    assert bench.push().state is State.ROLLED_BACK
    assert rig.runs() == bench.was


def test_nothing_is_armed_where_the_device_drifted(tmp_path: Path, rig: Rig) -> None:
    bench = Bench(tmp_path, rig)
    rig.drift()
    done = bench.push()
    assert done.state is State.ABORTED
    assert "plan again" in str(done.facts["reason"])
    assert bench.dialect.armed == 0


def test_nothing_is_armed_where_the_office_is_not_well(tmp_path: Path, rig: Rig) -> None:
    bench = Bench(tmp_path, rig)
    bench.office.known.clear()
    done = bench.push()
    assert done.state is State.ABORTED
    assert "live reports" in str(done.facts["reason"])
    assert bench.dialect.armed == 0


def test_ctrl_c_has_the_device_undo_it_at_once(tmp_path: Path, rig: Rig) -> None:
    bench = Bench(tmp_path, rig, rig.bad)
    began = bench.clock.now
    bench.clock.ticks.append(lambda: bench.stop.set() if rig.changed() else None)
    with pytest.raises(KeyboardInterrupt):
        bench.push()
    assert bench.journal.get("a1").state is State.ROLLED_BACK
    assert rig.runs() == bench.was
    assert bench.clock.now < began + rig.window_s + 60


def test_a_device_out_of_reach_is_unknown_and_tells_the_truth_when_it_is_back(
    tmp_path: Path, rig: Rig
) -> None:
    bench = Bench(tmp_path, rig, rig.bad)

    def cut() -> None:
        if rig.changed():
            bench.reachable = False

    bench.clock.ticks.append(cut)
    bench.dialect.breaks = lambda: "" if bench.reachable else "before"
    assert bench.push().state is State.UNKNOWN
    assert bench.resume().state is State.UNKNOWN
    bench.clock.ticks.remove(cut)
    bench.reachable = True
    assert bench.resume().state is State.ROLLED_BACK
    assert rig.runs() == bench.was


def test_a_device_that_cannot_restore_is_stuck_until_a_person_mended_it(
    tmp_path: Path, rig: Rig
) -> None:
    bench = Bench(tmp_path, rig, rig.refused)
    rig.break_restoring()
    assert bench.push().state is State.STUCK
    assert bench.resume().state is State.STUCK
    rig.mend()
    assert bench.resume().state is State.ROLLED_BACK
    assert rig.runs() == bench.was


def test_a_person_at_the_office_can_vouch_where_its_reports_cannot(
    tmp_path: Path, rig: Rig
) -> None:
    bench = Bench(tmp_path, rig)

    def kill() -> None:
        if rig.changed():
            raise KilledError

    bench.clock.ticks.append(kill)
    with pytest.raises(KilledError):
        bench.push()
    bench.clock.ticks.remove(kill)
    made = bench.pusher().vouch("a1", bench.target(), rig.scope, "ani", "lamps are green")
    assert made.state is State.CONFIRMED
    assert "lamps are green" in str(made.facts["reason"])


@everywhere
@pytest.mark.parametrize(
    "state", [State.ARMING, State.ARMED, State.PUSHING, State.VERIFYING, State.CONFIRMING]
)
def test_killed_at_any_state_the_gateway_settles_it_alone_and_says_so(
    tmp_path: Path, rig: Rig, state: State
) -> None:
    """Nobody comes for longer than the window; then somebody asks."""
    bench = Bench(tmp_path, rig)
    bench.killed_at = state
    with pytest.raises(KilledError):
        bench.push()
    bench.killed_at = None
    bench.wait(2)  # what it was told last is under way
    bench.wait(rig.window_s + 90, lambda: rig.runs() == bench.was and rig.well())
    assert rig.runs() == bench.was
    assert bench.resume().state in (State.ROLLED_BACK, State.ABORTED)
    assert rig.runs() == bench.was


@everywhere
def test_a_reboot_within_the_window_undoes_what_nobody_confirmed(tmp_path: Path, rig: Rig) -> None:
    bench = Bench(tmp_path, rig)
    bench.killed_at = State.VERIFYING
    with pytest.raises(KilledError):
        bench.push()
    bench.wait(30, rig.changed)
    assert rig.runs() != bench.was
    rig.reboot()
    bench.wait(60, lambda: rig.runs() == bench.was and rig.well())
    assert rig.runs() == bench.was
    bench.killed_at = None
    assert bench.resume().state is State.ROLLED_BACK


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seed=st.integers(0, 2**32),
    share=st.sampled_from((0.02, 0.1, 0.3)),
    wanted=st.sampled_from(("good", "bad", "refused")),
    kind=st.sampled_from(("memory", "routeros7")),
    pause=st.integers(0, 200),
)
def test_wherever_the_pusher_is_killed_and_the_line_is_cut_the_end_is_the_truth(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    share: float,
    wanted: str,
    kind: str,
    pause: int,
) -> None:
    rig = make(kind, tmp_path_factory.mktemp("gateway"))
    bench = Bench(tmp_path_factory.mktemp("j"), rig, getattr(rig, wanted))
    bench.dialect.breaks = breaking(seed, share)
    with closing(bench.journal):
        _drive(bench, pause)
        state = bench.journal.get("a1").state
        assert bench.journal.verify() is None
    assert bench.dialect.armed <= 1
    assert bench.dialect.started <= 1
    if state is State.CONFIRMED:
        assert rig.runs() != bench.was
        assert wanted == "good"
    else:
        assert state in (State.ROLLED_BACK, State.ABORTED)
        assert rig.runs() == bench.was


def _drive(bench: Bench, pause: int) -> None:
    """Push, and resume after every kill, until it is settled."""
    turn = bench.push
    for attempt in range(60):
        if attempt == 40:
            bench.dialect.breaks = lambda: ""  # the line is mended at last
        try:
            if turn().settled:
                # Whoever confirmed it and was killed then has it saved by the next who asks.
                break
        except KilledError:
            bench.clock.sleep(pause)
        turn = bench.resume
    bench.wait(300)  # any timer that was left behind has fired
