"""A menu of RouterOS as text: what `/export` prints of it, and the program that changes it. Pure.

A section `ros/ip/address` is the menu `/ip address`. Its lines are those of an export without the
menu's name, `add address=192.168.1.1/24 interface=lan` or `set allow-remote-requests=yes`: values
that are RouterOS' defaults are left out, as an export leaves them out, or they would never look
alike. `add` lines are ours whole; of `set` lines only the properties that a template names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from provision.filters import ros_quoted
from tabuah.errors import DecodeError

_ORDERED = frozenset(
    f"ros/{name}"
    for name in (
        *("ip/firewall/filter", "ip/firewall/nat", "ip/firewall/mangle", "ip/firewall/raw"),
        *("queue/simple", "routing/filter", "routing/filter/rule"),
    )
)
"""Their entries work in the order they stand."""
_OWN: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("ros/ip/address", "ros/ip/route", "ros/ip/firewall/filter", "ros/ip/firewall/nat"),
            *("ros/ip/firewall/mangle", "ros/ip/firewall/raw", "ros/queue/simple"),
            *("ros/ip/dns/static", "ros/ip/dhcp-server/lease", "ros/interface/pppoe-client"),
        ),
        "dynamic=no",
    ),
    "ros/snmp/community": "default=no",
    "ros/system/logging": "default=no",
    "ros/system/logging/action": "default=no",
}
"""Which entries an export prints as `add`: neither what others made, nor what is always there."""
_NEW_FIRST = frozenset({"ros/ip/address", "ros/ip/route"})
_EXPORTED = re.compile(r"/(?P<menu>[a-z0-9 /-]+?)(?: (?P<line>(?:add|set)\b.*))?$")
_BARE = re.compile(r"[A-Za-z0-9_.,:/@+*!~<>;-]+")
_WORD = re.compile(r'(?P<key>[A-Za-z0-9_.-]+)=(?P<value>"(?:[^"\\]|\\.)*"|[^\s"]*)\s*')
_TARGET = re.compile(r"(?:\[\s*find\s+(?P<where>[^\]]*?)\s*\]|(?P<name>[^\s=\[]+)(?=\s))\s*")
_ESCAPED = re.compile(r'\\([0-9A-F]{2}|[nrt"\\$?_a])')


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a menu."""

    verb: str
    target: str
    """What `set` is for, `telnet` or `[ find default-name=ether1 ]`; empty where it needs none."""
    values: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        """Return it as RouterOS reads it, its properties sorted."""
        target = f" {self.target}" if self.target else ""
        said = "".join(f" {key}={_quoted(self.values[key])}" for key in sorted(self.values))
        return f"{self.verb}{target}{said}"

    def shown(self) -> str:
        """Return it as people read it: letters are not written as octets."""
        target = f" {self.target}" if self.target else ""
        said = "".join(f" {key}={_shown(self.values[key])}" for key in sorted(self.values))
        return f"{self.verb}{target}{said}"


def parse(text: str, section: str) -> tuple[Line, ...]:
    """Return the lines of a section.

    Raises:
        DecodeError: one is not `add` or `set` with properties.
    """
    found = []
    for raw in text.splitlines():
        line = raw.strip()
        if line and not line.startswith("#"):
            found.append(_line(line, section))
    return tuple(found)


def normal(text: str, section: str) -> tuple[str, ...]:
    """Return a section's lines in the form in which equal ones are equal."""
    try:
        lines = [line.shown() for line in parse(text, section)]
    except DecodeError:
        # Told apart as it stands: whoever applies it will say what is wrong with it.
        lines = [line.strip() for line in text.splitlines() if line.strip()]
    return tuple(lines if section in _ORDERED else sorted(lines))


def as_text(lines: tuple[Line, ...]) -> str:
    """Return lines as a section's text."""
    return "".join(f"{line}\n" for line in lines)


def from_export(text: str, section: str) -> str:
    """Return a section out of what `export` printed: a menu's export has its sub-menus too.

    Raises:
        DecodeError: it is no export.
    """
    joined = re.sub(r"\\\r?\n +", "", text).replace("\r", "")
    menu, found = "", []
    for line in joined.splitlines():
        if line.startswith("/"):
            said = _EXPORTED.match(line)
            if said is None:
                raise DecodeError(f"no export of RouterOS: {line[:60]!r}")
            menu = "ros/" + said["menu"].strip().replace(" ", "/")
            if menu == section and said["line"]:
                found.append(_line(said["line"], section))
        elif line.startswith(("add", "set")) and menu == section:
            found.append(_line(line, section))
        elif line.strip() and not line.startswith("#") and not line.startswith(("add", "set")):
            raise DecodeError(f"no export of RouterOS: {line[:60]!r}")
    return as_text(tuple(found))


