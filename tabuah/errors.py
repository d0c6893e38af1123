"""Errors that a person reads: each names the place and what to do next, and owns its exit code.

Exit codes of every command: 0 ok, 1 something failed, 2 usage or configuration, 3 nothing matched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class TabuahError(Exception):
    """Something failed in a way that we can name; exit code 1."""

    exit_code = 1


class NothingMatchedError(TabuahError):
    """The question was fine, and nothing answers to it; exit code 3."""

    exit_code = 3


class DecodeError(TabuahError):
    """Bytes from outside are not what they claim to be; counted, never fatal."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: where, what, and what to do."""

    where: str
    """`FILE:LINE`, or the file alone when it could not be read."""
    what: str

    def __str__(self) -> str:
        """Return the problem as compilers print theirs."""
        return f"{self.where}: {self.what}"


class ConfigError(TabuahError):
    """A configuration cannot be used; exit code 2. Holds all problems found."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest of the known words, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - for the few who have mistyped

    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
