"""Private files of the data folder: whole or absent after a power cut, and readable by us alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tabuah.errors import TabuahError
from tabuah.whole_file import hand_over, write_whole

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
    """Replace `path` by `content`, mode 0600, durable when this returns (`tabuah.whole_file`).

    Raises:
        TabuahError: it could not be written; the old file stands.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise TabuahError(
            f"{path}: cannot be written: {error.strerror}; check space and permissions there"
        ) from error


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
        hand_over(handle, folder)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
