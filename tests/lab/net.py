"""A laboratory of network namespaces: a centre, the telco's router, NATing gateways, hosts.

```
   centre ---- router ---- gateway 1 ---- host 1      (the agent's machine)
                   |------ gateway 2 ---- host 2
                   `------ group ---- gateway 3 ---- host 3     (where offices are grouped)
                             `------- gateway 4 ---- host 4
```

All offices have the same LAN addresses, as real ones do, each behind the masquerade of its own
gateway, where a real snmpd counts. Lines are cut and made lossy in the router by nftables, and
slowed down by tbf; a small program on a TUN interface delays (netem is often not there).

Names hold the owner's process id: a run that was killed leaves its namespaces behind, and the
next run knows by the dead owner that they may go.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.machine import (
    PREFIX,
    LabError,
    environment,
    ip,
    namespaces,
    require_programs,
    stop,
    sweep,
)
from tests.lab.rules import (
    Line,
    line_table,
    nat_table,
    only_reports_table,
    reports_counter_table,
)

REPORT_PORT = 10162
CENTRE = "10.200.0.1"
ANCHOR = "203.0.113.10"
"""A second address of the centre, which plays the public internet."""
GATEWAY_LAN = "192.168.1.1"
COMMUNITY = "laboratorium"
_IPV6 = Path("/proc/sys/net/ipv6")


@dataclass(frozen=True, slots=True)
class Counters:
    """The kernel's 64-bit counters of one interface (rtnl_link_stats64)."""

    rx_bytes: int
    tx_bytes: int
    rx_packets: int
    tx_packets: int


@dataclass(frozen=True, slots=True)
class Office:
    """One office: `gateway` and `host` are names of namespaces."""

    number: int
    gateway: str
    host: str
    router: str
    """The namespace at the other end of its line."""

    @property
    def line(self) -> str:
        """The router's interface towards the office."""
        return f"office{self.number}"

    @property
    def wan(self) -> str:
        """The gateway's address on the line."""
        return f"10.201.{self.number}.2"

    @property
    def first_hop(self) -> str:
        """The router's address on the line."""
        return f"10.201.{self.number}.1"


@dataclass(frozen=True, slots=True)
class End:
    """One end of a cable: an interface and its address with prefix length."""

    namespace: str
    name: str
    address: str


