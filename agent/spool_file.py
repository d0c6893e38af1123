"""The spool's file: how it is opened, what stands in it, and what becomes of a damaged one.

A damaged file, or one of another office, is set aside; where nothing can be written (a read-only
or full flash) reports are kept in memory, and that is said.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

SYNCHRONOUS = "FULL"
"""Each commit is on flash when it returns."""
_WAL_PAGES: Final = 128
"""Beside the file there is half a megabyte of write-ahead log."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, level INTEGER NOT NULL, base INTEGER NOT NULL,
    uptime_s INTEGER NOT NULL, octets BLOB NOT NULL, PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epoch (
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL UNIQUE, boot_id BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS base (id INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS damaged (
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, octets BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT OR IGNORE INTO counter VALUES ('dropped', 0);
CREATE TABLE IF NOT EXISTS office (site TEXT NOT NULL);
"""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def open_spool(path: Path, site: str) -> sqlite3.Connection:
    """Return the database of an office's spool, ready for use.

    Raises:
        TabuahError: another program holds the file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        database = _connect(str(path))
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF if hasattr(error, "sqlite_errorcode") else None
        if code in _TAKEN:
            raise TabuahError(
                f"{path}: another program holds it ({error}); stop that program"
            ) from error
        if code in _DAMAGE or code is None:
            return _another(path, site, "damaged", str(error))
        return _in_memory(path, site, str(error))
    except OSError as error:
        return _in_memory(path, site, error.strerror or str(error))
    (of,) = database.execute("SELECT max(site) FROM office").fetchone()
    if of is not None and of != site:
        database.close()
        return _another(path, site, "other-office", f"it holds reports of {of}")
    return _own(database, site)


def older_reports(database: sqlite3.Connection) -> list[bytes]:
    """Return the reports that a spool of version 0.1.0 holds, oldest first; mostly there are none.

    They are to be put again; `drop_older` then removes them.
    """
    found = database.execute("SELECT name FROM sqlite_master WHERE name = 'report'").fetchone()
    if found is None:
        return []
    return [octets for (octets,) in database.execute("SELECT octets FROM report ORDER BY id")]


def drop_older(database: sqlite3.Connection) -> None:
    """Remove what `older_reports` reads."""
    with database:
        database.execute("DROP TABLE IF EXISTS report")


def _connect(place: str) -> sqlite3.Connection:
    database = sqlite3.connect(place, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
        database.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _own(database: sqlite3.Connection, site: str) -> sqlite3.Connection:
    """Write the office's name in, the first time: a healthy start writes nothing."""
    if database.execute("SELECT count(*) FROM office").fetchone() == (0,):
        with database:
            database.execute("INSERT INTO office VALUES (?)", (site,))
    return database


def _in_memory(path: Path, site: str, why: str) -> sqlite3.Connection:
    log.error(
        "%s: nothing can be kept there (%s): what the line does not carry is kept in memory, "
        "and lost when the agent stops",
        path,
        why,
    )
    return _own(_connect(":memory:"), site)


def _another(path: Path, site: str, what: str, why: str) -> sqlite3.Connection:
    """Set the file aside, and return a new one."""
    aside = path.with_suffix(f".{what}-{int(time.time())}")
    log.error("%s is set aside as %s: %s", path, aside.name, why)
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return _own(_connect(str(path)), site)
