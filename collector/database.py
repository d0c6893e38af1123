"""Opens the store's database: all that differs between SQLite and PostgreSQL stands here.

SQLite runs in WAL mode with synchronous=FULL, so that a commit that has returned survives a power
cut. Errors of either come out as StoreError, in words that say what to do.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, NoSuchModuleError

from collector.files import private_folder
from collector.schema import HEAD, VERSION_TABLE
from tabuah.errors import TabuahError
from tabuah.whole_file import sync_folder

FILE_NAME = "store.db"

SYNCHRONOUS = "FULL"
"""Of SQLite: each commit is on the disk when it returns."""

_BUSY_SECONDS = 10.0
_BEGIN = "tabuah_begin"
_MIGRATIONS = Path(__file__).parent / "migrations"

_MEND = (
    "stop the collector, and restore a backup with `tabuah data restore` or save what can be read "
    "with `tabuah data salvage`; `tabuah data check` says what is missing then"
)

# By SQLite's primary result code.
_ADVICE = {
    sqlite3.SQLITE_BUSY: "locked by another program; is a second collector using this folder?",
    sqlite3.SQLITE_LOCKED: "locked by another program; is a second collector using this folder?",
    sqlite3.SQLITE_CORRUPT: f"the database is damaged; {_MEND}",
    sqlite3.SQLITE_NOTADB: f"this is no SQLite database, or it is damaged; {_MEND}",
    sqlite3.SQLITE_FULL: "the disk is full; free some space there, reports wait in the offices",
    sqlite3.SQLITE_READONLY: "it may not be written; check its owner, its mode and the mount",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it exists, its owner and its mode",
    sqlite3.SQLITE_PERM: "it may not be opened; check its owner and its mode",
    sqlite3.SQLITE_AUTH: "it may not be opened; check its owner and its mode",
    sqlite3.SQLITE_IOERR: "the disk refuses; see the kernel's log, and whether it is full",
}

log = logging.getLogger(__name__)


class StoreError(TabuahError):
    """The store cannot do what was asked; nothing of it was kept."""


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn the database's errors inside the body into a StoreError that says what to do."""
    try:
        yield
    except DataError as error:
        # A value that does not fit is no trouble of the database; its SQL is no line of a log.
        raise ValueError(str(error.orig)) from error
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        advice = _ADVICE.get(code & 0xFF) if isinstance(code, int) else None
        raise StoreError(f"{place}: {advice or 'the database refuses'} ({error.orig})") from error


def open_engine(data: Path | str, *, read_only: bool) -> tuple[Engine, str]:
    """Return an engine on the database, migrated to HEAD, and its place for messages.

    Args:
        data: the data folder, for SQLite in it; or a database URL.
        read_only: never write, not even to create or to migrate.

    Raises:
        StoreError: damaged, locked, not to be opened, or of a newer tabuah.
    """
    if isinstance(data, str) and "://" in data:
        engine, place = _server_engine(data, read_only=read_only)
    else:
        path = Path(data) / FILE_NAME
        engine, place = _sqlite_engine(path, read_only=read_only), str(path)
    try:
        with explained(place):
            _bring_to_head(engine, place, read_only=read_only)
    except TabuahError:
        engine.dispose()
        raise
    return engine, place


def writing(engine: Engine) -> Engine:
    """Return the engine whose transactions take the write lock at their start.

    SQLite would else refuse, without waiting, a reader that turns into a writer.
    """
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


def _server_engine(url: str, *, read_only: bool) -> tuple[Engine, str]:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            raise StoreError("for SQLite name the data folder, not a URL")
        place = parsed.render_as_string(hide_password=True)
        engine = create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(f"no database can be opened by that URL: {error}") from error
    return engine.execution_options(postgresql_readonly=read_only), place


def _sqlite_engine(path: Path, *, read_only: bool) -> Engine:
    if read_only:
        if not path.exists():
            raise StoreError(f"{path}: no reports are stored here yet; is --data right?")
    else:
        private_folder(path.parent)
        _create_private(path)
    target = f"file:{quote(str(path.absolute()))}?mode={'ro' if read_only else 'rw'}"

    def connect() -> sqlite3.Connection:
        # No implicit transactions (isolation_level): ours begin in `begin` below.
        connection = sqlite3.connect(
            target, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
            # Closing a big day makes a big log; give the space back.
            connection.execute("PRAGMA journal_size_limit = 67108864")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def _create_private(path: Path) -> None:
    """Create the file with mode 0600, which SQLite gives to its -wal and -shm files too."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be opened for writing: {error.strerror}; check the owner and mode of "
            "the folder and the file"
        ) from error


def _bring_to_head(engine: Engine, place: str, *, read_only: bool) -> None:
    with engine.connect() as connection:
        version = _version(connection, place)
    if version == HEAD:
        return
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each of its plugins
    # Only now: Alembic is slow to import, and most starts do not need it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise StoreError(
            f"{place}: written by a newer tabuah (schema {version}, this one knows {HEAD}); "
            "install that version, or restore a backup made before it"
        )
    if read_only:
        raise StoreError(
            f"{place}: still has the schema of an older tabuah; start the collector once, which "
            "brings it up to date"
        )
    log.info("%s: schema %s becomes %s", place, version or "(new)", HEAD)
    with writing(engine).begin() as connection:
        # Another process may have done it while we waited for the lock: Alembic looks again.
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                f"{place}: cannot be brought up to date, the database is damaged ({error}); {_MEND}"
            ) from error


def _version(connection: Connection, place: str) -> str | None:
    """Return the database's schema version; None when it is empty."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        version = connection.execute(select(text("version_num")).select_from(text(VERSION_TABLE)))
        return version.scalar_one_or_none()
    if tables:
        raise StoreError(f"{place}: a database of another program; choose another place")
    return None
