"""What a poll asks of a device, and what its answers mean: IF-MIB (RFC 2863) and a few scalars.

Pure. Interfaces are known by ifName, for an ifIndex changes (a PPPoE redial makes a new one);
where a device has no ifXTable, ifDescr stands for the name and 32-bit counters for the octets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.counters import Counters, Reading, Width
from tabuah.snmp.pdu import Oid, VarBind

SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
IF_NUMBER: Oid = (1, 3, 6, 1, 2, 1, 2, 1, 0)
HR_SYSTEM_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 25, 1, 1, 0)
LA_LOAD_INT_1: Oid = (1, 3, 6, 1, 4, 1, 2021, 10, 1, 5, 1)
MEM_AVAIL_REAL: Oid = (1, 3, 6, 1, 4, 1, 2021, 4, 6, 0)
SNMP_ENGINE_BOOTS: Oid = (1, 3, 6, 1, 6, 3, 10, 2, 1, 2, 0)
SCALARS = (
    SYS_UPTIME,
    IF_NUMBER,
    HR_SYSTEM_UPTIME,
    LA_LOAD_INT_1,
    MEM_AVAIL_REAL,
    SNMP_ENGINE_BOOTS,
)

_IF_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_IF_X_ENTRY: Oid = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
IF_DESCR: Oid = (*_IF_ENTRY, 2)
IF_TYPE: Oid = (*_IF_ENTRY, 3)
_IF_SPEED: Oid = (*_IF_ENTRY, 5)
_IF_OPER_STATUS: Oid = (*_IF_ENTRY, 8)
_IF_LAST_CHANGE: Oid = (*_IF_ENTRY, 9)
_IF_IN_OCTETS: Oid = (*_IF_ENTRY, 10)
_IF_IN_DISCARDS: Oid = (*_IF_ENTRY, 13)
_IF_IN_ERRORS: Oid = (*_IF_ENTRY, 14)
_IF_OUT_OCTETS: Oid = (*_IF_ENTRY, 16)
_IF_OUT_DISCARDS: Oid = (*_IF_ENTRY, 19)
_IF_OUT_ERRORS: Oid = (*_IF_ENTRY, 20)
IF_NAME: Oid = (*_IF_X_ENTRY, 1)
_IF_HC_IN_OCTETS: Oid = (*_IF_X_ENTRY, 6)
_IF_HC_OUT_OCTETS: Oid = (*_IF_X_ENTRY, 10)
_IF_HIGH_SPEED: Oid = (*_IF_X_ENTRY, 15)
_IF_COUNTER_DISCONTINUITY_TIME: Oid = (*_IF_X_ENTRY, 19)

_COLUMNS = (
    _IF_OPER_STATUS,
    _IF_LAST_CHANGE,
    _IF_HC_IN_OCTETS,
    _IF_HC_OUT_OCTETS,
    _IF_IN_OCTETS,
    _IF_OUT_OCTETS,
    _IF_IN_ERRORS,
    _IF_OUT_ERRORS,
    _IF_IN_DISCARDS,
    _IF_OUT_DISCARDS,
    _IF_HIGH_SPEED,
    _IF_SPEED,
    _IF_COUNTER_DISCONTINUITY_TIME,
)

_MOST_32, _MOST_64 = 2**32 - 1, 2**64 - 1
NOT_PRESENT = 6
_UNKNOWN_STATE = 4
_PPP, _SOFTWARE_LOOPBACK = 23, 24
_SPEED_BEYOND = 0xFFFFFFFF
"""ifSpeed of an interface too fast for it (RFC 2863)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One interface, and the column that its name stands in."""

    name: str
    index: int
    name_column: Oid = IF_NAME
    loopback: bool = False
    ppp: bool = False

    def oids(self) -> list[Oid]:
        """Return what to ask; its name first, which proves that the index is still its own."""
        return [(*column, self.index) for column in (self.name_column, *_COLUMNS)]


class Values:
    """The variables of the answers to one poll."""

    def __init__(self, varbinds: Sequence[VarBind] = ()) -> None:
        self._values = {varbind.oid: varbind.value for varbind in varbinds}

    def add(self, varbinds: Sequence[VarBind]) -> None:
        """Take the variables of one more answer."""
        self._values.update((varbind.oid, varbind.value) for varbind in varbinds)

    def number(self, oid: Oid, index: int | None = None) -> int | None:
        """Return a number of 32 bits, with a sign or without; None where the device has none."""
        value = self._values.get(oid if index is None else (*oid, index))
        return value if isinstance(value, int) and -(2**31) <= value <= _MOST_32 else None

    def count(self, oid: Oid, index: int | None = None, most: int = _MOST_32) -> int | None:
        """Return a number from 0 to `most`; None where the device has none, or says another.

        What a MIB declares is the device's to keep to, and not all do.
        """
        value = self._values.get(oid if index is None else (*oid, index))
        return value if isinstance(value, int) and 0 <= value <= most else None

    def text(self, oid: Oid, index: int) -> str | None:
        """Return a text; None where the device has none."""
        value = self._values.get((*oid, index))
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def rows(
    names: Mapping[int, str],
    types: Mapping[int, int],
    wanted: Sequence[str],
    most: int,
    column: Oid,
) -> list[Row]:
    """Return the rows to watch: those `wanted`, or, if that is empty, all but loopback."""
    found: dict[str, Row] = {}
    for index, name in sorted(names.items()):
        if name in found or not name:
            continue
        if (name in wanted) if wanted else types.get(index) != _SOFTWARE_LOOPBACK:
            kind = types.get(index)
            found[name] = Row(name, index, column, kind == _SOFTWARE_LOOPBACK, kind == _PPP)
    return list(found.values())[:most]


def still_there(row: Row, values: Values) -> bool:
    """Return whether the row's index still bears its name."""
    return values.text(row.name_column, row.index) == row.name


