"""The keys of one mapping, taken out one by one, with every problem noted and none fatal.

A value that cannot be read is noted and its default returned, so that one run tells all that
is wrong. References to things that may stand in other files are noted as `Link`s, to be checked
when everything has been read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from inventory.secret import SecretRef
from inventory.values import hint, shown, token
from inventory.yaml_nodes import Mapping, Node, Scalar, Sequence
from tabuah.errors import Problem

T = TypeVar("T")
D = TypeVar("D")

MAX_PROBLEMS = 1000
"""More are counted, not kept: a wrong indentation in a large file must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Link:
    """A word that must name something of the inventory."""

    to: str
    """What it names: site, upstream, power group, service."""
    word: str
    where: str
    path: str


@dataclass(slots=True)
class Findings:
    """What one loading has noted so far."""

    problems: dict[Problem, None] = field(default_factory=dict)
    """A set that keeps its order: an alias must not repeat its problems."""
    more: int = 0
    links: list[Link] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Note a problem."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems[Problem(where, what)] = None
        else:
            self.more += 1


@dataclass(frozen=True, slots=True)
class Scope:
    """Where in the inventory we are: the file, and the way down to here."""

    file: str
    findings: Findings
    path: str = ""
    """Like `site 13.02.10: circuit telkom: `."""

    def inside(self, step: str) -> Scope:
        """Return the scope one step further down."""
        return Scope(self.file, self.findings, f"{self.path}{step}: ")

    def where(self, node: Node) -> str:
        """Return FILE:LINE."""
        return f"{self.file}:{node.line}"

    def complain(self, node: Node, what: str) -> None:
        """Note what is wrong at `node`."""
        self.findings.add(self.where(node), f"{self.path}{what}")

    def link(self, to: str, node: Node, word: str) -> None:
        """Note that `word` must name something."""
        self.findings.links.append(Link(to, word, self.where(node), self.path))

    def read(self, node: Node, label: str, convert: Callable[[str], T]) -> T | None:
        """Return the value of a scalar, or None after noting what is wrong with it."""
        if not isinstance(node, Scalar):
            self.complain(node, f"{label}: must be one value, not a {_shape(node)}")
            return None
        try:
            return convert(node.text)
        except ValueError as error:
            self.complain(node, f"{label}: {error}")
            return None

    def read_text(self, node: Node, label: str, convert: Callable[[str], T]) -> T | None:
        """Return the value of a scalar that must be text to every reader of YAML."""
        if isinstance(node, Scalar) and (other := node.reads_as) is not None:
            self.complain(
                node,
                f"{label}: must be quoted, because YAML reads {node.text} as {other}; "
                f'write "{shown(node.text)}"',
            )
            return None
        return self.read(node, label, convert)

    def named(self, noun: str, node: Node, key: str) -> Scope:
        """Return the scope inside `node`, which `key` names where it can be read at all."""
        for entry, value in node.entries if isinstance(node, Mapping) else ():
            if isinstance(entry, Scalar) and entry.text == key and isinstance(value, Scalar):
                return self.inside(f"{noun} {shown(value.text)}" if value.text else noun)
        return self.inside(noun)

    def pairs(self, node: Node) -> Iterator[tuple[Scalar, Node]]:
        """Yield the keys and values of a mapping; notes what is no mapping, and doubled keys."""
        if not isinstance(node, Mapping):
            self.complain(node, f"must be keys and values, not {_a(node)}")
            return
        seen: dict[str, int] = {}
        for key, value in node.entries:
            if not isinstance(key, Scalar):
                self.complain(key, f"a key must be one word, not a {_shape(key)}")
            elif key.text in seen:
                self.complain(
                    key, f"key '{shown(key.text)}' stands here and in line {seen[key.text]}"
                )
            else:
                seen[key.text] = key.line
                yield key, value

    def items(self, node: Node, label: str) -> list[Node]:
        """Return the items of a list; nothing after noting that it is none."""
        if isinstance(node, Sequence):
            return node.items
        if not (isinstance(node, Scalar) and node.is_null):
            self.complain(node, f"{label}: must be a list, not {_a(node)}")
        return []


