"""Debian's Alertmanager in a namespace, alone or as a member of a pair."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.lab.inside import Inside
from tests.lab.machine import stop
from tests.lab.net import Lab

PROGRAM = "prometheus-alertmanager"
PEER_TIMEOUT = "2s"
"""How long a member waits for the one before it (its default is 15 s): alerts/examples says why."""


def with_hook(config: str, url: str) -> str:
    """Return an Alertmanager's configuration whose receivers all post to `url`."""
    parts = yaml.safe_load(config)
    for receiver in parts["receivers"]:
        receiver["webhook_configs"] = [{"url": url, "send_resolved": True}]
    return str(yaml.safe_dump(parts))


class Alertmanager:
    """One member; what it remembers outlasts a restart, as on any machine."""

    def __init__(self, lab: Lab, inside: Inside, config: Path, port: int) -> None:
        """Plan it on a port of the centre's loopback; members gossip on the port 100 above."""
        self.url = f"http://127.0.0.1:{port}"
        self.member = f"127.0.0.1:{port + 100}"
        self._lab = lab
        self._inside = inside
        self._config = config
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, others: Sequence[Alertmanager] = ()) -> None:
        """Start it; with `others` it joins them. It is waited for with `ready`."""
        together = ["--cluster.listen-address="]
        if others:
            together = [
                f"--cluster.listen-address={self.member}",
                f"--cluster.advertise-address={self.member}",
                f"--cluster.peer-timeout={PEER_TIMEOUT}",
                *(f"--cluster.peer={other.member}" for other in others),
            ]
        self._process = self._lab.popen(
            self._lab.centre,
            [
                PROGRAM,
                f"--config.file={self._config}",
                f"--storage.path={self._config.parent / str(self._port)}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                *together,
            ],
            self._config.parent / f"alertmanager-{self._port}.log",
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None:
            stop(self._process, how)
            self._process = None

    def ready(self) -> bool:
        """Return whether it answers, and has found the others or given up on them."""
        try:
            return self._inside.get(f"{self.url}/-/ready", timeout=1)[0] == 200
        except OSError:
            return False
