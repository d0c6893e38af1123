"""A device and an office in memory, for pushers that are killed and lines that are cut anywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from provision.configuration import Scope, Sections
from provision.dialect import Armed, Login, Said, Way
from provision.gate import Heard, Seen
from provision.lint import Finding, Needs
from provision.session import Ran, RefusedError, Session
from provision.states import Marker
from tabuah.errors import TabuahError

BEFORE: Sections = {"ip": "address wan0 10.0.0.2/24\n"}
WANTED: Sections = {"ip": "address wan0 10.0.0.3/24\n"}


class KilledError(BaseException):
    """The pusher was killed here."""


class Clock:
    """Seconds that pass only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.ticks: list[Callable[[], None]] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for tick in self.ticks:
            tick()


@dataclass
class FakeDevice:
    """As the dead-man leaves one: a token, a timer, a change that takes its time."""

    clock: Clock
    refuses: Sections | None = None
    """The change that stops half-way."""
    restores: bool = True
    running: Sections = field(default_factory=lambda: dict(BEFORE))
    before: Sections | None = None
    wanted: Sections | None = None
    marker: Marker = Marker.NONE
    deadline: float = 0.0
    applied: bool | None = None
    restored: bool | None = None
    saved: bool = False
    name: str = "fake"
    login: ClassVar[Login] = Login("linux", Way.SHELL)

    def __post_init__(self) -> None:
        self.clock.ticks.append(self.tick)

    def tick(self) -> None:
        if self.marker is Marker.ARMED and self.clock.now >= self.deadline:
            self.fire()

    def fire(self) -> None:
        if self.marker is Marker.ARMED:
            self.marker = Marker.FIRED
        if self.marker is Marker.FIRED:
            assert self.before is not None
            if self.restores:
                self.running = dict(self.before)
            self.restored = self.restores

    # What a dialect does

    def read(self, session: Session, scope: Scope) -> Sections:
        return dict(self.running)

    def prepare(self, session: Session, wanted: Sections, running: Sections) -> Sections:
        return wanted

    def lint(self, before: Sections, wanted: Sections, needs: Needs) -> list[Finding]:
        return []

    def lacks(self, session: Session) -> str:
        return ""

    def arm(
        self, session: Session, tx: str, window_s: int, scope: Scope, wanted: Sections
    ) -> Armed:
        self.before, self.wanted = dict(self.running), dict(wanted)
        self.marker, self.deadline = Marker.ARMED, self.clock.now + window_s
        return Armed(self._said(), self.before, self.wanted)

    def apply(self, session: Session, tx: str) -> None:
        if self.marker is not Marker.ARMED:
            raise RefusedError("not armed")
        assert self.wanted is not None
        self.applied = self.wanted != self.refuses
        self.running = dict(self.wanted) if self.applied else {"ip": "half-way\n"}
        if not self.applied:
            self.fire()

    def ask(self, session: Session, tx: str) -> Said:
        return self._said()

    def confirm(self, session: Session, tx: str) -> Said:
        if self.marker is Marker.ARMED and self.applied:
            self.marker = Marker.CONFIRMED
        if self.marker is not Marker.CONFIRMED:
            raise RefusedError("too late")
        self.saved = True
        return self._said()

    def roll_back(self, session: Session, tx: str) -> None:
        self.fire()

    def release(self, session: Session, tx: str) -> None:
        """Remember it: nobody asks later."""

    def _said(self) -> Said:
        return Said(
            self.marker,
            applied=self.applied,
            restored=self.restored,
            left_s=round(self.deadline - self.clock.now) if self.marker is Marker.ARMED else None,
            timer=self.marker is Marker.ARMED,
            saved=self.saved,
        )


class NoSession:
    """A session to it."""

    def run(self, command: str, stdin: str = "", limit_s: float = 30.0) -> Ran:
        raise AssertionError(command)

    def put(self, path: str, text: str, limit_s: float = 30.0) -> str:
        raise AssertionError(path)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class FakeOffice:
    """Reports once a second, good or bad."""

    clock: Clock
    well: Callable[[], bool]
    seq: int = 0
    known: list[Heard] = field(default_factory=list)
    work: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    collector_away: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self.clock.ticks.append(self.tick)
        for _ in range(5):
            self.tick()

    def tick(self) -> None:
        self.seq += 1
        good = self.well()
        seen = (Seen("dc", good, self.seq, 20_000 if good else None, 3, 3 if good else 0),)
        # The pusher asks the machine's own clock how fresh a report is.
        self.known.append(Heard("e1", self.seq, _now_ms(), 1000, False, "telkom", seen))

    def reports(self, site: str, now: datetime) -> list[Heard]:
        if self.collector_away():
            raise TabuahError("no collector answers")
        return list(self.known)

    def announce(self, site: str, seconds: int, why: str, by: str) -> str:
        self.work.append(f"{site}: {why}")
        return f"m{len(self.work)}"

    def ended(self, work: str, by: str) -> None:
        self.over.append(work)


def _now_ms() -> int:
    import time

    return time.time_ns() // 1_000_000


def breaking(seed: int, share: float) -> Callable[[], str]:
    """Return what cuts the line or kills the pusher at moments drawn by the seed."""
    drawn = random.Random(seed)
    ways = ("before", "after", "kill", "kill after")
    return lambda: drawn.choice(ways) if drawn.random() < share else ""
