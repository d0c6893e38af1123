"""What a push changes, line by line, for people and for programs. Pure; of masked texts only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from provision.configuration import Sections, normal

_RED, _GREEN, _CYAN, _OFF = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class SectionDiff:
    """The lines of one section that go, that come, and the whole with its context."""

    section: str
    removed: tuple[str, ...]
    added: tuple[str, ...]
    lines: tuple[str, ...]
    """As `diff -u` has them, without its head."""


def compare(before: Sections, wanted: Sections) -> tuple[SectionDiff, ...]:
    """Return the sections of `wanted` that differ from `before`, in their normal forms."""
    old, new = normal(before), normal(wanted)
    found = []
    for section in sorted(new):
        was, will = old.get(section, ()), new[section]
        if was == will:
            continue
        lines = tuple(difflib.unified_diff(was, will, lineterm="", n=2))[2:]
        found.append(
            SectionDiff(
                section,
                tuple(line[1:] for line in lines if line.startswith("-")),
                tuple(line[1:] for line in lines if line.startswith("+")),
                lines,
            )
        )
    return tuple(found)


def as_text(sections: Iterable[SectionDiff], *, colour: bool) -> str:
    """Return the differences as people read them."""
    out = []
    for one in sections:
        out.append(_painted(f"## {one.section}", _CYAN, colour))
        for line in one.lines:
            paint = {"-": _RED, "+": _GREEN, "@": _CYAN}.get(line[:1], "")
            out.append(_painted(line, paint, colour))
    return "".join(f"{line}\n" for line in out)


def as_json(sections: Iterable[SectionDiff]) -> list[dict[str, object]]:
    """Return the differences as programs read them."""
    return [
        {"section": one.section, "removed": list(one.removed), "added": list(one.added)}
        for one in sections
    ]


def _painted(line: str, paint: str, colour: bool) -> str:
    return f"{paint}{line}{_OFF}" if colour and paint else line
