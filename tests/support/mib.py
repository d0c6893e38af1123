"""TABUAH-MIB by its text alone: the numbers of its nodes, and a decoder of tabuahBlock.

Nothing here knows `tabuah.block` or `tabuah.sections`: what this decoder can read, a stranger
with the MIB in hand can read.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tabuah.oids import Oid

FOLDER = Path(__file__).parents[2] / "docs" / "mib"
FILE = FOLDER / "TABUAH-MIB.txt"
TEXT = FILE.read_text()

_ENTERPRISES: Oid = (1, 3, 6, 1, 4, 1)
_NODE = re.compile(r"^([a-z]\w*)\s+[A-Z].*?::= \{ (\w+) (\d+) \}", re.MULTILINE | re.DOTALL)

Value = int | str | bytes | dict[str, "Value"] | None
Record = dict[str, Value]


def ietf_modules() -> Path:
    """Return the directory of the IETF's modules, which cannot be shipped here."""
    named = os.environ.get("TABUAH_IETF_MIBS")
    if not named:
        pytest.skip("skipped: no IETF modules")
    return Path(named)


def nodes() -> dict[str, Oid]:
    """Return the OID of each name that the module defines."""
    bare = re.sub(r"--.*", "", re.sub(r'"[^"]*"', '""', TEXT))
    places = {name: (parent, int(number)) for name, parent, number in _NODE.findall(bare)}

    def oid(name: str) -> Oid:
        if name == "enterprises":
            return _ENTERPRISES
        parent, number = places[name]
        return (*oid(parent), number)

    return {name: oid(name) for name in places}


def clause(name: str, word: str) -> str:
    """Return what follows a word (SYNTAX, DESCRIPTION) in a definition, up to the next word."""
    found = re.search(
        rf"^{name} [A-Z-]+\s.*?^    {word}\s+(.*?)(?=^    [A-Z:])", TEXT, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"{name} has no {word}"
    return found[1].strip().strip('"')


def numbers(words: str) -> dict[int, str]:
    """Return the labels of `label(number), ...`, each as Python's enums are written."""
    return {
        int(number): re.sub(r"([a-z])([A-Z])", r"\1_\2", label).upper()
        for label, number in re.findall(r"(\w+)\((\d+)\)", words)
    }


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as the text lists it."""

    name: str
    element: str
    optional: bool
    last_needed: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One ENUM of the text."""

    labels: dict[int, str]
    otherwise: str
    """How a number that is not listed is read."""


_FIELD = re.compile(r"^ +(\w+): (optional )?(\w+)(?:\.|, (\(\*\) )?)", re.MULTILINE)
_ENUM = re.compile(r"ENUM (\w+), else (\w+): ([^.]*)\.")
_DESCRIPTION = clause("tabuahBlock", "DESCRIPTION")
_PARTS = re.split(r"\n\n +", _DESCRIPTION)


def fields(heading: str) -> tuple[Field, ...]:
    """Return the fields under `HEAD`, `SECTION n` or `RECORD name`."""
    (part,) = (part for part in _PARTS if re.match(rf"{heading}\b", part))
    return tuple(
        Field(name, element, bool(optional), bool(mark))
        for name, optional, element, mark in _FIELD.findall(part)
    )


CHOICES = {
    name: Choice(numbers(labels), otherwise.upper())
    for name, otherwise, labels in _ENUM.findall(_DESCRIPTION)
}
HEAD = fields("HEAD")
SECTIONS = {
    int(number): (name, fields(f"SECTION {number}"))
    for number, name in re.findall(r"SECTION (\d+), (\w+):", _DESCRIPTION)
}
RECORDS = {name: fields(f"RECORD {name}") for name in re.findall(r"RECORD (\w+):", _DESCRIPTION)}


class Decoder:
    """Takes elements from octets, as section 1 of the text says."""

    def __init__(self, octets: bytes) -> None:
        self.rest = octets

    def octets(self, length: int) -> bytes:
        """Return the next `length` octets."""
        assert length <= len(self.rest)
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def number(self) -> int:
        """Return the next number."""
        number = shift = 0
        while True:
            (octet,) = self.octets(1)
            number += (octet % 128) << shift
            if octet < 128:
                return number
            shift += 7

    def element(self, name: str) -> Value:
        """Return the next element or record of that name."""
        if name in CHOICES:
            choice = CHOICES[name]
            return choice.labels.get(self.number(), choice.otherwise)
        if name in RECORDS:
            return {each.name: self.field(each) for each in RECORDS[name]}
        if name.startswith("octets"):
            return self.octets(int(name[6:]))
        if re.fullmatch(r"u\d+", name):
            return int.from_bytes(self.octets(int(name[1:]) // 8), "big")
        number = self.number()
        match name:
            case "number":
                return number
            case "signed":
                return -(number + 1) // 2 if number % 2 else number // 2
            case "small":
                return number - 1 if number else None
            case "text":
                return self.octets(number).decode()
        raise AssertionError(f"the text explains no {name}")

    def field(self, field: Field) -> Value:
        """Return the next field."""
        if field.optional and self.octets(1) == b"\0":
            return None
        return self.element(field.element)


def decode(
    block: bytes, acknowledged: bytes = b""
) -> Iterator[tuple[Record, list[tuple[str, Record]], str]]:
    """Yield head, sections in order, and path of each report of a block."""
    version, flags = block[:2]
    assert version == 1
    if flags & 4:
        assert int.from_bytes(block[2:6], "big") == zlib.crc32(acknowledged)
        inflated = zlib.decompressobj(wbits=-15, zdict=acknowledged).decompress(block[6:])
    else:
        inflated = zlib.decompress(block[2:], wbits=-15) if flags & 1 else block[2:]
    envelope = Decoder(inflated)
    while envelope.rest:
        report = Decoder(envelope.octets(envelope.number()))
        head = {each.name: report.element(each.element) for each in HEAD}
        said, path = [], ""
        while report.rest:
            kind, body = report.number(), report.octets(report.number())
            if kind == 6:
                path = body.decode()
                continue
            section = Decoder(body)
            name, listed = SECTIONS[kind]
            said.append((name, {each.name: section.field(each) for each in listed}))
        yield head, said, path
