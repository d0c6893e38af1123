"""The traffic of an office's line, from the counters of two reports. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tabuah.measurement import Role

if TYPE_CHECKING:
    from tabuah.report import Device, Interface, Report


class Rates(NamedTuple):
    """Traffic of an office's line, from the counters of its last two live reports."""

    down_bps: float
    up_bps: float


def rates(before: Report, after: Report) -> Rates | None:
    """Return the bits per second between two reports of one boot; None when they do not tell.

    The line is the first interface that the office's gateway reports.
    """
    if before.boot_id != after.boot_id:
        return None
    old, new = _line(before), _line(after)
    if old is None or new is None:
        return None
    (old_device, old_interface), (new_device, new_interface) = old, new
    same = (
        old_device.name == new_device.name
        and old_interface.name == new_interface.name
        and old_interface.counter_epoch == new_interface.counter_epoch
        and old_device.run != new_device.run
    )
    seconds = (after.uptime_ms - new_device.age_ms - before.uptime_ms + old_device.age_ms) / 1000
    if not same or seconds <= 0:
        return None
    return Rates(
        down_bps=(new_interface.in_octets - old_interface.in_octets) * 8 / seconds,
        up_bps=(new_interface.out_octets - old_interface.out_octets) * 8 / seconds,
    )


def _line(report: Report) -> tuple[Device, Interface] | None:
    for device in report.devices:
        if device.role is Role.GATEWAY and device.interfaces:
            return device, device.interfaces[0]
    return None
