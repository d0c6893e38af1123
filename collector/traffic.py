"""The traffic of an office's line, from the counters of two reports. Pure.

Which two is found without reading them; they are read when somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tabuah.measurement import Role

if TYPE_CHECKING:
    from collections.abc import Container

    from collector.live import Heard
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


@dataclass(slots=True)
class _Polls:
    """The newest report of the line's newest poll, and the last one of the poll before."""

    run: int
    after: Heard
    before: Heard | None = None
    found: Rates | None = None
    known: bool = False
    """Whether `found` is of these two."""


@dataclass(slots=True)
class Lines:
    """The traffic of all offices' lines."""

    _polls: dict[str, _Polls] = field(default_factory=dict)

    def note(self, site: str, run: int | None, heard: Heard) -> None:
        """Take in a live report, and by `sections.line_run` the poll that it tells of."""
        if run is None:
            return
        polls = self._polls.get(site)
        if polls is None:
            self._polls[site] = _Polls(run, heard)
        elif polls.run != run:
            self._polls[site] = _Polls(run, heard, polls.after)
        elif not polls.known:
            polls.after = heard

    def rates(self, site: str) -> Rates | None:
        """Return the traffic of a site's line between its last two polls; None if not known."""
        polls = self._polls.get(site)
        if polls is None or polls.before is None:
            return None
        if not polls.known:
            polls.found = rates(polls.before.opened().report, polls.after.opened().report)
            polls.known = True
        return polls.found

    def keep(self, sites: Container[str]) -> None:
        """Forget all other offices."""
        self._polls = {site: polls for site, polls in self._polls.items() if site in sites}


def _line(report: Report) -> tuple[Device, Interface] | None:
    for device in report.devices:
        if device.role is Role.GATEWAY and device.interfaces:
            return device, device.interfaces[0]
    return None
