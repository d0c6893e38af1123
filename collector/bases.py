"""The reports that an office's next may rest on: its last two, packed. Pure.

Two, because the acknowledgement of the last may be lost: then the office rests on the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabuah.block import base_name

if TYPE_CHECKING:
    from tabuah.block import FindBase


class Bases:
    """What each office may rest on."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[bytes, ...]] = {}

    def keep(self, site: str, octets: bytes) -> None:
        """Hold a live report of an office, and let go of the one before the last."""
        held = self._held.get(site)
        self._held[site] = (octets, held[0]) if held else (octets,)

    def finder(self, site: str) -> FindBase:
        """Return what finds a base of an office by its name."""

        def find(name: bytes) -> bytes | None:
            for held in self._held.get(site, ()):
                if base_name(held) == name:
                    return held
            return None

        return find
