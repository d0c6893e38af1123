"""Escalation: what nobody acknowledged in time is told again, marked as that. Pure.

Once for an incident, and never of what is only information. A ticket's number is an
acknowledgement too: somebody looks after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from inventory.model import Severity
from tabuah.speech import span

if TYPE_CHECKING:
    from alerts.case import Case

REASON: Final = "nobody has acknowledged it in time"
_MARKS: Final = {
    "id": "ESKALASI, {after} tanpa tanggapan: {summary}",
    "en": "ESCALATED, {after} without acknowledgement: {summary}",
}


def ripe(case: Case, after_s: float, now_ms: int) -> bool:
    """Return whether a case that lasts was told so long ago that somebody should look after it."""
    grave = case.first.severity != Severity.INFO.value
    return grave and now_ms >= case.fired_ms + after_s * 1000


def marked(summary: str, language: str, after_s: float) -> str:
    """Return a summary that says so."""
    after = span(language, round(after_s * 1000))
    return _MARKS[language].format(after=after, summary=summary)
