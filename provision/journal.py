"""The journal: what every transaction is about to do, on disk before it does it.

One SQLite file, `synchronous=FULL`: once `move` returns, a power cut does not forget it. The
database itself keeps two open transactions from one device or office, and the audit from being
changed; the audit is a chain (`tabuah.chain`), one row for everything that was decided.

Texts that come here are masked (`provision.masking`): the journal holds no secret.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from provision.states import SETTLED, Event, State, step
from tabuah.chain import Fault, Link, append, canonical, verify
from tabuah.errors import NothingMatchedError, TabuahError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS transactions (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    state TEXT NOT NULL,
    settled INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    facts TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_open_for_a_site ON transactions (site) WHERE settled = 0;
CREATE TABLE IF NOT EXISTS queue (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    plan TEXT NOT NULL,
    entry TEXT NOT NULL,
    why TEXT NOT NULL,
    queued_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (site, device)
) STRICT;
CREATE TABLE IF NOT EXISTS accepted (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    accepted_ms INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (site, device)
) STRICT;
CREATE TABLE IF NOT EXISTS drift (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    checked_ms INTEGER NOT NULL,
    drifted INTEGER NOT NULL,
    PRIMARY KEY (site, device)
) STRICT;
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY,
    written_ms INTEGER NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
"""
_PATIENCE_S = 30.0

Facts = Mapping[str, object]


class Subject(Enum):
    """What an audit row says."""

    OPENED = "opened"
    MOVED = "moved"
    EVIDENCE = "evidence"
    DEVICE = "device"
    """What the device said."""
    PERSON = "person"
    """What a person asked for."""
    QUEUE = "queue"
    """A push that waits for its office, or does so no longer."""


class JournalError(TabuahError):
    """Nothing was written down, and so nothing may be done."""


