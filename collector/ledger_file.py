"""A ledger that was exported, read again: enough to verify it far from the store. Pure."""

from __future__ import annotations

import json

from collector.judgement.ledger import Entry, Subject
from tabuah.chain import Link
from tabuah.errors import TabuahError


def read_export(text: str) -> list[Entry]:
    """Return the entries of an export, one JSON object a line.

    Raises:
        TabuahError: a line is no entry; names it.
    """
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            said = json.loads(line)
            entries.append(
                Link(
                    int(said["number"]),
                    int(said["written_ms"]),
                    Subject(said["subject"]),
                    str(said["body"]),
                    str(said["previous"]),
                    str(said["hash"]),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise TabuahError(f"line {number} is no entry of a ledger ({error})") from error
    return entries
