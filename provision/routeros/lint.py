"""What a RouterOS gateway must keep: a way in, the agent's way out, a default route. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provision.configuration import Sections
from provision.lint import Finding, Needs, Severity
from provision.routeros.menu import Line, parse

_FILTER = "ros/ip/firewall/filter"
_SAYS_NOTHING = {"action", "chain", "comment", "log", "log-prefix"}
_DEFAULTS = ("ros/interface/pppoe-client", "ros/ip/dhcp-client", "ros/interface/lte/apn")


def lint(before: Sections, wanted: Sections, needs: Needs) -> Iterator[Finding]:
    """Yield what speaks against pushing `wanted` to a device that runs `before`."""
    after = {**before, **wanted}
    if _has_default(before) and not _has_default(after):
        yield Finding(Severity.ERROR, "it takes the default route away")
    if _has_address(before, needs.managed_by) and not _has_address(after, needs.managed_by):
        what = f"it takes away {needs.managed_by}, by which the device is managed"
        yield Finding(Severity.ERROR, what)
    for line in _lines(wanted, "ros/ip/service"):
        if line.target == "ssh" and line.values.get("disabled") == "yes":
            yield Finding(Severity.ERROR, "it turns SSH off")
        if line.target in {"telnet", "ftp"} and line.values.get("disabled", "yes") == "no":
            what = f"{line.target} is let in: its passwords can be read"
            yield Finding(Severity.WARNING, what)
    if _dropped(wanted, "input", "tcp", needs.ssh_port):
        what = f"no rule of the input chain accepts SSH (tcp port {needs.ssh_port})"
        yield Finding(Severity.ERROR, what)
    if _dropped(wanted, "forward", "udp", needs.report_port):
        what = (
            "no rule of the forward chain lets the agent's reports pass "
            f"(udp port {needs.report_port})"
        )
        yield Finding(Severity.ERROR, what)


def _lines(sections: Sections, name: str) -> tuple[Line, ...]:
    return parse(sections.get(name, ""), name)


def _has_default(sections: Sections) -> bool:
    routes = _lines(sections, "ros/ip/route")
    if any(line.values.get("dst-address", "0.0.0.0/0") == "0.0.0.0/0" for line in routes):
        return True
    others = [line for name in _DEFAULTS for line in _lines(sections, name)]
    return any(line.values.get("add-default-route", "yes") != "no" for line in others)


def _has_address(sections: Sections, address: str) -> bool:
    return any(
        line.values.get("address", "").startswith(f"{address}/")
        for line in _lines(sections, "ros/ip/address")
    )


def _dropped(sections: Sections, chain: str, protocol: str, port: int) -> bool:
    """Return whether all is dropped that no rule accepted before, and none accepts the port."""
    for line in _lines(sections, _FILTER):
        said = line.values
        if said.get("chain") != chain or said.get("disabled") == "yes":
            continue
        if said.get("action", "accept") == "accept" and _lets_pass(said, protocol, port):
            return False
        if said.get("action") in {"drop", "reject"} and said.keys() <= _SAYS_NOTHING:
            return True
    return False


def _lets_pass(values: Mapping[str, str], protocol: str, port: int) -> bool:
    states = values.get("connection-state", "new").split(",")
    ports = values.get("dst-port", "")
    return (
        "new" in states
        and values.get("protocol", protocol) == protocol
        and (not ports or any(_holds(word, port) for word in ports.split(",")))
    )


def _holds(word: str, port: int) -> bool:
    first, _, last = word.partition("-")
    return first.isdigit() and int(first) <= port <= int(last if last.isdigit() else first)