class Lab:
    """Namespaces and the processes in them; both are gone when the `with` block ends."""

    def __init__(self, offices: int, folder: Path, *, grouped: int = 0) -> None:
        """Plan so many offices; the last `grouped` hang on a router of their own."""
        self.folder = folder
        self._stem = f"{PREFIX}{os.getpid()}-{secrets.token_hex(2)}-"
        self.centre = f"{self._stem}centre"
        self.router = f"{self._stem}router"
        self.group = f"{self._stem}group" if grouped else self.router
        self.offices = tuple(
            Office(
                n,
                gateway=f"{self._stem}gateway{n}",
                host=f"{self._stem}host{n}",
                router=self.group if n > offices - grouped else self.router,
            )
            for n in range(1, offices + 1)
        )
        self._delays: dict[Office, subprocess.Popen[bytes]] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        require_programs()
        sweep()
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that were started here, then remove the namespaces."""
        for process in self._processes:
            stop(process, signal.SIGKILL)
        self._processes.clear()
        for name in namespaces():
            if name.startswith(self._stem):
                ip("netns", "del", name)

    # Programs in a namespace

    def run(
        self, namespace: str, *argv: str, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Return a finished program, with its output as text.

        Raises:
            LabError: if `check` and it failed.
        """
        done = subprocess.run(
            self._inside(namespace, argv),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=environment(),
        )
        if check and done.returncode:
            raise LabError(f"{namespace}: {' '.join(argv)}: {done.stderr or done.stdout}")
        return done

    def popen(
        self,
        namespace: str,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Return a started program that `close` will end; both its outputs are appended to `log`.

        `ip netns exec` becomes the program, so that the process id is the program's own.
        """
        with log.open("ab") as output:
            process = subprocess.Popen(
                self._inside(namespace, argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(env),
                start_new_session=True,  # Ctrl-C is for pytest, which then ends us in order
            )
        self._processes.append(process)
        return process

    # What can happen to an office

    def cut(self, office: Office) -> None:
        """Drop all that the office sends or should get; its carrier stays."""
        self._shape(office, Line(black_hole=True))

    def loss(self, office: Office, up_percent: int, down_percent: int) -> None:
        """Drop packets at random, each direction by itself."""
        self._shape(office, Line(loss_up_percent=up_percent, loss_down_percent=down_percent))

    def carrier(self, office: Office, up: bool) -> None:
        """Take the carrier from the gateway's WAN interface, or give it back."""
        ip("-n", office.router, "link", "set", office.line, "up" if up else "down")

    def rate(self, office: Office, kbit: int | None, queue_ms: int = 1000) -> None:
        """Limit the line, each way, to `kbit` a second; None lifts the limit.

        Packets wait for `queue_ms` at most, then they are dropped.
        """
        for namespace, interface in ((office.router, office.line), (office.gateway, "wan0")):
            words = ("tc", "qdisc", "replace", "dev", interface, "root")
            if kbit is None:
                self.run(namespace, "tc", "qdisc", "del", "dev", interface, "root", check=False)
            else:
                self.run(
                    namespace,
                    *words,
                    *("tbf", "rate", f"{kbit}kbit", "burst", "4k", "latency", f"{queue_ms}ms"),
                )

    def delay(self, office: Office, milliseconds: int) -> None:
        """Hold back what the office sends through the line; what it gets is not delayed."""
        tun = f"delay{office.number}"
        script = Path(__file__).with_name("delay.py")
        log = self.folder / f"{tun}.log"
        log.unlink(missing_ok=True)
        argv = [sys.executable, "-u", str(script), tun, str(milliseconds)]
        self._delays[office] = self.popen(office.router, argv, log)
        while "ready" not in log.read_text():
            if self._delays[office].poll() is not None:
                raise LabError(f"delay: {log.read_text()}")
            time.sleep(0.02)
        table = str(100 + office.number)
        ip("-n", office.router, "link", "set", tun, "up")
        ip("-n", office.router, "route", "add", "default", "dev", tun, "table", table)
        ip("-n", office.router, "rule", "add", "iif", office.line, "lookup", table)

    def blackhole_probes(self, office: Office) -> None:
        """Leave the office's host nothing but the collector's report port."""
        self._nft(office.gateway, only_reports_table("lan0", "wan0", REPORT_PORT))

    def restore(self, office: Office) -> None:
        """Undo all of the above."""
        self._shape(office, Line())
        self._nft(office.gateway, only_reports_table("lan0", "wan0", None))
        self.rate(office, None)
        if (delayer := self._delays.pop(office, None)) is not None:
            ip("-n", office.router, "rule", "del", "iif", office.line)
            stop(delayer, signal.SIGKILL)
        self.carrier(office, up=True)

    # What the kernel saw

    def counters(self, namespace: str, interface: str) -> Counters:
        """Return the kernel's counters of an interface."""
        (link,) = json.loads(ip("-n", namespace, "-s", "-j", "link", "show", interface))
        stats = link["stats64"]
        rx, tx = stats["rx"], stats["tx"]
        return Counters(rx["bytes"], tx["bytes"], rx["packets"], tx["packets"])

    def count_reports(self, office: Office) -> None:
        """Begin to count the octets of an office's reports and their answers."""
        self._nft(office.gateway, reports_counter_table("wan0", REPORT_PORT))

    def report_octets(self, office: Office) -> tuple[int, int]:
        """Return the IP octets of reports, and of answers, since `count_reports`."""
        listed = self.run(office.gateway, "nft", "-j", "list", "counters").stdout
        found = [each["counter"] for each in json.loads(listed)["nftables"] if "counter" in each]
        octets = {each["name"]: int(each["bytes"]) for each in found if each["table"] == "reports"}
        return octets["up"], octets["down"]

    def operstate(self, namespace: str, interface: str) -> str:
        """Return the kernel's word for an interface: UP, DOWN, LOWERLAYERDOWN."""
        (link,) = json.loads(ip("-n", namespace, "-j", "link", "show", interface))
        return str(link["operstate"])

    # How it is built

    def _build(self) -> None:
        for namespace in (self.centre, self.router):
            self._namespace(namespace)
        self._wire(
            End(self.centre, "eth0", f"{CENTRE}/24"),
            End(self.router, "centre", "10.200.0.254/24"),
        )
        ip("-n", self.centre, "address", "add", f"{ANCHOR}/32", "dev", "lo")
        ip("-n", self.centre, "route", "add", "default", "via", "10.200.0.254")
        ip("-n", self.router, "route", "add", f"{ANCHOR}/32", "via", CENTRE)
        self._forward(self.router)
        if self.group != self.router:
            self._build_group()
        for office in self.offices:
            self._build_office(office)
        for office in self.offices:
            self._await_snmpd(office)

    def _build_group(self) -> None:
        self._namespace(self.group)
        self._wire(
            End(self.group, "uplink", "10.202.0.2/24"),
            End(self.router, "downlink", "10.202.0.1/24"),
        )
        ip("-n", self.group, "route", "add", "default", "via", "10.202.0.1")
        for office in self.offices:
            if office.router == self.group:
                ip("-n", self.router, "route", "add", f"{office.wan}/32", "via", "10.202.0.2")
        self._forward(self.group)

    def _build_office(self, office: Office) -> None:
        self._namespace(office.gateway)
        self._namespace(office.host)
        self._wire(
            End(office.gateway, "wan0", f"{office.wan}/24"),
            End(office.router, office.line, f"{office.first_hop}/24"),
        )
        self._wire(
            End(office.host, "eth0", "192.168.1.2/24"),
            End(office.gateway, "lan0", f"{GATEWAY_LAN}/24"),
        )
        ip("-n", office.gateway, "route", "add", "default", "via", office.first_hop)
        ip("-n", office.host, "route", "add", "default", "via", GATEWAY_LAN)
        self._forward(office.gateway)
        self._nft(office.gateway, nat_table("wan0"))
        if office.number % 2:  # odd offices allow unprivileged ICMP, even ones need raw sockets
            self._set(office.host, "ping_group_range", "0 2147483647")
        self._snmpd(office)

    def _snmpd(self, office: Office) -> None:
        folder = self.folder / f"snmpd{office.number}"
        folder.mkdir()
        conf = folder / "snmpd.conf"
        conf.write_text(
            f"agentAddress udp:{GATEWAY_LAN}:161,udp:127.0.0.1:161\n"
            f"rocommunity {COMMUNITY} 192.168.1.0/24\n"
            f"rwcommunity {COMMUNITY} 127.0.0.1\n"
        )
        self.popen(
            office.gateway,
            ["snmpd", "-f", "-Lf", str(folder / "log"), "-C", "-c", str(conf)],
            folder / "output",
            {"SNMP_PERSISTENT_DIR": str(folder), "SNMPCONFPATH": str(folder)},
        )

    def _await_snmpd(self, office: Office) -> None:
        # IF-MIB is served from a cache; nsCacheTimeout (NET-SNMP-AGENT-MIB) of ifTable sets its age
        cache = ".1.3.6.1.4.1.8072.1.5.3.1.2.1.3.6.1.2.1.2.2"
        argv = ("snmpset", "-v2c", "-c", COMMUNITY, "-t", "1", "-r", "0", "127.0.0.1")
        deadline = time.monotonic() + 10
        while True:
            done = self.run(office.gateway, *argv, cache, "i", "1", check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise LabError(f"{office.gateway}: snmpd does not answer: {done.stderr}")
            time.sleep(0.1)

    def _namespace(self, name: str) -> None:
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")

    def _wire(self, one: End, other: End) -> None:
        peer = ("peer", "name", other.name, "netns", other.namespace)
        ip("link", "add", one.name, "netns", one.namespace, "type", "veth", *peer)
        for end in (one, other):
            ip("-n", end.namespace, "address", "add", end.address, "dev", end.name)
            if _IPV6.exists():  # no link-local address: its solicitations would be counted too
                ip("-n", end.namespace, "link", "set", end.name, "addrgenmode", "none")
            ip("-n", end.namespace, "link", "set", end.name, "up")

    def _forward(self, namespace: str) -> None:
        self._set(namespace, "ip_forward", "1")
        # Delayed packets come back by another interface than the one their source is behind.
        self._set(namespace, "conf/all/rp_filter", "0")

    def _set(self, namespace: str, name: str, value: str) -> None:
        place = f"/proc/sys/net/ipv4/{name}"
        self.run(namespace, "sh", "-c", 'printf %s "$1" > "$0"', place, value)

    def _shape(self, office: Office, line: Line) -> None:
        self._nft(office.router, line_table(office.line, line))

    def _nft(self, namespace: str, rules: str) -> None:
        argv = self._inside(namespace, ("nft", "-f", "-"))
        done = subprocess.run(
            argv, input=rules, capture_output=True, text=True, check=False, env=environment()
        )
        if done.returncode:
            raise LabError(f"{namespace}: nft: {done.stderr}\n{rules}")

    def _inside(self, namespace: str, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", namespace, *argv]
