"""Pushes that wait for their office: it was away, or served its public. Kept in the journal.

What waits was never begun. It is taken by `tabuah config resume`, or by the next push of its plan;
what has waited too long is told, and never pushed by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from provision.journal import Journal, Subject
from tabuah.chain import canonical

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Queued:
    """One push that waits."""

    site: str
    device: str
    plan: str
    """The digest of its plan."""
    entry: Json
    """Of the plan: digests and risk; who planned and who pushed it."""
    why: str
    queued_ms: int
    expires_ms: int

    def expired(self, now_ms: int) -> bool:
        """Return whether it has waited too long."""
        return now_ms >= self.expires_ms


class Queue:
    """What waits, in one journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def add(self, one: Queued) -> None:
        """Have it wait, in place of whatever waited for that device. A known one waits no longer.

        Raises:
            JournalError: it cannot be written.
        """
        known = {(q.site, q.device): q for q in self.all()}.get((one.site, one.device))
        same = known is not None and known.plan == one.plan and not known.expired(one.queued_ms)
        if known is not None and same and known.why == one.why:
            return
        expires_ms = known.expires_ms if known is not None and same else one.expires_ms
        with self._journal.writing():
            self._journal.write(
                "INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(one.site, one.device, one.plan, canonical(one.entry), one.why),
                *(one.queued_ms, expires_ms),
            )
            self._audit(one.queued_ms, one, "waits", why=one.why, expires_ms=expires_ms)

    def remove(self, one: Queued, now_ms: int, why: str) -> None:
        """Have it wait no longer.

        Raises:
            JournalError: as `add`.
        """
        with self._journal.writing():
            self._journal.write(
                "DELETE FROM queue WHERE site = ? AND device = ?", one.site, one.device
            )
            self._audit(now_ms, one, "waits no longer", why=why)

    def all(self) -> list[Queued]:
        """Return all that waits, expired or not, the oldest first."""
        rows = self._journal.read(
            "SELECT site, device, plan, entry, why, queued_ms, expires_ms FROM queue"
            " ORDER BY queued_ms, site, device"
        )
        return [Queued(s, d, p, json.loads(e), w, at, until) for s, d, p, e, w, at, until in rows]

    def _audit(self, now_ms: int, one: Queued, said: str, **more: object) -> None:
        body = {"plan": one.plan, "site": one.site, "device": one.device, "said": said, **more}
        self._journal.audit_row(now_ms, Subject.QUEUE, body)
