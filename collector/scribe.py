"""Renders the metrics page of a large fleet in a process of its own, beside the line.

To open and render the reports of 7,285 offices takes two seconds of CPU. In a thread of the
collector they would hold the interpreter, and with it the acknowledgements; here they are
another core's, or of lower priority. The collector hands over the live views as they stand,
packed reports unopened, and gets back the page, deflated.

    collector -> (now_ms), views, views, ..., [], tail         each: length, marshal
    scribe    -> piece, piece, ..., b""                        each: length, octets

What the two say is the business of one version of one program: marshal is the quickest there is,
and nobody else can write to the pipe. What it knows of the offices it reads from the
compiled inventory that the collector has open, or from one that is made in memory.
"""

from __future__ import annotations

import asyncio
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from typing import Any, BinaryIO, Final, TypeAlias

from collector.families import SERVICE_OBJECTIVE
from collector.gzip_parts import Part, joined
from collector.live import Heard, SiteView, State
from collector.metrics import FAMILIES, SitesPage, body, head, of_services
from collector.opened import Kept
from collector.row import Row
from collector.view import Centre
from inventory.compiled import handle_of, inventory_at
from inventory.model import Inventory
from tabuah import block
from tabuah.errors import TabuahError

_AT_ONCE: Final = 32
"""Views that are handed over between two looks at the socket: a fraction of a millisecond."""
_IDLE_S: Final = 900.0
"""A scribe that nobody asked for so long ends, and its memory with it."""
_NICENESS: Final = 10
_LENGTH: Final = struct.Struct("<I")

_Packed: TypeAlias = tuple[str, str, int, int, tuple[object, ...] | None, int | None]
"""Code, state, since_ms, clone_reports, row, skew_ms."""
_Said: TypeAlias = tuple[int] | list[_Packed] | bytes


# --- the scribe -------------------------------------------------------------------------------


def main(handle: int) -> int:
    """Render pages until nobody asks for one any more."""
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the collector's, which ends us
    inventory, page = inventory_at(handle), SitesPage()
    heard, said = sys.stdin.buffer, sys.stdout.buffer
    try:
        while select.select([heard], [], [], _IDLE_S)[0]:
            asked = _receive(heard)
            if asked is None:
                return 0
            (now_ms,) = asked
            parts = {family: Part() for family in FAMILIES}
            for family, part in parts.items():
                part.add(head(family))
            parts[SERVICE_OBJECTIVE].add(*body(SERVICE_OBJECTIVE, of_services(inventory)))
            while views := _receive(heard):
                lines = page.lines(inventory, map(_unpacked, views), now_ms)
                for family, found in lines.items():
                    parts[family].add(*body(family, found))
            tail = Part()
            tail.add(_receive(heard))
            for piece in (*joined([*parts.values(), tail]), b""):
                said.write(_LENGTH.pack(len(piece)) + piece)
            said.flush()
    except (BrokenPipeError, EOFError):
        return 0  # the collector is gone
    return 0


def _receive(heard: BinaryIO) -> Any:
    octets = heard.read(_LENGTH.size)
    if len(octets) < _LENGTH.size:
        return None
    return marshal.loads(heard.read(_LENGTH.unpack(octets)[0]))  # noqa: S302 - from the collector


def _unpacked(packed: _Packed) -> tuple[str, SiteView]:
    code, state, since_ms, clones, row, skew_ms = packed
    last = None if row is None else Kept(Row._make(row), skew_ms)
    return code, SiteView(code, State(state), since_ms, last, clones)


# --- the collector's end ----------------------------------------------------------------------


class Scribe:
    """Has pages rendered, for one inventory; one at a time. Its process ends with it."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._handle: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def __del__(self) -> None:
        """End the process."""
        self.end()
        if self._handle is not None:
            os.close(self._handle)

    @property
    def pid(self) -> int | None:
        """Return the process' id, if one was started."""
        return None if self._process is None else self._process.pid

    async def page(self, centre: Centre, tail: bytes) -> list[bytes]:
        """Return the metrics page with `tail` behind it, as the pieces of a gzip file.

        Raises:
            TabuahError: it ended twice; the log says why, if it could say it.
        """
        for _ in range(2):
            try:
                return await self._page(await self._running(), centre, tail)
            except (ConnectionError, EOFError):
                self.end()  # it was idle for long, or killed
            except BaseException:
                self.end()  # what it says next would be the rest of this page
                raise
        raise TabuahError("the process that renders the metrics page ended twice; is there memory?")

    def end(self) -> None:
        """End the process, if there is one; it has nothing to lose."""
        process, line = self._process, self._line
        self._process = self._line = None
        if line is not None:
            line.close()
        if process is not None:
            process.kill()
            process.wait()

    async def _running(self) -> socket.socket:
        if self._line is None:
            await asyncio.to_thread(self._start)
        assert self._line is not None
        return self._line

    def _start(self) -> None:
        if self._handle is None:
            self._handle = handle_of(self.inventory)
        self._line, its = socket.socketpair()
        self._line.setblocking(False)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "collector.scribe", str(self._handle)],
                stdin=its.fileno(),
                stdout=its.fileno(),
                pass_fds=[self._handle],
            )

    async def _page(self, line: socket.socket, centre: Centre, tail: bytes) -> list[bytes]:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(line, _frame((centre.now_ms(),)))
        codes = self.inventory.codes
        for first in range(0, len(codes), _AT_ONCE):
            some = [_packed(centre, code) for code in codes[first : first + _AT_ONCE]]
            await loop.sock_sendall(line, _frame(some))
            await asyncio.sleep(0)  # the line first
        await loop.sock_sendall(line, _frame([]) + _frame(tail))
        pieces = []
        while size := _LENGTH.unpack(await _exactly(line, _LENGTH.size))[0]:
            pieces.append(await _exactly(line, size))
        return pieces


async def _exactly(line: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    octets = bytearray()
    while len(octets) < size:
        more = await loop.sock_recv(line, size - len(octets))
        if not more:
            raise EOFError
        octets += more
    return bytes(octets)


def _frame(what: _Said) -> bytes:
    octets = marshal.dumps(what)
    return _LENGTH.pack(len(octets)) + octets


def _packed(centre: Centre, code: str) -> _Packed:
    view = centre.view(code)
    if view is None:
        return code, State.UNKNOWN.value, 0, 0, None, None
    row, skew_ms = (None, None) if view.last is None else _row(code, view.last)
    return code, view.state.value, view.since_ms, view.clone_reports, row, skew_ms


def _row(code: str, last: Heard) -> tuple[tuple[object, ...], int | None]:
    """Return a report as it lies in the store."""
    if isinstance(last, Kept):
        return tuple(last.row), last.skew_ms
    received = last.opened()
    report = received.report
    row = Row(
        code,
        report.id.epoch,
        report.id.seq,
        received.time_ms,
        received.received_ms,
        received.late,
        received.corrected,
        block.pack(report).octets,
    )
    return tuple(row), received.skew_ms


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
