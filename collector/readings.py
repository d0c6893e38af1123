"""The families of the metrics page that show what devices say beyond their interfaces.

They are of the contract as those of `collector.families` are: a name, once shown, stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector.families import Family
from tabuah.reading import Reading, ReadingKind, shown


@dataclass(frozen=True, slots=True)
class Shown:
    """How one kind of reading stands on the page."""

    family: Family
    label: str = ""
    """Of its name, beside site and device; empty where a device has one."""
    times: int = 1
    """Makes the base unit of the reading's own."""


SHOWN: Mapping[ReadingKind, Shown] = {
    ReadingKind.CPU_LOAD: Shown(
        Family(
            "tabuah_device_cpu_ratio", "gauge", "Busy share of the processors (hrProcessorLoad)."
        )
    ),
    ReadingKind.STORAGE_USED: Shown(
        Family(
            "tabuah_device_storage_used_ratio", "gauge", "Used share of a memory or fixed disk."
        ),
        "storage",
    ),
    ReadingKind.TEMPERATURE: Shown(
        Family("tabuah_device_temperature_celsius", "gauge", "Temperature, by sensor."), "sensor"
    ),
    ReadingKind.VOLTAGE: Shown(
        Family("tabuah_device_voltage_volts", "gauge", "Supply voltage, by sensor."), "sensor"
    ),
    ReadingKind.SUPPLY_OK: Shown(
        Family("tabuah_device_power_supply_ok", "gauge", "Whether the power supply works."),
        "supply",
    ),
    ReadingKind.OPTICAL_RX_POWER: Shown(
        Family("tabuah_optical_receive_power_dbm", "gauge", "Light that a fibre module receives."),
        "interface",
    ),
    ReadingKind.OPTICAL_TX_POWER: Shown(
        Family("tabuah_optical_transmit_power_dbm", "gauge", "Light that a fibre module sends."),
        "interface",
    ),
    ReadingKind.OPTICAL_RX_LOSS: Shown(
        Family("tabuah_optical_receive_loss", "gauge", "Whether a fibre module gets no light."),
        "interface",
    ),
    ReadingKind.OPTICAL_TX_FAULT: Shown(
        Family("tabuah_optical_transmit_fault", "gauge", "Whether a fibre module cannot send."),
        "interface",
    ),
    ReadingKind.LTE_RSSI: Shown(
        Family("tabuah_lte_rssi_dbm", "gauge", "RSSI of an LTE modem."), "interface"
    ),
    ReadingKind.LTE_RSRQ: Shown(
        Family("tabuah_lte_rsrq_db", "gauge", "RSRQ of an LTE modem."), "interface"
    ),
    ReadingKind.LTE_RSRP: Shown(
        Family("tabuah_lte_rsrp_dbm", "gauge", "RSRP of an LTE modem."), "interface"
    ),
    ReadingKind.LTE_SINR: Shown(
        Family("tabuah_lte_sinr_db", "gauge", "SINR of an LTE modem."), "interface"
    ),
    ReadingKind.LINK_DOWNS: Shown(
        Family(
            "tabuah_interface_link_downs_total",
            "counter",
            "How often the link was lost since the device began.",
        ),
        "interface",
    ),
    ReadingKind.REDIALS: Shown(
        Family(
            "tabuah_interface_redials_total",
            "counter",
            "How often the interface came back under another ifIndex since the agent began.",
        ),
        "interface",
    ),
    ReadingKind.UPS_BATTERY_STATUS: Shown(
        Family(
            "tabuah_ups_battery_status",
            "gauge",
            "upsBatteryStatus: 1 unknown, 2 normal, 3 low, 4 depleted.",
        )
    ),
    ReadingKind.UPS_BATTERY_SECONDS: Shown(
        Family("tabuah_ups_on_battery_seconds", "gauge", "upsSecondsOnBattery.")
    ),
    ReadingKind.UPS_MINUTES_LEFT: Shown(
        Family("tabuah_ups_battery_remaining_seconds", "gauge", "upsEstimatedMinutesRemaining."),
        times=60,
    ),
    ReadingKind.UPS_CHARGE: Shown(
        Family("tabuah_ups_battery_charge_ratio", "gauge", "upsEstimatedChargeRemaining.")
    ),
    ReadingKind.UPS_OUTPUT_SOURCE: Shown(
        Family(
            "tabuah_ups_output_source",
            "gauge",
            "upsOutputSource (RFC 1628): 3 is normal, 4 bypass, 5 battery.",
        )
    ),
    ReadingKind.UPS_INPUT_LINE_BADS: Shown(
        Family("tabuah_ups_input_line_bads_total", "counter", "upsInputLineBads.")
    ),
    ReadingKind.UPS_ALARMS: Shown(Family("tabuah_ups_alarms", "gauge", "upsAlarmsPresent.")),
    ReadingKind.UPS_ON_BATTERY: Shown(
        Family(
            "tabuah_ups_on_battery",
            "gauge",
            "Whether the load runs on the battery, by seconds, output source or alarm.",
        )
    ),
}

FAMILIES = tuple(each.family for each in SHOWN.values())


def value(reading: Reading) -> float:
    """Return the value in its family's unit."""
    return shown(reading) * SHOWN[reading.kind].times
