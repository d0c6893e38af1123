"""What a device can tell beyond IF-MIB: which variables to ask it for, and what they mean. Pure.

A device is looked at once (`FIRST`, then the columns of `columns`) and what was found is kept as
its `Capabilities`; from then on only what it has is asked, by GET. sysObjectID says whose private
tables to look for.

Sources: HOST-RESOURCES-MIB (RFC 2790), UPS-MIB (RFC 1628), and `agent.mikrotik`. docs/devices.md
lists every object, and which of this has met a real device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent import mikrotik
from agent.if_mib import Values
from agent.sensor import Sensor, Table, column, some, texts
from tabuah.reading import Reading, ReadingKind
from tabuah.snmp.pdu import Oid, VarBind

MOST_READINGS = 48

SYS_OBJECT_ID: Oid = (1, 3, 6, 1, 2, 1, 1, 2, 0)

_HR: Oid = (1, 3, 6, 1, 2, 1, 25)
_HR_STORAGE: Oid = (*_HR, 2, 3, 1)
_HR_STORAGE_TYPE: Oid = (*_HR_STORAGE, 2)
_HR_STORAGE_DESCR: Oid = (*_HR_STORAGE, 3)
_HR_STORAGE_SIZE: Oid = (*_HR_STORAGE, 5)
_HR_STORAGE_USED: Oid = (*_HR_STORAGE, 6)
_HR_RAM: Oid = (*_HR, 2, 1, 2)
_HR_FIXED_DISK: Oid = (*_HR, 2, 1, 4)
_HR_PROCESSOR_FRW_ID: Oid = (*_HR, 3, 3, 1, 1)
"""There at once, where net-snmp has no load to tell for its first minute."""
_HR_PROCESSOR_LOAD: Oid = (*_HR, 3, 3, 1, 2)
_PSEUDO_DISKS = ("/dev", "/proc", "/run", "/sys")
_MOST_STORAGES = 4

_UPS: Oid = (1, 3, 6, 1, 2, 1, 33, 1)
UPS_ALARM_DESCR: Oid = (*_UPS, 6, 2, 1, 2)
"""The alarms that are present, each by the OID of its meaning: to be walked when there are any."""
_UPS_ALARM_ON_BATTERY: Oid = (*_UPS, 6, 3, 2)
_BATTERY = 5
_UPS_SCALARS: Mapping[ReadingKind, Oid] = {
    ReadingKind.UPS_BATTERY_STATUS: (*_UPS, 2, 1, 0),
    ReadingKind.UPS_BATTERY_SECONDS: (*_UPS, 2, 2, 0),
    ReadingKind.UPS_MINUTES_LEFT: (*_UPS, 2, 3, 0),
    ReadingKind.UPS_CHARGE: (*_UPS, 2, 4, 0),
    ReadingKind.UPS_OUTPUT_SOURCE: (*_UPS, 4, 1, 0),
    ReadingKind.UPS_INPUT_LINE_BADS: (*_UPS, 3, 1, 0),
    ReadingKind.UPS_ALARMS: (*_UPS, 6, 1, 0),
}

FIRST: tuple[Oid, ...] = (SYS_OBJECT_ID, *_UPS_SCALARS.values())
"""What to ask a device that is not known yet; it may have none of it."""
_STANDARD = (_HR_PROCESSOR_FRW_ID, _HR_PROCESSOR_LOAD, _HR_STORAGE_TYPE, _HR_STORAGE_DESCR)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one device was found to have."""

    sensors: tuple[Sensor, ...] = ()
    processors: tuple[int, ...] = ()
    storages: tuple[tuple[str, int], ...] = ()
    """Names and indices."""
    ups: tuple[ReadingKind, ...] = ()

    def oids(self) -> list[Oid]:
        """Return what to ask at each poll."""
        return [
            *(sensor.oid for sensor in self.sensors),
            *((*_HR_PROCESSOR_LOAD, index) for index in self.processors),
            *(
                (*part, index)
                for _, index in self.storages
                for part in (_HR_STORAGE_SIZE, _HR_STORAGE_USED)
            ),
            *(_UPS_SCALARS[kind] for kind in self.ups),
        ]


def columns(first: Sequence[VarBind]) -> tuple[Oid, ...]:
    """Return the columns to walk, once, on a device that answered so to FIRST."""
    return (*_STANDARD, *mikrotik.COLUMNS) if _made_by(first, mikrotik.ENTERPRISE) else _STANDARD


