"""A device's configuration as sections of text, and what makes two of them equal. Pure.

A section is named by what it configures: `ip`, `sysctl`, `nftables`, `frr` or the path of a file on
Linux, `uci/PACKAGE` on OpenWrt, `ros/MENU` on RouterOS, `running` where there is one text for all.
Two texts are equal when their normal forms are: order and comments mean nothing where the device
itself does not keep them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from provision.routeros import menu

Sections = Mapping[str, str]

OF_LINUX = ("ip", "sysctl", "nftables", "frr")
"""The parts of a Linux gateway that are no files."""

_FRR_IGNORED = (
    "!",
    "end",
    "exit",
    "frr version ",
    "frr defaults ",
    "hostname ",
    "log ",
    "service integrated-vtysh-config",
    "no ip forwarding",
    "no ipv6 forwarding",
)
"""FRR writes these by itself, or another hand owns them."""
_FRR_CONTEXTS = ("interface ", "router ", "route-map ", "vrf ", "line ", "key chain ", "bfd")


@dataclass(frozen=True, slots=True)
class ManagedFile:
    """A file that we write whole."""

    path: str
    mode: str
    """Octal, as chmod takes it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a device is ours: nothing else is read, compared or changed."""

    interfaces: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """Of sysctl."""
    files: tuple[ManagedFile, ...] = ()
    nftables: bool = False
    frr: bool = False
    sections: tuple[str, ...] = ()
    """What other platforms name: packages of UCI, menus of RouterOS."""


def normal(sections: Sections) -> dict[str, tuple[str, ...]]:
    """Return each section's lines in the form in which equal ones are equal."""
    return {name: normal_section(name, text) for name, text in sorted(sections.items())}


def normal_section(name: str, text: str) -> tuple[str, ...]:
    """Return one section's lines in the form in which equal ones are equal."""
    lines = [line.rstrip() for line in text.splitlines()]
    match name.partition("/")[0]:
        case "ip" | "sysctl":
            return tuple(sorted(" ".join(line.split()) for line in lines if _says(line)))
        case "frr":
            return _normal_frr(lines)
        case "nftables" | "running":
            return tuple(line for line in lines if line)
        case "uci":
            return tuple(line for line in lines if line and not line.startswith("package "))
        case "ros":
            return menu.normal(text, name)
        case _:
            return tuple(lines)


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _normal_frr(lines: list[str]) -> tuple[str, ...]:
    """Return FRR's lines, each under its context; blocks sorted, lines within one as they stand."""
    blocks: dict[str, list[str]] = {}
    context = ""
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith(_FRR_IGNORED[0]) or ignored_by_frr(line):
            continue
        if not raw.startswith(" "):
            context = line if line.startswith(_FRR_CONTEXTS) else ""
            block = blocks.setdefault(line, [])
            continue
        block = blocks.setdefault(context, [])
        if line not in block:
            block.append(line)
    flat: list[str] = []
    for head in sorted(blocks):
        # A context without a line in it is nothing that FRR would keep.
        if head.startswith("interface ") and not blocks[head]:
            continue
        flat.append(head)
        flat += [f" {line}" for line in blocks[head]]
    return tuple(line for line in flat if line)


def ignored_by_frr(line: str) -> bool:
    """Return whether a line of FRR's is none of ours."""
    return line in {"end", "exit", "exit-address-family"} or line.startswith(
        tuple(word for word in _FRR_IGNORED if word not in {"!", "end", "exit"})
    )


def same(one: Sections, other: Sections) -> bool:
    """Return whether two configurations are equal."""
    return normal(one) == normal(other)


def digest(sections: Sections, key: bytes) -> str:
    """Return a configuration's name: an HMAC, so that no guessed secret can be tried on it."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for name, lines in normal(sections).items():
        mac.update(f"#{name}\n".encode())
        mac.update("".join(f" {line}\n" for line in lines).encode())
    return mac.hexdigest()
