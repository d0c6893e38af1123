"""This process's own sockets, made inside a namespace: one thread lives there and works for us.

A socket stays in the namespace it was made in, whichever thread uses it later. `setns` moves
one thread alone (namespaces(7)), so pytest's own thread never leaves home.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from tests.lab.machine import LabError

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000


class Inside:
    """A worker thread in a network namespace."""

    def __init__(self, namespace: str) -> None:
        self._thread = ThreadPoolExecutor(1, initializer=_enter, initargs=(namespace,))

    def call(self, function: Callable[[], _T]) -> _T:
        """Return what `function` returns when the thread inside calls it."""
        return self._thread.submit(function).result()

    def get(self, url: str, timeout: float = 5) -> tuple[int, str]:
        """Return status and body of an HTTP GET, whatever the status.

        Raises:
            OSError: when nobody answers.
        """
        return self.call(lambda: _get(url, timeout))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


@dataclass(frozen=True, slots=True)
class Arrival:
    """One body that was posted."""

    at: float
    """When, by `time.monotonic`."""
    path: str
    body: str


class Hook:
    """A webhook's receiving end on the namespace's loopback: keeps each body it was sent."""

    def __init__(self, inside: Inside, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self.url = f"{self._base}/hook"
        self._arrivals: list[Arrival] = []
        keep = self._arrivals.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.monotonic()
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                keep(Arrival(at, self.path, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: pytest shows what matters."""

        self._server = inside.call(lambda: ThreadingHTTPServer(("127.0.0.1", port), Handler))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def at(self, path: str) -> str:
        """Return the URL by which what arrives there is told apart."""
        return f"{self._base}{path}"

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """All that was sent so far."""
        return tuple(self._arrivals)

    @property
    def bodies(self) -> tuple[str, ...]:
        """The same, without when and where."""
        return tuple(each.body for each in self._arrivals)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _enter(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(handle, _CLONE_NEWNET):
            raise LabError(f"setns {namespace}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(handle)


def _get(url: str, timeout: float) -> tuple[int, str]:
    opener = build_opener(ProxyHandler({}))  # a proxy of the environment lies outside
    try:
        with opener.open(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
