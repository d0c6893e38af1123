"""Where a store may lie: each test that asks for a place runs on both engines."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.support import postgresql


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[URL]:
    with postgresql.server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def place(request: pytest.FixtureRequest, data: Path) -> Iterator[Path | str]:
    """A folder for SQLite, or the URL of an empty database of a real PostgreSQL."""
    if request.param == "sqlite":
        yield data
        return
    server = request.getfixturevalue("postgresql_server")
    with postgresql.database(server, f"test_{secrets.token_hex(6)}") as url:
        yield url