def completed(section: str, running: str, wanted: str) -> str:
    """Return the wanted text, and those settings of the running one that it does not name."""
    ours = parse(wanted, section)
    sets: dict[str, dict[str, str]] = {}
    for line in (*parse(running, section), *ours):
        if line.verb == "set":
            sets.setdefault(line.target, {}).update(line.values)
    kept = tuple(Line("set", target, sets[target]) for target in sorted(sets))
    return as_text((*kept, *(line for line in ours if line.verb == "add")))


def console(section: str) -> str:
    """Return a section's menu as versions 6 and 7 both read it."""
    return "/" + section.removeprefix("ros/").replace("/", " ")


def program(section: str, running: str, wanted: str) -> list[str]:
    """Return the lines of a script that turn the running menu into the wanted one.

    It stops with an error where the menu has not as many entries as when it was read.
    """
    menu, old, new = console(section), parse(running, section), parse(wanted, section)
    lines = [f"{menu} {line}" for line in _changed(old, new)]
    was = [line for line in old if line.verb == "add"]
    will = [line for line in new if line.verb == "add"]
    if was == will or (section not in _ORDERED and _same(was, will)):
        return lines
    own = f"[{menu} find{_where(section)}]"
    lines.append(f':if ([:len {own}] != {len(was)}) do={{ :error "{menu} was changed meanwhile" }}')
    if section in _ORDERED:
        # The old rules stand first, and judge until all new ones are there.
        lines += [f"{menu} {line}" for line in will]
        return lines + ([f"{menu} remove [:pick {own} 0 {len(was)}]"] if was else [])
    gone = [number for number, line in enumerate(was) if not _take(will, line)]
    edits, removals = [], []
    for number in gone:
        into = _renewed(was[number], will)
        if into is None:
            removals.append(f"{menu} remove [:pick {own} {number}]")
        else:
            will.remove(into)
            said = "".join(
                f" {key}={_quoted(value)}"
                for key, value in sorted(into.values.items())
                if was[number].values.get(key) != value
            )
            edits.append(f"{menu} set [:pick {own} {number}]{said}")
    adds = [f"{menu} {line}" for line in will]
    removals.reverse()  # the numbers before one that goes stay what they are
    both = (adds, removals) if section in _NEW_FIRST else (removals, adds)
    return [*lines, *edits, *both[0], *both[1]]


def _where(section: str) -> str:
    own = _OWN.get(section)
    return f" {own}" if own else ""


def _changed(old: tuple[Line, ...], new: tuple[Line, ...]) -> Iterator[Line]:
    before = {line.target: line.values for line in old if line.verb == "set"}
    for line in new:
        if line.verb == "set":
            was = before.get(line.target, {})
            changed = {key: value for key, value in line.values.items() if was.get(key) != value}
            if changed:
                yield Line("set", line.target, changed)


def _same(was: list[Line], will: list[Line]) -> bool:
    return sorted(map(str, was)) == sorted(map(str, will))


def _take(lines: list[Line], line: Line) -> bool:
    if line not in lines:
        return False
    lines.remove(line)
    return True


def _renewed(old: Line, will: list[Line]) -> Line | None:
    """Return what an entry of the same name is to become: others that name it go on to do so."""
    for line in will:
        same_name = "name" in old.values and old.values["name"] == line.values.get("name")
        if same_name and old.values.keys() <= line.values.keys():
            return line
    return None


def _line(line: str, section: str) -> Line:
    verb, _, rest = line.partition(" ")
    if verb not in {"add", "set"}:
        raise DecodeError(f"{section}: begins with neither 'add' nor 'set': {line[:40]!r}")
    rest, target = rest.strip(), ""
    said = _TARGET.match(rest)
    if said is not None and verb == "set":
        target, rest = said["name"] or f"[ find {said['where']} ]", rest[said.end() :]
    values: dict[str, str] = {}
    while rest:
        word = _WORD.match(rest)
        if word is None:
            raise DecodeError(f"{section}: no KEY=VALUE: {rest[:40]!r}")
        values[word["key"]] = _unquoted(word["value"])
        rest = rest[word.end() :]
    return Line(verb, target, values)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    signs = {"n": "\n", "r": "\r", "t": "\t", "_": " ", "a": "\a"}
    octets = bytearray()
    last = 0
    inner = value[1:-1]
    for match in _ESCAPED.finditer(inner):
        octets += inner[last : match.start()].encode()
        said, last = match[1], match.end()
        octets += bytes.fromhex(said) if len(said) == 2 else signs.get(said, said).encode()
    octets += inner[last:].encode()
    return octets.decode(errors="surrogateescape")


def _quoted(value: str) -> str:
    return value if _BARE.fullmatch(value) else ros_quoted(value)


def _shown(value: str) -> str:
    if _BARE.fullmatch(value) or (value.startswith("‹") and " " not in value):
        return value
    escaped = re.sub(r'(["\\$])', r"\\\1", value).replace("\n", "\\n")
    return f'"{escaped}"'
