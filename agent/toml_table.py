"""Reads TOML tables strictly, and gathers what is wrong with the line where it stands. Pure.

tomllib gives values and no positions, so `scan` reads the text once more, by its shape alone:
table headers and `key =` at a line's begin, which is how people and `tabuah enrol` write them.
A key inside an inline table or a quoted key is found as its table's line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tabuah.errors import Problem, did_you_mean
from tabuah.units import duration_seconds

T = TypeVar("T")

_HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_-]+)\s*\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


@dataclass(slots=True)
class Lines:
    """Where the keys of a file stand; lines count from 1."""

    keys: dict[tuple[str, int, str], int] = field(default_factory=dict)
    tables: dict[tuple[str, int], int] = field(default_factory=dict)

    def of(self, table: str, index: int, key: str | None = None) -> int | None:
        """Return the line of `key` in the index-th `[[table]]`, else its header's; None if unseen.

        The top of the file is table "" with index 0.
        """
        line = self.keys.get((table, index, key)) if key is not None else None
        return line or self.tables.get((table, index)) or self.keys.get(("", 0, table))


def scan(text: str) -> Lines:
    """Return where each key of `text` stands."""
    lines = Lines()
    counts: dict[str, int] = {}
    table, index = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            table = header[1]
            index = counts.get(table, 0)
            counts[table] = index + 1
            lines.tables[table, index] = number
        elif (key := _KEY.match(line)) is not None:
            lines.keys.setdefault((table, index, key[1]), number)
    return lines


class Problems:
    """Gathers what is wrong in one file."""

    def __init__(self, file: str, lines: Lines) -> None:
        self._file = file
        self._lines = lines
        self.found: list[Problem] = []

    def add(self, what: str, table: str = "", index: int = 0, key: str | None = None) -> None:
        """Note a problem at the key's line, or as near to it as can be found."""
        line = self._lines.of(table, index, key)
        self.found.append(Problem(f"{self._file}:{line}" if line else self._file, what))


class Table:
    """One table of the file, whose keys are taken one by one; what remains is unknown.

    A value that cannot be used is noted in the problems, and its default is given, so that
    reading goes on and finds the rest.
    """

    def __init__(
        self, values: Mapping[str, object], problems: Problems, name: str = "", index: int = 0
    ) -> None:
        self._values = dict(values)
        self._known: list[str] = []
        self._problems = problems
        self._name = name
        self._index = index

    def problem(self, what: str, key: str | None = None) -> None:
        """Note a problem of this table."""
        self._problems.add(what, self._name, self._index, key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return the text of `key`; without a default it must be there and not be empty."""
        value = self._take(key, required=default is None)
        if value is None:
            return default or ""
        if not isinstance(value, str):
            self._wrong(key, "a text in quotes", value)
            return default or ""
        if default is None and not value:
            self.problem(f"'{key}' must not be empty", key)
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """Return the whole number of `key`, from `low` to `high`."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong(key, "a whole number", value)
            return default
        if not low <= value <= high:
            self.problem(f"'{key}' must be from {low} to {high}, not {value}", key)
            return default
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """Return the number of `key`, whole or not, from `low` to `high`."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._wrong(key, "a number", value)
            return default
        if not low <= value <= high:
            self.problem(f"'{key}' must be from {low:g} to {high:g}, not {value}", key)
            return default
        return float(value)

    def seconds(self, key: str, default: float, low: float) -> float:
        """Return the duration of `key` in seconds, at least `low`."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, str):
            self._wrong(key, 'a duration in quotes, like "10s"', value)
            return default
        try:
            seconds = duration_seconds(value)
        except ValueError as error:
            self.problem(f"'{key}': {error}", key)
            return default
        if seconds < low:
            self.problem(f"'{key}' must be at least {low:g}s, not {value}", key)
            return default
        return seconds

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of texts of `key`; empty when absent."""
        value = self._take(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self._wrong(key, "a list of texts", value)
            return ()
        texts = tuple(item for item in value if isinstance(item, str) and item)
        if len(texts) != len(value):
            self.problem(f"'{key}' must be a list of texts in quotes", key)
        return texts

    def word(self, key: str, words: Iterable[str], default: str | None = None) -> str:
        """Return the word of `key`, one of `words`; an empty text when it is none of them."""
        value = self.text(key, default)
        known = list(words)
        if value and value not in known:
            self.problem(
                f"'{key}' must be one of {', '.join(known)}, not '{value}'"
                + did_you_mean(value, known),
                key,
            )
            return default or ""
        return value

    def parsed(self, key: str, parse: Callable[[str], T], default: T) -> T:
        """Return what `parse` makes of the text of `key`; its ValueError is noted as a problem."""
        value = self.text(key)
        if not value:
            return default
        try:
            return parse(value)
        except ValueError as error:
            self.problem(f"'{key}': {error}", key)
            return default

    def tables(self, key: str) -> list[Table]:
        """Return the tables under `[[key]]`, in order."""
        value = self._take(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._wrong(key, f"a list of tables, each under a line [[{key}]]", value)
            return []
        return [Table(values, self._problems, key, index) for index, values in enumerate(value)]

    def end(self) -> None:
        """Note every key that was never asked for."""
        for key in self._values:
            if key not in self._known:
                place = f" in [[{self._name}]]" if self._name else ""
                near = did_you_mean(key, self._known)
                self.problem(f"unknown key '{key}'{place}{near}", key)

    def _take(self, key: str, *, required: bool = False) -> object:
        self._known.append(key)
        value = self._values.get(key)
        if value is None and required:
            place = f"[[{self._name}]] " if self._name else ""
            self.problem(f"{place}lacks '{key}'")
        return value

    def _wrong(self, key: str, wanted: str, value: object) -> None:
        self.problem(f"'{key}' must be {wanted}, not {_KINDS.get(type(value), 'a date')}", key)


_KINDS: dict[type, str] = {
    str: "a text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}
