"""A trap, as the collector keeps it, and as one line of JSON between two processes. Pure."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Final

from tabuah.errors import DecodeError

MOST_VARIABLES: Final = 32
MOST_TEXT: Final = 200
"""Characters of one value that are kept."""
MOST_LINE: Final = 32_768
"""Octets of one line."""

_VERSIONS: Final = frozenset({"1", "2c", "3"})


@dataclass(frozen=True, slots=True)
class Trap:
    """What a device said by itself."""

    at_ms: int
    """When it came, ms since 1970 UTC."""
    source: str
    """The address it came from: anyone's word, unless it is authentic."""
    version: str
    """`1`, `2c` or `3`."""
    oid: str
    """snmpTrapOID, dotted; a v1 trap's as RFC 3584 section 3.1 makes it."""
    variables: tuple[tuple[str, str], ...] = ()
    """OID and value, of those that came with it."""
    uptime_ticks: int | None = None
    """sysUpTime, in hundredths of a second."""
    agent: str = ""
    """Of whom it speaks: a v1 trap's agent-addr, or snmpTrapAddress; empty = the source."""
    user: str = ""
    """Who signed it (v3), proved by its digest; empty = nobody."""
    engine_id: str = ""
    """Hexadecimal: of whom its signature is."""
    boots: int = 0
    time: int = 0
    """The engine's clock by which it is known to be no replay."""

    @property
    def authentic(self) -> bool:
        """Whether a known user signed it. Whether it is a replay, its clock tells."""
        return bool(self.user)


_DEFAULTS: Final = {one.name: one.default for one in fields(Trap) if one.default is not MISSING}
_NEEDED: Final = {one.name for one in fields(Trap)} - _DEFAULTS.keys()


def to_line(trap: Trap) -> bytes:
    """Return the trap as one line of JSON."""
    return json.dumps(asdict(trap), separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> Trap:
    """Return the trap that a line holds.

    Raises:
        DecodeError: it is none; what is too long or too many is refused too.
    """
    if len(line) > MOST_LINE:
        raise DecodeError("a trap's line is too long")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise DecodeError("a trap's line is no JSON") from None
    if not isinstance(found, dict) or not _NEEDED <= found.keys() <= _NEEDED | _DEFAULTS.keys():
        raise DecodeError("a trap's line has other fields")
    # One that was kept by an earlier version has fewer.
    found = {**_DEFAULTS, **found}
    texts = [found[name] for name in ("source", "version", "oid", "agent", "user", "engine_id")]
    numbers = [found[name] for name in ("at_ms", "boots", "time")]
    ticks, variables = found["uptime_ticks"], found["variables"]
    if (
        not all(isinstance(text, str) and len(text) <= 1000 for text in texts)
        or not all(_is_number(number) for number in numbers)
        or not (ticks is None or _is_number(ticks))
        or found["version"] not in _VERSIONS
        or not isinstance(variables, list | tuple)
        or len(variables) > MOST_VARIABLES
        or not all(_is_pair(pair) for pair in variables)
    ):
        raise DecodeError("a trap's line has a field of another kind")
    return Trap(**{**found, "variables": tuple((name, value) for name, value in variables)})


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _is_pair(pair: object) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(text, str) and len(text) <= 2000 for text in pair)
    )
