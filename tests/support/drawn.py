"""Seeds of tests that draw: always the same in CI, another each time on a person's machine."""

from __future__ import annotations

import os
import secrets


def seed() -> int:
    """Return the seed: that of the environment's TABUAH_SEED, to repeat a run that failed.

    It is printed, and so stands in what pytest tells of a test that fails.
    """
    given = os.environ.get("TABUAH_SEED")
    chosen = int(given or (7 if "CI" in os.environ else secrets.randbits(32)))
    print(f"drawn with TABUAH_SEED={chosen}")
    return chosen
