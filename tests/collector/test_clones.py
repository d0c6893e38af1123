"""Two agents with one configuration show; restarts, delays and replays do not look like them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from collector.clones import EPOCHS_MOST, WARN_AGAIN_S, Clones, Sighting
from collector.intake import Intake, Verdict
from collector.placing import Anchors
from tests.support.reports import BEGIN_MS, packed

SITE = "13.02.10"
A, B = 1, 2


@dataclass
class Ear:
    """Intake, placing and clones as `collector.app` puts them together."""

    intake: Intake = field(default_factory=Intake)
    anchors: Anchors = field(default_factory=Anchors)
    clones: Clones = field(default_factory=Clones)

    def hear(self, machine: Machine, made: float, arrives: float) -> Sighting | None:
        """Hear what a machine said of the moment `made`, in seconds since BEGIN_MS."""
        report = packed(
            machine.seq(made),
            epoch=machine.epoch,
            boot_id=machine.boot,  # type: ignore[arg-type]
            uptime_ms=round((made - machine.booted) * 1000),
            wall_ms=BEGIN_MS + round((made + machine.ahead) * 1000),
        )
        verdict = self.intake.judge(SITE, report, history=False)
        if verdict is Verdict.DUPLICATE:
            return None
        live = verdict is Verdict.LIVE
        now_ms = BEGIN_MS + round(arrives * 1000)
        placed = self.anchors.place(SITE, report, now_ms, arrives, live=live)
        measured = arrives - (now_ms - placed.time_ms) / 1000
        return self.clones.judge(SITE, report.epoch, measured, arrives, live=live)


@dataclass(frozen=True)
class Machine:
    epoch: int
    boot: bytes = bytes(16)
    booted: float = -1000.0
    ahead: float = 0.0
    """Its clock, in seconds before the true time."""

    def seq(self, made: float) -> int:
        return round((made - self.booted) * 10) + 1


def test_two_agents_of_one_boot_show_and_so_do_two_machines() -> None:
    for second in (Machine(B), Machine(B, b"b" * 16, -70.0), Machine(B, b"b" * 16, -7.0, 9e6)):
        ear, first = Ear(), Machine(A)
        said = [
            ear.hear(machine, at + phase, at + phase + 0.05)
            for at in range(0, 60, 10)
            for machine, phase in ((first, 0.0), (second, 3.0))
        ]
        assert said[:2] == [None, None]
        assert said[2] == Sighting(A, B, warn=True)
        assert [one is not None for one in said[3:]] == [True] * 9, "each report is one"
        assert [one.warn for one in said[3:] if one is not None] == [False] * 9


def test_a_restart_is_no_clone_with_the_last_word_still_on_its_way() -> None:
    ear, old, new = Ear(), Machine(A), Machine(B)
    assert ear.hear(old, 0, 0.05) is None
    assert ear.hear(old, 10, 10.05) is None
    assert ear.hear(new, 12, 12.05) is None
    assert ear.hear(old, 11, 41) is None, "half a minute late"
    assert ear.hear(new, 22, 22.05) is None


def test_a_straggler_from_before_a_step_of_the_clock_and_a_restart_is_no_clone() -> None:
    """Of two minutes, behind one of the boot before; the clock was set between the two starts."""
    ear, before = Ear(), Machine(7, b"z" * 16)
    old, new = Machine(A, booted=37.0, ahead=-0.96), Machine(B, booted=37.0, ahead=1.49)
    assert ear.hear(before, 30.0, 30.3) is None
    assert ear.hear(old, 43.0, 43.3) is None
    assert ear.hear(new, 55.8, 56.1) is None
    assert ear.hear(before, 29.2, 149.2) is None
    assert ear.hear(old, 43.4, 163.4) is None
    assert ear.hear(new, 165.8, 166.1) is None


def test_a_replay_of_what_never_arrived_is_no_clone() -> None:
    ear, old, new = Ear(), Machine(A), Machine(B, b"b" * 16, 30.0)
    ear.hear(old, 0, 0.05)
    for at in range(40, 150, 10):
        ear.hear(new, at, at + 0.05)
    assert ear.hear(old, 10, 149) is None


def test_it_ends_when_one_of_the_two_is_stopped_and_is_told_again_after_ten_minutes() -> None:
    clones = Clones()
    said = []
    for tick in range(200):
        at = 10.0 * tick
        epoch = A if tick % 2 else B
        if tick < 150 or epoch == A:
            sighting = clones.judge(SITE, epoch, at, at, live=True)
            said.append((at, sighting))
    seen = [at for at, sighting in said if sighting is not None]
    assert (min(seen), max(seen)) == (20.0, 1490.0)
    warned = [at for at, sighting in said if sighting is not None and sighting.warn]
    assert warned == [20.0, 20.0 + WARN_AGAIN_S, 20.0 + 2 * WARN_AGAIN_S]


def test_one_office_says_nothing_of_another() -> None:
    clones = Clones()
    for at, site, epoch in ((0.0, "x", A), (10.0, "y", B), (20.0, "x", A), (30.0, "y", B)):
        assert clones.judge(site, epoch, at, at, live=True) is None


def test_an_office_that_restarts_without_end_costs_no_memory_without_end() -> None:
    clones = Clones()
    for epoch in range(100):
        assert clones.judge(SITE, epoch, 10.0 * epoch, 10.0 * epoch, live=True) is None
    (office,) = clones._offices.values()
    assert 1 + len(office.before) == EPOCHS_MOST


@st.composite
def _one_agent(draw: st.DrawFn) -> list[tuple[Machine, float, float]]:
    """One agent's life with restarts and reboots over a line that delays, loses and reorders."""
    at, booted, boot = 0.0, -1000.0, 0
    said = []
    for epoch in range(1, draw(st.integers(1, 5)) + 1):
        machine = Machine(epoch, bytes((boot,)) * 16, booted, draw(st.floats(-1.9, 1.9)))
        for turn in range(draw(st.integers(1, 6))):
            at += draw(st.sampled_from([0.2, 1.0, 10.0]))
            # The first is as quick as the line is: later ones of its boot are held to it.
            delay = draw(st.sampled_from([0.02, 0.6, 15.0, 120.0])) if turn else 0.3
            said.append((machine, at, at + delay))
        at += 2.0  # RestartSec of its unit
        if draw(st.booleans()):
            at += 10.0
            boot, booted = boot + 1, at - 5.0
    return said


