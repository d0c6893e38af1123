"""A router of Cisco's as its prompt shows it: it pages, echoes, and refuses with a caret."""

from __future__ import annotations

from collections.abc import MutableMapping

CONFIG = """\
Building configuration...

Current configuration : 1432 bytes
!
! Last configuration change at 09:12:44 WIB Tue Nov 24 2026 by noc
!
version 15.7
hostname kubung
!
enable secret 5 $1$mERr$hx5rVt7rPNoS4wqbXKX7m0
!
interface GigabitEthernet0/0
 ip address 10.201.1.2 255.255.255.0
!
ip route 0.0.0.0 0.0.0.0 10.201.1.1
snmp-server community s0l0k-baca RO
ntp server 10.200.0.9
!
end
"""


class Cisco:
    """Its running configuration, and what it was asked."""

    def __init__(self) -> None:
        self.config = CONFIG
        self.asked: list[str] = []
        self.files: MutableMapping[str, bytes] = {}
        self._length = 24

    def execute(self, command: str) -> tuple[int | None, str]:
        return 1, "exec channels are not served\n"

    def greeting(self) -> str:
        return "\r\nHanya untuk yang berhak\r\nkubung#"

    def typed(self, line: str) -> str:
        """Answer a line; without `terminal length 0` a long answer stops at a page."""
        self.asked.append(line)
        match line.split():
            case []:
                said = ""
            case ["terminal", "length", length]:
                self._length, said = int(length), ""
            case ["terminal", "width", _width]:
                said = ""
            case ["show", "running-config"]:
                said = self.config
            case ["exit"]:
                return ""
            case _:
                said = "           ^\n% Invalid input detected at '^' marker.\n\n"
        lines = said.splitlines()
        if 0 < self._length < len(lines):
            return "\r\n".join(lines[: self._length]) + "\r\n --More-- "
        return "".join(f"{one}\r\n" for one in lines) + "kubung#"
