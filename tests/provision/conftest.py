"""What the tests of pushes share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from provision.journal import Journal


@pytest.fixture(autouse=True)
def closed_journals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every journal that a test opened: Python 3.13 warns of those that are not."""
    made: list[Journal] = []
    original = Journal.__init__

    def init(self: Journal, folder: Path) -> None:
        original(self, folder)
        made.append(self)

    monkeypatch.setattr(Journal, "__init__", init)
    yield
    for journal in made:
        with suppress(sqlite3.ProgrammingError):  # of another thread, which has closed it
            journal.close()
