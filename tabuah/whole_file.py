"""Files that are whole or absent: no reader sees half of one, nor who comes after a power cut.

A draft beside the file is written and synced, then takes its name; then the folder is synced, for a
name that is not on disk is gone with the power. What root writes belongs to the folder's owner, as
which the collector may run.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
"""For its owner alone: the mode of all that holds or may hold a secret."""
READABLE = 0o666
"""As the user's umask has it: for what people read and edit."""


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Yield the file that is to replace `path`; it does so, durably, when the body ends well.

    Raises:
        OSError: it could not be written; the old file stands.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with opened_new(draft, mode) as file:
            yield file
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_whole(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Replace `path` by `content`; durable when this returns.

    Raises:
        OSError: as `replacing`.
    """
    with replacing(path, mode) as file:
        file.write(content)


@contextmanager
def opened_new(path: Path, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Yield a new file; it is on disk, but for its name, when the body ends well.

    Raises:
        OSError: there is such a file already, or it could not be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        hand_over(handle, path.parent)
        yield file
        file.flush()
        os.fsync(handle)


def hand_over(handle: int, folder: Path) -> None:
    """Give an open file that root has made to the owner of `folder`."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` as durable as the files they name (fsync)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
