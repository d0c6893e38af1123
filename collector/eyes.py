"""The centre's own eyes: whom it pings when, and what that says. Pure.

    due(now) -> whom to ask; answered, lost, unable <- what came of it
    references(), office(code) -> what the judge is told

References are asked every 5 s; once one is not answered all are asked again at once, so that an
isolated collector knows it before its first office is overdue. An office's address is asked every
30 s, and every 5 s in the first ten minutes of its office's silence. There is a limit for all
together: when the collector itself is cut off, all offices are overdue at once.

Only what was asked after the silence began tells of the line in it. An address that does not
answer tells something only if it answered while the office was well: many do not answer pings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REFERENCE_S: Final = 5.0
REFERENCE_FAILS: Final = 2
"""Unanswered ones in a row by which a reference is lost. Being isolated takes all of them, and
that no office is heard either."""
AGAIN_S: Final = 0.2
"""How soon a reference that was not answered, and all others with it, are asked again."""
ADDRESS_S: Final = 30.0
OVERDUE_S: Final = 5.0
LATELY_S: Final = 600.0
"""An office that has been silent for longer is asked as seldom as one that is well."""
ADDRESS_FAILS: Final = 3
AT_ONCE: Final = 100
"""Asked in one look at most; there are two looks a second."""
GOOD_FOR_S: Final = 600.0
"""An answer so long before a silence still shows that the address answers pings."""


class Kind(Enum):
    """Whom the centre asks."""

    REFERENCE = "reference"
    ADDRESS = "address"


class Ask(NamedTuple):
    """One ping to send."""

    kind: Kind
    name: str
    """A reference's host, or an office's code."""
    host: str

    @property
    def key(self) -> tuple[Kind, str]:
        """Return what stays the same when the host becomes another."""
        return self.kind, self.name


@dataclass(slots=True)
class Target:
    """One thing that is asked, and how it fared."""

    ask: Ask
    due: float
    asked: float | None = None
    """When, while no word of it has come; monotonic seconds, as all here."""
    failed: int = 0
    """Unanswered ones in a row."""
    answered: float | None = None
    """When it last did."""
    rtt_s: float | None = None
    """Of its last ping, if that was answered."""
    silent: float | None = None
    """An office: since when nothing has been heard from it."""
    usual: bool = False
    """Whether it answered while its office was well."""

    @property
    def up(self) -> bool | None:
        """Whether it answers; None = not known yet."""
        fails = REFERENCE_FAILS if self.ask.kind is Kind.REFERENCE else ADDRESS_FAILS
        if self.failed >= fails:
            return False
        return None if self.answered is None else True


@dataclass(slots=True)
class Eyes:
    """Everything that the centre asks by itself."""

    targets: dict[tuple[Kind, str], Target] = field(default_factory=dict)
    _heap: list[tuple[float, int, tuple[Kind, str]]] = field(default_factory=list)
    _planned: int = 0
    _references: list[Target] = field(default_factory=list)

    def renew(self, references: Iterable[str], addresses: Mapping[str, str], now: float) -> None:
        """Take up what is to be asked; what stays the same keeps how it fared.

        Args:
            references: hosts.
            addresses: the offices' by code.
            now: monotonic seconds.
        """
        asks = [Ask(Kind.REFERENCE, host, host) for host in dict.fromkeys(references)]
        # Spread over a round, so that no moment has more to send than another.
        few = max(1, len(asks))
        begins = [now + REFERENCE_S * number / few for number in range(len(asks))]
        asks += [Ask(Kind.ADDRESS, code, host) for code, host in addresses.items()]
        many = max(1, len(addresses))
        begins += [now + ADDRESS_S * number / many for number in range(len(addresses))]
        before = self.targets
        self.targets = {}
        for ask, due in zip(asks, begins, strict=True):
            old = before.get(ask.key)
            same = old is not None and old.ask == ask
            self.targets[ask.key] = old if old is not None and same else Target(ask, due)
        self._references = [t for t in self.targets.values() if t.ask.kind is Kind.REFERENCE]
        self._heap = [(t.due, number, key) for number, (key, t) in enumerate(self.targets.items())]
        self._planned = len(self._heap)
        heapify(self._heap)

    def hear(self, site: str) -> None:
        """Note that an office is heard."""
        target = self.targets.get((Kind.ADDRESS, site))
        if target is not None and target.silent is not None:
            target.silent = None
            target.failed = 0
            target.usual = False

    def miss(self, site: str, now: float) -> None:
        """Note that nothing is heard from an office: it is asked at once, and often."""
        target = self.targets.get((Kind.ADDRESS, site))
        if target is None or target.silent is not None:
            return
        target.silent = now
        target.usual = target.answered is not None and now - target.answered <= GOOD_FOR_S
        target.failed = 0
        target.answered = None
        self._plan(target, now)

    def due(self, now: float) -> list[Ask]:
        """Return whom to ask now, those first that have waited longest; they count as asked."""
        asks: list[Ask] = []
        while self._heap and self._heap[0][0] <= now and len(asks) < AT_ONCE:
            due, _, key = heappop(self._heap)
            target = self.targets.get(key)
            if target is None or target.due != due:  # another plan was made since
                continue
            target.asked = now
            self._plan(target, now + _every_s(target, now))
            asks.append(target.ask)
        return asks

    def answered(self, key: tuple[Kind, str], asked: float, now: float) -> None:
        """Note an answer to what was asked at `asked`."""
        target = self.targets.get(key)
        if target is None or (target.silent is not None and asked < target.silent):
            return
        target.asked = None
        target.failed = 0
        target.answered = now
        target.rtt_s = now - asked

    def lost(self, key: tuple[Kind, str], asked: float, now: float) -> None:
        """Note that no answer came in time."""
        target = self.targets.get(key)
        if target is None or (target.silent is not None and asked < target.silent):
            return
        target.asked = None
        target.failed += 1
        target.rtt_s = None
        if key[0] is Kind.REFERENCE and target.failed < REFERENCE_FAILS:
            for other in self._references:
                if other.asked is None:
                    self._plan(other, min(other.due, now + AGAIN_S))

    def unable(self, key: tuple[Kind, str]) -> None:
        """Note that it could not be asked at all, which says nothing of it."""
        target = self.targets.get(key)
        if target is not None:
            target.asked = None
            target.failed = 0
            target.answered = target.rtt_s = None

    def references(self) -> bool | None:
        """Return whether any reference answers; None = there are none, or it is not known."""
        answers = [target.up for target in self._references]
        if any(answers):
            return True
        return False if answers and None not in answers else None

    def mute(self) -> list[str]:
        """Return the references that have never answered, though they were asked."""
        return [t.ask.host for t in self._references if t.up is False and t.answered is None]

    def office(self, site: str) -> bool | None:
        """Return whether an office that is not heard answers at its address; None = not known."""
        target = self.targets.get((Kind.ADDRESS, site))
        if target is None or target.silent is None:
            return None
        return target.up if target.up or target.usual else None

    def _plan(self, target: Target, due: float) -> None:
        if due != target.due:
            target.due = due
            self._planned += 1
            heappush(self._heap, (due, self._planned, target.ask.key))


def _every_s(target: Target, now: float) -> float:
    if target.ask.kind is Kind.REFERENCE:
        return REFERENCE_S
    lately = target.silent is not None and now - target.silent < LATELY_S
    return OVERDUE_S if lately else ADDRESS_S
