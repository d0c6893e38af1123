"""The commands of a running demo: JSON, a line a request, on the folder's socket.

`Request` and `Reply` are values; `Control` serves them, `ask` is the other end.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from demo.line import Condition
from tabuah.errors import DecodeError, TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASK_WAIT_S = 5.0
LONGEST_LINE = 65536
LONGEST_DELAY_MS = 60_000


class Verb(Enum):
    """What can be asked of a demo. The value is the word on the command line."""

    CUT = "cut"
    RESTORE = "restore"
    LOSS = "loss"
    DELAY = "delay"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Request:
    """One command."""

    verb: Verb
    site: str = ""
    """As typed; `status` has none."""
    value: float = 0.0
    """loss: percent each way; delay: ms of added round trip."""

    def encode(self) -> bytes:
        """Return its line."""
        asked = {"do": self.verb.value, "site": self.site, "value": self.value}
        return json.dumps(asked).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a command."""

    said: tuple[str, ...] = ()
    error: str = ""
    exit_code: int = 0
    status: dict[str, object] | None = None

    def encode(self) -> bytes:
        """Return its line."""
        answer = {
            "said": self.said,
            "error": self.error,
            "exit": self.exit_code,
            "status": self.status,
        }
        return json.dumps(answer).encode() + b"\n"


class RefusedError(TabuahError):
    """The demo would not; carries the exit code that it gave."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def parse(line: bytes) -> Request:
    """Return the command that `line` holds.

    Raises:
        DecodeError: it holds none; the words say what is wrong with it.
    """
    try:
        asked = json.loads(line)
    except ValueError:
        raise DecodeError("a command is one JSON object on a line") from None
    if not isinstance(asked, dict):
        raise DecodeError("a command is one JSON object on a line")
    try:
        verb = Verb(asked.get("do"))
    except ValueError:
        known = ", ".join(verb.value for verb in Verb)
        raise DecodeError(f"'do' must be one of {known}") from None
    site, value = asked.get("site", ""), asked.get("value", 0)
    if not isinstance(site, str) or (verb is not Verb.STATUS and not site):
        raise DecodeError("'site' must say which office, or 'all'")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DecodeError("'value' must be a number")
    if verb is Verb.LOSS and not 0 <= value <= 100:
        raise DecodeError("loss is a percentage from 0 to 100")
    if verb is Verb.DELAY and not 0 <= value <= LONGEST_DELAY_MS:
        raise DecodeError(f"delay is from 0 to {LONGEST_DELAY_MS} ms")
    return Request(verb, site, float(value))


def changed(condition: Condition, request: Request) -> Condition:
    """Return the line's condition after `request`; loss and delay leave a cut line cut."""
    match request.verb:
        case Verb.CUT:
            return replace(condition, cut=True)
        case Verb.RESTORE:
            return Condition()
        case Verb.LOSS:
            return replace(condition, loss_ratio=request.value / 100)
        case Verb.DELAY:
            return replace(condition, delay_s=request.value / 1000)
        case Verb.STATUS:
            return condition


def answer_of(line: bytes, obey: Callable[[Request], Reply]) -> Reply:
    """Return the reply to one line; what is wrong with it is a reply too."""
    try:
        return obey(parse(line))
    except DecodeError as error:
        return Reply(error=str(error), exit_code=2)
    except TabuahError as error:
        return Reply(error=str(error), exit_code=error.exit_code)


class Control:
    """Takes commands on a socket that only its owner can open."""

    def __init__(self, path: Path, obey: Callable[[Request], Reply]) -> None:
        self._path = path
        self._obey = obey
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Between bind and chmod anyone could connect; the mask leaves no such moment.
        before = os.umask(0o177)
        try:
            endpoint.bind(str(self._path))
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=endpoint, limit=LONGEST_LINE
        )

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(answer_of(line, self._obey).encode())
                await writer.drain()
        except (OSError, ValueError):
            # Gone, or a line without end: nothing is owed.
            pass
        finally:
            writer.close()


def ask(path: Path, request: Request) -> Reply:
    """Return what the demo whose socket is `path` says to `request`.

    Raises:
        RefusedError: it would not; with the exit code that it gave.
        TabuahError: none runs there, or it does not answer.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(ASK_WAIT_S)
            client.connect(str(path))
            client.sendall(request.encode())
            with client.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except (FileNotFoundError, ConnectionRefusedError):
        raise TabuahError(
            f"no demo runs in {path.parent}; start one with: tabuah demo --data {path.parent}"
        ) from None
    except (OSError, ValueError) as error:
        raise TabuahError(f"the demo in {path.parent} does not answer: {error}") from error
    if answer["error"]:
        raise RefusedError(answer["error"], answer["exit"])
    return Reply(tuple(answer["said"]), status=answer["status"])
