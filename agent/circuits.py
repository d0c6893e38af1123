"""Which circuit the kernel's routes take, told by the local address that they chose."""

from __future__ import annotations

import fcntl
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.config import Circuit

_SIOCGIFADDR: Final = 0x8915
"""netdevice(7): the interface's IPv4 address."""


def circuit_of(local_address: str, circuits: Sequence[Circuit]) -> str:
    """Return the id of the circuit whose interface has the address; '' when none is known.

    An address of no named interface belongs to the circuit that names none: the default route's.
    """
    for circuit in circuits:
        if circuit.interface is not None and local_address in addresses(circuit.interface):
            return circuit.id
    default = [circuit.id for circuit in circuits if circuit.interface is None]
    return default[0] if default else ""


def addresses(interface: str) -> set[str]:
    """Return the addresses of an interface: IPv4's first, and all of IPv6; empty if it is gone."""
    return _ipv4(interface) | _ipv6(interface)


def _ipv4(interface: str) -> set[str]:
    request = struct.pack("256s", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, _SIOCGIFADDR, request)
        except OSError:
            return set()
    return {socket.inet_ntop(socket.AF_INET, answer[20:24])}


def _ipv6(interface: str, table: Path = Path("/proc/net/if_inet6")) -> set[str]:
    try:
        lines = table.read_text(encoding="ascii").splitlines()
    except OSError:
        return set()
    return {
        socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0]))
        for fields in (line.split() for line in lines)
        if fields[-1] == interface
    }
