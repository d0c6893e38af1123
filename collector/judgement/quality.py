"""Is a line that answers good enough? By the bounds of its technology, over two minutes.

600 ms is normal over a satellite and a fault over fibre. One lost packet of six means nothing:
loss counts from three lost packets on, round trip and jitter by their median. What made a line
degraded must be gone for the whole window, so that it ends within 3 min of good readings and
does not flutter at the bound. A full line is told from a bad one by its traffic.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final

from collector.judgement.case import Slow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector.judgement.evidence import Look
    from inventory.model import Bounds

WINDOW_MS: Final = 120_000
LEAST_SPAN_MS: Final = 50_000
LEAST_SAMPLES: Final = 3
LEAST_LOST: Final = 3
SETTLING: Final = 2
"""Cycles after a fall that tell in part of the fall: what was asked before the line was back."""
MOST_HELD: Final = 3
"""Samples in a row in which a line carried nothing, and yet did not fall."""
LATELY: Final = 3
"""Samples that tell how lossy a line has become."""
CLEAR_LOST: Final = 1
"""So many lost packets are still no loss."""
FULL: Final = 0.9
"""Share of the bandwidth from which a line is full: queues grow well before 100 %."""


@dataclass(slots=True)
class Quality:
    """The last two minutes of one circuit."""

    bounds: Bounds
    window_ms: int = WINDOW_MS
    slow: Slow | None = None
    """What is worse than its bounds; None while all is within them."""
    since_ms: int | None = None
    settling: bool = False
    """The last cycle tells in part of a fall: what was asked before the line was back."""
    _samples: deque[tuple[int, Look]] = field(default_factory=deque)
    """When, and what."""
    _unsound_ms: int = -WINDOW_MS
    """When a reading was last beyond a bound by itself, or a packet lost."""
    _settling: int = 0
    """So many samples more are let pass."""
    _held: list[tuple[int, Look]] = field(default_factory=list)
    """The last samples, if they lost packets: the next tells whether the line was falling."""

    def add(self, at_ms: int, look: Look) -> Slow | None:
        """Take one cycle's readings; return what is worse than its bounds now."""
        self.settling = self._settling > 0
        if self.settling:
            self._settling -= 1
            return self.slow
        if not self._within(look):
            self._unsound_ms = at_ms
        if look.carried is not False or len(self._held) >= MOST_HELD:
            for held in self._held:
                self.take(*held)
            self._held.clear()
        if look.lost or look.first_hop_lost:
            self._held.append((at_ms, look))
        else:
            self.take(at_ms, look)
        if not self._samples:
            return self.slow
        looks = [sample for _, sample in self._samples]
        span = at_ms - self._samples[0][0]
        if len(looks) < LEAST_SAMPLES or span < min(LEAST_SPAN_MS, self.window_ms // 2):
            return self.slow
        found = self._worse(looks)
        if found is not None and self.slow is None:
            self.since_ms = self._samples[0][0]
        if found is not None or self._clear(looks):
            self.slow = found
        if self.slow is None:
            self.since_ms = None
        return self.slow

    def is_calm(self, at_ms: int, look: Look) -> bool:
        """Return whether readings are within all bounds, after two minutes of such ones."""
        long_ago = at_ms - self._unsound_ms > self.window_ms
        return self.slow is None and long_ago and not self._settling and self._within(look)

    def take(self, at_ms: int, look: Look) -> None:
        """Take readings that change nothing (`is_calm`)."""
        samples = self._samples
        samples.append((at_ms, look))
        while at_ms - samples[0][0] > self.window_ms:
            samples.popleft()

    def _within(self, look: Look) -> bool:
        """Return whether a reading by itself is no worse than its bounds."""
        if look.lost or look.first_hop_lost:
            return False
        rtt, jitter, bounds = look.rtt_us, look.jitter_us, self.bounds
        return (rtt is None or rtt <= bounds.rtt_s * 1e6) and (
            jitter is None or jitter <= bounds.jitter_s * 1e6
        )

    def fell(self) -> None:
        """Note that the line fails: what was lost last was the begin of that."""
        self._held.clear()

    def forget(self) -> None:
        """Begin anew: after a silence the old readings say nothing."""
        self._samples.clear()
        self._held.clear()
        self._settling = SETTLING
        self.slow, self.since_ms = None, None

    def loss(self) -> float:
        """Return the share of packets lost, the more of two minutes and lately."""
        looks = [look for _, look in self._samples]
        looks += (look for _, look in self._held)
        return max(_loss(looks), _loss(looks[-LATELY:]))

    def _worse(self, looks: list[Look]) -> Slow | None:
        sent, lost = sum(one.sent for one in looks), sum(one.lost for one in looks)
        rtt, jitter = _median(one.rtt_us for one in looks), _median(one.jitter_us for one in looks)
        says = []
        if sent and lost >= LEAST_LOST and lost / sent > self.bounds.loss:
            says.append(f"loss {lost} of {sent} packets (bound {self.bounds.loss:.1%})")
        if rtt is not None and rtt / 1e6 > self.bounds.rtt_s:
            says.append(f"round trip {rtt / 1000:.0f} ms (bound {self.bounds.rtt_s * 1000:.0f} ms)")
        if jitter is not None and jitter / 1e6 > self.bounds.jitter_s:
            bound = self.bounds.jitter_s * 1000
            says.append(f"jitter {jitter / 1000:.0f} ms (bound {bound:.0f} ms)")
        if not says:
            return None
        # While it is worse: what was lost in a full line was not lost by an idle one later on.
        load = _median(one.load for one in looks if not self._within(one))
        if load is not None:
            says.append(f"{load:.0%} of the bandwidth in use")
        return Slow(
            says="; ".join(says),
            from_first_hop=self._hop_too(looks),
            full=None if load is None else load >= FULL,
        )

    def _hop_too(self, looks: list[Look]) -> bool | None:
        sent = sum(one.first_hop_sent for one in looks)
        if not sent:
            return None
        lost = sum(one.first_hop_lost for one in looks)
        rtt = _median(one.first_hop_rtt_us for one in looks)
        beyond = sum(one.sent for one in looks)
        share = sum(one.lost for one in looks) / beyond if beyond else 0.0
        # Few packets: it shares the loss if it shows half of it.
        lossy = lost > 0 and lost / sent > self.bounds.loss and lost / sent >= share / 2
        # The first hop is most of a bad access line's delay, and little of a bad core's.
        slow = rtt is not None and rtt / 1e6 > 0.8 * self.bounds.rtt_s
        return lossy or slow

    def _clear(self, looks: list[Look]) -> bool:
        return sum(one.lost for one in looks) <= CLEAR_LOST


def _loss(looks: list[Look]) -> float:
    sent = sum(one.sent + one.first_hop_sent for one in looks)
    lost = sum(one.lost + one.first_hop_lost for one in looks)
    return lost / sent if sent else 0.0


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
