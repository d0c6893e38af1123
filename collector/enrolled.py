"""Which offices are enrolled, and with which generation of their key: `enrolled.json`.

`tabuah enrol` writes it beside a running collector, which reads it again when an office that it
does not know calls. No secret is in it: keys are derived (`collector.keys`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from collector.files import locked, write_private
from tabuah.errors import NothingMatchedError, TabuahError

FILE_NAME = "enrolled.json"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is kept of one office."""

    generation: int = 1
    """Of the newest key that was made for it; counts from 1."""
    heard: int = 0
    """The newest generation that the office itself has used; 0 = none yet, or not noted."""

    def accepts(self, generation: int) -> bool:
        """Return whether a key of that generation is good: older ones only until a newer came."""
        return max(self.heard, 1) <= generation <= self.generation


def read(data: Path) -> dict[str, Enrolment]:
    """Return the enrolled offices by code; empty when there is no file.

    Raises:
        TabuahError: the file is damaged or cannot be read.
    """
    path = data / FILE_NAME
    try:
        content = json.loads(path.read_bytes())
        # Each code and each entry once, however many offices there are.
        shared: dict[Enrolment, Enrolment] = {}
        found = {}
        for site, entry in content.items():
            one = Enrolment(int(entry["generation"]), int(entry["heard"]))
            found[sys.intern(site)] = shared.setdefault(one, one)
        return found
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TabuahError(
            f"{path}: cannot be read: {error.strerror}; check its owner and mode"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TabuahError(f"{path}: damaged ({error}); restore it from a backup") from error


def enrol(data: Path, sites: Collection[str], *, rotate: bool = False) -> dict[str, int]:
    """Enrol the offices, durably, and return the generation of each one's key.

    One that is enrolled already keeps its generation, unless `rotate` asks for a new key. Safe
    beside other processes that do the same.

    Raises:
        TabuahError: the file is damaged, or cannot be read or written.
    """
    with locked(data):
        before = read(data)
        after = dict(before)
        for site in dict.fromkeys(sites):
            known = before.get(site)
            if known is None:
                after[site] = Enrolment()
            elif rotate:
                after[site] = replace(known, generation=known.generation + 1)
        if after != before:
            _write(data, after)
    return {site: after[site].generation for site in sites}


def revoke(data: Path, sites: Collection[str]) -> dict[str, int]:
    """Void all keys of the offices, durably, and return the newest generation voided of each.

    The next generation, which nobody has, counts as heard: that refuses all before it. Enrolling
    the office again gives it out.

    Raises:
        NothingMatchedError: one of the offices is not enrolled; nothing was changed.
        TabuahError: the file is damaged, or cannot be read or written.
    """
    with locked(data):
        entries = read(data)
        unknown = [site for site in sites if site not in entries]
        if unknown:
            raise NothingMatchedError(
                f"{data}: not enrolled there: {', '.join(unknown)}; nothing was revoked"
            )
        voided = {site: entries[site].generation for site in sites}
        revoked = {site: Enrolment(last + 1, heard=last + 1) for site, last in voided.items()}
        _write(data, entries | revoked)
    return voided


def note_heard(data: Path, heard: Mapping[str, int]) -> None:
    """Keep, durably, that offices have used these generations of their keys.

    Raises:
        TabuahError: the file is damaged, or cannot be read or written.
    """
    with locked(data):
        before = read(data)
        after = {
            site: replace(entry, heard=max(entry.heard, heard.get(site, 0)))
            for site, entry in before.items()
        }
        if after != before:
            _write(data, after)


def _write(data: Path, entries: Mapping[str, Enrolment]) -> None:
    content = {
        site: {"generation": entry.generation, "heard": entry.heard}
        for site, entry in sorted(entries.items())
    }
    write_private(data / FILE_NAME, json.dumps(content, indent=0).encode() + b"\n")
