"""RouterOS's own tables (MIKROTIK-MIB): health, fibre modules, LTE modems, lost links. Pure.

Health moved with RouterOS 6.47 from scalars to a table of gauges; small boards have neither. All
is looked for, and what is not there is not missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.sensor import Convert, Sensor, Table, as_it_is, column, signed, some, texts
from tabuah.reading import ReadingKind
from tabuah.snmp.pdu import Oid

ENTERPRISE: Oid = (1, 3, 6, 1, 4, 1, 14988)
_MTXR: Oid = (*ENTERPRISE, 1, 1)
_HEALTH: Oid = (*_MTXR, 3)
_GAUGE: Oid = (*_HEALTH, 100, 1)
_GAUGE_NAME: Oid = (*_GAUGE, 2)
_GAUGE_VALUE: Oid = (*_GAUGE, 3)
_GAUGE_UNIT: Oid = (*_GAUGE, 4)
_STATS_NAME: Oid = (*_MTXR, 14, 1, 1, 2)
_STATS_LINK_DOWNS: Oid = (*_MTXR, 14, 1, 1, 90)
_LTE: Oid = (*_MTXR, 16, 1, 1)
_LTE_RSSI: Oid = (*_LTE, 2)
_LTE_RSRP: Oid = (*_LTE, 4)
_OPTICAL: Oid = (*_MTXR, 19, 1, 1)
_OPTICAL_NAME: Oid = (*_OPTICAL, 2)
_OPTICAL_TX_POWER: Oid = (*_OPTICAL, 9)
_OPTICAL_RX_POWER: Oid = (*_OPTICAL, 10)


def _tenths(raw: int) -> int:
    return 10 * signed(raw)


def _yes(raw: int) -> int:
    return int(raw == 1)


def _zero_is_well(raw: int) -> int:
    return int(raw == 0)


_HEALTH_SCALARS: Mapping[Oid, tuple[ReadingKind, str, Convert]] = {
    (*_HEALTH, 8): (ReadingKind.VOLTAGE, "voltage", as_it_is),
    (*_HEALTH, 10): (ReadingKind.TEMPERATURE, "temperature", as_it_is),
    (*_HEALTH, 11): (ReadingKind.TEMPERATURE, "cpu-temperature", as_it_is),
    (*_HEALTH, 15): (ReadingKind.SUPPLY_OK, "psu", _yes),
    (*_HEALTH, 16): (ReadingKind.SUPPLY_OK, "backup-psu", _yes),
}
"""mtxrHl*: tenths of V and degrees Celsius. Walked as columns: a scalar is one with the index 0."""
_GAUGES: Mapping[int, tuple[ReadingKind, Convert]] = {
    1: (ReadingKind.TEMPERATURE, _tenths),
    3: (ReadingKind.VOLTAGE, signed),
    6: (ReadingKind.SUPPLY_OK, _zero_is_well),
}
"""By mtxrGaugeUnit: celsius, dV, status; rpm, dA and dW are evidence of nothing that is judged."""
_STATUS = 6
_OPTICAL_FLAGS = {3: ReadingKind.OPTICAL_RX_LOSS, 4: ReadingKind.OPTICAL_TX_FAULT}
_OPTICAL_POWERS = {
    _OPTICAL_TX_POWER: ReadingKind.OPTICAL_TX_POWER,
    _OPTICAL_RX_POWER: ReadingKind.OPTICAL_RX_POWER,
}
_LTE_SIGNALS = {
    2: ReadingKind.LTE_RSSI,
    3: ReadingKind.LTE_RSRQ,
    4: ReadingKind.LTE_RSRP,
    7: ReadingKind.LTE_SINR,
}

COLUMNS: tuple[Oid, ...] = (
    *_HEALTH_SCALARS,
    *(_GAUGE_NAME, _GAUGE_UNIT, _STATS_NAME, _STATS_LINK_DOWNS, _LTE_RSSI, _OPTICAL_NAME),
)
"""What to walk, once."""


def sensors(table: Table, watched: frozenset[str]) -> Iterator[Sensor]:
    """Yield what the walked COLUMNS offer; link downs only of the interfaces that are watched."""
    yield from _health(table)
    yield from _optical(table)
    stats = texts(table, _STATS_NAME)
    yield from _lte(table, stats)
    downs = column(table, _STATS_LINK_DOWNS)
    for index, name in some({i: name for i, name in stats.items() if name in watched}):
        if index in downs:
            yield Sensor(ReadingKind.LINK_DOWNS, name, (*_STATS_LINK_DOWNS, index))


def _health(table: Table) -> Iterator[Sensor]:
    for oid, (kind, name, convert) in _HEALTH_SCALARS.items():
        if 0 in column(table, oid):
            yield Sensor(kind, name, (*oid, 0), convert)
    units = column(table, _GAUGE_UNIT)
    for index, name in some(texts(table, _GAUGE_NAME)):
        number = units[index].value if index in units else None
        # Fans have a status too.
        if (
            isinstance(number, int)
            and number in _GAUGES
            and (number != _STATUS or name.startswith("psu"))
        ):
            kind, convert = _GAUGES[number]
            yield Sensor(kind, name, (*_GAUGE_VALUE, index), convert)


def _optical(table: Table) -> Iterator[Sensor]:
    for index, name in some(texts(table, _OPTICAL_NAME)):
        # An empty cage, and a module without diagnostics, show 0 dBm both ways.
        powers = ((*_OPTICAL_TX_POWER, index), (*_OPTICAL_RX_POWER, index))
        for oid, kind in _OPTICAL_POWERS.items():
            yield Sensor(kind, name, (*oid, index), signed, powers)
        for number, kind in _OPTICAL_FLAGS.items():
            yield Sensor(kind, name, (*_OPTICAL, number, index), _yes, powers)


def _lte(table: Table, names: Mapping[int, str]) -> Iterator[Sensor]:
    for index, _ in some(column(table, _LTE_RSSI)):
        # A modem without a network shows zeros.
        signals = ((*_LTE_RSSI, index), (*_LTE_RSRP, index))
        name = names.get(index, f"lte.{index}")
        for number, kind in _LTE_SIGNALS.items():
            yield Sensor(kind, name, (*_LTE, number, index), as_it_is, signals)
