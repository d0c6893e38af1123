"""Records that prove themselves: each carries the hash of itself and of the one before it. Pure.

Each link carries the SHA-256 of its own canonical JSON, the hash before it included, so that a
changed, removed or inserted one shows (`verify`), and whoever keeps a copy of one hash can prove
that nothing up to it was touched. The outages' ledger and the audit of pushes are such chains;
storing them is theirs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar

GENESIS: Final = "0" * 64
"""What stands before the first link."""

S = TypeVar("S", bound=Enum)


@dataclass(frozen=True, slots=True)
class Link(Generic[S]):
    """One record of a chain; `S` names what it can be about, by texts."""

    number: int
    """From 1, without holes."""
    written_ms: int
    subject: S
    body: str
    """Canonical JSON."""
    previous: str
    """The hash of the link before, in hex."""
    hash: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is broken."""

    number: int
    why: str


def canonical(body: Mapping[str, object]) -> str:
    """Return the one JSON text of a body: sorted keys, no spaces, ASCII."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def append(
    last: Link[S] | None, written_ms: int, subject: S, body: Mapping[str, object]
) -> Link[S]:
    """Return the link that follows `last`."""
    number = 1 if last is None else last.number + 1
    previous = GENESIS if last is None else last.hash
    text = canonical(body)
    made = _hash(number, written_ms, subject, text, previous)
    return Link(number, written_ms, subject, text, previous, made)


def verify(links: Iterable[Link[S]]) -> Fault | None:
    """Return the first place where the chain does not hold; None when it does."""
    previous = GENESIS
    for number, link in enumerate(links, start=1):
        if link.number != number:
            return Fault(number, f"entry {number} is missing; {link.number} stands in its place")
        if link.previous != previous:
            return Fault(number, f"entry {number} does not follow the one before it")
        made = _hash(link.number, link.written_ms, link.subject, link.body, link.previous)
        if made != link.hash:
            return Fault(number, f"entry {number} was changed after it was written")
        previous = link.hash
    return None


def _hash(number: int, written_ms: int, subject: Enum, body: str, previous: str) -> str:
    text = canonical(
        {
            "number": number,
            "written_ms": written_ms,
            "subject": subject.value,
            "body": body,
            "previous": previous,
        }
    )
    return hashlib.sha256(text.encode()).hexdigest()
