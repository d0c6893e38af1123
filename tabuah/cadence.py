"""How an agent's time is laid out: how long a run of a probe lasts, and when it begins. Pure.

The agent goes by it, the inventory refuses what does not fit, and the centre reads from it when
the packets of a report left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from tabuah.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable

PACKET_SPACING_S: Final = 0.1
"""Between the packets of one run of ping or udp."""
MOST_PACKETS: Final = 20
"""Of one run."""
SHORTEST_INTERVAL_S: Final = 1.0
"""Between reports, runs of a probe or polls of a device."""
SHORTEST_TIMEOUT_S: Final = 0.1
USUAL_TIMEOUT_S: Final = 2.0
SLACK_S: Final = 0.2
"""Between the end of the slowest run and its report."""


class Run(Protocol):
    """What a probe does each time, in the agent's words and in the inventory's."""

    @property
    def every_s(self) -> float:
        """How often it begins."""

    @property
    def count(self) -> int:
        """How many packets it sends."""

    @property
    def timeout_s(self) -> float:
        """How long it waits after the last of them."""


def lasts_s(count: int, timeout_s: float) -> float:
    """Return how long a run lasts at most: one that lost a packet waits for it."""
    return round((count - 1) * PACKET_SPACING_S + timeout_s, 6)


def lead_s(interval_s: float, runs: Iterable[Run]) -> float:
    """Return how long before a report leaves the probes of each cycle begin.

    A run that lost a packet must have ended by then. If it ended only after its report, one without
    loss would stand in the next report in its place, and a lossy line would read too well.
    """
    of_each_cycle = [lasts_s(r.count, r.timeout_s) for r in runs if r.every_s <= interval_s]
    return min(max(of_each_cycle) + SLACK_S, interval_s) if of_each_cycle else 0.0


def longest_timeout_s(every_s: float, count: int) -> float:
    """Return how long a run waits that says nothing of it: 2 s, or what its packets leave."""
    return max(SHORTEST_TIMEOUT_S, min(USUAL_TIMEOUT_S, round(every_s - lasts_s(count, 0.0), 6)))


def too_long(every_s: float, count: int, timeout_s: float) -> str | None:
    """Return why runs would overlap, and what to do; None if they would not."""
    longest_s = lasts_s(count, timeout_s)
    if longest_s <= every_s:
        return None
    packets = f" ({count} packets {duration_text(PACKET_SPACING_S)} apart, then the timeout)"
    return (
        f"a run may last {duration_text(longest_s)}{packets if count > 1 else ''}, longer than "
        f"'every' ({duration_text(every_s)}); lower 'timeout' or 'count'"
    )
