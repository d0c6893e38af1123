"""The folder of provisioning: `DATA/provision`.

journal.db      what was, is and will be done (`provision.journal`)
known_hosts     whom we trust (`tabuah config trust`)
mask.key        of the names that stand for secrets
owners/         a file for each transaction that is being driven
transcripts/    what was said to a device, without secrets
backup/         what gateways ran, each night (`provision.backup`)
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provision import masking
from tabuah.errors import ConfigError, Problem, TabuahError


@contextmanager
def owning(folder: Path, tx: str) -> Iterator[bool]:
    """Yield whether the transaction is ours to drive; another process may be at it.

    The lock dies with its process, however that ends.

    Raises:
        TabuahError: the folder cannot be written.
    """
    owners = folder / "owners"
    try:
        owners.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(owners / tx, os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise TabuahError(
            f"{owners}: cannot be written: {error.strerror}; check space and permissions there"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


def transcript(folder: Path, tx: str, hidden: frozenset[str], key: bytes) -> Callable[[str], None]:
    """Return what writes down what is said to a device, `hidden` secrets masked, mode 0600.

    It is for people who look for a fault: a full disk leaves it short, and hinders nothing.
    """
    path = folder / "transcripts" / f"{tx}.log"

    def tell(words: str) -> None:
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            with path.open("a", encoding="utf-8") as file:
                file.write(masking.mask(words, hidden, key).rstrip("\n") + "\n")

    return tell


def mask_key(folder: Path) -> bytes:
    """Return the key of the names that stand for secrets, made when there is none.

    Raises:
        ConfigError: it is damaged, or cannot be made.
    """
    path = folder / "mask.key"
    try:
        return _whole(path, path.read_bytes())
    except FileNotFoundError:
        pass
    try:
        new = path.with_suffix(f".{os.getpid()}")
        new.touch(mode=0o600)
        new.write_bytes(secrets.token_bytes(32))
        # link fails where another process was quicker: its key is the one.
        with suppress(FileExistsError):
            os.link(new, path)
        new.unlink()
        return _whole(path, path.read_bytes())
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be made: {error.strerror}")]) from error


def _whole(path: Path, octets: bytes) -> bytes:
    if len(octets) != 32:
        raise ConfigError([Problem(str(path), "is damaged: it has not 32 octets")])
    return octets