class BusyError(TabuahError):
    """The device or the office has an open transaction."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One push to one device, as the journal has it."""

    id: str
    site: str
    device: str
    state: State
    opened_ms: int
    changed_ms: int
    facts: Facts = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Return whether nothing is in doubt any more."""
        return self.state in SETTLED

    @property
    def was_armed(self) -> bool:
        """Return whether it was ever seen armed on the device."""
        return bool(self.facts.get("armed"))


class Journal:
    """The journal in one folder. One thread at a time uses an object; many may be open."""

    def __init__(self, folder: Path) -> None:
        """Open it, and make it where there is none.

        Raises:
            JournalError: it cannot be written.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "journal.db"
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise JournalError(
                f"{path}: cannot be opened: {error}; check space and permissions there"
            ) from error
        if os.geteuid() == 0:  # the collector reads it, and may run as the folder's owner
            owner = folder.parent.stat()
            for one in (folder, path):
                os.chown(one, owner.st_uid, owner.st_gid)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def open(self, tx: str, site: str, device: str, facts: Facts, now_ms: int) -> Transaction:
        """Return a new transaction, PLANNED.

        Raises:
            BusyError: the office has one that is not settled.
        """
        with self.writing():
            try:
                self._db.execute(
                    "INSERT INTO transactions VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
                    (tx, site, device, State.PLANNED.value, now_ms, now_ms, canonical(facts)),
                )
            except sqlite3.IntegrityError as error:
                other = self._open_one(site)
                raise BusyError(
                    f"{site}: {device}: "
                    + (
                        f"transaction {other.id} is {other.state.value}; "
                        f"settle it first: tabuah config resume {other.id}"
                        if other is not None
                        else f"{error}"
                    )
                ) from error
            self.audit_row(
                now_ms, Subject.OPENED, {"tx": tx, "site": site, "device": device, **facts}
            )
        return self.get(tx)

    def move(self, tx: str, event: Event, now_ms: int, **facts: object) -> Transaction:
        """Return the transaction after the event; it is on disk when this returns.

        Raises:
            TransitionError: the table has no such step.
        """
        with self.writing():
            known = self.get(tx)
            state = step(known.state, event)
            self._db.execute(
                "UPDATE transactions SET state = ?, settled = ?, changed_ms = ?, facts = ?"
                " WHERE id = ?",
                (
                    state.value,
                    int(state in SETTLED),
                    now_ms,
                    canonical({**known.facts, **facts}),
                    tx,
                ),
            )
            said = {"tx": tx, "from": known.state.value, "event": event.value, "to": state.value}
            self.audit_row(now_ms, Subject.MOVED, {**said, **facts})
        return self.get(tx)

    def note(self, tx: str, subject: Subject, now_ms: int, **facts: object) -> None:
        """Append an audit row about a transaction, and move nothing."""
        with self.writing():
            self.audit_row(now_ms, subject, {"tx": tx, **facts})

    def get(self, tx: str) -> Transaction:
        """Return the transaction of that id.

        Raises:
            NothingMatchedError: there is none.
        """
        row = self._db.execute(f"{_SELECT} WHERE id = ?", (tx,)).fetchone()
        if row is None:
            raise NothingMatchedError(f"no transaction '{tx}'; 'tabuah config history' lists them")
        return _transaction(row)

    def unsettled(self) -> list[Transaction]:
        """Return every transaction in which something is in doubt, the oldest first."""
        rows = self._db.execute(f"{_SELECT} WHERE settled = 0 ORDER BY rowid").fetchall()
        return [_transaction(row) for row in rows]

    def history(self, site: str | None = None) -> list[Transaction]:
        """Return all transactions, of one office if it is named, the newest first."""
        rows = self._db.execute(
            f"{_SELECT} WHERE ?1 IS NULL OR site = ?1 ORDER BY rowid DESC", (site,)
        ).fetchall()
        return [_transaction(row) for row in rows]

    def of_plan(self, plan: str) -> list[Transaction]:
        """Return the transactions of one plan, by its digest, the oldest first."""
        rows = self._db.execute(
            f"{_SELECT} WHERE json_extract(facts, '$.plan') = ? ORDER BY rowid", (plan,)
        ).fetchall()
        return [_transaction(row) for row in rows]

    def confirmed(self) -> dict[tuple[str, str], Transaction]:
        """Return what was last confirmed on each device, by office and device."""
        rows = self._db.execute(f"{_SELECT}{_NEWEST}", (State.CONFIRMED.value,))
        return {(tx.site, tx.device): tx for tx in map(_transaction, rows)}

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query, for the nouns that keep a table of their own here."""
        return self._db.execute(query, values).fetchall()

    def audit(self) -> list[Link[Subject]]:
        """Return the whole audit in order."""
        rows = self._db.execute(
            "SELECT number, written_ms, subject, body, previous, hash FROM audit ORDER BY number"
        )
        return [_link(row) for row in rows]

    def verify(self) -> Fault | None:
        """Return where the audit's chain is broken; None when it holds."""
        return verify(self.audit())

    def _open_one(self, site: str) -> Transaction | None:
        row = self._db.execute(f"{_SELECT} WHERE settled = 0 AND site = ?", (site,)).fetchone()
        return None if row is None else _transaction(row)

    def audit_row(self, now_ms: int, subject: Subject, body: Facts) -> None:
        """Append to the audit, within `writing`."""
        row = self._db.execute(
            "SELECT number, written_ms, subject, body, previous, hash FROM audit"
            " ORDER BY number DESC LIMIT 1"
        ).fetchone()
        link = append(None if row is None else _link(row), now_ms, subject, body)
        self._db.execute(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)",
            (link.number, link.written_ms, subject.value, link.body, link.previous, link.hash),
        )

    def write(self, statement: str, *values: object) -> None:
        """Execute a statement, within `writing`."""
        self._db.execute(statement, values)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written in the body is on disk when it ends well, or none of it.

        Raises:
            JournalError: it cannot be written.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise JournalError(
                f"the journal cannot be written ({error}); devices undo what is under way by "
                "themselves; then: tabuah config resume"
            ) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")


# In the order of writing, by rowid: a clock that was set says nothing of what came first.
_SELECT = "SELECT id, site, device, state, opened_ms, changed_ms, facts FROM transactions"

_NEWEST = """
    WHERE rowid IN (SELECT max(rowid) FROM transactions WHERE state = ? GROUP BY site, device)
"""


def _transaction(row: tuple[str, str, str, str, int, int, str]) -> Transaction:
    tx, site, device, state, opened_ms, changed_ms, facts = row
    return Transaction(tx, site, device, State(state), opened_ms, changed_ms, json.loads(facts))


def _link(row: tuple[int, int, str, str, str, str]) -> Link[Subject]:
    number, written_ms, subject, body, previous, made = row
    return Link(number, written_ms, Subject(subject), body, previous, made)
