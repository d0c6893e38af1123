"""Two offices and a centre as network namespaces, their lines counted by nftables. Needs root.

    office-10s --wan0 ---- line0-- centre --line1 ---- wan0-- office-60s

Names begin with `tabuah-bench-` and our process id; all are removed at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.measure import BenchError, environment, require

CENTRE = "10.200.0.1"
PUBLIC = "203.0.113.10"
REPORT_PORT, REFLECT_PORT, DNS_PORT, HTTPS_PORT = 10162, 10862, 53, 443
LANES = ("reports", "stamp", "ping", "dns", "https", "other")
CONNECTIONS = "https_connections"


@dataclass(frozen=True, slots=True)
class Count:
    """What nftables counted; bytes are those of IP packets, headers included."""

    packets: int
    bytes: int

    def since(self, before: Count) -> Count:
        """Return what came after `before`."""
        return Count(self.packets - before.packets, self.bytes - before.bytes)


@dataclass(frozen=True, slots=True)
class Namespace:
    """One machine of the lab."""

    name: str

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return the command that becomes `argv` in this namespace, with the same process id."""
        return [require("ip"), "netns", "exec", self.name, *argv]

    def run(self, *argv: str, text: str | None = None) -> str:
        """Return the output of a command in this namespace.

        Raises:
            BenchError: it failed.
        """
        return _run(self.inside(argv), text)

    def counts(self) -> dict[str, Count]:
        """Return the counters of an office's line, by lane and direction (`ping_up`)."""
        said = json.loads(self.run("nft", "-j", "list", "counters"))["nftables"]
        found = [entry["counter"] for entry in said if "counter" in entry]
        return {each["name"]: Count(each["packets"], each["bytes"]) for each in found}


@contextmanager
def lab(offices: int) -> Iterator[tuple[Namespace, list[Namespace]]]:
    """Make the namespaces; gives the centre and the offices.

    Raises:
        BenchError: we are not root, or a tool is missing.
    """
    if os.geteuid() != 0:
        raise BenchError("network namespaces need root")
    stem = f"tabuah-bench-{os.getpid()}"
    centre = Namespace(f"{stem}-centre")
    ends = [Namespace(f"{stem}-office{number}") for number in range(offices)]
    made = []
    try:
        for each in (centre, *ends):
            _ip("netns", "add", each.name)
            made.append(each)
            _ip("-n", each.name, "link", "set", "lo", "up")
        for address in (CENTRE, PUBLIC):
            _ip("-n", centre.name, "address", "add", f"{address}/32", "dev", "lo")
        for number, office in enumerate(ends):
            _wire(centre, office, number)
        yield centre, ends
    finally:
        for each in made:
            _ip("netns", "del", each.name)


def first_hop(number: int) -> str:
    """Return the address of the centre's end of an office's line."""
    return f"10.201.{number}.1"


def _wire(centre: Namespace, office: Namespace, number: int) -> None:
    line = f"line{number}"
    # Without segmentation offload TCP counts packets as a real line would see them.
    whole = ("gso_max_segs", "1")
    _ip("link", "add", line, *whole, "netns", centre.name, "type", "veth",
        "peer", "name", "wan0", *whole, "netns", office.name)  # fmt: skip
    for end, name, address in (
        (centre, line, first_hop(number)),
        (office, "wan0", f"10.201.{number}.2"),
    ):
        end.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        _ip("-n", end.name, "address", "add", f"{address}/24", "dev", name)
        _ip("-n", end.name, "link", "set", name, "up")
    _ip("-n", office.name, "route", "add", "default", "via", first_hop(number))
    office.run("nft", "-f", "-", text=_rules())


def _rules() -> str:
    counters = [f"counter {lane}_{way} {{}}" for lane in LANES for way in ("up", "down")]
    lines = ["table inet bench {", *counters, f"counter {CONNECTIONS} {{}}"]
    for way, hook, side, interface in (
        ("up", "output", "dport", "oifname"),
        ("down", "input", "sport", "iifname"),
    ):
        lines.append(f"chain {way} {{ type filter hook {hook} priority 0; policy accept;")
        lines.append(f'{interface} != "wan0" accept')
        if way == "up":
            lines.append(
                f"tcp dport {HTTPS_PORT} tcp flags & (syn|ack) == syn counter name {CONNECTIONS}"
            )
        for match, lane in (
            (f"udp {side} {REPORT_PORT}", "reports"),
            (f"udp {side} {REFLECT_PORT}", "stamp"),
            ("ip protocol icmp", "ping"),
            (f"udp {side} {DNS_PORT}", "dns"),
            (f"tcp {side} {HTTPS_PORT}", "https"),
        ):
            lines.append(f"{match} counter name {lane}_{way} accept")
        lines += [f"counter name other_{way}", "}"]
    return "\n".join([*lines, "}"])


def _ip(*argv: str) -> None:
    _run([require("ip"), *argv])


def _run(argv: Sequence[str], text: str | None = None) -> str:
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, check=False, timeout=30,
        env=environment(),
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout
