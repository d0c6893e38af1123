"""Saves from a damaged store what can be read, into a new one.

Reports are read by their numbers: a range that cannot be read is halved until what remains is
the damaged page's. Tables without such numbers are read from both ends. SQLite's own `.recover`
does more, where the `sqlite3` program has it; Debian 12's has not.

The new store is made beside the damaged one and takes its place when it is complete: who is
interrupted begins again.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Table, insert

from collector.database import FILE_NAME
from collector.day import U64, Row
from collector.files import private_folder
from collector.schema import CORRECTED, LATE, day_of, metadata, progress
from collector.store import Store
from collector.upkeep import DROPPED
from tabuah.errors import TabuahError
from tabuah.whole_file import sync_folder

BATCH = 5_000

_A_PAGE_HOLDS = 64
"""Reports at most: the smallest has 50 octets."""

_COLUMNS = "site, epoch, seq, time_ms, received_ms, flags, block"
_UNFINISHED = "salvaging"
_FILES = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm")


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was saved."""

    aside: Path
    """Where the damaged store lies now."""
    reports: int
    lost: int
    """Reports whose numbers are known and that could not be read; the rest is not known."""


def salvage(data: Path, now: datetime | None = None) -> Salvaged:
    """Move the store of a stopped collector aside, and make a new one of what is left in it.

    Raises:
        TabuahError: there is none, or even its list of tables cannot be read: restore a backup.
            It then lies where it was.
    """
    path = data / FILE_NAME
    if not path.exists():
        raise TabuahError(f"{path}: no reports are stored here yet; is --data right?")
    _look(path)
    made = data / _UNFINISHED
    shutil.rmtree(made, ignore_errors=True)  # of one that was interrupted
    private_folder(made)
    with closing(_open(path)) as old, Store.open(made) as new:
        reports, lost = _reports(old, new)
        for table in metadata.sorted_tables:
            if "day" not in table.c or table is progress:  # the rest is known by the reports
                _table(old, new, table)
    owner = path.stat()
    aside = data / f"damaged-{now or datetime.now(UTC):%Y%m%dT%H%M%S}"
    private_folder(aside)
    for from_, to in ((data, aside), (made, data)):
        for name in _FILES:
            if (from_ / name).exists():
                (from_ / name).rename(to / name)
        sync_folder(to)
    made.rmdir()
    if os.geteuid() == 0:  # the collector may run as a user of its own
        os.chown(path, owner.st_uid, owner.st_gid)
    return Salvaged(aside, reports, lost)


def _open(path: Path) -> sqlite3.Connection:
    # Not read-only: a write-ahead log that was left is part of the store.
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _look(path: Path) -> None:
    try:
        with closing(_open(path)) as old:
            tables = _days(old)
    except sqlite3.DatabaseError as error:
        raise TabuahError(
            f"{path}: not even its list of tables can be read ({error}); move it aside together "
            "with its -wal and -shm files, and restore a backup"
        ) from error
    if not tables:
        raise TabuahError(f"{path}: holds no reports; move it aside, and restore a backup")


def _days(old: sqlite3.Connection) -> list[str]:
    names = old.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return sorted(name for (name,) in names if re.fullmatch(r"reports_\d{8}", name))


def _reports(old: sqlite3.Connection, new: Store) -> tuple[int, int]:
    reports = lost = 0
    for name in _days(old):
        batch: list[Row] = []
        for one in _by_number(old, name, 1, _last(old, name)):
            row = None if one is None else _row(one, int(name[-8:]))
            if row is None:
                lost += 1
                continue
            batch.append(row)
            if len(batch) == BATCH:
                new.append(batch)
                reports += len(batch)
                batch = []
        new.append(batch)
        reports += len(batch)
    return reports, lost


def _last(old: sqlite3.Connection, name: str) -> int:
    """Return the greatest number of a table, or a bound above it if that cannot be read."""
    try:
        return int(old.execute(f"SELECT max(id) FROM {name}").fetchone()[0] or 0)  # noqa: S608
    except sqlite3.DatabaseError:
        return int(old.execute("PRAGMA page_count").fetchone()[0]) * _A_PAGE_HOLDS


def _by_number(
    old: sqlite3.Connection, name: str, first: int, last: int
) -> Iterator[sqlite3.Row | None]:
    """Yield the records of a range in order, and None for a number that cannot be read."""
    if first > last:
        return
    wanted = f"SELECT {_COLUMNS} FROM {name} WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608
    if last - first < BATCH:
        try:
            yield from old.execute(wanted, (first, last)).fetchall()
        except sqlite3.DatabaseError:
            if first == last:
                yield None
                return
        else:
            return
    middle = (first + last) // 2
    yield from _by_number(old, name, first, middle)
    yield from _by_number(old, name, middle + 1, last)


def _row(record: sqlite3.Row, day: int) -> Row | None:
    """Return the report of a record; None if it is none: the damage may lie in a value."""
    site, *numbers, octets = record
    if not (isinstance(site, str) and isinstance(octets, bytes)):
        return None
    if not all(isinstance(number, int) for number in numbers):
        return None
    epoch, seq, time_ms, received_ms, flags = numbers
    try:
        if day_of(received_ms) != day:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    late, corrected = bool(flags & LATE), bool(flags & CORRECTED)
    return Row(site, epoch & U64, seq, time_ms, received_ms, late, corrected, octets)


def _table(old: sqlite3.Connection, new: Store, table: Table) -> None:
    """Copy a table that has no numbers: from its beginning, and from its end, to the damage."""
    key = [column.name for column in table.primary_key]
    found: dict[tuple[object, ...], dict[str, object]] = {}
    for order in ("", " DESC"):
        by = ", ".join(f"{name}{order}" for name in key)
        try:
            for record in old.execute(f"SELECT * FROM {table.name} ORDER BY {by}"):  # noqa: S608
                found[tuple(record[name] for name in key)] = dict(record)
        except sqlite3.DatabaseError as error:
            log.warning("%s: not all of it can be read: %s", table.name, error)
        else:
            break
    kept = [one for one in found.values() if table is not progress or one["task"] == DROPPED]
    for at in range(0, len(kept), BATCH):
        with new.step() as connection:
            connection.execute(insert(table), kept[at : at + BATCH])
