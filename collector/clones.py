"""Clones: do two agents report with one configuration? Pure.

Each start of an agent draws an epoch, and an office has one agent. So one epoch ends before the
next begins, and a report that was measured after another epoch of its office had begun comes from
a second agent: a copied disk, or a spare machine that was left on.

It is the time of measuring that proves it (`collector.placing`), not the order of arrival: a
datagram that was delayed or replayed tells of a time before. (Unless nothing of its boot came
sooner: then it is placed when it came.) Spooled reports are not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CERTAIN_S: Final = 5.0
"""Two clocks that are each believed to 2 s (`placing.AGREES_MS`) may disagree by 4, and a line's
delay is in the time of measuring: what is no later than this proves nothing."""
WARN_AGAIN_S: Final = 600.0
EPOCHS_MOST: Final = 8
"""Epochs remembered of one office."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A report of one of two agents that are alive at once."""

    epoch: int
    other: int
    """The epoch that was heard before it."""
    warn: bool
    """Whether it is time to tell a person (again)."""


@dataclass(slots=True)
class _Office:
    """The epochs of one office; most have one."""

    speaking: int
    """The epoch heard last, delayed reports of older ones left out."""
    since: float
    """When it was first measured live."""
    before: tuple[tuple[int, float], ...] = ()
    """The other epochs and when they were; of these, too, the one heard last is last."""
    warned: float | None = None

    def turn_to(self, epoch: int, since: float) -> None:
        """Take another epoch for the one that speaks."""
        others = (one for one in self.before if one[0] != epoch)
        self.before = (*others, (self.speaking, self.since))[1 - EPOCHS_MOST :]
        self.speaking, self.since = epoch, since


class Clones:
    """What is known of the epochs of each office. Times are the collector's monotonic seconds."""

    def __init__(self) -> None:
        self._offices: dict[str, _Office] = {}

    def judge(
        self, site: str, epoch: int, measured: float, now: float, *, live: bool
    ) -> Sighting | None:
        """Return what a new report that was not spooled proves; None when it proves nothing.

        Args:
            site: whose report it is.
            epoch: its epoch.
            measured: when it was measured, on the clock of `now`.
            now: when it came.
            live: it is the office's newest: with it, an epoch may begin.
        """
        office = self._offices.get(site)
        if office is None:
            if live:
                self._offices[site] = _Office(epoch, measured)
            return None
        if epoch == office.speaking:
            return None
        since = next((began for known, began in office.before if known == epoch), None)
        if since is None:
            if live:
                office.turn_to(epoch, measured)
            return None
        other = office.speaking
        if measured <= office.since + CERTAIN_S:
            return None
        office.turn_to(epoch, since)
        warn = office.warned is None or now - office.warned >= WARN_AGAIN_S
        if warn:
            office.warned = now
        return Sighting(epoch, other, warn)
