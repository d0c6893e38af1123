"""Whose trap is it? By the inventory's addresses, or by who signed it. Pure.

A trap that was signed by a user of one office is that office's, whatever way it came. Else it goes
by the address it came from: an office's own, or a device's if no other office has one of the same
(192.168.1.1 is in many). Behind an office's own address the device is found by the address that
the trap itself names, which a gateway that forwards (snmptrapd's `forward`) leaves in it.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collector.traps.trap import Trap
    from inventory.model import Inventory


class Place(NamedTuple):
    """An office, and the device there if it is known."""

    site: str
    device: str = ""
    certain: bool = False
    """Whether a signature says so, and not an address."""


@dataclass(slots=True)
class Places:
    """All addresses of an inventory."""

    _offices: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _devices: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    _users: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, inventory: Inventory) -> Places:
        """Return the places of an inventory; none where no traps are heard, to read no office."""
        places = cls()
        if inventory.traps is None:
            return places
        for site in inventory.sites:
            if site.address is not None:
                places._offices[plain(site.address)].add(site.code)
            for device in site.devices:
                places._devices[plain(device.host)].add((site.code, device.name))
        users = inventory.traps.users
        places._users = {one.user: one.site for one in users if one.site is not None}
        return places

    @property
    def known(self) -> list[str]:
        """The addresses that the inventory names."""
        return sorted({*self._offices, *self._devices})

    def find(self, trap: Trap) -> Place | None:
        """Return whose trap it is; None = nobody can tell."""
        source = plain(trap.source)
        agent = plain(trap.agent) if trap.agent else source
        signed = self._users.get(trap.user) if trap.authentic else None
        if signed is not None:
            return Place(signed, self._device(signed, agent), certain=True)
        offices = self._offices.get(source, set())
        if len(offices) == 1:
            (site,) = offices
            return Place(site, self._device(site, agent))
        devices = self._devices.get(source, set())
        if len(devices) == 1:
            return Place(*next(iter(devices)))
        return None

    def _device(self, site: str, address: str) -> str:
        names = [name for code, name in self._devices.get(address, ()) if code == site]
        return names[0] if len(names) == 1 else ""


def plain(address: str) -> str:
    """Return an address in its usual spelling, an IPv4 one without its IPv6 clothes."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
