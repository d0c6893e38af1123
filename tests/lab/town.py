"""A laboratory with all that a fault can touch: a group's router, a resolver, a second line.

    plain offices ------------- router ---- centre, public addresses, resolver
    twofold office ===========/    |
    grouped offices ---- group ---/

Each way to break something is a function here that takes whether it is broken.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from tests.lab.machine import ip, stop
from tests.lab.net import ANCHOR, CENTRE, COMMUNITY, GATEWAY_LAN, End, Lab, Office
from tests.lab.rules import beyond_table, dead_table, resolvers_table
from tests.lab.stack import INTERVAL_S, REFLECT_PORT, Stack

KBIT = 1000
"""Of the line that is filled; its contract says as much."""
COUNT = 5
"""Packets of each probe in a cycle."""
MANY = 10
"""At the office whose loss is counted."""
UPSTREAM = "sto-1"

_HEAD = """\
organisation: Laboratorium
timezone: Asia/Jakarta
language: en
upstreams: {{sto-1: {{name: STO}}}}
references: [{{ping: 10.200.0.254}}]
alerts:
  channels: [{{name: hook, webhook: "{hook}"}}]
sites:
"""
_SITE = """\
  - code: "{code}"
    name: Kantor {number}
    interval: {every}s
    ups: none
{upstream}    circuits:
      - {{id: telkom, provider: Telkom, technology: fibre, bandwidth: {{down: {mbit}, up: {mbit}}}}}
{backup}    probes:
      - {{name: router, ping: {gateway}, role: gateway, every: {every}s, timeout: 2s}}
      - {{name: hop, ping: {hop}, role: first_hop, count: {count}, every: {every}s, timeout: 2s{by}}}
      - {{name: dc, udp: "{centre}:{reflect}", role: centre, count: {count}, every: {every}s, timeout: 2s{by}}}
      - {{name: anchor, ping: {anchor}, role: public, count: {count}, every: {every}s, timeout: 2s{by}}}
      - {{name: resolver, dns: {{server: {anchor}, name: siak.example}}, role: public, every: {every}s, timeout: 2s{by}}}
{other}    devices:
      - name: router
        host: {gateway}
        platform: linux
        role: gateway
        every: {every}s
        interfaces: [wan0]
        snmp: {{version: 2c, community: "file:{community}"}}
