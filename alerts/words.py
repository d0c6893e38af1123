"""The words that more than one text needs, in Bahasa Indonesia and English. Pure.

Alerts, the month's report and `tabuah top` call a cause by the same name.

The sentences stand in `alerts/templates/`, where a user may put others in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CAUSES: Final[Mapping[str, Mapping[str, str]]] = {
    "id": {
        "unknown": "belum diketahui",
        "power": "listrik padam",
        "gateway": "gateway atau LAN kantor",
        "last_mile": "saluran penyedia ke kantor",
        "area": "gangguan massal di jaringan penyedia",
        "provider_core": "jaringan inti penyedia",
        "session": "sesi PPP atau autentikasi ditolak",
        "congestion": "saluran penuh oleh pemakaian sendiri",
        "centre": "sambungan pusat data",
        "service": "layanan itu sendiri, bukan saluran",
        "agent": "agen pemantau, bukan saluran",
        "maintenance": "pemeliharaan terjadwal",
        "isolated": "sambungan pusat pemantau sendiri",
    },
    "en": {
        "unknown": "not known yet",
        "power": "mains power lost",
        "gateway": "the office's gateway or LAN",
        "last_mile": "the provider's line to the office",
        "area": "a common fault in the provider's network",
        "provider_core": "the provider's core network",
        "session": "the PPP session is refused",
        "congestion": "the line is full of the office's own traffic",
        "centre": "the data centre's connection",
        "service": "the service itself, not the line",
        "agent": "the agent, not the line",
        "maintenance": "announced maintenance",
        "isolated": "the collector's own connection",
    },
}
"""By language, then by the contract's word for the cause."""


def cause_says(language: str, cause: str) -> str:
    """Return a cause as readers know it; the word itself for one of a newer program."""
    return CAUSES[language].get(cause, cause)


PROVIDER: Final = {"id": "penyedia", "en": "the provider"}
"""Who supplies a line of which nobody wrote that down."""

AND: Final = {"id": " dan ", "en": " and "}
"""Before the last of several names."""

OFFICES: Final = {"id": "{count} kantor", "en": "{count} offices"}
"""In place of more names than a first line has room for."""
