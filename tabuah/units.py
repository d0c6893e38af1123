"""Durations as people write them: a number and ms, s, m, h, d or y."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|y)")


def duration_seconds(text: str) -> float:
    """Return the seconds that `text` ('10s', '500ms', '5m') means.

    Raises:
        ValueError: with words that say what a duration looks like.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"'{text}' is no duration; write a number and a unit, like 10s, 500ms or 5m"
        )
    return float(match[1]) * _SECONDS[match[2]]


def duration_text(seconds: float) -> str:
    """Return the shortest text that `duration_seconds` reads back as `seconds`."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{round(seconds * 1000)}ms"
