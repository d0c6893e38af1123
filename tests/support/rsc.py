"""RouterOS' scripting language, as far as its documentation tells it and dead-men use it.

A script is parsed whole before any of it runs. It runs as a generator that yields the seconds it
waits, so that whoever plays the device decides what happens in between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

_BARE = re.compile(r"[^\s;\[\](){}\"$=]*")
_WORD = re.compile(r"[A-Za-z0-9-]+")
_NAME = re.compile(r"\$?\"?([A-Za-z][A-Za-z0-9]*)")
_SPAN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_CLOCK = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(\d+):(\d+):(\d+)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "_": " "}


class RosError(Exception):
    """What a command said when it failed; `on-error` catches it."""


class RosSyntaxError(RosError):
    """What could not be parsed. Version 6 catches it with nothing."""


@dataclass(frozen=True)
class Time:
    """A duration."""

    seconds: int

    def __str__(self) -> str:
        days, rest = divmod(self.seconds, 86400)
        weeks, days = divmod(days, 7)
        head = (f"{weeks}w" if weeks else "") + (f"{days}d" if days else "")
        return f"{head}{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"


@dataclass(frozen=True)
class Block:
    """Statements between braces."""

    text: str


@dataclass(frozen=True)
class Op:
    """An operation of an expression."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Var:
    """The value of a local."""

    name: str


@dataclass(frozen=True)
class Inner:
    """A command between brackets: its value."""

    command: Statement


@dataclass(frozen=True)
class Text:
    """A literal."""

    value: object


Node = Op | Var | Inner | Text | Block


@dataclass(frozen=True)
class Statement:
    """One command with its arguments."""

    path: tuple[str, ...]
    """`(":if",)`, or a menu's words and the command last."""
    named: Mapping[str, Node] = field(default_factory=dict)
    plain: tuple[Node, ...] = ()
    where: tuple[Node, ...] = ()


Running = Generator[float, None, object]
Menu = Callable[["Scope", Statement, tuple[object, ...], Mapping[str, object]], Running]

