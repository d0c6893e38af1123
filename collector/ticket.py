"""The text with which the provider's help desk opens a ticket, filled in as far as it is known.

The eight lines are those that Telkom's business help desk asks for. What nobody entered stays open
for the reader to fill in: a guess would send a technician to the wrong place. Pure: secrets are
looked up by `reveal`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from inventory.secret import SecretRef
from tabuah.speech import clock, local

if TYPE_CHECKING:
    from collector.judgement.tracking import Incident
    from inventory.model import Inventory, Site

Reveal = Callable[[str | SecretRef | None], str]
"""Looks up what an inventory keeps elsewhere; empty where it is not there."""

_OPEN: Final = {"id": "(isi)", "en": "(fill in)"}
_SAYS: Final = {
    "id": "{words} sejak {began}. Mohon nomor tiket gangguan.",
    "en": "{words} since {began}. Please send the ticket number.",
}
_WORDS: Final = {
    "id": {
        "area": "Gangguan massal, {count} kantor terputus",
        "last_mile": "Terputus antara kantor dan perangkat penyedia; listrik dan gateway menyala",
        "provider_core": "Perangkat pertama penyedia menjawab, jaringan sesudahnya tidak",
        "session": "Sesi PPP ditolak, port ke ONT menyala",
        "": "Koneksi terputus",
    },
    "en": {
        "area": "Area fault, {count} offices lost",
        "last_mile": "Lost between the office and the provider; power and gateway run",
        "provider_core": "The provider's first hop answers, nothing beyond it does",
        "session": "The PPP session is refused, the port to the ONT is up",
        "": "The connection is lost",
    },
}
_LABELS: Final = (
    "Nama lokasi",
    "Nomor layanan (SID)",
    "PIC dan nomor telepon",
    "Jam siaga PIC",
    "Waktu kunjungan teknisi",
    "Status firewall di CE",
    "Status router ke ONT",
    "Kendala",
)
"""In Indonesian in every language: the reader sits at the provider's desk."""


def draft(incident: Incident, inventory: Inventory, reveal: Reveal) -> str:
    """Return the ticket's text, one block for each office of the incident that is known."""
    sites = [site for code in incident.sites if (site := inventory.find(code)) is not None]
    return "\n\n".join(_block(site, incident, inventory, reveal) for site in sites)


def _block(site: Site, incident: Incident, inventory: Inventory, reveal: Reveal) -> str:
    language, blank = inventory.language.value, _OPEN[inventory.language.value]
    chosen = [c for c in site.circuits if not incident.circuits or c.id in incident.circuits]
    circuit = next((c for c in chosen if c is site.primary), chosen[0] if chosen else None)
    contact = site.contacts[0] if site.contacts else None
    person = "" if contact is None else f"{reveal(contact.name)} {reveal(contact.phone)}".strip()
    hours = "" if contact is None or contact.hours is None else contact.hours.text
    known = _WORDS[language]
    words = known.get(incident.cause.value, known[""]).format(count=len(incident.sites))
    zone = inventory.timezone
    day = f"{local(incident.began_ms, zone):%d-%m-%Y}"
    began = f"{day} {clock(language, incident.began_ms, zone)}"
    answers = (
        site.name,
        "" if circuit is None else circuit.sid,
        person,
        hours,
        "",
        "",
        _port(incident),
        _SAYS[language].format(words=words, began=began),
    )
    return "\n".join(
        f"{label}: {answer or blank}" for label, answer in zip(_LABELS, answers, strict=True)
    )


def _port(incident: Incident) -> str:
    """Return what the evidence says of the port between router and ONT, as it says it."""
    return next((one.says for one in incident.evidence if "port" in one.says), "")
