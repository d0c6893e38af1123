"""One office's line: its condition, and what that does to a datagram or a stretch of a stream.

Pure: chance comes in as a number, sockets are `demo.relay`'s. TCP never loses octets; what a
lossy line does to it is time, so a lost segment costs a retransmission timeout, doubled each
time (RFC 6298 section 5.5), from Linux's smallest, 200 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RTO_S = 0.2
MOST_RETRANSMISSIONS = 6


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with a line now; the default is a good line."""

    cut: bool = False
    loss_ratio: float = 0.0
    """Of the packets, each way."""
    delay_s: float = 0.0
    """Added round trip: half of it each way."""

    @property
    def dead(self) -> bool:
        """Whether nothing can pass, ever, in this condition."""
        return self.cut or self.loss_ratio >= 1

    def __str__(self) -> str:
        """Return the condition as the table shows it."""
        if self.cut:
            return "cut"
        parts = []
        if self.loss_ratio:
            parts.append(f"{self.loss_ratio:.0%} lost each way")
        if self.delay_s:
            parts.append(f"+{self.delay_s * 1000:.0f} ms")
        return ", ".join(parts) or "good"


class Why(Enum):
    """Why a packet goes, or does not."""

    PASSED = "passed"
    LOST = "lost"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Fate:
    """What the line does with one packet."""

    why: Why
    after_s: float = 0.0
    """How long it is under way, when it passes."""

    @property
    def passes(self) -> bool:
        """Whether it arrives."""
        return self.why is Why.PASSED


def datagram_fate(condition: Condition, luck: float) -> Fate:
    """Return what becomes of one datagram; `luck` is drawn evenly from [0, 1)."""
    if condition.cut:
        return Fate(Why.CUT)
    if luck < condition.loss_ratio:
        return Fate(Why.LOST)
    return Fate(Why.PASSED, condition.delay_s / 2)


def segment_fate(
    condition: Condition, draw: Callable[[], float], *, handshake: bool = False
) -> Fate:
    """Return what becomes of one stretch of a stream; `draw` gives numbers from [0, 1).

    A handshake crosses the line both ways, so it takes the whole round trip. `CUT` means: hold
    it until the condition changes.
    """
    if condition.dead:
        return Fate(Why.CUT)
    after_s = condition.delay_s if handshake else condition.delay_s / 2
    for attempt in range(MOST_RETRANSMISSIONS):
        if draw() >= condition.loss_ratio:
            break
        after_s += RTO_S * 2**attempt
    return Fate(Why.PASSED, after_s)


@dataclass(slots=True)
class Line:
    """A line that has a condition now, draws its luck, and tells its relays of changes."""

    seed: int = 0
    condition: Condition = field(default_factory=Condition)
    _random: Random = field(init=False)
    _watchers: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - weather, not a secret

    def datagram(self) -> Fate:
        """Return what becomes of a datagram that enters now."""
        return datagram_fate(self.condition, self._random.random())

    def segment(self, *, handshake: bool = False) -> Fate:
        """Return what becomes of a stretch of a stream that enters now."""
        return segment_fate(self.condition, self._random.random, handshake=handshake)

    def watch(self, changed: Callable[[], None]) -> None:
        """Have `changed` called after each change of condition."""
        self._watchers.append(changed)

    def become(self, condition: Condition) -> None:
        """Take on `condition`; packets under way through a line that is now cut are lost."""
        self.condition = condition
        for changed in self._watchers:
            changed()
