"""The words of a month's verdict: shares of time, tickets, figures, episodes. Pure.

`collector.sla` fills them in; what may come out of a report stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from zoneinfo import ZoneInfo

from collector.stretches import Stretch
from collector.windows import Window, month_window
from inventory.hours import Hours
from inventory.model import ClockStart, Sla


class Share(Enum):
    """To what a piece of the month is put down; all shares of a month add up to H."""

    UP = "up"
    COUNTABLE = "countable"
    """D."""
    OPEN = "open"
    """Downtime whose liability a person has yet to set."""
    SHORT = "short"
    """Downtime in an outage no longer than `min_outage`."""
    EXCLUDED = "excluded"
    OFF = "off"
    UNKNOWN = "unknown"
    AHEAD = "ahead"
    """Has not come yet: the report was made before the month was over."""


class Liability(Enum):
    """Whose an outage is, as a person has set it."""

    PROVIDER = "provider"
    OTHER = "other"
    """The office, the power company, anyone but the provider."""


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in the organisation's zone."""

    year: int
    month: int
    zone: ZoneInfo

    @property
    def window(self) -> Window:
        """Return its first millisecond and the one after its last."""
        return month_window(self.year, self.month, self.zone)

    def __str__(self) -> str:
        """Return it as the commands take it: 2026-11."""
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The provider's number for an outage; an outage may have several, and a ticket many."""

    number: str
    outage: str
    opened_ms: int
    closed_ms: int | None = None
    """None while it is open."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one circuit around a month."""

    site: str
    circuit: str
    stretches: Sequence[Stretch] = ()
    """In any order, overlapping or not; those that reach over the month's edges unclipped, for
    an outage's length is that of the whole."""
    tickets: Sequence[Ticket] = ()
    liabilities: Mapping[str, Liability] = field(default_factory=dict)
    """By outage."""
    evidence: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By outage: what the verdict rests on, in the reader's language."""
    in_service: tuple[int | None, int | None] = (None, None)
    """From, to: None = since ever, until further notice."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the month within H, and to what it is put down."""

    stretch: Stretch
    share: Share
    episode: int
    """Its place in `CircuitMonth.episodes`; -1 for time that was up."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One unbroken stretch without service or without knowledge, and what of it fell into H."""

    stretch: Stretch
    """Whole: before month, service hours and windows of maintenance cut it."""
    unbroken_ms: int
    """The length that `min_outage` is compared with: of the same cause without a break."""
    times: Mapping[Share, int]
    ticketed_ms: int
    """What of its countable time lies within its tickets."""
    tickets: tuple[Ticket, ...]
    liability: Liability | None
    evidence: tuple[str, ...]
    late_repair: bool
    """It lasted longer than the contract's longest repair (`mttr`)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What follows under one clock: as measured, or within the tickets."""

    countable_ms: int
    open_ms: int
    unknown_ms: int
    low: Fraction
    """Availability with the unknown counted as down."""
    high: Fraction
    """Availability with the unknown counted as up: the contract's A."""
    claim: int | None
    """Rupiah on D; None without a fee in the contract."""
    potential: int | None
    """Rupiah on D and the unknown."""
    with_open: int | None
    """Rupiah on D and the downtime of open liability, were all of it the provider's."""


@dataclass(frozen=True, slots=True)
class CircuitMonth:
    """The verdict on one circuit's month."""

    site: str
    circuit: str
    month: Month
    window: Window
    """The part of the month in which the circuit was in service."""
    as_of_ms: int
    """The end of what was judged: the month's end, or earlier if it is not over."""
    hours: Hours | None
    sla: Sla | None
    """None: the inventory holds no contract, so nothing is promised and nothing claimed."""
    hours_ms: int
    """H."""
    fee: Fraction | None
    """Rupiah, scaled to the part of the month in service."""
    times: Mapping[Share, int]
    measured: Figures
    ticketed: Figures
    episodes: tuple[Episode, ...]
    pieces: tuple[Piece, ...]

    @property
    def final(self) -> bool:
        """Whether the month is over."""
        return self.as_of_ms >= self.month.window[1]

    @property
    def due(self) -> Figures:
        """Return the figures under the clock that the contract names."""
        by_ticket = self.sla is not None and self.sla.clock_start is ClockStart.TICKET
        return self.ticketed if by_ticket else self.measured

    @property
    def down_ms(self) -> int:
        """Return all measured downtime, whether it counts or not."""
        return sum(self.times[share] for share in (Share.COUNTABLE, Share.OPEN, Share.SHORT))

    @property
    def lost_ms(self) -> int:
        """Return the countable downtime outside the tickets."""
        return self.measured.countable_ms - self.ticketed.countable_ms

    @property
    def lost_rupiah(self) -> int | None:
        """Return what a contract whose clock is the ticket would pay less."""
        if self.measured.claim is None or self.ticketed.claim is None:
            return None
        return self.measured.claim - self.ticketed.claim

    @property
    def kept(self) -> bool | None:
        """Whether the promised availability was kept; None when the unknown decides it."""
        if self.sla is None:
            return None
        promised = Fraction(self.sla.availability)
        if self.due.high < promised:
            return False
        return True if self.due.low >= promised and self.final else None
