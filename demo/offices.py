"""The offices of the demo by the names that people type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tabuah.errors import NothingMatchedError, TabuahError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVERY = "all"


class AmbiguousError(TabuahError):
    """A name fits several offices; exit code 2, as it is asked again with more letters."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Office:
    """One office as it is spoken of."""

    code: str
    name: str
    kecamatan: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return what it is called, plainly written."""
        return tuple(plain(name) for name in (self.name, self.kecamatan) if name)


def plain(text: str) -> str:
    """Return `text` in small letters, with single blanks for dashes and underscores."""
    return " ".join(text.lower().replace("-", " ").replace("_", " ").split())


def match(typed: str, offices: Sequence[Office]) -> tuple[Office, ...]:
    """Return the office that `typed` means, or every one for `all`.

    The whole code goes before the whole name, that before whole words of it, those before any
    part; the last part of the code will do.

    Raises:
        NothingMatchedError: no office fits.
        AmbiguousError: several fit equally well.
    """
    wanted = plain(typed)
    if wanted == EVERY:
        return tuple(offices)
    tiers: tuple[Callable[[Office], bool], ...] = (
        lambda office: typed == office.code,
        lambda office: wanted in office.names,
        lambda office: any(f" {wanted} " in f" {name} " for name in office.names),
        lambda office: office.code.endswith(f".{wanted}"),
        lambda office: any(wanted in name for name in office.names),
    )
    for tier in tiers if wanted else ():
        found = tuple(office for office in offices if tier(office))
        if len(found) > 1:
            named = ", ".join(f"{office.code} {office.name}" for office in found)
            raise AmbiguousError(f"'{typed}' fits {len(found)} offices: {named}")
        if found:
            return found
    words = {word for office in offices for name in office.names for word in name.split()}
    hint = did_you_mean(wanted, words)
    raise NothingMatchedError(f"no office of the demo is called '{typed}'{hint}")
