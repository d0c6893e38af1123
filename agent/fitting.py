"""A live report that fits one datagram: what is least is left out first. Pure.

A report is never sent in fragments (docs/adr/0001), and one that is too large for the line would
never arrive. Offices with many interfaces are the only ones to lose anything: what people watch
stays longest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tabuah import block

if TYPE_CHECKING:
    from tabuah.block import Packed
    from tabuah.report import Report

MOST_OCTETS: Final = 880
"""Of the block: with key facts and SNMP's own at most 1,200 of UDP payload."""


def fit(report: Report, most_octets: int = MOST_OCTETS) -> tuple[Packed, int]:
    """Return the report packed so that its block fits, and how many things were left out.

    First go readings and interfaces from the end of the longest lists, then devices, then probes
    from the last: a report that says little is worth more than one that never comes.
    """
    left_out = 0
    packed = block.pack(report)
    while len(block.encode([packed])) > most_octets:
        smaller = _smaller(report)
        if smaller is None:
            break
        report = smaller
        left_out += 1
        packed = block.pack(report)
    return packed, left_out


def _smaller(report: Report) -> Report | None:
    for field in ("readings", "interfaces"):
        longest = max(report.devices, key=lambda device: len(getattr(device, field)), default=None)
        if longest is not None and len(getattr(longest, field)) > 1:
            shorter = replace(longest, **{field: getattr(longest, field)[:-1]})
            devices = tuple(shorter if one is longest else one for one in report.devices)
            return replace(report, devices=devices)
    if report.devices:
        return replace(report, devices=report.devices[:-1])
    if len(report.measurements) > 1:
        return replace(report, measurements=report.measurements[:-1])
    return None
