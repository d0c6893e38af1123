"""The spool: reports that no collector has acknowledged, on flash, across kills and power cuts.

It is opened at the start and written only in an outage; each `put` is durable when it
returns (SQLite, WAL, synchronous=FULL). A damaged file, or one of another office, is set aside:
measuring goes on. Where nothing can be written (a read-only or full flash) reports are kept in
memory, and that is said. When it is full the oldest reports go first, and are counted.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from tabuah import block
from tabuah.errors import DecodeError, TabuahError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from tabuah.block import Packed

log = logging.getLogger(__name__)

MOST_OCTETS = 16 << 20
"""Room for about seven days of reports at 10 s."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS report (
    id INTEGER PRIMARY KEY AUTOINCREMENT, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    octets BLOB NOT NULL, UNIQUE (epoch, seq)
);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES ('dropped', 0);
CREATE TABLE IF NOT EXISTS office (site TEXT NOT NULL);
"""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SIGN = 1 << 63


class Spool:
    """Unacknowledged reports, oldest first. For one thread at a time."""

    def __init__(self, path: Path, site: str, most_octets: int = MOST_OCTETS) -> None:
        """Open the spool of an office.

        Raises:
            TabuahError: another program holds the file.
        """
        self._path = path
        self._site = site
        self._most_octets = most_octets
        self._database = self._open()
        self._octets = self.count = 0
        self._measure()
        (self.dropped,) = self._database.execute(
            "SELECT value FROM counter WHERE name = 'dropped'"
        ).fetchone()
        """Reports lost for want of room since the spool was made."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put(self, report: Packed) -> None:
        """Keep a report; it is on flash when this returns.

        Raises:
            TabuahError: the file system refuses (full, read-only).
        """
        try:
            with self._database:
                kept = self._database.execute(
                    "INSERT OR IGNORE INTO report (epoch, seq, octets) VALUES (?, ?, ?)",
                    (_signed(report.epoch), report.seq, report.octets),
                ).rowcount
                dropped, freed = self._make_room(len(report.octets))
        except sqlite3.Error as error:
            raise TabuahError(f"{self._path}: cannot keep a report: {error}") from error
        if kept:
            self.count += 1
            self._octets += len(report.octets)
        self.count -= dropped
        self.dropped += dropped
        self._octets -= freed

    def oldest(self, limit: int) -> list[Packed]:
        """Return the oldest reports: at least one if there is any, else at most `limit` octets.

        Raises:
            TabuahError: they cannot be read.
        """
        try:
            rows = self._database.execute(
                "SELECT id, octets FROM report ORDER BY id LIMIT 100"
            ).fetchall()
        except sqlite3.Error as error:
            raise TabuahError(f"{self._path}: cannot read what was kept: {error}") from error
        found: list[Packed] = []
        octets = 0
        damaged: list[int] = []
        for row_id, packed in rows:
            octets += len(packed)
            if found and octets > limit:
                break
            try:
                report = block.unpack(packed)
            except DecodeError as error:
                log.warning("%s: a kept report is damaged and dropped: %s", self._path, error)
                damaged.append(row_id)
                continue
            if found and report.octets[0] != found[0].octets[0]:
                break  # one block holds reports of one version
            found.append(report)
        if damaged:
            self._delete("DELETE FROM report WHERE id = ?", [(row_id,) for row_id in damaged])
        return found

    def discard(self, reports: Sequence[Packed]) -> None:
        """Forget acknowledged reports."""
        self._delete(
            "DELETE FROM report WHERE epoch = ? AND seq = ?",
            [(_signed(report.epoch), report.seq) for report in reports],
        )

    def _delete(self, statement: str, rows: list[tuple[int, ...]]) -> None:
        try:
            with self._database:
                self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            # They go out again and are known there as duplicates: nothing is lost.
            log.warning("%s: cannot forget acknowledged reports: %s", self._path, error)
        else:
            self._measure()

    def _measure(self) -> None:
        (self._octets, self.count) = self._database.execute(
            "SELECT coalesce(sum(length(octets)), 0), count(*) FROM report"
        ).fetchone()

    def _make_room(self, octets: int) -> tuple[int, int]:
        """Drop the oldest until the newest fits; return how many, and their octets."""
        excess = self._octets + octets - self._most_octets
        if excess <= 0:
            return 0, 0
        victims, freed = [], 0
        rows = self._database.execute("SELECT id, length(octets) FROM report ORDER BY id")
        with contextlib.closing(rows):
            for row_id, length in rows:
                if freed >= excess:
                    break
                victims.append((row_id,))
                freed += length
        self._database.executemany("DELETE FROM report WHERE id = ?", victims)
        self._database.execute(
            "UPDATE counter SET value = value + ? WHERE name = 'dropped'", (len(victims),)
        )
        return len(victims), freed

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = _connect(str(self._path))
        except sqlite3.DatabaseError as error:
            code = error.sqlite_errorcode & 0xFF if hasattr(error, "sqlite_errorcode") else None
            if code in _TAKEN:
                raise TabuahError(
                    f"{self._path}: another program holds it ({error}); stop that program"
                ) from error
            if code in _DAMAGE or code is None:
                self._set_aside("damaged", str(error))
                return self._own(_connect(str(self._path)))
            return self._in_memory(str(error))
        except OSError as error:
            return self._in_memory(error.strerror or str(error))
        (of,) = database.execute("SELECT max(site) FROM office").fetchone()
        if of is not None and of != self._site:
            database.close()
            self._set_aside("other-office", f"it holds reports of {of}")
            database = _connect(str(self._path))
        return self._own(database)

    def _own(self, database: sqlite3.Connection) -> sqlite3.Connection:
        """Write the office's name in, the first time: a healthy start writes nothing."""
        if database.execute("SELECT count(*) FROM office").fetchone() == (0,):
            with database:
                database.execute("INSERT INTO office VALUES (?)", (self._site,))
        return database

    def _in_memory(self, why: str) -> sqlite3.Connection:
        log.error(
            "%s: nothing can be kept there (%s): what the line does not carry is kept in memory, "
            "and lost when the agent stops",
            self._path,
            why,
        )
        return self._own(_connect(":memory:"))

    def _set_aside(self, what: str, why: str) -> None:
        aside = self._path.with_suffix(f".{what}-{int(time.time())}")
        log.error("%s is set aside as %s: %s", self._path, aside.name, why)
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))


def _connect(place: str) -> sqlite3.Connection:
    database = sqlite3.connect(place, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _signed(epoch: int) -> int:
    """SQLite's integers are signed."""
    return epoch - (1 << 64) if epoch & _SIGN else epoch
