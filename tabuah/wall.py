"""This machine's clock, for the edges: decisions are given the time."""

from __future__ import annotations

import time


def wall_ms() -> int:
    """Return the time as the machine has it, ms since 1970 UTC: it may step, and is no deadline."""
    return time.time_ns() // 1_000_000
