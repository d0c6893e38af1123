"""One file that holds a collector: its store as of one moment, its identity, its offices' keys.

A tar archive of mode 0600: whoever reads it can pass for any office. It is made beside a running
collector, whose commits go on, and appears under its name only when it is whole and on disk.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import quote

from collector.database import FILE_NAME
from collector.files import private_folder
from collector.identity import FILE_NAME as IDENTITY
from tabuah.errors import TabuahError
from tabuah.whole_file import sync_folder

PAGES = 1_000
"""Pages of the database that are copied at once; between them the disk is the collector's."""

PAUSE_S = 0.01

_STORE_FILES = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm")
_CHUNK = 1 << 20

Progress = Callable[[int, int], None]
"""Pages done, pages in all."""


def back_up(data: Path, out: Path, progress: Progress = lambda _, __: None) -> bool:
    """Write an archive of the data folder to `out`; return whether a store is in it.

    There is none in a folder whose collector keeps its reports in PostgreSQL.

    Raises:
        TabuahError: nothing to back up, it cannot be read, or `out` cannot be written.
    """
    if not (data / IDENTITY).exists():
        raise TabuahError(f"{data}: no collector has used this folder; is --data right?")
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    copy = draft.with_name(f"{draft.name}.db")
    try:
        with _create(draft) as archive:
            found = (data / FILE_NAME).exists()
            if found:
                _copy_store(data / FILE_NAME, copy, progress)
                archive.add(copy, FILE_NAME, filter=_anonymous)
                copy.unlink()
            for path in _others(data):
                archive.add(path, str(path.relative_to(data)), filter=_anonymous)
        _sync(draft)
        draft.replace(out)
        sync_folder(out.parent)
    except sqlite3.Error as error:
        raise TabuahError(
            f"{data / FILE_NAME}: cannot be copied ({error}); if it is damaged, see `tabuah data "
            "check`"
        ) from error
    except OSError as error:
        raise TabuahError(
            f"{error.filename or out}: {error.strerror}; check space and permissions there"
        ) from error
    finally:
        for path in (draft, copy, copy.with_name(f"{copy.name}-journal")):
            path.unlink(missing_ok=True)
    return found


def restore(data: Path, source: Path) -> list[str]:
    """Unpack an archive into `data`, which must be empty or absent; return the files' names.

    Raises:
        TabuahError: there is something in the folder, or this is no such archive; then the folder
            is as it was.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise TabuahError(
            f"{data}: not empty; a backup is restored into an empty folder, so move this one aside"
        )
    private_folder(data)
    made: list[Path] = []
    try:
        with tarfile.open(source) as archive:
            for member in _members(source, archive):
                path = data / _safe(source, member.name)
                made.append(path)
                content = archive.extractfile(member)
                assert content is not None
                with content, _private(path, data) as handle:
                    while part := content.read(_CHUNK):
                        handle.write(part)
        sync_folder(data)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, tarfile.TarError):
            raise TabuahError(f"{source}: no archive, or not whole: {error}") from error
        if isinstance(error, OSError):
            raise TabuahError(f"{error.filename or data}: {error.strerror}") from error
        raise
    return [str(path.relative_to(data)) for path in made]


def _members(source: Path, archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members = [member for member in archive if member.isfile()]
    if IDENTITY not in {member.name for member in members}:
        raise TabuahError(f"{source}: no backup of a collector: it holds no {IDENTITY}")
    return members


def _copy_store(source: Path, target: Path, progress: Progress) -> None:
    target.touch(0o600)
    uri = f"file:{quote(str(source.absolute()))}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10)) as reader,
        closing(sqlite3.connect(target, isolation_level=None)) as writer,
    ):
        # One snapshot for all steps: else a commit between two would begin the copy anew. In WAL
        # mode it keeps no writer waiting.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(
            writer,
            pages=PAGES,
            sleep=PAUSE_S,
            progress=lambda _, left, pages: progress(pages - left, pages),
        )
        reader.execute("ROLLBACK")


def _others(data: Path) -> Iterator[Path]:
    """Yield what else must be kept: all files but locks, drafts and the store's own."""
    for path in sorted(data.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(data).parts)
        if hidden or path.suffix == ".lock" or path.name in _STORE_FILES:
            continue
        if stat.S_ISREG(path.lstat().st_mode):
            yield path


@contextmanager
def _create(path: Path) -> Iterator[tarfile.TarFile]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        os.fdopen(handle, "wb") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield archive


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _safe(source: Path, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise TabuahError(f"{source}: holds a file {name!r} that would lie outside the folder")
    return name


@contextmanager
def _private(path: Path, data: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        if os.geteuid() == 0:  # the collector may run as the folder's owner
            owner = data.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        yield file
        file.flush()
        os.fsync(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
