"""Whatever happens, in whatever order: one firing a channel, one resolved after it, and no more.

Versions of incidents in any order, kills at any moment, channels that do not answer: over the real
pipeline and logbook, driven step by step, with a store that keeps what was written.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.incident import Incident
from alerts.maintenance import Work
from alerts.message import Message, Status
from alerts.pipeline import Pipeline
from alerts.telling import TRANSITIONS, Signal, Stage
from alerts.text import Text
from collector.incident_rows import Noted
from collector.logbook import Logbook
from collector.retelling import cases_of
from inventory.hours import parse_hours
from inventory.model import Alerts, Channel, Escalation, QuietHours, Severity

BEGAN_MS = 1_795_500_000_000
URL = "http://127.0.0.1/"
ALERTS = Alerts(
    (
        Channel("all", webhook=URL),
        Channel("grave", webhook=URL, severities=(Severity.CRITICAL,)),
        Channel("chief", webhook=URL, escalate=Escalation.ONLY),
    ),
    escalate_after_s=60.0,
    quiet_hours=QuietHours(parse_hours("Tue 13:10-13:20")),
)
NAMES = tuple(channel.name for channel in ALERTS.channels)
WORK = Work(frozenset({"0"}), BEGAN_MS + 120_000, BEGAN_MS + 240_000)
INCIDENTS = [
    Incident(
        id=f"down-{number}-1",
        alertname="TabuahLinkDown",
        sites=(f"{number}",),
        circuits=(),
        cause="unknown",
        severity="critical" if number % 2 else "warning",
        began_ms=BEGAN_MS,
    )
    for number in range(14)
]


class _World:
    """A collector that may die at any moment, over a disk that keeps what was written."""

    def __init__(self) -> None:
        self.disk: dict[str, Noted] = {}
        self.ledger = {one.id: one for one in INCIDENTS}
        self.now_ms = BEGAN_MS
        self.heard: dict[tuple[str, str], list[Status]] = {}
        self.in_hand: dict[str, Message] = {}
        self.begun: set[str] = set()
        self.start()

    def start(self) -> None:
        self.in_hand = {}
        self.pipeline = Pipeline(lambda _: Text("said", ""), ALERTS, works=lambda: (WORK,))
        self.logbook = Logbook(lambda _: None, {name: lambda _: None for name in NAMES})
        self.logbook.speak, self.logbook.now_ms = self.pipeline.message, lambda: self.now_ms
        told = [one for one in self.disk.values() if one.fired]
        cases = cases_of(told, self.ledger.get, NAMES)
        for case in cases:
            if case.lasts:
                self.pipeline.remember(case)
        self.logbook.resume([case for case in cases if not case.finished])
        self.pipeline.remember_over(id_ for id_, one in self.disk.items() if one.resolved)
        self.look(*(self.ledger[id_] for id_ in sorted(self.begun)))

    def look(self, *incidents: Incident) -> None:
        for one in incidents:
            self.pipeline.decide(one, self.now_ms)
        self.logbook.enter(self.pipeline.tick(self.now_ms))

    def write(self, *, die: bool = False) -> None:
        """Write, then say; or die between the two."""
        said = self.logbook.hand()
        page = self.logbook.collect()
        self.disk |= {entry.incident.id: entry for entry in page.entries}
        self.logbook.settle(page, written=True)
        if die:
            self.start()
            return
        self.in_hand |= dict(said)

    def answer(self, channel: str, *, die: bool = False) -> None:
        """Have a channel take what it has in hand; it knows a repeated message by its key.

        What was said before the collector dies was noted, or is said again with the same key.
        """
        message = self.in_hand.pop(channel, None)
        if message is None:
            return
        heard = self.heard.setdefault((channel, message.incident.id), [])
        if message.status not in heard:
            heard.append(message.status)
        if die:
            self.start()
            return
        self.logbook.taken(channel, message)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["begin", "end", "stale"]), st.integers(0, 3)),
        st.tuples(st.sampled_from(["answer", "answer and die"]), st.integers(0, 2)),
        st.tuples(st.sampled_from(["write", "die", "write and die"]), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 240)),
        st.tuples(st.just("all begin"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_each_channel_hears_one_beginning_and_then_its_end_or_nothing(
    steps: list[tuple[str, int]],
) -> None:
    world = _World()
    for what, which in steps:
        _do(world, what, which)
    # Work and quiet hours are over, and every channel answers: what lasts was told.
    world.now_ms += 1_800_000
    _settle(world)
    for id_ in world.begun:
        if world.ledger[id_].ended_ms is None:
            assert Status.FIRING in world.heard["all", world.disk[id_].told_as]
    for number, one in enumerate(INCIDENTS):
        if one.id in world.begun:
            _do(world, "end", number)
    _settle(world)
    for (channel, id_), heard in world.heard.items():
        assert heard in (
            [Status.FIRING, Status.RESOLVED],
            [Status.ESCALATED, Status.RESOLVED],
            [Status.FIRING, Status.ESCALATED, Status.RESOLVED],
        ), (channel, id_, heard)
        assert channel != "chief" or heard[0] is Status.ESCALATED


def _settle(world: _World) -> None:
    for _ in range(100):
        world.now_ms += 1_000
        world.look()
        world.write()
        for name in NAMES:
            world.answer(name)


def _do(world: _World, what: str, which: int) -> None:
    one = INCIDENTS[which % len(INCIDENTS)]
    match what:
        case "begin":
            if world.ledger[one.id].ended_ms is None:
                world.begun.add(one.id)
                world.look(one)
        case "all begin":
            fresh = [one for one in INCIDENTS if world.ledger[one.id].ended_ms is None]
            world.begun |= {one.id for one in fresh}
            world.look(*fresh)
        case "end":
            world.begun.add(one.id)
            over = world.ledger[one.id]
            if over.ended_ms is None:
                over = replace(one, ended_ms=world.now_ms)
            world.ledger[one.id] = over
            world.look(over)
        case "stale":  # an old version that comes after newer ones
            if world.ledger[one.id].ended_ms is not None:
                world.look(one)
        case "wait":
            world.now_ms += which * 1_000
            world.look()
        case "write" | "write and die":
            world.write(die=what == "write and die")
        case "die":
            world.start()
        case _:
            world.answer(NAMES[which % len(NAMES)], die=what == "answer and die")


def test_each_stage_and_signal_that_change_something_are_in_the_table() -> None:
    assert set(TRANSITIONS) == {
        (Stage.DUE, Signal.HAND),
        (Stage.DUE, Signal.SPARE),
        (Stage.HANDED, Signal.HAND),
        (Stage.HANDED, Signal.TAKE),
        (Stage.HANDED, Signal.SPARE),
    }
