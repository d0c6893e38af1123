"""What the public status page shows, as values: can I get it done at my kantor camat now? Pure.

It is for everybody, so what stands here is only what an office's door would tell: names of offices
and services, whether they can be used, and when they could not. No code, circuit, address, person,
probe, cause or incident comes in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from collector import formats
from collector.pages.days import DAYS, calendar
from collector.pages.public_office import PITCH, TALLEST, Card, Now, Use, card_of
from collector.pages.words import word
from collector.view import Readiness
from inventory.model import Inventory, Language, Site

if TYPE_CHECKING:
    from collector.judgement.ledger import Outage

MOST: Final = 500
"""Offices on one page; of more than these one searches."""
MOST_PLACES: Final = 600
"""Names to choose from: Indonesia has 514 kabupaten and kota."""
_FEW: Final = 20
"""Offices that need no headings between them."""


class Place(NamedTuple):
    """Where an office is looked for."""

    code: str
    kabupaten: str
    kecamatan: str
    text: str
    """All its names, casefolded."""


@dataclass(frozen=True, slots=True)
class Group:
    """Offices under one heading, which is empty where they need none."""

    heading: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class PublicPage:
    """The whole page."""

    headline: str
    use: Use
    warning: str
    shown_at: str
    groups: tuple[Group, ...]
    rest: str
    """What is not shown, and what to do."""
    places: tuple[tuple[str, int], ...]
    """Names to choose from and how many offices each has, where all are too many."""
    searchable: bool
    width: int = DAYS * PITCH
    height: int = TALLEST


def by_office(outages: Iterable[Outage]) -> dict[str, list[Outage]]:
    """Return outages by their office."""
    found: dict[str, list[Outage]] = defaultdict(list)
    for one in outages:
        found[one.site].append(one)
    return found


def places_of(inventory: Inventory) -> tuple[Place, ...]:
    """Return where the offices are looked for; of thousands it takes seconds, so keep it."""
    return tuple(
        Place(
            site.code,
            site.kabupaten,
            site.kecamatan,
            f"{site.name}\n{site.kecamatan}\n{site.kabupaten}".casefold(),
        )
        for site in inventory.sites
    )


def public_page(
    inventory: Inventory, places: Sequence[Place], asked: str, now: Now, *, language: Language
) -> PublicPage:
    """Return what the page shows of the offices that `asked`, part of a name, means."""
    wanted = asked.strip().casefold()
    found = [place for place in places if wanted in place.text]
    too_many = len(found) > MOST
    shown = [] if too_many and not wanted else found[:MOST]
    sites = [site for place in shown if (site := inventory.find(place.code)) is not None]
    days = calendar(now.now_ms, inventory.timezone)
    cards = [card_of(site, inventory, now, days, language) for site in sites]
    use, headline = _headline(cards, len(found), now.ready, language)
    rest = ""
    if too_many:
        key = "public.narrow" if shown else "public.choose"
        rest = word(language, key, shown=len(shown), total=len(found))
    elif not found and places:
        rest = word(language, "public.nothing", asked=asked)
    return PublicPage(
        headline=headline,
        use=use,
        warning="" if now.ready.ready else word(language, "public.not_ready"),
        shown_at=formats.clock(language, now.now_ms, inventory.timezone, seconds=True),
        groups=_groups(sites, cards),
        rest=rest,
        places=_choice(found) if too_many and not shown else (),
        searchable=len(places) > _FEW or bool(wanted),
    )


def _choice(found: Sequence[Place]) -> tuple[tuple[str, int], ...]:
    kabupaten = Counter(place.kabupaten for place in found)
    counts = kabupaten if len(kabupaten) > 1 else Counter(place.kecamatan for place in found)
    return tuple(sorted((name, n) for name, n in counts.items() if name)[:MOST_PLACES])


def _groups(sites: Sequence[Site], cards: Sequence[Card]) -> tuple[Group, ...]:
    """Return the offices by kabupaten where there are several, else by kecamatan if many."""

    def kabupaten(site: Site) -> str:
        return site.kabupaten

    def kecamatan(site: Site) -> str:
        return site.kecamatan

    name: Callable[[Site], str] | None = None
    if len({site.kabupaten for site in sites}) > 1:
        name = kabupaten
    elif _FEW < len(sites) > 2 * len({site.kecamatan for site in sites}):
        name = kecamatan
    grouped: dict[str, list[Card]] = defaultdict(list)
    for site, card in zip(sites, cards, strict=True):
        grouped["" if name is None else name(site)].append(card)
    return tuple(Group(heading, tuple(kept)) for heading, kept in sorted(grouped.items()))


def _headline(
    cards: Sequence[Card], total: int, ready: Readiness, language: Language
) -> tuple[Use, str]:
    if not ready.ready:
        return Use.UNKNOWN, word(language, "public.headline.unknown")
    if not cards:
        return Use.UNKNOWN, word(language, "public.headline.search", total=total)
    if len(cards) == 1:
        return cards[0].use, f"{cards[0].name}: {cards[0].word}"
    counts = Counter(card.use for card in cards)
    troubled = counts[Use.CANNOT] + counts[Use.PARTLY]
    if troubled:
        return (
            Use.CANNOT if counts[Use.CANNOT] else Use.PARTLY,
            word(language, "public.headline.cannot", count=troubled, total=len(cards)),
        )
    if counts[Use.UNKNOWN]:
        return Use.UNKNOWN, word(
            language, "public.headline.some_unknown", count=counts[Use.UNKNOWN], total=len(cards)
        )
    if counts[Use.CLOSED] == len(cards):
        return Use.CLOSED, word(language, "public.headline.closed", total=len(cards))
    if counts[Use.CLOSED]:
        return Use.CAN, word(
            language, "public.headline.can_open", count=counts[Use.CAN], total=len(cards)
        )
    return Use.CAN, word(language, "public.headline.can", total=len(cards))
