"""What a template may say of an incident: places, lines, people and times, by the inventory. Pure.

Secrets are looked up by `reveal`. Names and numbers of people are personal data: they stand in
what is sent, and never in its first line, which is logged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from alerts.grouping import is_many
from alerts.words import AND, OFFICES, PROVIDER, cause_says
from inventory.secret import SecretRef
from tabuah.speech import clock, day, span

if TYPE_CHECKING:
    from alerts.incident import Incident
    from inventory.model import Circuit, Inventory, Service, Site

Reveal = Callable[[str | SecretRef | None], str]
"""Looks up what an inventory keeps elsewhere; empty where it is not there."""

CLAIMS: Final = frozenset({"last_mile", "area", "provider_core", "session"})
"""Causes for which a ticket is opened with the provider."""
_CARRY: Final = frozenset({"circuit", "slow", "core", "service", "battery", "clock"})
"""Kinds of trouble of an office that is still heard."""
_TOUCH: Final = frozenset({"down", "area", "slow", "core", "flap"})
"""Kinds of trouble by which services are lost or slow."""
_UNRECORDED: Final = frozenset({"channel", "trial"})
"""Kinds of trouble that no page tells of: they are not of offices."""
_NAMED: Final = 3
_LISTED: Final = 45
"""Names in a first line, and their characters; a common fault has hundreds."""
_SERVICES: Final = 8
_WORD: Final = 120
"""Characters of one name: what people write has no other bound."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

Facts = dict[str, object]
"""By the names that templates use; docs/alerts.md lists them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A circuit, as a template sees it; what nobody entered is empty."""

    id: str
    provider: str
    product: str
    sid: str

    @property
    def says(self) -> str:
        """Return what the provider calls it: `Telkom Astinet, SID 4700123456`."""
        named = " ".join(word for word in (self.provider, self.product) if word)
        return ", ".join(word for word in (named, self.sid and f"SID {self.sid}") if word)


@dataclass(frozen=True, slots=True)
class Office:
    """An office, as a template sees it; what nobody entered is empty."""

    code: str
    name: str
    kecamatan: str = ""
    upstream: str = ""
    lines: tuple[Line, ...] = ()
    """Those that it is about."""
    person: str = ""
    phone: str = ""
    hours: str = ""
    """When the person can be reached."""

    @property
    def where(self) -> str:
        """Return where it is: `Kantor Camat Kubung, Kec. Kubung, STO Solok; telkom (...)`."""
        place = [self.name, self.kecamatan and f"Kec. {self.kecamatan}", self.upstream]
        lines = (f"{one.id} ({one.says})" if one.says else one.id for one in self.lines)
        return "; ".join((", ".join(word for word in place if word), *lines))

    @property
    def contact(self) -> str:
        """Return the person and the number."""
        return f"{self.person} {self.phone}".strip()

    @property
    def sid(self) -> str:
        """Return the service numbers of its lines."""
        return ", ".join(line.sid for line in self.lines if line.sid)


