"""Keeps the process that hears traps: opens its socket, starts it, reads it, starts it again.

The socket is opened here, and stays open while the process is started anew, so that what comes
meanwhile waits in the kernel. A port that cannot be had (162 needs a privilege) is said, tried
again, and keeps nothing else from running.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from collector.traps.trap import MOST_LINE, from_line
from tabuah.errors import DecodeError, TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector.mishaps import Mishaps
    from collector.traps.trap import Trap
    from inventory.model import Endpoint, Inventory

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
COMPLAIN_AFTER: Final = 3
"""Times that the port could not be had."""
SETTLED_S: Final = 60.0
"""A process that lived so long is started again at once."""
STOP_S: Final = 2.0
BUFFER_OCTETS: Final = 1 << 20
OUTCOMES: Final = (
    *("heard", "limited", "malformed", "unknown_user", "bad_auth", "unsupported", "dropped"),
)
"""What can become of a datagram; one that was dropped was a trap that nobody had time for."""


class Keeper:
    """One listener for traps."""

    def __init__(
        self,
        listen: Endpoint,
        orders: Callable[[], dict[str, object]],
        heard: Callable[[Trap], None],
    ) -> None:
        """Prepare.

        Args:
            listen: where.
            orders: what the process is told, as `orders_of` makes it.
            heard: called in the loop with each trap.
        """
        self._listen, self._orders, self._heard = listen, orders, heard
        self._process: asyncio.subprocess.Process | None = None
        self.counts: Counter[str] = Counter()
        """By OUTCOMES."""
        self.restarts = 0
        self.port: int | None = None
        """Where it listens; None while it does not."""
        self._failed = 0

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    def renew(self) -> None:
        """Tell the process its orders anew."""
        process = self._process
        if process is not None and process.stdin is not None and process.returncode is None:
            with contextlib.suppress(OSError, TabuahError):
                process.stdin.write(_line(self._orders()))

    async def run(self, mishaps: Mishaps) -> None:
        """Hear until cancelled."""
        pause_s = FIRST_PAUSE_S
        while (sock := self._open()) is None:
            # The process of a collector that was killed may hold it for another moment.
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self.port = sock.getsockname()[1]
        log.info("traps on %s", self._listen)
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                began = time.monotonic()
                with mishaps.at("trap"):
                    try:
                        await self._live(sock, mishaps)
                    except (OSError, TabuahError) as error:
                        log.error("traps: %s", error)  # noqa: TRY400 - the reason is the message
                lasted_s = time.monotonic() - began
                pause_s = (
                    FIRST_PAUSE_S if lasted_s >= SETTLED_S else min(2 * pause_s, LONGEST_PAUSE_S)
                )
                self.restarts += 1
                log.warning("traps: the process that hears them ended; again in %g s", pause_s)
                await asyncio.sleep(pause_s)
        finally:
            self.port = None
            sock.close()

    async def _live(self, sock: socket.socket, mishaps: Mishaps) -> None:
        """Start the process, and read it to its end."""
        orders = _line(self._orders())
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "collector.traps.hearing", str(sock.fileno())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(sock.fileno(),),
            limit=2 * MOST_LINE,
            start_new_session=True,
        )
        if process.stdin is None or process.stdout is None:
            raise TabuahError("a process was started without its pipes")
        try:
            process.stdin.write(orders)
            while line := await process.stdout.readline():
                with mishaps.at("trap"):
                    self._read(line)
        except ValueError as error:  # a line without an end
            raise TabuahError(f"the process that hears traps speaks nonsense: {error}") from error
        finally:
            await _end(process)

    def _read(self, line: bytes) -> None:
        if line.startswith(b'{"counts"'):
            with contextlib.suppress(ValueError, TypeError, AttributeError):
                for outcome, number in json.loads(line)["counts"].items():
                    if outcome in OUTCOMES:
                        self.counts[outcome] += int(number)
            return
        try:
            trap = from_line(line)
        except DecodeError as error:
            log.warning("traps: %s", error)
            return
        self._heard(trap)

    def _open(self) -> socket.socket | None:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                self._listen.host,
                self._listen.port,
                type=socket.SOCK_DGRAM,
                flags=socket.AI_PASSIVE,
            )[0]
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.bind(address)
            except OSError:
                sock.close()
                raise
        except OSError as error:
            self._failed += 1
            if self._failed == COMPLAIN_AFTER:
                log.error("%s", _advice(self._listen, error))  # noqa: TRY400
            return None
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
        return sock


def orders_of(inventory: Inventory, known: Sequence[str]) -> dict[str, object]:
    """Return what the process is told: who may sign, with their passwords, and known addresses.

    A user whose password cannot be had is left out, and said.
    """
    users = []
    for user in inventory.traps.users if inventory.traps is not None else ():
        try:
            auth = user.auth.key.resolve(inventory.directory)
            priv = None if user.priv is None else user.priv.key.resolve(inventory.directory)
        except TabuahError as error:
            log.error("traps of user %s are not taken: %s", user.user, error)  # noqa: TRY400
            continue
        users.append([user.user, user.auth.protocol, auth, priv])
    return {"users": users, "known": list(known)}


def _line(orders: dict[str, object]) -> bytes:
    return json.dumps(orders).encode() + b"\n"


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait until the process is gone; help it if it lingers."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()


def _advice(listen: Endpoint, error: OSError) -> str:
    what = f"cannot hear traps on {listen}: {error.strerror}; the rest runs. "
    if isinstance(error, PermissionError):
        return what + (
            "A port below 1024 needs CAP_NET_BIND_SERVICE, as deploy/tabuah-collector.service "
            "gives it, or choose another in traps.listen and have the devices send there"
        )
    return what + "Is snmptrapd running there, or is the address of another machine?"
