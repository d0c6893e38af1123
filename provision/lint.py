"""What a configuration must keep, whatever else it changes: a way in, the agent's way out. Pure.

It reads the sections as the device itself would print them, and knows the plain forms of a rule;
what it does not understand it does not judge. The dead-man is there for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from provision.configuration import Sections

_CHAIN = re.compile(r"^\tchain (\S+) \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
_HOOK = re.compile(r"hook (\w+) priority")
_TELNET = re.compile(r"^(?!\s*no\b).*\b(telnet|ftp)\b.*accept", re.MULTILINE)


class Severity(Enum):
    """Whether it may be pushed."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against a configuration."""

    severity: Severity
    what: str


@dataclass(frozen=True, slots=True)
class Needs:
    """What the office and we need of its gateway."""

    managed_by: str
    """The address by which we enter it."""
    ssh_port: int = 22
    report_port: int = 10162
    """Of the collector."""


def lint(before: Sections, wanted: Sections, needs: Needs) -> list[Finding]:
    """Return what speaks against pushing `wanted` to a device that runs `before`."""
    return [*_routes(before, wanted), *_management(before, wanted, needs), *_rules(wanted, needs)]


def _routes(before: Sections, wanted: Sections) -> Iterator[Finding]:
    after = {**before, **wanted}
    if _has_default(before) and not _has_default(after):
        yield Finding(Severity.ERROR, "it takes the default route away")


def _has_default(sections: Sections) -> bool:
    return (
        re.search(r"^route default ", sections.get("ip", ""), re.MULTILINE) is not None
        or re.search(r"^ip route 0\.0\.0\.0/0 ", sections.get("frr", ""), re.MULTILINE) is not None
        or any("defaultroute" in text for name, text in sections.items() if "/ppp/" in name)
    )


def _management(before: Sections, wanted: Sections, needs: Needs) -> Iterator[Finding]:
    if "ip" not in wanted:
        return
    address = re.compile(rf"^address \S+ {re.escape(needs.managed_by)}/", re.MULTILINE)
    if address.search(before.get("ip", "")) and not address.search(wanted["ip"]):
        what = f"it takes away {needs.managed_by}, by which the device is managed"
        yield Finding(Severity.ERROR, what)


def _rules(wanted: Sections, needs: Needs) -> Iterator[Finding]:
    text = wanted.get("nftables", "")
    for hook, rules in _dropping(text):
        if hook == "input" and not _accepts(rules, "tcp", needs.ssh_port):
            what = f"no rule of the input chain accepts SSH (tcp port {needs.ssh_port})"
            yield Finding(Severity.ERROR, what)
        if hook == "forward" and not _accepts(rules, "udp", needs.report_port):
            what = (
                "no rule of the forward chain lets the agent's reports pass "
                f"(udp port {needs.report_port})"
            )
            yield Finding(Severity.ERROR, what)
    if _TELNET.search(text):
        yield Finding(Severity.WARNING, "telnet or ftp is let in: their passwords can be read")


def _dropping(text: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the hook and the rules of every base chain that drops what no rule accepts."""
    for match in _CHAIN.finditer(text):
        head, *rules = match[2].splitlines() or [""]
        hook = _HOOK.search(head)
        if hook is not None and "policy drop" in head:
            yield hook[1], rules


def _accepts(rules: Sequence[str], protocol: str, port: int) -> bool:
    return any(_lets_pass(rule.strip(), protocol, port) for rule in rules)


def _lets_pass(rule: str, protocol: str, port: int) -> bool:
    """Return whether a rule accepts new packets to a port, as far as its words say."""
    if not rule.endswith("accept") or "ct state" in rule or 'iifname "lo"' in rule:
        return False
    named = re.search(r"\b(tcp|udp) dport (?:\{([^}]*)\}|(\S+))", rule)
    if named is not None:
        ports = [word.strip() for word in (named[2] or named[3]).split(",")]
        return named[1] == protocol and any(_holds(word, port) for word in ports)
    other = re.search(r"\b(?:l4proto|protocol) (\S+)", rule)
    return other is None or protocol in other[1]


def _holds(word: str, port: int) -> bool:
    known = {"ssh": "22", "snmp": "161", "domain": "53", "ntp": "123"}
    first, _, last = known.get(word, word).partition("-")
    if not first.isdigit():
        return False
    return int(first) <= port <= int(last if last.isdigit() else first)