def capabilities(first: Sequence[VarBind], table: Table, interfaces: Iterable[str]) -> Capabilities:
    """Return what a device has.

    Args:
        first: the variables of FIRST that exist.
        table: the walk of `columns`.
        interfaces: the names of those that are watched.
    """
    there = {bound.oid for bound in first}
    processors = {**column(table, _HR_PROCESSOR_FRW_ID), **column(table, _HR_PROCESSOR_LOAD)}
    return Capabilities(
        sensors=tuple(mikrotik.sensors(table, frozenset(interfaces)))[:MOST_READINGS],
        processors=tuple(index for index, _ in some(processors)),
        storages=_storages(table)[:_MOST_STORAGES],
        ups=tuple(kind for kind, oid in _UPS_SCALARS.items() if oid in there),
    )


def readings(known: Capabilities, values: Values, alarms: Iterable[VarBind] = ()) -> list[Reading]:
    """Return what the values of `known.oids()` mean.

    Args:
        known: what the device has.
        values: its answer.
        alarms: the rows of UPS_ALARM_DESCR; none while there are no alarms.
    """
    said: list[Reading] = []
    loads = [values.number((*_HR_PROCESSOR_LOAD, index)) for index in known.processors]
    heard = [load for load in loads if load is not None and 0 <= load <= 100]
    if heard:
        said.append(Reading(ReadingKind.CPU_LOAD, "", 10 * sum(heard) // len(heard)))
    for name, index in known.storages:
        # Integer32 of up to 2**31 units; beyond it there are agents that wrap.
        size = (values.number((*_HR_STORAGE_SIZE, index)) or 0) % 2**32
        used = (values.number((*_HR_STORAGE_USED, index)) or 0) % 2**32
        if size:
            said.append(Reading(ReadingKind.STORAGE_USED, name, min(1000, 1000 * used // size)))
    for sensor in known.sensors:
        raw = values.number(sensor.oid)
        meant = not sensor.unless_zero or any(values.number(oid) for oid in sensor.unless_zero)
        if raw is not None and meant:
            said.append(Reading(sensor.kind, sensor.name, sensor.convert(raw)))
    said += _ups(known, values, alarms)
    return said[:MOST_READINGS]


def has_alarms(known: Capabilities, values: Values) -> bool:
    """Return whether the UPS says that there are alarms, so that it is worth asking which."""
    kind = ReadingKind.UPS_ALARMS
    return kind in known.ups and (values.number(_UPS_SCALARS[kind]) or 0) > 0


def _storages(table: Table) -> tuple[tuple[str, int], ...]:
    """Return memory first, then disks, without what only looks like one on Linux."""
    kinds = {index: bound.value for index, bound in column(table, _HR_STORAGE_TYPE).items()}
    named = sorted((index, name) for index, name in texts(table, _HR_STORAGE_DESCR).items())
    return (
        *((name, index) for index, name in named if kinds.get(index) == _HR_RAM),
        *(
            (name, index)
            for index, name in named
            if kinds.get(index) == _HR_FIXED_DISK and not name.startswith(_PSEUDO_DISKS)
        ),
    )


def _ups(known: Capabilities, values: Values, alarms: Iterable[VarBind]) -> list[Reading]:
    said = {kind: values.number(_UPS_SCALARS[kind]) for kind in known.ups}
    found = [Reading(kind, "", value) for kind, value in said.items() if value is not None]
    seconds = said.get(ReadingKind.UPS_BATTERY_SECONDS)
    source = said.get(ReadingKind.UPS_OUTPUT_SOURCE)
    alarmed = any(alarm.value == _UPS_ALARM_ON_BATTERY for alarm in alarms)
    # A UPS that says nothing about it is no UPS that says no.
    if alarmed or seconds is not None or source is not None:
        on_battery = alarmed or source == _BATTERY or (seconds or 0) > 0
        found.append(Reading(ReadingKind.UPS_ON_BATTERY, "", int(on_battery)))
    return found


def _made_by(first: Sequence[VarBind], enterprise: Oid) -> bool:
    return any(
        bound.oid == SYS_OBJECT_ID
        and isinstance(bound.value, tuple)
        and bound.value[: len(enterprise)] == enterprise
        for bound in first
    )
