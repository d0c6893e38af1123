"""What is said: a first line, which a telephone shows, and what is read next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SUMMARY_MOST: Final = 200
"""Characters; a telephone shows some 100 of them."""
_LEFT_OUT: Final = "..."


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads first, and what they read next."""

    summary: str
    description: str


def parsed(filled: str) -> Text:
    """Return the text that a template has made: its first line, and the others.

    Raises:
        ValueError: there is nothing to read.
    """
    lines = [" ".join(line.split()) for line in filled.splitlines()]
    said = [line for index, line in enumerate(lines) if line or (index and lines[index - 1])]
    while said and not said[0]:
        del said[0]
    if not said:
        raise ValueError("the text is empty")
    return Text(cut(said[0], SUMMARY_MOST), "\n".join(said[1:]).strip())


def cut(text: str, most: int) -> str:
    """Return the text in at most so many characters, its end marked where something is left out."""
    if len(text) <= most:
        return text
    if most <= len(_LEFT_OUT):
        return text[:most]
    kept = text[: most - len(_LEFT_OUT)]
    # At a line's or a word's end, unless that costs much of it.
    for sign in ("\n", " "):
        at = kept.rfind(sign)
        if at > len(kept) * 2 // 3:
            kept = kept[:at]
            break
    return kept.rstrip() + _LEFT_OUT