_COMMANDS = frozenset(
    ("add", "set", "remove", "find", "get", "print", "export", "save", "load", "run", "import")
)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._menu: tuple[str, ...] = ()

    def statements(self) -> list[Statement]:
        found: list[Statement] = []
        while True:
            self._skip(" \t\r\n;")
            if self._at >= len(self._text):
                return found
            found.append(self._statement())

    def _statement(self) -> Statement:
        if self._peek() == "{":
            return Statement((":do",), {}, (self._block(),))
        if self._peek() == ":":
            self._at += 1
            return self._arguments((":" + self._match(_WORD),))
        if self._text.startswith("find", self._at) and self._menu:
            self._at += 4
            return self._arguments((*self._menu, "find"))
        if self._peek() != "/":
            raise self._wrong("bad command name " + self._rest())
        self._at += 1
        path: list[str] = []
        while not path or path[-1] not in _COMMANDS:
            self._skip(" ")
            path += [word for word in self._match(_WORD).split("/") if word]
            if self._peek() == "/":
                self._at += 1
        outer, self._menu = self._menu, tuple(path[:-1])
        made = self._arguments(tuple(path))
        self._menu = outer
        return made

    def _arguments(self, path: tuple[str, ...]) -> Statement:
        named: dict[str, Node] = {}
        plain: list[Node] = []
        where: list[Node] = []
        while True:
            self._skip(" \t")
            if self._peek() in ("", "\n", "\r", ";", "]", "}"):
                return Statement(path, named, tuple(plain), tuple(where))
            key = re.compile(r"([A-Za-z.][A-Za-z0-9.-]*)=").match(self._text, self._at)
            if path[-1] == "find" and key is None and self._text.startswith("where", self._at):
                self._at += 5
                continue
            if path[-1] == "find":
                where.append(self._expression("]\n;"))
            elif key is not None:
                self._at = key.end()
                named[key[1]] = self._value()
            else:
                plain.append(self._value())

    def _value(self) -> Node:
        match self._peek():
            case '"':
                return Text(self._string())
            case "$":
                return self._variable()
            case "[":
                self._at += 1
                self._skip(" ")
                made = Inner(self._statement())
                self._skip(" ")
                self._expect("]")
                return made
            case "(":
                self._at += 1
                made_of = self._expression(")")
                self._expect(")")
                return made_of
            case "{":
                return self._block()
            case _:
                return Text(self._match(_BARE))

    def _expression(self, ends: str) -> Node:
        left = self._operand(ends)
        while True:
            self._skip(" ")
            if self._peek() in ("", *ends):
                return left
            sign = re.compile(r"and\b|or\b|!=|>=|<=|[.+\-=<>~]").match(self._text, self._at)
            if sign is None:
                raise self._wrong("expected end of command")
            self._at = sign.end()
            # 'and' and 'or' bind least: what follows is whole.
            right = self._expression(ends) if sign[0] in {"and", "or"} else self._operand(ends)
            left = Op(sign[0], left, right)

    def _operand(self, ends: str) -> Node:
        self._skip(" ")
        if self._peek() in '"$[(':
            return self._value()
        word = re.compile(r"[A-Za-z0-9_-]+").match(self._text, self._at)
        if word is None or self._peek() in ends:
            raise self._wrong("expected a value")
        self._at = word.end()
        return Text(_typed(word[0]))

    def _variable(self) -> Node:
        found = re.compile(r"\$([A-Za-z][A-Za-z0-9]*)").match(self._text, self._at)
        if found is None:
            raise self._wrong("expected a variable's name")
        self._at = found.end()
        return Var(found[1])

    def _block(self) -> Block:
        self._expect("{")
        depth, begin = 1, self._at
        while depth:
            match self._peek():
                case "":
                    raise self._wrong("expected closing brace")
                case '"':
                    self._string()
                    continue
                case "{":
                    depth += 1
                case "}":
                    depth -= 1
            self._at += 1
        inner = self._text[begin : self._at - 1]
        _Parser(inner).statements()  # a script is parsed whole
        return Block(inner)

    def _string(self) -> str:
        self._expect('"')
        octets = bytearray()
        while self._peek() != '"':
            char = self._peek()
            if char in ("", "\n"):
                raise self._wrong("expected closing quote")
            if char == "$":
                raise self._wrong("a variable within a string is not played here")
            self._at += 1
            if char == "\\":
                pair = self._text[self._at : self._at + 2]
                if re.fullmatch(r"[0-9A-F]{2}", pair):
                    octets += bytes.fromhex(pair)
                    self._at += 2
                    continue
                char = _ESCAPES.get(self._peek(), self._peek())
                self._at += 1
            octets += char.encode()
        self._at += 1
        return octets.decode()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, chars: str) -> None:
        while self._peek() and (self._peek() in chars or self._peek() == "#"):
            if self._peek() == "#":
                if "\n" not in chars:
                    return
                while self._peek() not in ("", "\n"):
                    self._at += 1
            else:
                self._at += 1

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong("expected command name")
        self._at = found.end()
        return found[0]

    def _expect(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._wrong(f"expected '{sign}'")
        self._at += 1

    def _rest(self) -> str:
        return (self._text[self._at :].split() or [""])[0]

    def _wrong(self, what: str) -> RosSyntaxError:
        before = self._text[: self._at]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return RosSyntaxError(f"{what} (line {line} column {column})")


def _typed(word: str) -> object:
    if re.fullmatch(r"\d+", word):
        return int(word)
    span = _SPAN.fullmatch(word)
    return Time(_span(word)) if span is not None and word else word


def _span(word: str) -> int:
    found = _SPAN.fullmatch(word)
    assert found is not None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds


def to_time(value: object) -> Time:
    """Return a value as a duration: `5s`, `00:01:05`, `1d02:03:04`."""
    if isinstance(value, Time):
        return value
    word = str(value)
    clock = _CLOCK.fullmatch(word)
    if clock is not None:
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return Time((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds)
    if not word or _SPAN.fullmatch(word) is None:
        raise RosError(f"invalid value '{word}' for a time")
    return Time(_span(word))


def parse(text: str) -> list[Statement]:
    """Return a script's statements.

    Raises:
        RosSyntaxError: it is none.
    """
    return _Parser(text).statements()


class Scope:
    """One script that runs: its locals, and what it prints."""

    def __init__(self, menu: Menu, spawn: Callable[[str], None], *, catches_syntax: bool) -> None:
        """Make one.

        Args:
            menu: runs a command of a menu.
            spawn: runs a script in the background.
            catches_syntax: whether `on-error` catches what could not be parsed (version 7).
        """
        self.printed: list[str] = []
        self._menu = menu
        self._spawn = spawn
        self._catches = RosError if catches_syntax else _NoSyntaxError
        self._locals: dict[str, object] = {}

    def run(self, text: str) -> Running:
        """Run a script; it is parsed first."""
        made: object = None
        for statement in parse(text):
            made = yield from self.statement(statement)
        return made

    def statement(self, one: Statement) -> Running:
        """Run one statement, and return its value."""
        if not one.path[0].startswith(":"):
            named = {}
            for key, node in one.named.items():
                named[key] = yield from self.value(node)
            plain = yield from self._values(one.plain)
            return (yield from self._menu(self, one, tuple(plain), named))
        match one.path[0]:
            case ":if":
                holds = yield from self.value(one.plain[0])
                branch = one.named.get("do" if holds is True else "else")
                if branch is not None:
                    yield from self._block(branch)
            case ":do":
                try:
                    yield from self._block(one.plain[0])
                except RosError as error:
                    if "on-error" not in one.named or not _caught(error, self._catches):
                        raise
                    yield from self._block(one.named["on-error"])
            case ":foreach":
                name = str((yield from self.value(one.plain[0])))
                items = yield from self.value(one.named["in"])
                assert isinstance(items, list)
                for item in items:
                    self._locals[name] = item
                    yield from self._block(one.named["do"])
            case ":local":
                name = str((yield from self.value(one.plain[0])))
                self._locals[name] = yield from self.value(one.plain[1])
            case ":put":
                self.printed.append(_said((yield from self.value(one.plain[0]))))
            case ":delay":
                yield float(to_time((yield from self.value(one.plain[0]))).seconds)
            case ":error":
                raise RosError(_said((yield from self.value(one.plain[0]))))
            case ":execute":
                self._spawn(_said((yield from self.value(one.named["script"]))))
            case ":len":
                said = yield from self.value(one.plain[0])
                return len(said) if isinstance(said, list | str) else 0
            case ":pick":
                return (yield from self._pick(one))
            case ":tostr":
                return _said((yield from self.value(one.plain[0])))
            case ":totime":
                return to_time((yield from self.value(one.plain[0])))
            case word:
                raise RosSyntaxError(f"bad command name {word[1:]} (line 1 column 2)")
        return None

    def value(self, node: Node) -> Running:
        """Return what a node stands for."""
        match node:
            case Text():
                return node.value
            case Var():
                return self._locals.get(node.name)
            case Inner():
                return (yield from self.statement(node.command))
            case Block():
                return node
            case Op():
                left = yield from self.value(node.left)
                right = yield from self.value(node.right)
                return _operate(node.sign, left, right)

    def _values(self, nodes: tuple[Node, ...]) -> Generator[float, None, list[object]]:
        found: list[object] = []
        for node in nodes:
            value = yield from self.value(node)
            found.append(value)
        return found

    def _block(self, node: Node) -> Running:
        assert isinstance(node, Block)
        return (yield from self.run(node.text))

    def _pick(self, one: Statement) -> Running:
        values = yield from self._values(one.plain)
        of, begin = values[0], int(str(values[1]))
        assert isinstance(of, list | str)
        if len(values) == 2:
            return of[begin]
        return of[begin : int(str(values[2]))]


class _NoSyntaxError(RosError):
    """Stands for 'every error but those of syntax'."""


def _caught(error: RosError, catches: type[RosError]) -> bool:
    return catches is RosError or not isinstance(error, RosSyntaxError)


def _said(value: object) -> str:
    if isinstance(value, list):
        return ";".join(map(_said, value))
    return "" if value is None else str(value)


def _operate(sign: str, left: object, right: object) -> object:
    match sign:
        case ".":
            return _said(left) + _said(right)
        case "+" if isinstance(left, Time):
            return Time(left.seconds + to_time(right).seconds)
        case "=":
            return _said(left) == _said(right)
        case "!=":
            return _said(left) != _said(right)
        case "and":
            return left is True and right is True
        case "or":
            return left is True or right is True
        case "<" | ">" | ">=" | "<=":
            one, other = _number(left), _number(right)
            return {"<": one < other, ">": one > other, ">=": one >= other, "<=": one <= other}[
                sign
            ]
        case _:
            raise RosError(f"operator '{sign}' cannot be applied")


def _number(value: object) -> int:
    return value.seconds if isinstance(value, Time) else int(str(value))
