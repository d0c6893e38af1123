"""What a dialect needs of a connection: a command in, its output out; `provision.ssh` is real."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tabuah.errors import TabuahError


class OutOfReachError(TabuahError):
    """The device cannot be reached, or the session broke: nothing is known of what it did."""


class RefusedError(TabuahError):
    """The device was reached, and refused."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str


class Session(Protocol):
    """A connection to one device. Each call may take until its limit."""

    def run(self, command: str, stdin: str = "", limit_s: float = 30.0) -> Ran:
        """Return the ended command.

        Raises:
            OutOfReachError: the session broke; the command may or may not have run.
        """
        ...

    def put(self, path: str, text: str, limit_s: float = 30.0) -> str:
        """Write a file on the device, and return it as it is there now.

        Raises:
            OutOfReachError: the session broke.
            RefusedError: the device takes no files.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...
