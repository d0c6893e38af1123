"""YAML as nodes that know their line, and nothing more: no objects, no guesses, no surprises.

Nodes are built from the parser's events, in a loop: PyYAML's composer recurses, in C where
libyaml is used, so that a hostile file could end the process. Depth, size and the nodes that
aliases repeat are bounded here. Scalars stay text; what YAML 1.1 would make of them (13.10 a
float, `no` a boolean) is asked only where it matters, by `Scalar.reads_as`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml

from tabuah.errors import ConfigError, Problem

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 32
MAX_REPEATED = 500_000
"""Nodes that a file's aliases may repeat in all; 7,285 offices that share a contract of twelve
need 90,000, a bomb of ten by ten by ... needs billions."""

# libyaml's parser is about eight times faster; PyYAML is sometimes built without it.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STR_TAGS = (None, "!", "tag:yaml.org,2002:str")
_WORDS = {"int": "a number", "float": "a number", "bool": "true or false", "timestamp": "a date"}


@dataclass(slots=True)
class Scalar:
    """A word, as it is written."""

    line: int
    text: str
    plain: bool
    """Written without quotes."""

    @property
    def is_null(self) -> bool:
        """Return whether nothing is written, or `~` or `null`."""
        return self.plain and _implicit_tag(self.text) == "null"

    @property
    def reads_as(self) -> str | None:
        """Return what other readers of YAML take it for ('a number') if not for text."""
        return _WORDS.get(_implicit_tag(self.text)) if self.plain else None


@dataclass(slots=True)
class Sequence:
    """A list."""

    line: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Keys and values in the order of the file; a key may stand twice."""

    line: int
    entries: list[tuple[Node, Node]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


@lru_cache(maxsize=4096)
def _implicit_tag(text: str) -> str:
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    for tag, pattern in resolvers.get(text[:1], []):
        if pattern.match(text):
            return str(tag).rpartition(":")[2]
    # To YAML 1.2 0812 is a number too, and loses its zero.
    return "int" if text.isascii() and text.isdigit() else "str"


def read_yaml(path: Path) -> Node | None:
    """Return the root of the one document in the file, None when there is none.

    Raises:
        ConfigError: the file cannot be read, is too large, is not UTF-8, or is not YAML.
    """
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "no such file"
            raise ConfigError([Problem(str(path), what)])
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([Problem(str(path), "is larger than 64 MiB; spread it over sites/")])
        data = path.read_bytes()
    except OSError as error:
        what = f"cannot read it: {error.strerror or error}"
        raise ConfigError([Problem(str(path), what)]) from error
    return parse_yaml(data, str(path))


def parse_yaml(data: bytes, name: str) -> Node | None:
    """Return the root of the one document in `data`; `name` stands in messages.

    Raises:
        ConfigError: `data` is not UTF-8, not YAML, or beyond the bounds of this module.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not UTF-8 (byte {error.start}); save it as UTF-8"
        raise ConfigError([Problem(f"{name}:{line}", what)]) from error
    try:
        return _build(yaml.parse(text, Loader=_LOADER), name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        words = ", ".join(word for word in (error.context, error.problem) if word)
        raise ConfigError([Problem(where, f"is not YAML: {words}")]) from error
    except yaml.reader.ReaderError as error:
        raise ConfigError([Problem(name, f"is not YAML: {error.reason}")]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The pure Python scanner lets chr() and int() speak for themselves.
        raise ConfigError([Problem(name, f"is not YAML: {error}")]) from error


@dataclass(slots=True)
class _Open:
    """A list or mapping that the parser is still inside of."""

    node: Sequence | Mapping
    anchor: str | None
    size: int = 1
    depth: int = 1
    """Levels below and including this one."""
    key: Node | None = None


def _refusal(where: str, what: str) -> ConfigError:
    return ConfigError([Problem(where, what)])


def _build(events: Iterator[yaml.Event], name: str) -> Node | None:
    root: Node | None = None
    stack: list[_Open] = []
    anchors: dict[str, tuple[Node, int, int] | None] = {}
    repeated = 0
    documents = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        node: Node
        size = depth = 1
        if isinstance(event, yaml.ScalarEvent):
            if event.tag not in _STR_TAGS:
                raise _refusal(
                    f"{name}:{line}", f"tag {event.tag} is not used here; write a plain value"
                )
            node = Scalar(line, event.value, event.implicit[0] and event.tag is None)
            if event.anchor is not None:
                anchors[event.anchor] = (node, 1, 1)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            if event.tag not in (None, "!"):
                raise _refusal(
                    f"{name}:{line}", f"tag {event.tag} is not used here; write a plain value"
                )
            if len(stack) >= MAX_DEPTH:
                raise _refusal(f"{name}:{line}", f"is nested deeper than {MAX_DEPTH} levels")
            opened = Mapping(line) if isinstance(event, yaml.MappingStartEvent) else Sequence(line)
            stack.append(_Open(opened, event.anchor))
            if event.anchor is not None:
                anchors[event.anchor] = None
            continue
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            closed = stack.pop()
            node, size, depth = closed.node, closed.size, closed.depth
            if closed.anchor is not None:
                anchors[closed.anchor] = (node, size, depth)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _refusal(f"{name}:{line}", f"alias *{event.anchor} has no anchor before it")
            known = anchors[event.anchor]
            if known is None:
                raise _refusal(
                    f"{name}:{line}", f"alias *{event.anchor} stands inside its own anchor"
                )
            node, size, depth = known
            repeated += size
            if repeated > MAX_REPEATED:
                raise _refusal(f"{name}:{line}", "its aliases repeat too much")
            if len(stack) + depth > MAX_DEPTH:
                raise _refusal(f"{name}:{line}", f"is nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refusal(
                    f"{name}:{line}", "holds a second document (---); one file is one document"
                )
            continue
        else:
            continue
        if not stack:
            root = node
            continue
        parent = stack[-1]
        parent.size += size
        parent.depth = max(parent.depth, depth + 1)
        if isinstance(parent.node, Sequence):
            parent.node.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            parent.node.entries.append((parent.key, node))
            parent.key = None
    return root
