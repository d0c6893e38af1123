"""net-snmp's snmpd on loopback, as an office's router: started, asked, killed by its pid."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.stage import free_ports

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

USER = "mon"
AUTH_PASSWORD = "a long auth password"
PRIV_PASSWORD = "a long priv password"


def free_port() -> int:
    """Return a UDP port of loopback that nobody uses now."""
    (port,) = free_ports([(socket.SOCK_DGRAM, 0)])
    return port


@contextmanager
def snmpd(folder: Path, port: int, auth: str = "SHA-256", extra: str = "") -> Iterator[Path]:
    """Run snmpd with community `public` and user `mon`; gives the path of its log."""
    program = shutil.which("snmpd", path=_PATH)
    assert program is not None, "snmpd is not installed"
    state = folder / "state"
    state.mkdir(exist_ok=True)
    log = folder / "snmpd.log"
    log.unlink(missing_ok=True)
    (folder / "snmpd.conf").write_text(
        f"agentAddress udp:127.0.0.1:{port}\n"
        "rocommunity public 127.0.0.1\n"
        f'createUser {USER} {auth} "{AUTH_PASSWORD}" AES "{PRIV_PASSWORD}"\n'
        f"rouser {USER} priv\n{extra}"
    )
    process = subprocess.Popen(
        [program, "-f", "-C", "-c", str(folder / "snmpd.conf"), "-Lf", str(log), "-r", "-m", ""],
        env={**os.environ, "SNMP_PERSISTENT_DIR": str(state)},
    )
    try:
        _await(log, process)
        yield log
    finally:
        process.terminate()
        process.wait(timeout=10)


def _await(log: Path, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if log.exists() and "NET-SNMP version" in log.read_text():
            return
        assert process.poll() is None, log.read_text() if log.exists() else "snmpd ended"
        time.sleep(0.05)
    raise AssertionError("snmpd did not start")