def reading(row: Row, values: Values, at_s: float) -> Reading:
    """Return the row's raw counters."""

    def number(column: Oid) -> int:
        return values.count(column, row.index) or 0

    high_in = values.count(_IF_HC_IN_OCTETS, row.index, _MOST_64)
    high_out = values.count(_IF_HC_OUT_OCTETS, row.index, _MOST_64)
    wide = high_in is not None and high_out is not None
    return Reading(
        at_s=at_s,
        uptime_ticks=values.count(SYS_UPTIME) or 0,
        index=row.index,
        raw=Counters(
            (high_in or 0) if wide else number(_IF_IN_OCTETS),
            (high_out or 0) if wide else number(_IF_OUT_OCTETS),
            number(_IF_IN_ERRORS),
            number(_IF_OUT_ERRORS),
            number(_IF_IN_DISCARDS),
            number(_IF_OUT_DISCARDS),
        ),
        width=Width.COUNTER64 if wide else Width.COUNTER32,
        speed_bps=speed_bps(row, values),
        discontinuity_ticks=number(_IF_COUNTER_DISCONTINUITY_TIME),
        boots=values.count(SNMP_ENGINE_BOOTS),
    )


def speed_bps(row: Row, values: Values) -> int:
    """Return ifHighSpeed in bit/s, or ifSpeed where that is missing or 0; 0 = not known.

    A loopback has no speed, whatever number a device makes up for it.
    """
    if row.loopback:
        return 0
    high = values.count(_IF_HIGH_SPEED, row.index) or 0
    plain = values.count(_IF_SPEED, row.index) or 0
    if plain == _SPEED_BEYOND:
        plain = 0
    # ifHighSpeed rounds to Mbit/s: below 20 Mbit/s ifSpeed says more.
    return high * 1_000_000 if high >= 20 or not plain else plain


def oper_status(row: Row, values: Values) -> int:
    """Return ifOperStatus; 4 (unknown) where the device does not say."""
    status = values.count(_IF_OPER_STATUS, row.index)
    return _UNKNOWN_STATE if status is None else status


def last_change(row: Row, values: Values) -> int | None:
    """Return ifLastChange, in ticks of sysUpTime."""
    return values.count(_IF_LAST_CHANGE, row.index)