"""  # noqa: E501 - lines of YAML


class Town(Lab):
    """So many plain offices, one with two lines, and some behind a router of their own."""

    def __init__(self, folder: Path, plain: int, grouped: int) -> None:
        super().__init__(plain + 1 + grouped, folder, grouped=grouped)
        self.plain = self.offices[:plain]
        self.twofold = self.offices[plain]
        self.grouped = self.offices[plain + 1 :]
        self._flood: subprocess.Popen[bytes] | None = None

    def black_hole(self, office: Office, broken: bool) -> None:
        """Drop everything both ways; the carrier stays."""
        if broken:
            self.cut(office)
        else:
            self.loss(office, 0, 0)

    def uplink(self, office: Office, broken: bool) -> None:
        """Drop what the office sends."""
        self.loss(office, 100 if broken else 0, 0)

    def downlink(self, office: Office, broken: bool) -> None:
        """Drop what the office should get."""
        self.loss(office, 0, 100 if broken else 0)

    def lossy(self, office: Office, broken: bool) -> None:
        """Lose three packets in ten, each way."""
        self.loss(office, 30 if broken else 0, 30 if broken else 0)

    def no_carrier(self, office: Office, broken: bool) -> None:
        """Take the carrier from the gateway's port."""
        self.carrier(office, up=not broken)

    def no_gateway(self, office: Office, broken: bool) -> None:
        """Take the gateway from its LAN, as a boot does."""
        ip("-n", office.gateway, "link", "set", "lan0", "down" if broken else "up")

    def beyond(self, office: Office, broken: bool) -> None:
        """Let the first hop answer, and nothing beyond it."""
        self._nft(office.router, beyond_table(office.line, dead=broken))

    def resolvers(self, office: Office, broken: bool) -> None:
        """Let no resolver answer."""
        self._nft(office.router, resolvers_table(office.line, dead=broken))

    def no_group(self, _: Office, broken: bool) -> None:
        """Let the grouped offices' router die."""
        self._nft(self.group, dead_table(dead=broken))

    def full(self, office: Office, broken: bool) -> None:
        """Fill the line with the office's own traffic."""
        if not broken:
            assert self._flood is not None
            stop(self._flood, signal.SIGKILL)
            self.rate(office, None)
            return
        self.rate(office, KBIT, queue_ms=300)
        script = str(Path(__file__).with_name("flood.py"))
        argv = [sys.executable, script, ANCHOR, str(KBIT * 1.1)]
        self._flood = self.popen(office.host, argv, self.folder / "flood.log")

    def _build(self) -> None:
        super()._build()
        # The second line goes straight to the router, past the gateway.
        self._wire(
            End(self.twofold.host, "eth1", "10.203.0.2/24"),
            End(self.router, "lte", "10.203.0.1/24"),
        )
        host = self.twofold.host
        ip(
            "-n",
            host,
            "route",
            "add",
            "default",
            "via",
            "10.203.0.1",
            "dev",
            "eth1",
            "metric",
            "99",
        )
        script = str(Path(__file__).with_name("resolver.py"))
        argv = [sys.executable, script, ANCHOR, ANCHOR]
        self.popen(self.centre, argv, self.folder / "resolver.log")


class TownStack(Stack):
    """The product in the town, without Prometheus."""

    lab: Town

    def __init__(self, town: Town, folder: Path, loads: Mapping[Office, int]) -> None:
        """Plan it; `loads` are the packets of each probe in a cycle, where not `COUNT`."""
        super().__init__(town, folder)
        self._loads = loads

    def __enter__(self) -> Self:
        try:
            self._write_inventory()
            self.start_collector()
            for office in self.lab.offices:
                self.enrol(office)
            for office in self.lab.offices:
                self.start_agent(office)
            for office in self.lab.offices:
                self.await_state(office, "up", 120)
        except BaseException:
            self.close()
            raise
        return self

    def agent(self, office: Office, broken: bool) -> None:
        """Kill the agent, or start it again."""
        if broken:
            self.agents[office].kill()
            self.agents[office].wait()
        else:
            self.start_agent(office)

    def _write_inventory(self) -> None:
        self._inventory.mkdir()
        community = self.folder / "community"
        community.write_text(f"{COMMUNITY}\n")
        community.chmod(0o600)
        text = _HEAD.format(hook=self.hook.url)
        for office, code in self.codes.items():
            two = office == self.lab.twofold
            text += _SITE.format(
                code=code,
                number=office.number,
                every=INTERVAL_S,
                upstream=f"    upstream: {UPSTREAM}\n" if office in self.lab.grouped else "",
                backup=_BACKUP if two else "",
                by=", circuit: telkom" if two else "",
                other=_OTHER.format(anchor=ANCHOR, every=INTERVAL_S) if two else "",
                mbit=KBIT / 1000,
                gateway=GATEWAY_LAN,
                hop=office.first_hop,
                centre=CENTRE,
                reflect=REFLECT_PORT,
                anchor=ANCHOR,
                count=self._loads.get(office, COUNT),
                community=community,
            )
        (self._inventory / "inventory.yaml").write_text(text)


_BACKUP = "      - {id: lte, role: backup, provider: Lain, technology: lte, interface: eth1}\n"
_OTHER = (
    "      - {{name: other, ping: {anchor}, role: public, count: 5, every: {every}s, timeout: 2s, "
    "circuit: lte}}\n"
)

Break = Callable[[Office, bool], None]
