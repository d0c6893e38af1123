"""All dashboards, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from alerts.grafana import collector, kabupaten, office, sla
from inventory.model import Language

BOARDS: Final = {
    "kabupaten": kabupaten.board,
    "office": office.board,
    "sla": sla.board,
    "collector": collector.board,
}


def all_of_them() -> Iterator[tuple[str, str]]:
    """Yield the path (`id/office.json`) and the JSON of each."""
    for language in Language:
        for name, board in BOARDS.items():
            yield f"{language.value}/{name}.json", board(language).json()
