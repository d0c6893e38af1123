"""What the public page shows of one office: its services now, and its ninety days. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from collector import formats
from collector.live import SiteView, State
from collector.pages.days import (
    Calendar,
    Day,
    Level,
    Watched,
    availability,
    floored,
    ninety_days,
    runs,
)
from collector.pages.words import word
from collector.service_view import hold_times
from collector.view import LIVE_STATES, Readiness, live_report
from collector.words import say
from inventory.hours import DAYS as WEEKDAYS
from inventory.model import Inventory, Language, Site
from tabuah.measurement import Role, Status

if TYPE_CHECKING:
    from collector.judgement.ledger import Outage
    from inventory.hours import Hours
    from tabuah.report import Report

_AGENT_FAILED: Final = frozenset({Status.INTERNAL_ERROR, Status.MAX_CONCURRENT_LIMIT_REACHED})
"""These say nothing of the service."""
PITCH: Final = 4
"""SVG units from bar to bar; the style sheet's dashes have the same."""
_HEIGHTS: Final = {Level.UNKNOWN: 5, Level.NONE: 14, Level.SOME: 21, Level.MOST: 28}
"""Trouble is taller, for those who do not see its colour."""
TALLEST: Final = _HEIGHTS[Level.MOST]


class Use(Enum):
    """What a citizen wants to know; the value is the sign's."""

    CAN = "up"
    PARTLY = "degraded"
    CANNOT = "down"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service by name, and whether it can be used."""

    name: str
    use: Use
    word: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Days that say the same, side by side; SVG units."""

    path: str
    level: str
    title: str


@dataclass(frozen=True, slots=True)
class Card:
    """One office."""

    name: str
    use: Use
    word: str
    note: str
    hours: str
    services: tuple[ServiceLine, ...]
    bars: tuple[Bar, ...]
    availability: str
    bars_say: str
    """All bars in one sentence, for those who do not see them."""
    dark_days: tuple[str, ...]
    """Days with an outage, the latest first."""


@dataclass(frozen=True, slots=True)
class Now:
    """What is known at one moment."""

    views: Mapping[str, SiteView]
    outages: Mapping[str, Sequence[Outage]]
    """Newest versions by office (`by_office`)."""
    watched: Watched
    ready: Readiness
    now_ms: int


def card_of(
    site: Site, inventory: Inventory, now: Now, dates: Calendar, language: Language
) -> Card:
    """Return what is shown of one office."""
    view = now.views.get(site.code) if now.ready.ready else None
    services = tuple(
        ServiceLine(name, use, word(language, f"public.service.{use.value}"))
        for name, use in _services(site, view, inventory, now.now_ms)
    )
    local = formats.local(now.now_ms, inventory.timezone)
    use = _together([line.use for line in services])
    if site.hours is not None and not site.hours.covers(local):
        use = Use.CLOSED
    days = ninety_days(site, now.outages.get(site.code, ()), now.watched, dates, inventory.timezone)
    share = availability(days)
    told = (
        word(language, "public.unknown_share")
        if share is None
        else word(language, "public.share", share=formats.number(language, floored(share), 1))
    )
    dark = [day for day in days if day.without_ms]
    return Card(
        name=site.name,
        use=use,
        word=word(language, f"public.office.{use.value}"),
        note=_note(view, inventory, now, language),
        hours="" if site.hours is None else _hours(site.hours, language),
        services=services,
        bars=tuple(_bar(at, run, language) for at, run in runs(days)),
        availability=told,
        bars_say=word(language, "public.bars", share=told, count=len(dark)),
        dark_days=tuple(_says(day, language) for day in reversed(dark)),
    )


def _together(uses: Sequence[Use]) -> Use:
    if all(use is Use.CAN for use in uses):
        return Use.CAN
    if Use.CANNOT in uses:
        return Use.PARTLY if Use.CAN in uses else Use.CANNOT
    return Use.UNKNOWN


def _services(
    site: Site, view: SiteView | None, inventory: Inventory, now_ms: int
) -> Iterable[tuple[str, Use]]:
    """Yield each service's name and use; of an office without any, of its line (empty name)."""
    state = State.UNKNOWN if view is None else view.state
    report = None if view is None else live_report(view, now_ms)
    holds = hold_times(site, inventory)
    for code, hold_ms in holds.items():
        known = inventory.services.get(code)
        if known is None:
            continue
        if state is State.DOWN:
            yield known.name, Use.CANNOT
        else:
            yield known.name, Use.UNKNOWN if report is None else _use(report, code, hold_ms)
    if not any(code in inventory.services for code in holds):
        alive = state in LIVE_STATES and report is not None
        yield "", Use.CANNOT if state is State.DOWN else Use.CAN if alive else Use.UNKNOWN


def _use(report: Report, service: str, hold_ms: int) -> Use:
    answers = [
        one.good
        for one in report.measurements
        if one.role is Role.SERVICE
        and one.service == service
        and one.status not in _AGENT_FAILED
        and one.age_ms <= hold_ms
    ]
    if not answers:
        return Use.UNKNOWN
    return Use.CAN if all(answers) else Use.CANNOT


def _note(view: SiteView | None, inventory: Inventory, now: Now, language: Language) -> str:
    if not now.ready.ready:
        return ""
    state = State.UNKNOWN if view is None else view.state
    if view is None or state is State.UNKNOWN:
        return word(language, "public.note.unknown")
    if state in LIVE_STATES:
        stale = live_report(view, now.now_ms) is None
        return word(language, "public.note.unknown") if stale else ""
    since = formats.moment(language, view.since_ms, now.now_ms, inventory.timezone)
    return word(language, f"public.note.{state.value}", time=since)


def _hours(hours: Hours, language: Language) -> str:
    # A day stays beside its time where the line breaks.
    text = ", ".join("\N{NO-BREAK SPACE}".join(part.split()) for part in hours.text.split(","))
    if language is Language.INDONESIAN:
        text = text.replace(":", ".")
        for english, own in zip(WEEKDAYS, word(language, "public.days").split(), strict=True):
            text = text.replace(english, own)
    return word(language, "public.hours", hours=text)


def _bar(at: int, run: Sequence[Day], language: Language) -> Bar:
    level = run[0].level
    y = TALLEST - _HEIGHTS[level] / 2
    title = _says(run[0], language)
    if len(run) > 1:
        dates = f"{_date(run[0], language)} - {_date(run[-1], language)}"
        title = f"{dates}: {word(language, f'public.day.{level.value}')}"
    return Bar(f"M{at * PITCH} {y:g}h{len(run) * PITCH}", level.value, title)


def _says(day: Day, language: Language) -> str:
    lasted = formats.span(language, day.without_ms)
    return f"{_date(day, language)}: {word(language, f'public.day.{day.level.value}', time=lasted)}"


def _date(day: Day, language: Language) -> str:
    return f"{day.day.day} {say(language, 'months').split()[day.day.month - 1]}"
