"""The ledger on disk: entries are appended in the store's own database, and never changed.

All calls block: they are made from worker threads, or by commands.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Row, insert, select

from collector.judgement.ledger import Entry, Json, Subject
from collector.judgement.record import read_book
from collector.schema import ledger
from tabuah.chain import Fault, Link, append, verify

if TYPE_CHECKING:
    from collector.store import Store


class LedgerStore:
    """The ledger of one store. Only the running collector appends to it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()

    def entries(self) -> list[Entry]:
        """Return the whole ledger in order.

        Raises:
            StoreError: it cannot be read.
        """
        with self._store.reading() as connection:
            rows = connection.execute(select(ledger).order_by(ledger.c.number)).all()
        return [_entry(row) for row in rows]

    def watched(self) -> dict[tuple[str, str], int]:
        """Return since when each circuit is watched, by site and circuit, in ms.

        Raises:
            StoreError: it cannot be read.
        """
        mine = select(ledger).where(ledger.c.subject == Subject.WATCH.value)
        with self._store.reading() as connection:
            rows = connection.execute(mine.order_by(ledger.c.number)).all()
        return read_book(map(_entry, rows)).watched

    def append(self, written_ms: int, said: Sequence[tuple[Subject, Json]]) -> list[Entry]:
        """Append entries, all or none, durably once this returns; return them.

        Raises:
            StoreError: none was kept.
        """
        if not said:
            return []
        made: list[Entry] = []
        with self._lock, self._store.step() as connection:
            newest = select(ledger).order_by(ledger.c.number.desc()).limit(1)
            row = connection.execute(newest).one_or_none()
            last = None if row is None else _entry(row)
            for subject, body in said:
                last = append(last, written_ms, subject, body)
                made.append(last)
            connection.execute(
                insert(ledger),
                [
                    {
                        "number": entry.number,
                        "written_ms": entry.written_ms,
                        "subject": entry.subject.value,
                        "body": entry.body,
                        "previous": entry.previous,
                        "hash": entry.hash,
                    }
                    for entry in made
                ],
            )
        return made

    def verify(self) -> Fault | None:
        """Return where the chain on disk is broken; None when it holds."""
        return verify(self.entries())


def _entry(row: Row[tuple[int, int, str, str, str, str]]) -> Entry:
    return Link(row.number, row.written_ms, Subject(row.subject), row.body, row.previous, row.hash)
