"""The state of each office, from what is heard of it and what is not. Pure.

An office is silent when its report is overdue: `interval + 12 retries + 1 s` after the last,
where a retry is `max(0.5 s, 1.5 x smoothed RTT)` as its agent counts it. On a fast line at
10 s that is 17 s; with 30 % loss each way one office in 2,000 is called so falsely in a day.

No office is judged before the collector itself has listened for as long: after a start, or a
stall of its own loop, what was not heard says nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from collector.live import Heard, SiteView, State

if TYPE_CHECKING:
    from collections.abc import Iterable


RETRIES: Final = 12
SLACK_S: Final = 1.0
STALL_S: Final = 2.0
"""A loop that was away for longer has not listened."""


class Signal(Enum):
    """What can happen to an office's state."""

    HEARD = "heard"
    OVERDUE = "overdue"


TRANSITIONS: Final[dict[tuple[State, Signal], State]] = {
    (State.UNKNOWN, Signal.HEARD): State.UP,
    (State.SILENT, Signal.HEARD): State.UP,
    (State.UP, Signal.HEARD): State.UP,
    (State.UP, Signal.OVERDUE): State.SILENT,
    # Heard before this collector started, and not since: silent once it has listened.
    (State.UNKNOWN, Signal.OVERDUE): State.SILENT,
    (State.SILENT, Signal.OVERDUE): State.SILENT,
}
"""Absent pairs do not happen: degraded and down are not judged from silence alone."""


@dataclass(frozen=True, slots=True)
class Change:
    """An office's state became another."""

    site: str
    before: State
    after: State
    at_ms: int
    """When it began: a silence begins with the last report that came."""


def threshold_s(interval_ms: int, srtt_ms: int) -> float:
    """Return after how many seconds without a report an office is silent."""
    return interval_ms / 1000 + RETRIES * max(0.5, 1.5 * srtt_ms / 1000) + SLACK_S


def _least_s(last: Heard) -> float:
    """Return the threshold as it is on a fast line: the head of the report is enough for it."""
    return threshold_s(last.interval_ms, 0)


class Health:
    """The states of all offices. `now` is monotonic seconds, `now_ms` ms since 1970 UTC."""

    def __init__(self, sites: Iterable[str], now: float, now_ms: int) -> None:
        self.views = {
            code: SiteView(code, State.UNKNOWN, now_ms) for code in map(sys.intern, sites)
        }
        self._due: dict[str, float] = {}
        """When each office was heard, on the collector's monotonic clock (0 = not since the
        start), and the least threshold: before this nothing is overdue, and the report is not
        looked into for its round trip, which for most is never."""
        self._thresholds: dict[str, float] = {}
        """Of those that are past it."""
        self._listening_since = now
        self._ticked = now

    def renew(self, sites: Iterable[str], now_ms: int) -> None:
        """Take up another list of offices; those that stay keep their state."""
        self.views = {
            code: self.views.get(code) or SiteView(code, State.UNKNOWN, now_ms)
            for code in map(sys.intern, sites)
        }
        self._due = {code: due for code, due in self._due.items() if code in self.views}
        self._thresholds = {c: s for c, s in self._thresholds.items() if c in self.views}

    def expect(self, site: str, last: Heard) -> None:
        """Note a report from before the start: its office is expected to go on reporting."""
        self.views[site].last = last
        self._due[site] = _least_s(last)
        self._thresholds.pop(site, None)

    def still_silent(self, site: str, since_ms: int) -> None:
        """Note that an office was silent before the start, and that people were told."""
        view = self.views[site]
        view.state, view.since_ms = State.SILENT, since_ms

    def heard(self, site: str, received: Heard, now: float) -> Change | None:
        """Note a live report; return the change of state that it made."""
        view = self.views.get(site)
        if view is None:
            return None
        self._due[site] = now + _least_s(received)
        if self._thresholds:
            self._thresholds.pop(site, None)
        view.last = received
        # A report that was made in the cut and retried proves the line only once it is here.
        return self._signal(view, Signal.HEARD, received.received_ms)

    def has_stalled(self, now: float) -> bool:
        """Return whether it is so long since the last tick that nobody listened."""
        return now - self._ticked > STALL_S

    def tick(self, now: float, now_ms: int) -> list[Change]:
        """Return the offices that fell silent; to be called at least each second."""
        if self.has_stalled(now):
            self._listening_since = now
        self._ticked = now
        changes = []
        for code, due in self._due.items():
            if now <= due:
                continue
            view = self.views[code]
            if view.last is None:
                continue
            threshold = self._thresholds.get(code)
            if threshold is None:
                threshold = threshold_s(view.last.interval_ms, view.last.srtt_ms)
                self._thresholds[code] = threshold
            heard = due - _least_s(view.last)
            if now - max(heard, self._listening_since) <= threshold:
                continue
            change = self._signal(view, Signal.OVERDUE, view.last.received_ms)
            if change is not None:
                changes.append(change)
        return changes

    def _signal(self, view: SiteView, signal: Signal, at_ms: int) -> Change | None:
        before, after = view.state, TRANSITIONS[view.state, signal]
        if after is before:
            return None
        view.state, view.since_ms = after, at_ms
        return Change(view.code, before, after, at_ms)
