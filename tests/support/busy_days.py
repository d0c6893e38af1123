"""Days of a collector as one program, for the power cuts of tests.collector.test_power_cuts_store.

    python -m tests.support.busy_days ROOT SYNCHRONOUS

The store begins with an older schema and some reports. It is migrated; then offices report through
the whole line, their clients hearing authentic answers, while beside it days are closed, rolled up
and dropped, the ledger is written, and an office falls silent and returns. What was promised is
written to ROOT/marks once it was:

    boots NUMBER             the collector has told offices its engine boots
    sent SITE SEQ DIGEST     a report leaves its office
    acked SITE SEQ           the office got the authentic answer
    ledger HASH              an append to the ledger returned
    noted INCIDENT RESOLVED  what was said of an incident is kept
    migrating, migrated      the schema is brought up to date in between
    letting go of DAY        from now on reports that arrived then may be gone
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from collector import database
from collector.database import open_engine, writing
from collector.incident_rows import Page
from collector.judgement.ledger import Subject
from collector.ledger_store import LedgerStore
from collector.schema import day_of
from collector.store import Row, Store
from collector.upkeep import Upkeep
from tabuah.block import Packed
from tests.support import centre as centres
from tests.support.centre import GUNUNG_TALANG, KUBUNG, Centre, Office
from tests.support.powercut import MARKS
from tests.support.reports import BEGIN_MS, packed

OLD_SCHEMA = "0003"
OLD_REPORTS = 60
DAY_S = 86_400
DAYS = 4
CYCLES = 24
KEPT_DAYS = 2
INTERVAL_S = 10

Mark = Callable[[str], None]


def digest(octets: bytes) -> str:
    """Return what names a report's content."""
    return hashlib.sha256(octets).hexdigest()[:16]


async def busy(root: Path) -> None:
    """Live through the days."""
    with (root / MARKS).open("ab", buffering=0) as marks:

        def mark(words: str) -> None:
            marks.write(f"{words}\n".encode())

        _begin_with_old_schema(root / "data", mark)
        with pytest.MonkeyPatch.context() as patch:
            mark("migrating")
            async with centres.centre(root, patch) as centre:
                mark("migrated")
                mark(f"boots {centre.collector._clock.boots}")
                _mark_what_is_noted(centre, mark)
                for day in range(DAYS):
                    await _live_a_day(centre, mark, day)


def _begin_with_old_schema(data: Path, mark: Mark) -> None:
    """Make a store of an older tabuah that holds reports of the day before."""
    real = database._bring_to_head
    database._bring_to_head = lambda *_, **__: None
    engine, place = open_engine(data, read_only=False)
    database._bring_to_head = real
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLD_SCHEMA)
    with Store(engine, place, read_only=False) as store:
        for first in range(1, OLD_REPORTS, 20):
            rows = []
            for seq in range(first, first + 20):
                octets = packed(seq, epoch=1).octets
                mark(f"sent {KUBUNG} {seq} {digest(octets)}")
                at_ms = BEGIN_MS - DAY_S * 1000 + seq * 10_000
                rows.append(Row(KUBUNG, 1, seq, at_ms, at_ms, False, False, octets))
            store.append(rows)
            for row in rows:
                mark(f"acked {row.site} {row.seq}")


def _mark_what_is_noted(centre: Centre, mark: Mark) -> None:
    write = centre.logbook._write

    def noted(page: Page) -> None:
        write(page)
        for entry in page.entries:
            mark(f"noted {entry.incident.id} {int(entry.resolved)}")

    centre.logbook._write = noted


async def _live_a_day(centre: Centre, mark: Mark, day: int) -> None:
    """Report for some minutes, while what is over is put in order beside it."""
    now_ms = centre.clock.time_ns() // 1_000_000
    for gone in range(KEPT_DAYS + 1, KEPT_DAYS + 4):
        mark(f"letting go of {day_of(now_ms - gone * DAY_S * 1000)}")
    beside = [
        asyncio.create_task(asyncio.to_thread(_put_in_order, centre.store, now_ms)),
        asyncio.create_task(asyncio.to_thread(_write_ledger, centre.store, mark, now_ms)),
    ]
    steady, failing = (
        _Reporting(centre, KUBUNG, mark, day),
        _Reporting(centre, GUNUNG_TALANG, mark, day),
    )
    for cycle in range(CYCLES):
        centre.wait(INTERVAL_S)
        steady.cycle(1)
        if not CYCLES // 3 < cycle < 2 * CYCLES // 3:
            failing.cycle(1)
        elif cycle == CYCLES // 2:
            steady.cycle(30, history=True)  # somebody's backlog
        await asyncio.sleep(0.03)
        steady.listen()
        failing.listen()
    await asyncio.gather(*beside)
    centre.clock.passed += DAY_S - CYCLES * INTERVAL_S


def _put_in_order(store: Store, now_ms: int) -> None:
    for _ in range(2):
        Upkeep(store).run(now_ms, KEPT_DAYS * DAY_S, 9e9)


def _write_ledger(store: Store, mark: Mark, now_ms: int) -> None:
    pause = threading.Event()
    for number in range(CYCLES):
        said = [
            (Subject.PERSON, {"incident": f"drill-{number}", "nth": nth})
            for nth in range(1 + number % 3)
        ]
        for entry in LedgerStore(store).append(now_ms + number, said):
            mark(f"ledger {entry.hash}")
        pause.wait(0.02)


class _Reporting:
    """One start of an office's agent."""

    def __init__(self, centre: Centre, site: str, mark: Mark, day: int) -> None:
        self._site, self._mark = site, mark
        self._office: Office = centre.office(site, epoch=day + 2)
        self._seq = 1_000 * (day + 1)
        self._unheard: dict[int, list[Packed]] = {}

    def cycle(self, reports: int, *, history: bool = False) -> None:
        """Send what was not answered again, and new reports in one inform."""
        for waiting in self._unheard.values():
            self._office.send(waiting, history=True)
        made = [self._office.packed(self._seq + nth) for nth in range(1, reports + 1)]
        self._seq += reports
        for each in made:
            self._mark(f"sent {self._site} {each.seq} {digest(each.octets)}")
        self._unheard[made[0].seq] = made
        self._office.send(made, history=history)

    def listen(self) -> None:
        """Take the answers."""
        self._office.listen()
        for first in self._office.acknowledged & self._unheard.keys():
            for each in self._unheard.pop(first):
                self._mark(f"acked {self._site} {each.seq}")


if __name__ == "__main__":
    _root, database.SYNCHRONOUS = sys.argv[1:]
    asyncio.run(busy(Path(_root)))
