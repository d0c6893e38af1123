"""Datagrams in an office's name that did not pass, since its last good report. Pure.

Anyone who has read a user's name on the way can send such a thing: it is shown beside the silence
of the office, and decides nothing. Only offices that we know are counted, so that strangers take
no memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tabuah.snmp.receiver import Reason

COUNTED: Final = frozenset(
    {
        Reason.UNKNOWN_ENGINE,
        Reason.UNKNOWN_USER,
        Reason.UNSUPPORTED_LEVEL,
        Reason.WRONG_DIGEST,
        Reason.NOT_IN_WINDOW,
        Reason.DECRYPTION,
    }
)


@dataclass(slots=True)
class Refusals:
    """Counts by office and reason."""

    since_heard: dict[str, Counter[Reason]] = field(default_factory=dict)
    total: dict[tuple[str, Reason], int] = field(default_factory=dict)
    """Since the start, for the metrics."""

    def note(self, site: str, reason: Reason) -> None:
        """Count one, of an office that exists."""
        if reason in COUNTED:
            self.since_heard.setdefault(site, Counter())[reason] += 1
            self.total[site, reason] = self.total.get((site, reason), 0) + 1

    def heard(self, site: str) -> None:
        """Note that a good report came: what was before it is of no account."""
        self.since_heard.pop(site, None)

    def count(self, site: str, reason: Reason) -> int:
        """Return how many there were for that reason since the office's last good report."""
        counts = self.since_heard.get(site)
        return 0 if counts is None else counts[reason]
