"""`python -m fuzz.keep TARGET FROM... TO`: keep the fewest, shortest inputs that reach all.

libFuzzer's own merge starts its program again by argv[0], which `python -m` has none of. This one
follows the jumps between lines of our code, without atheris, and takes greedily what reaches
most that is new.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.targets import TARGETS, Target

MOST_OCTETS = 1024
"""Longer inputs reach nothing that shorter ones do not, so far."""
MOST_FILES = 60
_ROOT = str(Path(__file__).resolve().parent.parent)
_FOLDERS = tuple(f"{_ROOT}/{name}/" for name in ("tabuah", "agent", "collector"))
_TOMLLIB = "/tomllib/"

Jump = tuple[str, int, int]
Follower = Callable[[FrameType, str, Any], Any]
"""As `sys.settrace` wants it."""


def reached(target: Target, data: bytes) -> frozenset[Jump]:
    """Return the jumps from line to line that an input makes in our code, and in tomllib."""
    jumps: set[Jump] = set()

    def follow(frame: FrameType, event: str, _: object) -> Follower | None:
        name = frame.f_code.co_filename
        if not name.startswith(_FOLDERS) and _TOMLLIB not in name:
            return None
        before = frame.f_lineno if event == "call" else 0

        def lines(inner: FrameType, event: str, _: object) -> Follower:
            nonlocal before
            if event == "line":
                jumps.add((name, before, inner.f_lineno))
                before = inner.f_lineno
            return lines

        return lines

    sys.settrace(follow)
    try:
        target.run(data)
    finally:
        sys.settrace(None)
    return frozenset(jumps)


def fewest(target: Target, inputs: Iterable[bytes]) -> list[bytes]:
    """Return inputs that reach together what all do, those first that reach most."""
    target.run(b"")  # what is remembered at first is not the first input's
    short = sorted({one for one in inputs if len(one) <= MOST_OCTETS}, key=len)
    left = {one: reached(target, one) for one in short}
    kept: list[bytes] = []
    known: frozenset[Jump] = frozenset()
    while left and len(kept) < MOST_FILES:
        # Of equals the shortest, since they are in that order.
        best = max(left, key=lambda one: len(left[one] - known))
        if not left[best] - known:
            break
        kept.append(best)
        known |= left.pop(best)
    return kept


def main() -> int:
    """Do as the command line says; what stood in the last folder before is gone."""
    if len(sys.argv) < 4 or sys.argv[1] not in TARGETS:
        sys.stderr.write(f"usage: python -m fuzz.keep {{{','.join(TARGETS)}}} FROM... TO\n")
        return 2
    target, *folders = sys.argv[1:]
    to = Path(folders[-1])
    to.mkdir(parents=True, exist_ok=True)
    paths = [path for folder in folders for path in Path(folder).iterdir()]
    kept = fewest(TARGETS[target], [path.read_bytes() for path in paths])
    for path in to.iterdir():
        path.unlink()
    for data in kept:
        (to / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    sys.stdout.write(f"{target}: {len(kept)} of {len(paths)}, {sum(map(len, kept))} octets\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