def facts_of(
    incident: Incident,
    inventory: Inventory,
    name_of: Callable[[str], str],
    reveal: Reveal,
    most: int,
) -> Facts:
    """Return what a template may say, of at most so many offices.

    Args:
        incident: what happened.
        inventory: what exists.
        name_of: what people call an office that may be gone by now.
        reveal: looks up secrets.
        most: how many of its offices are described.
    """
    language, zone = inventory.language.value, inventory.timezone
    named = incident.sites[:most]
    sites = {code: site for code in named if (site := inventory.find(code)) is not None}
    offices = [
        _office(sites[code], incident, inventory, reveal)
        if code in sites
        else Office(_plain(code), _plain(name_of(code)))
        for code in named
    ]
    providers = _unique(line.provider for office in offices for line in office.lines)
    service = _service(incident, inventory)
    ended = incident.ended_ms
    return {
        "alertname": incident.alertname,
        "incident": incident.id,
        "kind": incident.kind,
        "severity": incident.severity,
        "firing": ended is None,
        "ending": incident.ending.value,
        "cause": incident.known,
        "cause_says": cause_says(language, incident.known),
        "confidence": "" if incident.known == "unknown" else incident.confidence,
        "claim": incident.known in CLAIMS,
        "heard": incident.kind in _CARRY,
        "names": _names(incident, name_of, language),
        "count": len(incident.sites),
        "offices": offices,
        "more": len(incident.sites) - len(offices),
        "lines": ", ".join(map(_plain, incident.circuits)),
        "about": _plain(incident.about or incident.upstream or ""),
        "provider": " / ".join(providers) or PROVIDER[language],
        "provider_call": "; ".join(
            _unique(
                _plain(reveal(inventory.providers[name].call))
                for name in providers
                if name in inventory.providers
            )
        ),
        "owner": "" if service is None else _plain(service.owner),
        "owner_call": "" if service is None else _plain(reveal(service.call)),
        "services": ", ".join(_services(incident, sites.values(), inventory)),
        "port": incident.port,
        "says": _plain(incident.says),
        "began": clock(language, incident.began_ms, zone),
        "began_day": day(language, incident.began_ms, zone),
        "began_exact": clock(language, incident.began_ms, zone, seconds=True),
        "ended": "" if ended is None else clock(language, ended, zone),
        "ended_day": "" if ended is None else day(language, ended, zone),
        "ended_exact": "" if ended is None else clock(language, ended, zone, seconds=True),
        "lasted": "" if ended is None else span(language, ended - incident.began_ms),
        "page": page_of(incident, inventory),
    }


def page_of(incident: Incident, inventory: Inventory) -> str:
    """Return the link to an incident's page; to that of all offices where it has none of its own.

    Empty where the inventory does not say where the pages are.
    """
    if inventory.page_url is None:
        return ""
    base = f"{inventory.page_url.rstrip('/')}/"
    if incident.kind in _UNRECORDED or is_many(incident.id):
        return base
    return f"{base}incidents/{quote(incident.id)}"


def _office(site: Site, incident: Incident, inventory: Inventory, reveal: Reveal) -> Office:
    upstream = inventory.upstreams.get(site.upstream or "")
    contact = site.contacts[0] if site.contacts else None
    return Office(
        code=_plain(site.code),
        name=_plain(site.name),
        kecamatan=_plain(site.kecamatan),
        upstream="" if upstream is None else _plain(upstream.name),
        lines=tuple(
            Line(*map(_plain, (one.id, one.provider, one.product, one.sid)))
            for one in _circuits(site, incident)
        ),
        person="" if contact is None else _plain(reveal(contact.name)),
        phone="" if contact is None else _plain(reveal(contact.phone)),
        hours="" if contact is None or contact.hours is None else contact.hours.text,
    )


def _circuits(site: Site, incident: Incident) -> tuple[Circuit, ...]:
    """Return the lines that the incident is of: those that it names, else the one that serves."""
    named = tuple(one for one in site.circuits if one.id in incident.circuits)
    primary = site.primary
    return named or (() if primary is None else (primary,))


def _service(incident: Incident, inventory: Inventory) -> Service | None:
    if incident.kind != "service":
        return None
    found = (one for one in inventory.services.values() if incident.about in {one.name, one.code})
    return next(found, None)


def _services(incident: Incident, sites: Iterable[Site], inventory: Inventory) -> list[str]:
    """Return what citizens cannot reach by it, or only slowly."""
    if incident.kind not in _TOUCH or incident.known == "agent":
        return []
    codes = _unique(code for site in sites for code in site.services)
    return [_plain(inventory.services[code].name) for code in codes[:_SERVICES]]


def _names(incident: Incident, name_of: Callable[[str], str], language: str) -> str:
    """Return the offices as a first line has room for them: by name, or else how many."""
    names = [_plain(name_of(code)) for code in incident.sites[:_NAMED]]
    listed = AND[language].join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else ""
    if len(incident.sites) > len(names) or len(listed) > _LISTED:
        return OFFICES[language].format(count=len(incident.sites))
    return listed or "".join(names)


def _unique(words: Iterable[str]) -> list[str]:
    """Return the words that are not empty, each once, in their order."""
    return [word for word in dict.fromkeys(words) if word]


def _plain(text: str) -> str:
    """Return what somebody wrote as one bounded line: a name is no place for an instruction."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= _WORD else f"{line[: _WORD - 3]}..."
