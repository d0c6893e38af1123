"""Sites from a table (CSV): each row becomes the nodes that its YAML would have been.

The nodes carry the row's line, so that the strict reader of YAML checks them too, and says where.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inventory.fields import Findings
from inventory.values import hint, shown
from inventory.yaml_nodes import Mapping, Node, Scalar, Sequence
from tabuah.errors import Problem

_PLAIN: Final = (
    *("code", "name", "kind", "kecamatan", "kabupaten", "upstream", "power_group", "ups", "hours"),
    *("address", "interval"),
)
_PLACE: Final = ("lat", "lon", "precision")
_CONTACT: Final = {"contact": "name", "phone": "phone", "email": "email"}
_CIRCUIT: Final = ("provider", "product", "technology", "sid", "interface")
_BANDWIDTH: Final = ("down", "up")
_SLA: Final = ("availability", "monthly_fee", "formula", "min_outage", "mttr")
_PINGS: Final = ("gateway", "first_hop", "public")

_NUMBERS: Final = frozenset({"lat", "lon", *_BANDWIDTH, "availability", "monthly_fee"})
"""To be written without quotes; none that is no number passes the reader."""

COLUMNS: Final = (
    *(*_PLAIN, *_PLACE, "services", *_CONTACT, "circuit", *_CIRCUIT, *_BANDWIDTH, *_SLA),
    *(*_PINGS, "centre"),
)
"""What a table may have; `code` and `name` it must."""

_DELIMITERS: Final = ",;\t"
_WIDTH: Final = 1000
"""A node's line is that of the row, times this, and the number of its column."""


class Table:
    """The rows of a file, as nodes of sites."""

    def __init__(self, path: Path, findings: Findings) -> None:
        """Read the file; what is wrong with it as a whole is noted, and leaves it without rows."""
        self.path = path
        self.columns: list[str] = []
        self._findings = findings
        self._rows: list[tuple[int, list[str]]] = []
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            findings.add(str(path), f"cannot read it: {error.strerror or error}")
            return
        except UnicodeDecodeError as error:
            findings.add(
                str(path),
                f"is not UTF-8 (byte {error.start}); save it as 'CSV UTF-8', or 'Unicode text'",
            )
            return
        try:
            self._read(text)
        except csv.Error as error:
            findings.add(str(path), f"is no CSV: {error}")

    def _read(self, text: str) -> None:
        lines = text.splitlines(keepends=True)
        first = next((line for line in lines if line.strip()), None)
        if first is None:
            self._findings.add(
                str(self.path), f"is empty; its first line names the columns: {', '.join(COLUMNS)}"
            )
            return
        delimiter = max(_DELIMITERS, key=first.count)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        begins = 1
        for row in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if not self.columns:
                self._read_columns(line, row)
            elif len(row) != len(self.columns):
                self._findings.add(
                    f"{self.path}:{line * _WIDTH}",
                    f"has {len(row)} cells, and there are {len(self.columns)} columns; a "
                    f"'{delimiter}' within a cell needs quotes around the cell",
                )
            else:
                self._rows.append((line, [cell.strip() for cell in row]))
        if not self._rows and not self._findings.problems:
            self._findings.add(str(self.path), "names columns, and has no site under them")

    def _read_columns(self, line: int, row: list[str]) -> None:
        where = f"{self.path}:{line * _WIDTH}"
        self.columns = [cell.strip().lower() for cell in row]
        for number, column in enumerate(self.columns, 1):
            if column not in COLUMNS:
                near = hint(column, COLUMNS) or f"; known columns: {', '.join(COLUMNS)}"
                what = f"column {number}: unknown column '{shown(column)}'{near}"
                self._findings.add(where, what)
            elif column in self.columns[: number - 1]:
                self._findings.add(where, f"column {number}: '{column}' stands here twice")
        for column in ("code", "name"):
            if column not in self.columns:
                self._findings.add(where, f"lacks the column '{column}'")

    def sites(self) -> Iterator[Mapping]:
        """Yield a site for each row."""
        for line, row in self._rows:
            cells = {
                column: Scalar(line * _WIDTH + number, cell, plain=column in _NUMBERS)
                for number, (column, cell) in enumerate(zip(self.columns, row, strict=True), 1)
                if cell
            }
            yield _site(line * _WIDTH, cells)

    def place(self, where: str) -> tuple[str, int]:
        """Return the line, and the column or 0, that a node's `where` means."""
        file, _, number = where.rpartition(":")
        if file != str(self.path):
            return where, 0
        line, column = divmod(int(number), _WIDTH)
        return f"{file}:{line}", column

    def located(self, problem: Problem) -> Problem:
        """Return the problem of a row with its line and column in words."""
        where, column = self.place(problem.where)
        about = f"column {column} ({self.columns[column - 1]}): " if column else ""
        return Problem(where, f"{about}{problem.what}")


def _site(line: int, cells: dict[str, Scalar]) -> Mapping:
    site = Mapping(line)

    def put(into: Mapping, key: str, node: Node) -> None:
        into.entries.append((Scalar(line, key, plain=True), node))

    def some(*columns: str) -> Mapping | None:
        inner = Mapping(line)
        for column in columns:
            if column in cells:
                put(inner, column, cells[column])
        return inner if inner.entries else None

    for column in _PLAIN:
        if column in cells:
            put(site, column, cells[column])
    if (place := some(*_PLACE)) is not None:
        put(site, "location", place)
    contact = Mapping(line)
    for column, key in _CONTACT.items():
        if column in cells:
            put(contact, key, cells[column])
    if contact.entries:
        put(site, "contacts", Sequence(line, [contact]))
    circuit = some(*_CIRCUIT) or Mapping(line)
    for key, inner in (("bandwidth", some(*_BANDWIDTH)), ("sla", some(*_SLA))):
        if inner is not None:
            put(circuit, key, inner)
    if circuit.entries or "circuit" in cells:
        name = cells.get("circuit") or Scalar(line, "primary", plain=False)
        circuit.entries.insert(0, (Scalar(line, "id", plain=True), name))
        put(site, "circuits", Sequence(line, [circuit]))
    if probes := list(_probes(line, cells)):
        put(site, "probes", Sequence(line, list(probes)))
    if "services" in cells:
        cell = cells["services"]
        words = [Scalar(cell.line, word, plain=False) for word in re.split(r"[\s;,]+", cell.text)]
        put(site, "services", Sequence(line, list(words)))
    return site


def _probes(line: int, cells: dict[str, Scalar]) -> Iterator[Mapping]:
    """Yield a probe for each column that names a target, with the column's name and role."""
    for column in (*_PINGS, "centre"):
        if column in cells:
            kind = "udp" if column == "centre" else "ping"
            pairs: tuple[tuple[str, Scalar], ...] = (
                ("name", Scalar(line, column, plain=False)),
                (kind, cells[column]),
                ("role", Scalar(line, column, plain=False)),
            )
            yield Mapping(line, [(Scalar(line, key, plain=True), node) for key, node in pairs])
