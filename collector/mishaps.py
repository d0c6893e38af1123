"""The top of the collector's loops: what nobody foresaw is logged and counted, and work goes on.

One office's unexpected value must not leave all the others unheard.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from collector.seldom import Seldom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


class Mishaps:
    """Catches what was not foreseen, by where it happened."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._seldom: defaultdict[str, Seldom] = defaultdict(Seldom)
        self._guards: dict[str, _Guard] = {}

    def at(self, where: str) -> _Guard:
        """Let no exception out of the block; the log has the traceback, at most once a minute."""
        guard = self._guards.get(where)
        if guard is None:
            guard = self._guards[where] = _Guard(self, where)
        return guard

    def note(self, where: str, error: Exception) -> None:
        """Count and log what came out of a block."""
        self._count(where)
        if times := self._seldom[where].due(time.monotonic()):
            text = "%s: unexpected, %d times; please report this"
            log.error(text, where, times, exc_info=error)

    def each(self, where: str, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return what `work` made of each item; one at which it failed is left out."""
        made = []
        for item in items:
            try:
                made.append(work(item))
            except Exception as error:  # noqa: BLE001 - this is where it is caught
                self.note(where, error)
        return made


class _Guard:
    """A block's guard; without state, so that one serves every report."""

    def __init__(self, mishaps: Mishaps, where: str) -> None:
        self._mishaps, self._where = mishaps, where

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._mishaps.note(self._where, error)
        return True
