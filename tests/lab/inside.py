"""This process's own sockets, made inside a namespace: one thread lives there and works for us.

A socket stays in the namespace it was made in, whichever thread uses it later. `setns` moves
one thread alone (namespaces(7)), so pytest's own thread never leaves home.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


class Hook:
    """A webhook's receiving end on the namespace's loopback: keeps each body it was sent."""

    def __init__(self, inside: Inside, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self._bodies: list[str] = []
        keep = self._bodies.append

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                keep(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: pytest shows what matters."""

        self._server = inside.call(lambda: ThreadingHTTPServer(("127.0.0.1", port), Handler))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def bodies(self) -> tuple[str, ...]:
        """All that was sent so far."""
        return tuple(self._bodies)

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
