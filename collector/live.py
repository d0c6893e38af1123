"""The live view: for each site its state and its newest report, as the page and metrics show it.

Late reports never come here (design decision 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tabuah.report import Report


class State(Enum):
    """What is known of a site now. The value is the word in metrics and API."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    SILENT = "silent"
    UNKNOWN = "unknown"


class Heard(Protocol):
    """A report that was taken from the socket, be it still packed: it is opened by who looks."""

    @property
    def received_ms(self) -> int:
        """The collector's clock when it came, ms since 1970 UTC."""

    @property
    def time_ms(self) -> int:
        """When it was measured: see `Received`."""

    @property
    def corrected(self) -> bool:
        """Whether that is not the office's own word."""

    @property
    def interval_ms(self) -> int:
        """When its office means to report again."""

    @property
    def srtt_ms(self) -> int:
        """The smoothed round trip of its office's reports; 0 = not known."""

    def opened(self) -> Received:
        """Return all that it says; takes some 0.2 ms if it is packed."""


@dataclass(frozen=True, slots=True)
class Received:
    """A report and when the collector took it from the socket."""

    report: Report
    received_ms: int
    """The collector's clock, ms since 1970 UTC."""
    time_ms: int
    """When it was measured: the office's clock where it can be believed, else corrected."""
    corrected: bool
    late: bool
    skew_ms: int | None = None
    """The office's clock minus the true time, positive = ahead, as `collector.placing` found it;
    None when the report was read back from the store."""
    unread: bool = False
    """Only its head could be read: it is damaged, or of a newer version than this collector's."""

    @property
    def interval_ms(self) -> int:
        """When its office means to report again."""
        return self.report.interval_ms

    @property
    def srtt_ms(self) -> int:
        """The smoothed round trip of its office's reports; 0 = not known."""
        return self.report.agent.srtt_ms

    def opened(self) -> Received:
        """Return itself."""
        return self


@dataclass(slots=True)
class SiteView:
    """One line of the overview."""

    code: str
    state: State
    since_ms: int
    """When the state began, ms since 1970 UTC."""
    last: Heard | None = None
    """The newest live report; kept when the site goes silent, for its time alone."""
    clone_reports: int = 0
    """Reports by which a second agent with the site's configuration showed, since the start."""
    cloned_ms: int | None = None
    """When the last of them came, ms since 1970 UTC."""
    lines: tuple[tuple[str, State], ...] = ()
    """Circuits that were judged degraded or down: more than the newest report alone tells."""
