"""The top of the collector's loops: what nobody foresaw is logged and counted, and work goes on.

One office's unexpected value must not leave all the others unheard.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING, ParamSpec

from collector.seldom import Seldom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

P = ParamSpec("P")


class Mishaps:
    """Catches what was not foreseen, by where it happened."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._seldom: defaultdict[str, Seldom] = defaultdict(Seldom)

    @contextlib.contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Let no exception out of the block; the log has the traceback, at most once a minute."""
        try:
            yield
        except Exception:
            self._count(where)
            if times := self._seldom[where].due(time.monotonic()):
                log.exception("%s: unexpected, %d times; please report this", where, times)

    def guarded(self, where: str, work: Callable[P, None]) -> Callable[P, None]:
        """Return `work`, from which no exception comes."""

        def guard(*args: P.args, **kwargs: P.kwargs) -> None:
            with self.at(where):
                work(*args, **kwargs)

        return guard
