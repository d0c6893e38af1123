"""Programs whose wall clock is wrong, or is set while they run; see `clock_off.c`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock_off.c")


def build(folder: Path) -> Path:
    """Return the preloaded library, built in `folder` by the C compiler."""
    compiler = shutil.which("cc")
    assert compiler is not None, "a clock that is wrong needs a C compiler; run `make test`"
    library = folder / "clock_off.so"
    if not library.exists():
        argv = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return library


def wrong_clock(library: Path, seconds: int, after: int = 0) -> dict[str, str]:
    """Return the environment of a program whose clock is so far off, `after` so many seconds."""
    return {
        "LD_PRELOAD": str(library),
        "CLOCK_OFF_SECONDS": str(seconds),
        "CLOCK_OFF_AFTER": str(after),
    }
