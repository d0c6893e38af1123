"""A real sshd on loopback that knows one key; what it runs may be forced."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from provision.ssh import Place
from tests.lab.machine import search_path

WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Before a command: it ends when the tests do, however these end."""


def new_key(path: Path) -> Path:
    """Return a new key without a passphrase."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sshd:
    """One that knows one key."""

    def __init__(self, folder: Path, force: str = "") -> None:
        """Start it; `force` is the command that runs whatever is asked for."""
        self.folder = folder
        self.port = free_port()
        self.key = new_key(folder / "id")
        (folder / "keys").write_text(self.key.with_suffix(".pub").read_text())
        self.place = Place("127.0.0.1", "root", self.port, self.key)
        # A HOME without an rc file: a shell that sshd starts reads it each time.
        self._force = f"ForceCommand {force}\nSetEnv HOME={folder}\n" if force else ""
        self.start()

    def start(self, *, anew: bool = True) -> None:
        """Start it, with a host key that it has not had before if it is set up `anew`."""
        if anew:
            for old in self.folder.glob("host*"):
                old.unlink()
            new_key(self.folder / "host")
        (self.folder / "sshd").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder / 'host'}\n"
            f"AuthorizedKeysFile {self.folder / 'keys'}\nStrictModes no\nUsePAM no\nPidFile none\n"
            f"MaxStartups 50:30:100\n{self._force}"
        )
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # its package makes it at boot alone
        program = shutil.which("sshd", path=search_path())
        assert program is not None, "sshd is missing; run `make test`"
        argv = [*WITH_US, program, "-D", "-e", "-f", str(self.folder / "sshd")]
        self.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("sshd does not listen")

    def stop(self) -> None:
        """Stop listening; sessions that are open go on."""
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        """End it and every session, as a power cut would."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in children.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.stop()
