"""A drill: simulated offices that a running collector is to watch and judge as if they were there.

`tabuah simulate --drill` announces one in the data folder and says again and again that it lasts;
the collector looks there each second, and has those offices in its inventory until the drill is
withdrawn or nobody says any more that it lasts. They are named so that nobody takes them for real.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final, overload

from collector.files import write_private
from inventory.model import (
    Circuit,
    Inventory,
    Language,
    Outline,
    Site,
    SiteKind,
    StoredSites,
    outline_of,
)
from tabuah.errors import TabuahError

FILE_NAME: Final = "drill.json"
PREFIX: Final = "sim-"
MOST: Final = 99_999
CIRCUIT: Final = "telkom"
AGAIN_S: Final = 20.0
"""How often it is said that a drill lasts."""
LASTS_S: Final = 60.0
"""How long that holds."""


def code(number: int) -> str:
    """Return the code of a simulated office, counted from 1: sim-00001 and so on."""
    return f"{PREFIX}{number:05}"


@dataclass(frozen=True, slots=True)
class Drill:
    """Simulated offices that are watched."""

    sites: int
    interval_s: float


def read(data: Path, now: float) -> Drill | None:
    """Return the drill that lasts at `now`, seconds since 1970; None if there is none."""
    try:
        said = json.loads((data / FILE_NAME).read_bytes())
        if not now < float(said["until"]) <= now + 2 * LASTS_S:
            return None
        return Drill(min(int(said["sites"]), MOST), float(said["interval_s"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None  # a drill is never worth a collector's trouble


@contextmanager
def held(data: Path, drill: Drill) -> Iterator[None]:
    """Have the collector of that folder watch the drill's offices while the body runs.

    Raises:
        TabuahError: it could not be announced.
    """
    _announce(data, drill)
    over = threading.Event()

    def say_again() -> None:
        while not over.wait(AGAIN_S):
            try:
                _announce(data, drill)
            except TabuahError:
                continue  # it holds for a while yet; the next time may do

    saying = threading.Thread(target=say_again, name="drill", daemon=True)
    saying.start()
    try:
        yield
    finally:
        over.set()
        saying.join()
        (data / FILE_NAME).unlink(missing_ok=True)


def joined(inventory: Inventory, drill: Drill | None) -> Inventory:
    """Return the inventory with the drill's offices, but for codes that it has itself."""
    if drill is None:
        return inventory
    word = "Latihan" if inventory.language is Language.INDONESIAN else "Drill"
    added = tuple(
        Site(
            code(number),
            f"{word} {number}",
            SiteKind.OTHER,
            kabupaten=inventory.organisation,
            interval_s=drill.interval_s,
            circuits=(Circuit(CIRCUIT),),
        )
        for number in range(1, drill.sites + 1)
        if inventory.find(code(number)) is None
    )
    if isinstance(inventory.sites, StoredSites):
        return replace(inventory, sites=_Joined(inventory.sites, added))
    return replace(inventory, sites=(*inventory.sites, *added))


class _Joined(StoredSites):
    """Offices that lie elsewhere, and then some that do not."""

    def __init__(self, stored: StoredSites, added: tuple[Site, ...]) -> None:
        self._stored = stored
        self._added = added
        self._by_code = {site.code: site for site in added}

    def __len__(self) -> int:
        return len(self._stored) + len(self._added)

    @overload
    def __getitem__(self, index: int) -> Site: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Site]: ...
    def __getitem__(self, index: int | slice) -> Site | Sequence[Site]:
        if isinstance(index, slice):
            return tuple(self[at] for at in range(*index.indices(len(self))))
        at = range(len(self))[index] - len(self._stored)
        return self._added[at] if at >= 0 else self._stored[at + len(self._stored)]

    def __iter__(self) -> Iterator[Site]:
        yield from self._stored
        yield from self._added

    @property
    def codes(self) -> Sequence[str]:
        """Return the offices' codes, in their order."""
        return (*self._stored.codes, *self._by_code)

    @property
    def outlines(self) -> Iterable[Outline]:
        """Return the offices' outlines, in their order."""
        return chain(self._stored.outlines, map(outline_of, self._added))

    def find(self, code: str) -> Site | None:
        """Return the office of that code, if there is one."""
        return self._by_code.get(code) or self._stored.find(code)


def _announce(data: Path, drill: Drill) -> None:
    said = {
        "sites": drill.sites,
        "interval_s": drill.interval_s,
        "until": time.time() + LASTS_S,
    }
    write_private(data / FILE_NAME, json.dumps(said).encode() + b"\n")
