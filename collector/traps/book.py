"""What becomes of a trap that was heard: whose it is, whether it is fresh, and what is kept.

    Trap -> place -> fresh? -> Entry -> newest of each office, and the store

A trap is *certain* when a user that only one office has signed it and its engine's clock shows no
replay: only then may it be evidence. All others are shown. The decisions are pure; `TrapStore`
writes and reads, and blocks.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import delete, func, insert, select, tuple_

from collector.judgement.evidence import Evidence, Source
from collector.schema import traps
from collector.traps import words
from collector.traps.places import Places
from collector.traps.trap import Trap, from_line, to_line
from tabuah.errors import DecodeError
from tabuah.snmp.usm import EngineTime, PeerClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from collector.store import Store

PAGE: Final = 200
"""Traps that are read at once."""
UNKEPT_MOST: Final = 2000
"""Traps that wait to be written; past it the oldest go."""
KEPT_MOST: Final = 200_000
"""Traps in the store: some 100 MB."""
ENGINES_MOST: Final = 4096
RECENT_MOST: Final = 5
AROUND_MS: Final = 600_000
REMEMBERED_MOST: Final = 10_000
"""Traps of which the signers' clocks are read at a start."""


class Entry(NamedTuple):
    """A trap as it is kept."""

    trap: Trap
    site: str = ""
    """Empty = nobody can tell whose it is."""
    device: str = ""
    certain: bool = False


@dataclass(slots=True)
class Book:
    """Judges traps as they come; `now` is monotonic seconds."""

    places: Places = field(default_factory=Places)
    unkept: deque[Entry] = field(default_factory=lambda: deque(maxlen=UNKEPT_MOST))
    battery: dict[str, int] = field(default_factory=dict)
    """Since when an office's UPS has been on battery, by traps that are certain."""
    outcomes: dict[str, int] = field(
        default_factory=lambda: {"certain": 0, "placed": 0, "unplaced": 0, "replayed": 0}
    )
    _recent: dict[str, deque[Entry]] = field(default_factory=dict)
    """The newest of each office."""
    _clocks: dict[str, PeerClock] = field(default_factory=dict)

    def hear(self, trap: Trap, now: float) -> Entry:
        """Take a trap; return it with what is known of it."""
        place = self.places.find(trap)
        fresh = trap.authentic and self._is_fresh(trap, now)
        certain = fresh and place is not None and place.certain
        entry = (
            Entry(trap) if place is None else Entry(trap, place.site, place.device, certain=certain)
        )
        if trap.authentic and not fresh:
            self.outcomes["replayed"] += 1
        else:
            word = "certain" if certain else "unplaced" if place is None else "placed"
            self.outcomes[word] += 1
        self._learn(entry)
        self.unkept.append(entry)
        return entry

    def around(self, site: str, at_ms: int) -> tuple[Evidence, ...]:
        """Return the newest of what an office's devices said from ten minutes before a time on."""
        return tuple(
            Evidence(Source.TRAP, one.trap.at_ms, _shown(one))
            for one in self._recent.get(site, ())
            if one.trap.at_ms >= at_ms - AROUND_MS
        )

    def remember(self, entries: Iterable[Entry], now: float) -> None:
        """Take up what was kept before a start, oldest first."""
        for entry in entries:
            if entry.trap.authentic:
                self._is_fresh(entry.trap, now)
            self._learn(entry)

    def _is_fresh(self, trap: Trap, now: float) -> bool:
        """Return whether a signed trap is in its engine's time window (RFC 3414 3.2 7b)."""
        clock = self._clocks.pop(trap.engine_id, None)
        if clock is None:
            clock = PeerClock()
            if len(self._clocks) >= ENGINES_MOST:
                del self._clocks[next(iter(self._clocks))]
        self._clocks[trap.engine_id] = clock
        return clock.hear(EngineTime(trap.boots, trap.time), now)

    def _learn(self, entry: Entry) -> None:
        if entry.site:
            self._recent.setdefault(entry.site, deque(maxlen=RECENT_MOST)).append(entry)
        if not entry.certain:
            return
        if entry.trap.oid in words.UPS_ON_BATTERY:
            self.battery.setdefault(entry.site, entry.trap.at_ms)
        elif words.is_mains_back(entry.trap):
            self.battery.pop(entry.site, None)


def _shown(entry: Entry) -> str:
    said = f"{entry.device or entry.trap.source} said {words.says(entry.trap)}"
    return said if entry.certain else f"{said}; unproved, so it decides nothing"


def body_of(entry: Entry) -> str:
    """Return what the store keeps of a trap, beside its office and time."""
    return json.dumps(
        {
            "device": entry.device,
            "certain": entry.certain,
            "trap": to_line(entry.trap).decode().rstrip(),
        }
    )


def entry_of(site: str, body: str) -> Entry:
    """Return the trap that was kept.

    Raises:
        DecodeError: what stands there is none.
    """
    try:
        found = json.loads(body)
        trap = from_line(found["trap"].encode())
        return Entry(trap, site, str(found["device"]), certain=found["certain"] is True)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DecodeError(f"a kept trap that cannot be read: {error}") from error


class TrapStore:
    """The traps in the collector's store; all calls block."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, entries: list[Entry]) -> None:
        """Keep traps, all or none.

        Raises:
            StoreError: none was kept.
        """
        with self._store.step() as connection:
            connection.execute(
                insert(traps),
                [
                    {"site": one.site, "at_ms": one.trap.at_ms, "body": body_of(one)}
                    for one in entries
                ],
            )

    def between(
        self, site: str | None, from_ms: int, to_ms: int, limit: int | None = None
    ) -> Iterator[Entry]:
        """Yield the traps of [from_ms, to_ms), oldest first, a page at a time; None = of all.

        Raises:
            StoreError: they cannot be read.
        """
        place = (traps.c.at_ms, traps.c.id)
        wanted = select(traps).where(traps.c.at_ms < to_ms).order_by(*place)
        if site is not None:
            wanted = wanted.where(traps.c.site == site)
        after, left = (from_ms, 0), limit
        while left is None or left > 0:
            page = PAGE if left is None else min(PAGE, left)
            with self._store.reading() as connection:
                rows = connection.execute(
                    wanted.where(tuple_(*place) > tuple_(*after)).limit(page)
                ).all()
            yield from (entry_of(row.site, row.body) for row in rows)
            if len(rows) < page:
                return
            after = rows[-1].at_ms, rows[-1].id
            left = None if left is None else left - page

    def newest(self, most: int) -> list[Entry]:
        """Return the newest traps, oldest first.

        Raises:
            StoreError: they cannot be read.
        """
        wanted = select(traps.c.site, traps.c.body).order_by(traps.c.id.desc()).limit(most)
        with self._store.reading() as connection:
            rows = connection.execute(wanted).all()
        return [entry_of(row.site, row.body) for row in reversed(rows)]

    def prune(self, before_ms: int, most: int = KEPT_MOST) -> None:
        """Let go of those before a time, and of the oldest past so many.

        Raises:
            StoreError: the disk refuses; the next call goes on.
        """
        with self._store.reading() as connection:
            newest = connection.scalar(select(func.max(traps.c.id)))
        if newest is None:
            return
        with self._store.step() as connection:
            connection.execute(delete(traps).where(traps.c.at_ms < before_ms))
            connection.execute(delete(traps).where(traps.c.id <= newest - most))
