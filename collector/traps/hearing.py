"""The process that hears traps: `python -m collector.traps.hearing`, started by the keeper.

It gets an open socket and, on stdin, lines of JSON that say who may sign and which addresses are
known; it gives lines of JSON on stdout: traps, and counts. Decoding takes a millisecond or two
of CPU, and anyone may send: so it is nice, rationed, reads its socket in sips, and never waits for
who reads its lines. It ends when stdin does, that is with the collector, whatever ended that.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import socket
import sys
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from collector.traps.opening import Credentials, Opened, Opener, Refusal
from collector.traps.places import plain
from collector.traps.rations import Rations
from collector.traps.trap import to_line

if TYPE_CHECKING:
    from collections.abc import Mapping

SIP: Final = 64
PAUSE_S: Final = 0.02
"""Between two sips: at most 3,200 datagrams a second are even looked at, the kernel drops the rest
at no cost to us."""
LINES_MOST: Final = 512
"""Lines that wait for the collector to read them."""
COUNT_S: Final = 1.0
MEMORY_MOST: Final = 512 << 20
NICE: Final = 15


class Hearing:
    """The listener, in the running loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.setblocking(False)
        self._opener = Opener()
        self._rations = Rations()
        self._lines: deque[bytes] = deque()
        self._half = b""
        self._counts: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._writing = False
        self.ended = asyncio.Event()
        os.set_blocking(sys.stdout.fileno(), False)

    def begin(self) -> None:
        """Begin to read the socket."""
        self._loop.add_reader(self._socket, self._sip)

    def configure(self, told: Mapping[str, object]) -> None:
        """Take up who may sign, and which addresses are known."""
        users, known = told["users"], told["known"]
        if not isinstance(users, list) or not isinstance(known, list):
            raise TypeError("users and known are lists")
        self._rations = Rations(frozenset(str(address) for address in known))
        self._opener = Opener(
            [Credentials.of(*user) for user in users],
            lambda user: self._rations.allows_user(user, time.monotonic()),
        )

    async def count(self) -> None:
        """Tell what became of datagrams, each second that there were any."""
        while not self.ended.is_set():
            await asyncio.sleep(COUNT_S)
            if self._counts:
                counts, self._counts = self._counts, Counter()
                self._say(json.dumps({"counts": counts}).encode() + b"\n")

    def _sip(self) -> None:
        for _ in range(SIP):
            try:
                datagram, address = self._socket.recvfrom(65_535)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an answer of ours
                continue
            self._take(datagram, address)
        self._loop.remove_reader(self._socket)
        self._loop.call_later(PAUSE_S, self.begin)

    def _take(self, datagram: bytes, address: tuple[str, int]) -> None:
        source = plain(address[0])
        if not self._rations.allows(source, time.monotonic(), v3=_is_v3(datagram)):
            self._counts[Refusal.LIMITED.value] += 1
            return
        opened = self._opener.open(datagram, source, time.time_ns() // 1_000_000)
        if not isinstance(opened, Opened):
            self._counts[opened.value] += 1
            return
        if not self._say(to_line(opened.trap)):
            return
        self._counts["heard"] += 1
        if opened.reply is not None:
            try:
                self._socket.sendto(opened.reply, address)
            except OSError:  # as if it were lost on its way
                return

    def _say(self, line: bytes) -> bool:
        """Queue a line; return whether there was room."""
        if len(self._lines) >= LINES_MOST:
            self._counts["dropped"] += 1
            return False
        self._lines.append(line)
        if not self._writing:
            self._write()
        return True

    def _write(self) -> None:
        out = sys.stdout.fileno()
        try:
            while self._half or self._lines:
                self._half = self._half or self._lines.popleft()
                self._half = self._half[os.write(out, self._half) :]
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(out, self._write)
            return
        except OSError:  # nobody reads any more
            self.ended.set()
        if self._writing:
            self._writing = False
            self._loop.remove_writer(out)


def _is_v3(datagram: bytes) -> bool:
    """Return whether a datagram claims to be of version 3, at no more cost than a look."""
    return b"\x02\x01\x03" in datagram[2:9]


async def _main(descriptor: int) -> None:
    hearing = Hearing(socket.socket(fileno=descriptor))
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=64 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    hearing.configure(json.loads(await orders.readline()))
    hearing.begin()
    counting = asyncio.create_task(hearing.count())

    async def obey() -> None:
        while line := await orders.readline():
            hearing.configure(json.loads(line))
        hearing.ended.set()

    obeying = asyncio.create_task(obey())
    ended = asyncio.create_task(hearing.ended.wait())
    # What fails ends it, with its reason on stderr: the keeper starts it anew.
    done, _ = await asyncio.wait({counting, obeying, ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def main() -> None:
    """Hear traps on the socket whose descriptor is the only argument."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MOST, MEMORY_MOST))
    gc.freeze()
    asyncio.run(_main(int(sys.argv[1])))


if __name__ == "__main__":
    main()
