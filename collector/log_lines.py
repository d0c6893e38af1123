"""The collector's log on stderr: what one turn of the event loop says is written together.

A write hands the interpreter to the other threads, and to get it back takes up to 5 ms
(sys.getswitchinterval()). Where ten thousand offices fall at once, each with some lines, that
held up all others for seconds.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, TextIO

MOST: Final = 200
"""Lines that wait for each other."""


class Together(logging.StreamHandler[TextIO]):
    """Writes warnings at once, and what is said outside the loop; the rest after the turn."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line."""
        try:
            self._lines.append(self.format(record) + self.terminator)
            if record.levelno >= logging.WARNING or len(self._lines) >= MOST or not self._later():
                self.flush()
        except Exception:  # noqa: BLE001 - as logging has it: a bad line costs nobody his work
            self.handleError(record)

    def flush(self) -> None:
        """Write what waits."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("".join(lines))
            super().flush()
        finally:
            self.release()

    def _later(self) -> bool:
        """Flush after this turn of the loop; return False where none runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if len(self._lines) == 1:
            loop.call_soon(self.flush)
        return True