@given(_one_agent(), st.data())
def test_one_agent_is_never_taken_for_two(
    said: list[tuple[Machine, float, float]], data: st.DataObject
) -> None:
    first = {machine: made for machine, made, _ in reversed(said)}
    heard = [
        (machine, made, arrives)
        for machine, made, arrives in said
        if made == first[machine] or data.draw(st.integers(0, 9)) > 1
    ]
    heard += [(machine, made, late + 33.0) for machine, made, late in heard]  # replayed
    ear = Ear()
    for machine, made, arrives in sorted(heard, key=lambda one: one[2]):
        assert ear.hear(machine, made, arrives) is None


@given(
    st.floats(0.05, 0.95),
    st.sampled_from([1.0, 10.0, 60.0]),
    st.sets(st.tuples(st.sampled_from([A, B]), st.integers(0, 9))),
    st.sampled_from([0.02, 0.7]),
)
def test_two_agents_are_seen_within_ten_intervals_of_a_whole_line(
    phase: float, interval: float, lost: set[tuple[int, int]], delay: float
) -> None:
    ear = Ear()
    machines = (Machine(A), Machine(B, b"b" * 16, -50.0, ahead=1.5))
    said = [
        ear.hear(machine, at, at + delay)
        for tick in range(20)
        for machine, at in zip(machines, (tick * interval, (tick + phase) * interval), strict=True)
        if (machine.epoch, tick) not in lost
    ]
    assert any(said)
