"""The collector's HTTP: one ASGI application on a TCP address and on the data folder's socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.applications import Starlette


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its key, in PEM files."""

    certificate: Path
    key: Path


def tcp_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound for HTTP.

    Raises:
        TabuahError: the address cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise TabuahError(
            f"cannot serve HTTP on {host}:{port}: {error.strerror}; choose another with --http"
        ) from error
    return bound


def unix_socket(path: Path) -> socket.socket:
    """Return a socket at `path` that only its owner may use; one left over is replaced.

    Raises:
        TabuahError: it cannot be made.
    """
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # no moment at which another user could connect
    try:
        path.unlink(missing_ok=True)
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise TabuahError(f"{path}: cannot make the socket: {error.strerror or error}") from error
    finally:
        os.umask(before)
    return bound


class _Server(uvicorn.Server):
    """uvicorn in a loop that has its own signal handlers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the program."""
        yield


class Serving:
    """One application on one socket."""

    def __init__(self, app: Starlette, bound: socket.socket, tls: Tls | None = None) -> None:
        self._bound = bound
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
                ssl_certfile=None if tls is None else tls.certificate,
                ssl_keyfile=None if tls is None else tls.key,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._bound]))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            ready.cancel()
            self._task.result()

    async def stop(self) -> None:
        """Finish what is being answered, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._bound.close()
