"""Texts of UCI, OpenWrt's configuration, as `uci export` prints them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_HEAD = re.compile(r"config\s+(?P<type>[^\s'\"]+|'[^']*'|\"[^\"]*\")(?:\s+(?P<name>\S+))?\s*$")
_OPTION = re.compile(r"\s+(?P<verb>option|list)\s+(?P<key>\S+)\s+(?P<value>.*\S)\s*$")

OF_THE_BOARD: Mapping[str, tuple[str, ...]] = {
    "network": ("globals", "switch", "switch_vlan", "switch_port"),
    "system": ("led", "gpio_switch", "button"),
    "dhcp": ("odhcpd",),
    "firewall": ("include",),
}
"""Sections of the board's or a program's: they stay where a template has none of the kind."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a package."""

    kind: str
    name: str
    options: Mapping[str, tuple[str, ...]] = field(repr=False)
    text: str = field(repr=False)

    def one(self, key: str, default: str = "") -> str:
        """Return an option's value."""
        return " ".join(self.options.get(key, (default,)))

    def many(self, key: str) -> tuple[str, ...]:
        """Return the words of an option or a list."""
        return tuple(word for value in self.options.get(key, ()) for word in value.split())


def sections(text: str) -> list[Section]:
    """Return a package's sections, as far as they are understood."""
    found: list[Section] = []
    heads: list[tuple[str, str]] = []
    bodies: list[list[str]] = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            heads.append((_unquoted(head["type"]), _unquoted(head["name"] or "")))
            bodies.append([line])
        elif bodies and line.strip():
            bodies[-1].append(line)
    for (kind, name), body in zip(heads, bodies, strict=True):
        options: dict[str, tuple[str, ...]] = {}
        for line in body[1:]:
            said = _OPTION.match(line)
            if said is not None:
                before = options.get(said["key"], ()) if said["verb"] == "list" else ()
                options[said["key"]] = (*before, _unquoted(said["value"]))
        found.append(Section(kind, name, options, "".join(f"{line}\n" for line in body)))
    return found


def completed(package: str, running: str, wanted: str) -> str:
    """Return the wanted text with the board's own sections of the running one."""
    ours = {section.kind for section in sections(wanted)}
    kept = [
        section.text
        for section in sections(running)
        if section.kind in OF_THE_BOARD.get(package, ()) and section.kind not in ours
    ]
    return "\n".join((*kept, wanted)) if kept else wanted


def _unquoted(word: str) -> str:
    if word[:1] == '"':
        return word.strip('"')
    return word.replace("'\\''", "\0").strip("'").replace("\0", "'")
