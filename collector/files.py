"""Private files of the data folder: whole or absent after a power cut, and readable by us alone."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabuah.errors import TabuahError

LOCK_NAME = ".lock"


def private_folder(folder: Path) -> None:
    """Make `folder` ours alone (0700) if it is missing or empty; leave one in use as it is.

    Raises:
        TabuahError: it cannot be made, or is no folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            folder.chmod(0o700)
    except OSError as error:
        raise TabuahError(
            f"{folder}: cannot be used as data folder: {error.strerror}; "
            "name one that this user may write with --data"
        ) from error


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, mode 0600, durable when this returns.

    Readers see the old file or the new one, never a part; so does whoever comes after a power
    cut.

    Raises:
        TabuahError: it could not be written; the old file stands.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                _hand_over(handle, path.parent)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise TabuahError(
            f"{path}: cannot be written: {error.strerror}; check space and permissions there"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` as durable as the files they name (fsync)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes that use this function on `folder` waiting while the body runs."""
    try:
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise TabuahError(
            f"{folder}: cannot be locked: {error.strerror}; check permissions there"
        ) from error
    try:
        _hand_over(handle, folder)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _hand_over(handle: int, folder: Path) -> None:
    """Give a file that root writes to the folder's owner.

    A collector that runs as a user of its own must be able to read what `sudo tabuah enrol` left.
    """
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
