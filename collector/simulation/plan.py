"""How simulated offices behave in a run: cuts, clocks, and when each reports. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """Seconds without a line, or without power."""

    seconds: float
    after_s: float
    """It begins so long after the start."""
    sites: int | None = None
    """Of the first so many offices; None = of all."""

    def covers(self, number: int, since_start_s: float) -> bool:
        """Return whether it holds for the office of that number (from 0) then."""
        within = self.after_s <= since_start_s < self.after_s + self.seconds
        return within and (self.sites is None or number < self.sites)


@dataclass(frozen=True, slots=True)
class ClockFault:
    """A wrong wall clock."""

    ahead_s: float | None
    """Seconds ahead of the true time; None = it was 1970 when the office booted."""
    sites: int | None = None
    """Of so many offices, the next after those of the faults before it; None = of all the rest."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run."""

    interval_s: float
    seconds: float
    """0 = until stopped."""
    loss: float = 0.0
    """Share of datagrams lost, each way."""
    cuts: tuple[Cut, ...] = ()
    power_cuts: tuple[Cut, ...] = ()
    backlog: int = 0
    """Reports in each office's spool when it begins."""
    all_at_once: bool = False
    """The power has just returned: all boot, and report in the same moment; what is in their spools
    is of the boot before."""
    clocks: tuple[ClockFault, ...] = ()

    def due_in_all(self, offices: int) -> int:
        """Return how many live reports there are in the whole run."""
        return round(offices * self.seconds / self.interval_s)

    def due_s(self, number: int, offices: int) -> float:
        """Return when the live report of that number (from 0) is due, in seconds from the start.

        Offices report in turn, evenly over the interval.
        """
        turn = number % offices
        phase = 0.0 if self.all_at_once and number < offices else turn / offices
        return (number // offices + phase) * self.interval_s

    def cut_off(self, number: int, since_start_s: float) -> bool:
        """Return whether the line of that office carries nothing then."""
        return any(cut.covers(number, since_start_s) for cut in self.cuts)

    def clock_of(self, number: int) -> ClockFault | None:
        """Return what is wrong with the clock of that office; None where it is right."""
        for fault in self.clocks:
            if fault.sites is None or number < fault.sites:
                return fault
            number -= fault.sites
        return None
