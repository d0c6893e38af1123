"""A real PostgreSQL of its own, on a socket in a folder of the tests; Debian's package has it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, create_engine, text

_USER = "postgres"


def _programs() -> Path:
    (*_, newest) = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parts[-2]))
    return newest


@contextlib.contextmanager
def server() -> Iterator[URL]:
    """Give the URL of a running server; it and its data are gone afterwards.

    It refuses to run as root: as root it runs as Debian's user of that name.
    """
    user = pwd.getpwnam(_USER) if os.geteuid() == 0 else None
    # Not pytest's folder: others may not enter it, and a socket's path has 107 octets.
    folder = Path(tempfile.mkdtemp(prefix="tabuah-pg-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    uid, gid = (None, None) if user is None else (user.pw_uid, user.pw_gid)
    groups: list[str | int] | None = None if user is None else []
    data, programs = folder / "data", _programs()
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "-N"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=uid,
            group=gid,
            extra_groups=groups,
        )
        running = subprocess.Popen(
            # `-F`: tests show what is stored, not that a power cut spares it.
            [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            user=uid,
            group=gid,
            extra_groups=groups,
        )
        try:
            url = URL.create(
                "postgresql+psycopg", username=_USER, database=_USER, query={"host": str(folder)}
            )
            _wait(url)
            yield url
        finally:
            running.terminate()
            running.wait(20)
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def database(url: URL, name: str) -> Iterator[str]:
    """Give the URL of a new database of the server; it is gone afterwards."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
            yield url.set(database=name).render_as_string(hide_password=False)
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


def _wait(url: URL) -> None:
    engine = create_engine(url)
    try:
        for _ in range(100):
            with contextlib.suppress(Exception), engine.connect():
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL did not start")
    finally:
        engine.dispose()
