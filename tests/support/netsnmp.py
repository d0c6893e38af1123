"""net-snmp's snmptrapd and snmpinform on loopback, as the other end of our codec."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

COMMUNITY = "public"
NOTIFICATION = ("42", "1.3.6.1.6.3.1.1.5.1", "1.3.6.1.2.1.1.5.0", "s", "kubung")
"""sysUpTime 42, coldStart, and sysName.0 = `kubung`."""


@dataclass(frozen=True, slots=True)
class Trapd:
    """A running snmptrapd, which writes what it accepts into a log."""

    port: int
    log: Path

    def await_text(self, text: str, times: int = 1, seconds: float = 5.0) -> str:
        """Return the log once `text` stands in it so many times."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            logged = self.log.read_text()
            if logged.count(text) >= times:
                return logged
            time.sleep(0.02)
        raise AssertionError(f"snmptrapd never logged {text!r}:\n{self.log.read_text()}")


@contextmanager
def snmptrapd(
    folder: Path,
    port: int,
    engine_id: bytes,
    *users: str,
    mib: str = "",
    mib_folders: str = "",
    level: str = "priv",
) -> Iterator[Trapd]:
    """Run snmptrapd as the engine `engine_id`, with community `public`.

    Args:
        folder: for its configuration, state and log.
        port: of loopback.
        engine_id: 5 to 32 octets.
        users: the arguments of `createUser`, such as `-e 0x.. NAME SHA-256 -m 0x.. AES -m 0x..`;
            each is allowed to log.
        mib: the modules to name objects by in the log, joined by colons; else they are numbers.
        mib_folders: where those and what they import lie, joined by colons.
        level: `noauth`, `auth` or `priv`: what the users need to be heard.
    """
    state = folder / "trapd-state"
    state.mkdir(exist_ok=True)
    log = folder / "snmptrapd.log"
    log.write_text("")
    lines = [f"exactEngineID 0x{engine_id.hex()}", f"authCommunity log {COMMUNITY}"]
    for user in users:
        words = user.split()
        name = words[2] if words[0] == "-e" else words[0]
        lines += [f"createUser {user}", f"authUser log {name} {level}"]
    config = folder / "snmptrapd.conf"
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [
            *(_program("snmptrapd"), "-f", "-C", "-c", str(config), "-Lf", str(log), "-n"),
            *("-OS" if mib else "-On", "-m", mib, "-M", mib_folders, f"udp:127.0.0.1:{port}"),
        ],
        env={**os.environ, "SNMP_PERSISTENT_DIR": str(state)},
    )
    trapd = Trapd(port, log)
    try:
        trapd.await_text("NET-SNMP version")
        yield trapd
    finally:
        process.terminate()
        process.wait(timeout=10)


def snmpinform(folder: Path, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Send one inform to loopback with net-snmp's own tool, and wait until it ends.

    The inform is sysUpTime 42, coldStart, and sysName.0 = `kubung`.
    """
    return tool("snmpinform", folder, port, arguments, NOTIFICATION)


def tool(
    name: str, folder: Path, port: int, arguments: Sequence[str], rest: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run one of net-snmp's tools against a port of loopback, to its end.

    Args:
        name: such as `snmpget`.
        folder: for its state.
        port: of loopback.
        arguments: what comes before the address: version and security.
        rest: what comes after it.
    """
    state = folder / "inform-state"
    (state / "cert_indexes").mkdir(parents=True, exist_ok=True)  # else it says that it made it
    # A trap is sent once.
    tries = () if name == "snmptrap" else ("-r", "1", "-t", "2")
    return subprocess.run(
        [_program(name), *arguments, *tries, "-m", "", f"udp:127.0.0.1:{port}", *rest],
        env={**os.environ, "SNMP_PERSISTENT_DIR": str(state), "SNMPCONFPATH": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def _program(name: str) -> str:
    program = shutil.which(name, path=_PATH)
    assert program is not None, f"{name} is not installed"
    return program
