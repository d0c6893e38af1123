"""The templates of each platform: where they lie, what they may be for, how they quote. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from provision import filters
from provision.filters import Filter

_LINUX_GATEWAY = (
    *("addresses", "sysctl", "firewall", "nat", "qos", "frr", "pppoe", "lte", "wireguard"),
    *("dhcp", "dns", "vlans", "banner", "ntp", "syslog", "snmp"),
)
_OPENWRT_GATEWAY = (
    *("system", "network", "pppoe", "lte", "wireguard", "vlans", "firewall", "dhcp", "dropbear"),
    *("qos", "snmp", "banner"),
)
_ROUTEROS_GATEWAY = (
    *("identity", "banner", "addresses", "routes", "vlans", "pppoe", "lte", "firewall", "nat"),
    *("mangle", "qos", "pools", "dhcp", "networks", "dns", "ntp", "logging", "syslog"),
    *("snmp", "communities", "services"),
)


@dataclass(frozen=True, slots=True)
class Kit:
    """How one platform's templates are found and read."""

    platform: str
    folders: tuple[str, ...]
    """Under `templates`; the first that has a template is taken."""
    sections: re.Pattern[str]
    """What a template may be for."""
    what: str
    """The same in words."""
    filters: Mapping[str, Filter]
    roles: Mapping[str, tuple[str, ...]]
    """What a device of a role is assembled from, where the settings say nothing else."""


_LINUX = Kit(
    "linux",
    ("linux",),
    re.compile(r"ip|sysctl|nftables|frr|/etc/\S+"),
    "ip, sysctl, nftables, frr, or a file in /etc",
    filters.LINUX,
    {"gateway": _LINUX_GATEWAY},
)
_OPENWRT = Kit(
    "openwrt",
    ("openwrt",),
    re.compile(r"uci/[a-z0-9_-]+|/etc/(?!config/)\S+"),
    "uci/PACKAGE, or a file in /etc outside /etc/config",
    filters.OPENWRT,
    {"gateway": _OPENWRT_GATEWAY},
)
_ROS_SECTION = re.compile(r"ros(?:/[a-z0-9-]+)+")
_ROUTEROS = Kit(
    "routeros",
    ("routeros",),
    _ROS_SECTION,
    "ros/MENU, such as ros/ip/address",
    filters.ROUTEROS,
    {"gateway": (*_ROUTEROS_GATEWAY, "ntp-servers", "wireguard", "wireguard-peers")},
)
_ROUTEROS_6 = Kit(
    "routeros6",
    ("routeros6", "routeros"),
    _ROS_SECTION,
    _ROUTEROS.what,
    filters.ROUTEROS,
    {"gateway": (*_ROUTEROS_GATEWAY, "l2tp")},
)

KITS: Mapping[str, Kit] = {
    "": _LINUX,
    "linux": _LINUX,
    "frr": _LINUX,
    "openwrt": _OPENWRT,
    "routeros": _ROUTEROS,
    "mikrotik_routeros": _ROUTEROS,
    "routeros6": _ROUTEROS_6,
}


def kit(platform: str) -> Kit:
    """Return the kit of a platform; one that we have no templates for brings its own."""
    return KITS.get(platform) or Kit(
        platform, (platform,), re.compile("running"), "running", filters.CONSOLE, {}
    )
