"""Power cuts, simulated: what a disk may hold when the power went at some moment. And slow disks.

A program runs under a small preloaded library (`powercut.c`, built by the C compiler) that writes
down what it does to the files of one folder. Afterwards a `Recording` tells what a disk may hold
had the power gone after any of those calls: all that was synced, and of the rest what chance
lets through: some writes, in any order, some of them torn between sectors. That is what file
systems and disks promise, and no more.

A program marks what it has promised by writing to a file named `marks` in that folder; `Cut.marks`
holds what it had written by then.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from random import Random
from typing import Final

SECTOR: Final = 512
MARKS: Final = "marks"
_SOURCE = Path(__file__).with_name("powercut.c")
_RECORD = struct.Struct("<BIQI")


class Did(IntEnum):
    """What was done to a file."""

    WRITE = 1
    TRUNCATE = 2
    SYNC = 3
    UNLINK = 4
    RENAME = 5
    CREATE = 6


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as it was written down."""

    did: Did
    path: str
    offset: int
    data: bytes


@dataclass(slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    exists: bool = False
    """As far as the disk knows for certain."""
    since: list[Call] = field(default_factory=list)
    """What was done after the last sync."""


class Recording:
    """What a program did to a folder, call by call."""

    def __init__(self, root: Path, journal: Path) -> None:
        self._root = root.resolve()
        self._marks = str(self._root / MARKS)
        self.calls = _read(journal.read_bytes())

    def moment_of(self, mark: bytes) -> int:
        """Return after how many calls this mark was written."""
        marked = (call.path == self._marks and call.data == mark for call in self.calls)
        return next(at for at, found in enumerate(marked, 1) if found)

    def cut(self, after: int, dice: Random, into: Path) -> bytes:
        """Make `into` what the disk may hold after so many calls; return the marks by then."""
        marks = bytearray()
        files: dict[str, _File] = {}
        for call in self.calls[:after]:
            if call.path == self._marks:
                if call.did is Did.WRITE:
                    marks += call.data
                continue
            _note(files, call)
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        for path, file in files.items():
            content = _survives(file, dice)
            if content is not None and not path.endswith("-shm"):
                place = into / Path(path).relative_to(self._root)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        return bytes(marks)


def library(folder: Path) -> Path:
    """Return the built library; it is made in `folder`."""
    made = folder / "powercut.so"
    argv = (
        "cc",
        "-shared",
        "-fPIC",
        "-O1",
        "-w",
        "-o",
        str(made),
        str(_SOURCE),
        "-ldl",
        "-lpthread",
    )
    subprocess.run(argv, check=True, timeout=60)
    return made


def slowed(folder: Path, built: Path, control: Path) -> dict[str, str]:
    """Return the environment of a program whose syncs of files in `folder` take longer.

    By as many milliseconds as `control` says at the time; none while it is not there.
    """
    return {
        "LD_PRELOAD": str(built),
        "POWERCUT_ROOT": str(folder),
        "POWERCUT_SLOW": str(control),
    }


def record(argv: Sequence[str], root: Path, built: Path, timeout: float = 60) -> Recording:
    """Run a program to its end, and return what it did to the files in `root`."""
    journal = built.with_name(f"{root.name}.journal")
    journal.unlink(missing_ok=True)
    env = {
        **os.environ,
        "LD_PRELOAD": str(built),
        "POWERCUT_ROOT": str(root),
        "POWERCUT_JOURNAL": str(journal),
    }
    subprocess.run(argv, check=True, timeout=timeout, env=env)
    return Recording(root, journal)


def _read(journal: bytes) -> list[Call]:
    calls = []
    at = 0
    while at + _RECORD.size <= len(journal):
        did, path_length, offset, length = _RECORD.unpack_from(journal, at)
        at += _RECORD.size
        path = journal[at : at + path_length].decode()
        at += path_length
        calls.append(Call(Did(did), path, offset, journal[at : at + length]))
        at += length
    return calls


def _note(files: dict[str, _File], call: Call) -> None:
    file = files.setdefault(call.path, _File())
    match call.did:
        case Did.SYNC:
            # A file's sync brings its name too, as ext4, XFS and f2fs have it.
            if file.since or file.exists:
                content = _apply(file.synced, file.since)
                file.exists = content is not None
                file.synced = bytearray() if content is None else content
                file.since = []
            for path, gone in files.items():
                # The folder's sync brings the names of what was made or removed in it.
                if path.rpartition("/")[0] == call.path:
                    _sync_name(gone)
        case Did.RENAME:
            # Journals order a rename after what was synced of the file: it is kept whole.
            files[call.data.decode()] = files.pop(call.path)
        case _:
            file.since.append(call)


def _sync_name(file: _File) -> None:
    for at in range(len(file.since) - 1, -1, -1):
        if file.since[at].did is Did.UNLINK:
            file.exists, file.synced = False, bytearray()
            file.since = file.since[at + 1 :]
            return
    file.exists = file.exists or any(call.did is Did.CREATE for call in file.since)


def _survives(file: _File, dice: Random) -> bytearray | None:
    """Return what may be left of a file; None = nothing, not even its name."""
    chance = dice.choice((0.0, 0.5, 0.9, 1.0))
    passed: list[Call] = []
    for call in file.since:
        if dice.random() >= chance:
            continue
        torn = call.did is Did.WRITE and dice.random() < 0.3
        passed.append(_torn(call, dice) if torn else call)
    if not file.exists and not any(call.did is Did.CREATE for call in passed):
        return None
    if file.since and not passed:
        return file.synced if file.exists else None
    dice.shuffle(passed)
    return _apply(file.synced, passed) or (bytearray() if file.exists else None)


def _torn(call: Call, dice: Random) -> Call:
    sectors = dice.randrange(len(call.data) // SECTOR + 1)
    return Call(call.did, call.path, call.offset, call.data[: sectors * SECTOR])


def _apply(content: bytearray, calls: Sequence[Call]) -> bytearray | None:
    """Return the content after these calls, changed in place; None if it was removed."""
    made: bytearray | None = content
    for call in calls:
        if call.did is Did.UNLINK:
            made = None
            continue
        made = bytearray() if made is None else made
        if call.did is Did.TRUNCATE:
            del made[call.offset :]
            made.extend(bytes(call.offset - len(made)))
        elif call.did is Did.WRITE:
            made.extend(bytes(max(0, call.offset - len(made))))
            made[call.offset : call.offset + len(call.data)] = call.data
    return made
