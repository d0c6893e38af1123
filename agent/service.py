"""What the agent asks of the system that runs it: is the host stopping, is the folder ours?"""

from __future__ import annotations

import fcntl
import io
import logging
import os
from pathlib import Path
from typing import IO

from tabuah.errors import TabuahError

log = logging.getLogger(__name__)


def host_is_stopping() -> bool:
    """Whether the host itself shuts down or reboots, by what its init system says."""
    # Asked once, at the end: until then the running agent need not hold them (0.4 MiB).
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    for argv, words in (
        (("systemctl", "is-system-running"), ("stopping",)),
        (("runlevel",), ("0", "6")),  # SysV and BusyBox: "N 6"
    ):
        program = shutil.which(argv[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is None:
            continue
        try:
            told = subprocess.run(
                (program, *argv[1:]), capture_output=True, text=True, timeout=1, check=False
            ).stdout.split()
        except (OSError, subprocess.TimeoutExpired):
            continue
        if told and told[-1] in words:
            return True
    # OpenWrt's procd calls no runlevel; its init script leaves this mark in `shutdown()`.
    return Path("/run/tabuah-host-stopping").exists()


def lock_folder(data: Path) -> IO[bytes]:
    """Return a lock on the data folder, held while it is open.

    Where nothing can be written there is nothing to lock: an office whose flash has died is
    still watched.

    Raises:
        TabuahError: another agent holds it.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock: IO[bytes] = (data / "agent.lock").open("ab")
    except OSError as error:
        log.error(  # noqa: TRY400 - the reason is the message
            "%s: cannot be written (%s); give the agent a folder that it may write, with 'data' "
            "in its configuration",
            data,
            error.strerror,
        )
        return io.BytesIO()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise TabuahError(
            f"{data}: another agent is running with this folder; stop it first, or give this "
            "one a 'data' of its own"
        ) from error
    return lock
