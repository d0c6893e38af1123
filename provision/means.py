"""What every push has at hand: the journal, the offices' reports, a clock, and a way to say things.

Everything that is written down or said goes through here, and loses its secrets here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from provision import gate
from provision.configuration import Sections, digest
from provision.gate import Baseline, Heard
from provision.journal import Journal, Subject, Transaction
from provision.states import Event
from tabuah.errors import TabuahError
from tabuah.wall import wall_ms

POLL_S = 1.0


class Evidence(Protocol):
    """Where the office's reports come from."""

    def reports(self, site: str, now: datetime) -> list[Heard]:
        """Return an office's recent reports."""
        ...

    def announce(self, site: str, seconds: int, why: str, by: str) -> str:
        """Announce work at an office, so that its silence is no incident; return its id."""
        ...

    def ended(self, work: str, by: str) -> None:
        """Say that announced work is over."""
        ...


class Means:
    """For the transactions of one journal, in one thread."""

    def __init__(
        self,
        journal: Journal,
        evidence: Evidence,
        key: bytes,
        *,
        say: Callable[[Transaction, str], None] = lambda _tx, _words: None,
        stop: threading.Event | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        hide: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make one.

        Args:
            journal: where the transactions are.
            evidence: where the offices' reports come from.
            key: of the digests.
            say: is told each step, and what is waited for.
            stop: when it is set, what is under way is undone, as at Ctrl-C.
            now: the time by the clock that stamps the reports' reception.
            hide: takes secrets out of what a device says.
            clock: seconds that only grow; every deadline is kept by it.
            sleep: waits so many of them.
        """
        self.journal = journal
        self._evidence = evidence
        self._key = key
        self._say = say
        self._stop = stop if stop is not None else threading.Event()
        self._now = now
        self._hide = hide
        self._sleep = sleep
        self.clock = clock

    def moved(self, tx: str, event: Event, **facts: object) -> Transaction:
        """Write a step down, and tell of it."""
        shown = {key: self._hidden(value) for key, value in facts.items()}
        known = self.journal.move(tx, event, wall_ms(), **shown)
        self._say(known, str(shown.get("reason", "")))
        return known

    def noted(self, tx: str, subject: Subject, **facts: object) -> None:
        """Write down what was seen."""
        shown = {key: self._hidden(value) for key, value in facts.items()}
        self.journal.note(tx, subject, wall_ms(), **shown)

    def _hidden(self, value: object) -> object:
        if isinstance(value, str):
            return self._hide(value)
        if isinstance(value, dict):
            return {key: self._hidden(one) for key, one in value.items()}
        return value

    def heard(self, site: str) -> list[Heard] | None:
        """Return the office's recent reports; None when the collector is away."""
        with suppress(TabuahError):
            return self._evidence.reports(site, self._now())
        return None

    def announced(self, site: str, seconds: int, tx: str) -> str:
        """Announce the push as work at its office; return its id, empty where nobody heard."""
        with suppress(TabuahError):
            return self._evidence.announce(site, seconds, f"tabuah config push {tx}", "tabuah")
        return ""

    def work_ended(self, work: object) -> None:
        """Say that it is over: from now on the office's silence is told."""
        if isinstance(work, str) and work:
            with suppress(TabuahError):
                self._evidence.ended(work, "tabuah")

    def told(self, tx: Transaction, words: str) -> None:
        """Tell what is waited for."""
        self._say(tx, self._hide(words))

    def digest(self, sections: Sections) -> str:
        """Return a configuration's name."""
        return digest(sections, self._key)

    def heed(self) -> None:
        """Go on, unless somebody wants us to stop.

        Raises:
            KeyboardInterrupt: somebody does.
        """
        if self._stop.is_set():
            raise KeyboardInterrupt

    def pause(self, *, stopping: bool) -> None:
        """Wait between two questions.

        Raises:
            KeyboardInterrupt: it is to stop, and is not `stopping` already.
        """
        if not stopping:
            self.heed()
        self._sleep(POLL_S)

    def baseline(self, site: str) -> Baseline | str:
        """Return how the office is now, or why it cannot be said."""
        try:
            now = self._now()
            reports = self._evidence.reports(site, now)
        except TabuahError as error:
            return str(error)
        return gate.baseline(reports, _ms(now))

    def worse_since(self, site: str, before: Baseline) -> str | None:
        """Return in what an office is worse than it was before; None when it is not."""
        try:
            now = self._now()
            reports = self._evidence.reports(site, now)
        except TabuahError as error:
            return str(error)
        return gate.worse_since(before, reports, _ms(now))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
