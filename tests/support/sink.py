"""A webhook's other end on loopback, which keeps what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Sink:
    """What came, in order; while `refusing`, everything is answered `refusal` and nothing kept."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.beats = 0
        """GET requests: a heartbeat has no body."""
        self.refused = 0
        self.refusing = False
        self.refusal = 503
        self.taking = 204
        self.url = ""

    def told(self) -> list[tuple[str, str]]:
        """Return status and incident of each message."""
        return [(message["status"], message["incident"]) for message in self.heard]


@contextmanager
def sink() -> Iterator[Sink]:
    """Serve until the block ends."""
    kept = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if kept.refusing:
                kept.refused += 1
            else:
                kept.heard.append(json.loads(body))
            self.send_response(kept.refusal if kept.refusing else kept.taking)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            kept.beats += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
