"""One variable of a device that is one reading, and how walked tables are looked into. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tabuah.reading import ReadingKind
from tabuah.snmp.pdu import Oid, VarBind

Table = Mapping[Oid, Mapping[int, VarBind]]
"""Columns, as `agent.walking.Walk` found them."""
Convert = Callable[[int], int]

_Row = TypeVar("_Row")

_MOST_OF_A_KIND = 16
_MOST_NAME = 40
"""Characters; a name becomes a label."""


def as_it_is(raw: int) -> int:
    """Return what the device says."""
    return raw


def signed(raw: int) -> int:
    """Return a Gauge32 as the number below zero that has wrapped in it, if one has."""
    return raw - 2**32 if raw >= 2**31 else raw


@dataclass(frozen=True, slots=True)
class Sensor:
    """One variable that is one reading."""

    kind: ReadingKind
    name: str
    oid: Oid
    convert: Convert = as_it_is
    unless_zero: tuple[Oid, ...] = ()
    """It means nothing while these are all zero."""


def column(table: Table, oid: Oid) -> Mapping[int, VarBind]:
    """Return one column; empty if the device has none."""
    return table.get(oid, {})


def texts(table: Table, oid: Oid) -> dict[int, str]:
    """Return a column's texts: one line each, and short."""
    found = {}
    for index, bound in column(table, oid).items():
        if isinstance(bound.value, bytes):
            text = bound.value.decode("utf-8", "replace").strip("\0 ")[:_MOST_NAME]
            if text:
                found[index] = "".join(c if c.isprintable() else "?" for c in text)
    return found


def some(rows: Mapping[int, _Row]) -> list[tuple[int, _Row]]:
    """Return the rows by index, not more than are worth a report's room."""
    return sorted(rows.items(), key=lambda row: row[0])[:_MOST_OF_A_KIND]