class Fields:
    """The values of one mapping whose keys are known beforehand."""

    def __init__(self, node: Node, scope: Scope, known: Iterable[str]) -> None:
        self.node = node
        self.scope = scope
        self._values: dict[str, Node] = {}
        known = tuple(known)
        for key, value in scope.pairs(node):
            if key.text not in known:
                near = hint(key.text, known) or f"; known keys: {', '.join(known)}"
                scope.complain(key, f"unknown key '{shown(key.text)}'{near}")
            elif not (isinstance(value, Scalar) and value.is_null):
                self._values[key.text] = value

    def __contains__(self, key: str) -> bool:
        """Return whether the key is there with something behind it."""
        return key in self._values

    def node_of(self, key: str) -> Node | None:
        """Return what stands behind the key, unread."""
        return self._values.get(key)

    def at(self, key: str) -> Node:
        """Return the node to blame for the key: its value, or the whole mapping."""
        return self._values.get(key, self.node)

    def value(self, key: str, convert: Callable[[str], T], default: D) -> T | D:
        """Return the value of a number, a date or another thing that is no plain text."""
        node = self._values.get(key)
        if node is None:
            return default
        read = self.scope.read(node, key, convert)
        return default if read is None else read

    def text(self, key: str, convert: Callable[[str], T], default: D) -> T | D:
        """Return the value of a text; one that YAML takes for something else is refused."""
        node = self._values.get(key)
        if node is None:
            return default
        read = self.scope.read_text(node, key, convert)
        return default if read is None else read

    def need(self, key: str, example: str = "") -> bool:
        """Return whether the key is there; notes its absence, unless no key can be there."""
        if key in self._values:
            return True
        if not isinstance(self.node, Mapping):
            return False
        like = f"; write it like {example}" if example else ""
        self.scope.complain(self.node, f"lacks '{key}'{like}")
        return False

    def list(self, key: str) -> list[Node]:
        """Return the items behind the key, nothing where it is absent."""
        node = self._values.get(key)
        return [] if node is None else self.scope.items(node, key)

    def texts(self, key: str, convert: Callable[[str], T]) -> tuple[T, ...]:
        """Return the readable texts of a list."""
        read = (self.scope.read_text(item, key, convert) for item in self.list(key))
        return tuple(item for item in read if item is not None)

    def inner(self, key: str, known: Iterable[str]) -> Fields | None:
        """Return the mapping behind the key, or None where it is absent."""
        node = self._values.get(key)
        return None if node is None else Fields(node, self.scope.inside(key), known)

    def secret(self, key: str) -> SecretRef | None:
        """Return the reference behind the key; a literal secret is refused and not repeated."""
        return self.value(key, lambda word: SecretRef.parse(word, self._owner(key)), None)

    def or_reference(
        self, key: str, convert: Callable[[str], str]
    ) -> Callable[[str], str | SecretRef]:
        """Return a reader of plain values that may also stand elsewhere (`env:`, `file:`)."""

        def read(word: str) -> str | SecretRef:
            if word.startswith(("env:", "file:")):
                return SecretRef.parse(word, self._owner(key))
            return convert(word)

        return read

    def _owner(self, key: str) -> str:
        return f"{self.scope.where(self.at(key))}: {self.scope.path}{key}"

    def link(self, to: str, key: str) -> str | None:
        """Return the name behind the key, to be checked once all is read."""
        word = self.text(key, token, None)
        if word is not None:
            self.scope.link(to, self._values[key], word)
        return word

    def links(self, to: str, key: str) -> tuple[str, ...]:
        """Return the names of a list, each once, to be checked once all is read."""
        words: dict[str, None] = {}
        for item in self.list(key):
            word = self.scope.read_text(item, key, token)
            if word is None:
                continue
            if word in words:
                self.scope.complain(item, f"{key}: '{word}' is named twice")
                continue
            words[word] = None
            self.scope.link(to, item, word)
        return tuple(words)


def _shape(node: Node) -> str:
    if isinstance(node, Sequence):
        return "list"
    return "mapping" if isinstance(node, Mapping) else "single value"


def _a(node: Node) -> str:
    if isinstance(node, Scalar) and node.is_null:
        return "nothing"
    return f"a {_shape(node)}"
