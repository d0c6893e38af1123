"""Debian's Alertmanager on loopback, which forgets everything when it is stopped."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.programs import free_port, seconds_until

_PROGRAM = "prometheus-alertmanager"

_CONFIG = """\
route:
  receiver: sink
  group_by: [incident]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: sink
    webhook_configs: [{{url: "{hook}", send_resolved: true}}]
"""


class Alertmanager:
    """One of them, told where to pass on what it hears."""

    def __init__(self, folder: Path, hook: str, config: str = _CONFIG) -> None:
        self._folder = folder
        folder.mkdir()
        (folder / "alertmanager.yml").write_text(config.format(hook=hook))
        self._port = free_port(socket.SOCK_STREAM)
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with an empty memory."""
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            (
                _PROGRAM,
                f"--config.file={self._folder / 'alertmanager.yml'}",
                f"--storage.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--cluster.listen-address=",
            ),
            stdout=log,
            stderr=log,
        )
        log.close()
        seconds_until(self._ready, 15)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def alerts(self) -> list[dict[str, Any]]:
        """Return what it takes to be firing now."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts").json()
        return found

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def alertmanager(folder: Path, hook: str, config: str = _CONFIG) -> Iterator[Alertmanager]:
    """Run one until the block ends; `{hook}` in its configuration is where it passes on."""
    made = Alertmanager(folder, hook, config)
    try:
        made.start()
        yield made
    finally:
        made.stop()
