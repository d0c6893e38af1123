"""What an OpenWrt gateway must keep: a way in, the agent's way out, a default route. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from provision.configuration import Sections
from provision.lint import Finding, Needs, Severity
from provision.openwrt.uci import Section, sections

_BRING_A_DEFAULT = frozenset(("dhcp", "pppoe", "qmi", "ncm", "modemmanager", "mbim", "3g"))


def lint(before: Sections, wanted: Sections, needs: Needs) -> Iterator[Finding]:
    """Yield what speaks against pushing `wanted` to a device that runs `before`."""
    after = {**before, **wanted}
    if _has_default(before) and not _has_default(after):
        yield Finding(Severity.ERROR, "it takes the default route away")
    if _has_address(before, needs.managed_by) and not _has_address(after, needs.managed_by):
        what = f"it takes away {needs.managed_by}, by which the device is managed"
        yield Finding(Severity.ERROR, what)
    servers = _of(wanted, "dropbear", "dropbear")
    if servers and not any(_listens(one, needs.ssh_port) for one in servers):
        what = f"no dropbear listens on port {needs.ssh_port}, by which the device is managed"
        yield Finding(Severity.ERROR, what)
    if "uci/firewall" in wanted:
        yield from _firewall(wanted, needs)


def _firewall(wanted: Sections, needs: Needs) -> Iterator[Finding]:
    zones = _of(wanted, "firewall", "zone")
    rules = [
        rule
        for rule in _of(wanted, "firewall", "rule")
        if rule.one("target") == "ACCEPT" and rule.one("enabled", "1") != "0"
    ]
    opened = any(zone.one("input") == "ACCEPT" for zone in zones)
    if not opened and not any(
        not rule.one("dest") and _lets_pass(rule, "tcp", needs.ssh_port) for rule in rules
    ):
        what = f"no zone and no rule lets SSH in (tcp port {needs.ssh_port})"
        yield Finding(Severity.ERROR, what)
    forwarded = bool(_of(wanted, "firewall", "forwarding"))
    if not forwarded and not any(
        rule.one("dest") and _lets_pass(rule, "udp", needs.report_port) for rule in rules
    ):
        what = f"nothing lets the agent's reports pass (udp port {needs.report_port})"
        yield Finding(Severity.ERROR, what)


def _of(wanted: Sections, package: str, kind: str) -> list[Section]:
    return [one for one in sections(wanted.get(f"uci/{package}", "")) if one.kind == kind]


def _has_default(known: Sections) -> bool:
    interfaces = _of(known, "network", "interface")
    return any(
        one.one("gateway") or one.one("proto") in _BRING_A_DEFAULT for one in interfaces
    ) or any(
        one.one("target") in {"0.0.0.0/0", "default"} for one in _of(known, "network", "route")
    )


def _has_address(known: Sections, address: str) -> bool:
    return any(
        address == word.partition("/")[0]
        for one in _of(known, "network", "interface")
        for word in (*one.many("ipaddr"), *one.many("addresses"))
    )


def _listens(server: Section, port: int) -> bool:
    return server.one("enable", "1") != "0" and server.one("Port", "22") == str(port)


def _lets_pass(rule: Section, protocol: str, port: int) -> bool:
    protocols = rule.many("proto") or ("tcp", "udp")
    ports = rule.many("dest_port")
    return bool({protocol, "all", "any"} & set(protocols)) and (
        not ports or any(_holds(word, port) for word in ports)
    )


def _holds(word: str, port: int) -> bool:
    first, _, last = word.replace(":", "-").partition("-")
    return first.isdigit() and int(first) <= port <= int(last if last.isdigit() else first)
