"""What the page of one incident shows, as values: the story that the API tells, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.words import cause_says
from collector import formats
from collector.pages.words import word
from inventory.model import Inventory, Language
from tabuah.speech import instant_ms

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened, was seen or said."""

    at: str
    says: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A verdict as it was written."""

    number: int
    written: str
    cause: str
    confidence: str
    reason: str


@dataclass(frozen=True, slots=True)
class OfficeLink:
    """An office that an incident names; without a place in the inventory it has no page."""

    code: str
    name: str
    known: bool


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """The whole page."""

    id: str
    summary: str
    description: str
    """What alerts say: what happened, what to do, whom to call; the draft stands by itself."""
    open: bool
    severity: str
    severity_word: str
    cause: str
    confidence: str
    began: str
    lasted: str
    offices: tuple[OfficeLink, ...]
    evidence: tuple[Told, ...]
    timeline: tuple[Told, ...]
    versions: tuple[VersionRow, ...]
    acknowledged: str
    notes: tuple[Told, ...]
    tickets: tuple[str, ...]
    draft: str
    """Of the ticket; empty where it is not for the provider."""
    number_hint: str


def incident_page(
    story: Json,
    said: tuple[str, str],
    draft: str,
    inventory: Inventory,
    *,
    now_ms: int,
    language: Language,
) -> IncidentPage:
    """Return what the page shows.

    Args:
        story: of `collector.story.story_json`.
        said: first line and rest of what alerts say of it.
        draft: of the ticket, empty for none.
        inventory: names, and the zone of the times.
        now_ms: the collector's clock.
        language: of the reader.
    """

    def time(text: str) -> str:
        return formats.moment(language, instant_ms(text), now_ms, inventory.timezone)

    began_ms = instant_ms(story["began"])
    ended_ms = now_ms if story["ended"] is None else instant_ms(story["ended"])
    acknowledged = story["acknowledged"]
    return IncidentPage(
        id=story["id"],
        summary=said[0],
        description=said[1].partition("\n\n")[0] if draft else said[1],
        open=story["ended"] is None,
        severity=story["severity"],
        severity_word=word(language, f"severity.{story['severity']}"),
        cause=cause_says(language.value, story["cause"]),
        confidence=word(language, f"confidence.{story['confidence']}"),
        began=time(story["began"]),
        lasted=formats.span(language, ended_ms - began_ms),
        offices=tuple(_office(code, inventory) for code in story["sites"]),
        evidence=_told(story["evidence"], time),
        timeline=_told(story["timeline"], time),
        versions=tuple(
            VersionRow(
                number=one["version"],
                written=time(one["written"]),
                cause=cause_says(language.value, one["cause"]),
                confidence=word(language, f"confidence.{one['confidence']}"),
                reason=one["reason"],
            )
            for one in story["versions"]
        ),
        acknowledged=""
        if acknowledged is None
        else word(language, "acknowledged", by=acknowledged["by"], at=time(acknowledged["at"])),
        notes=tuple(Told(time(one["at"]), f"{one['by']}: {one['text']}") for one in story["notes"]),
        tickets=tuple(
            word(language, "ticket.line", number=one["number"], opened=time(one["opened"]))
            for one in story["tickets"]
        ),
        draft=draft,
        number_hint=word(language, "ticket.hint", id=story["id"]) if draft else "",
    )


def _office(code: str, inventory: Inventory) -> OfficeLink:
    site = inventory.find(code)
    return OfficeLink(code, code if site is None else site.name, site is not None)


def _told(rows: Sequence[Json], time: Callable[[str], str]) -> tuple[Told, ...]:
    return tuple(
        Told(
            time(one["time"]), f"{one['source']}: {one['says']}" if "source" in one else one["says"]
        )
        for one in rows
    )
