"""What a device says beyond its interfaces, one number at a time: power, heat, light, radio.

One shape for all of it: a kind that fixes meaning and unit, a name where a device has several,
and a whole number. A kind, once published, keeps its number, meaning and unit; new ones are
added at the end. Which MIB object each comes from is told in docs/devices.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReadingKind(IntEnum):
    """What a reading says, and in which unit."""

    CPU_LOAD = 1
    """Permille of the last minute that the processors were busy, the mean of all of them."""
    STORAGE_USED = 2
    """Permille of a memory or fixed disk that is in use; named."""
    TEMPERATURE = 3
    """Tenths of a degree Celsius; named by sensor."""
    VOLTAGE = 4
    """Tenths of a volt; named by sensor."""
    SUPPLY_OK = 5
    """1: the power supply works, 0: it does not; named."""
    OPTICAL_RX_POWER = 6
    """Thousandths of a dBm that a fibre module receives; named by interface."""
    OPTICAL_TX_POWER = 7
    """Thousandths of a dBm that a fibre module sends; named by interface."""
    OPTICAL_RX_LOSS = 8
    """1: the fibre module receives no light, 0: it does; named by interface."""
    OPTICAL_TX_FAULT = 9
    """1: the fibre module cannot send, 0: it can; named by interface."""
    LTE_RSSI = 10
    """dBm; named by interface, as are the next three."""
    LTE_RSRQ = 11
    """dB"""
    LTE_RSRP = 12
    """dBm"""
    LTE_SINR = 13
    """dB"""
    LINK_DOWNS = 14
    """How often the interface lost its link since the device began; named."""
    REDIALS = 15
    """How often the interface came back under another ifIndex since the agent began; named."""
    UPS_BATTERY_STATUS = 16
    """upsBatteryStatus: 1 unknown, 2 normal, 3 low, 4 depleted."""
    UPS_BATTERY_SECONDS = 17
    """upsSecondsOnBattery; 0 = not on battery."""
    UPS_MINUTES_LEFT = 18
    """upsEstimatedMinutesRemaining."""
    UPS_CHARGE = 19
    """upsEstimatedChargeRemaining, percent."""
    UPS_OUTPUT_SOURCE = 20
    """upsOutputSource: 1 other, 2 none, 3 normal, 4 bypass, 5 battery, 6 booster, 7 reducer."""
    UPS_INPUT_LINE_BADS = 21
    """upsInputLineBads: how often the mains failed since the UPS began to count."""
    UPS_ALARMS = 22
    """upsAlarmsPresent: how many there are."""
    UPS_ON_BATTERY = 23
    """1: the load runs on the battery, by seconds, output source or alarm; 0: none says so."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number that a device said."""

    kind: ReadingKind
    name: str
    """Which of several; empty where a device has one."""
    value: int
    """In the kind's unit."""


@dataclass(frozen=True, slots=True)
class Unit:
    """How a kind is shown to people and their tools."""

    word: str
    """The base unit; empty for counts, states and yes or no."""
    per_unit: int = 1
    """How many of the reading's steps make one."""


UNITS: Mapping[ReadingKind, Unit] = {
    ReadingKind.CPU_LOAD: Unit("ratio", 1000),
    ReadingKind.STORAGE_USED: Unit("ratio", 1000),
    ReadingKind.TEMPERATURE: Unit("celsius", 10),
    ReadingKind.VOLTAGE: Unit("volts", 10),
    ReadingKind.OPTICAL_RX_POWER: Unit("dBm", 1000),
    ReadingKind.OPTICAL_TX_POWER: Unit("dBm", 1000),
    ReadingKind.LTE_RSSI: Unit("dBm"),
    ReadingKind.LTE_RSRQ: Unit("dB"),
    ReadingKind.LTE_RSRP: Unit("dBm"),
    ReadingKind.LTE_SINR: Unit("dB"),
    ReadingKind.UPS_BATTERY_SECONDS: Unit("seconds"),
    ReadingKind.UPS_MINUTES_LEFT: Unit("minutes"),
    ReadingKind.UPS_CHARGE: Unit("ratio", 100),
}
_PLAIN = Unit("")


def unit(kind: ReadingKind) -> Unit:
    """Return the unit in which a kind is shown."""
    return UNITS.get(kind, _PLAIN)


def shown(reading: Reading) -> float:
    """Return the value in that unit: whole where it is one."""
    per_unit = unit(reading.kind).per_unit
    return reading.value if per_unit == 1 else reading.value / per_unit
