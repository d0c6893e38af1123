"""Which platform is spoken to by which dialect: the names of the inventory's `platform`."""

from __future__ import annotations

from collections.abc import Mapping

from provision.console import Console
from provision.dialect import Dialect, Reader
from provision.linux.gateway import LinuxGateway
from provision.openwrt.gateway import OpenWrtGateway
from provision.routeros.gateway import RouterOs
from provision.shown import SHOWS

DIALECTS: Mapping[str, Dialect] = {
    "linux": LinuxGateway(),
    "frr": LinuxGateway(),
    "openwrt": OpenWrtGateway(),
    "routeros": RouterOs(7),
    "mikrotik_routeros": RouterOs(7),
    "routeros6": RouterOs(6),
}
"""Those that can undo a change alone. Others are not pushed to."""

READERS: Mapping[str, Reader] = {**{name: Console(name) for name in SHOWS}, **DIALECTS}
"""Those that can be read."""
