"""What is known of pushes to the offices' gateways: which are stuck, and which gateways drifted.

Read from the journal of `tabuah config`, DATA/provision/journal.db, which is the truth whoever was
killed. A gateway that is stuck runs neither what it ran nor what was planned: people are told,
whatever work was announced. The journal's tables are provisioning's (`provision.journal`); that it
is missing or too old to have them means that there is nothing to tell.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.judgement.evidence import StuckSeen

if TYPE_CHECKING:
    from collector.mishaps import Mishaps

log = logging.getLogger(__name__)

EVERY_S: Final = 5.0
_SAYS_MOST: Final = 200
_STUCK: Final = """
    SELECT id, site, device, changed_ms, coalesce(json_extract(facts, '$.reason'), '')
    FROM transactions WHERE settled = 0 AND state = 'stuck' ORDER BY changed_ms, id
"""
_STATES: Final = "SELECT state, count(*) FROM transactions WHERE settled = 0 GROUP BY state"
_DRIFT: Final = "SELECT site, device, checked_ms, drifted FROM drift ORDER BY site, device"
_DOUBTFUL: Final = (
    *("planned", "arming", "armed", "pushing", "verifying", "confirming", "rolling_back"),
    *("unknown", "stuck"),
)


@dataclass(frozen=True, slots=True)
class Journal:
    """What the journal said last."""

    stuck: tuple[StuckSeen, ...] = ()
    states: tuple[tuple[str, int], ...] = ()
    """How many transactions are in each state that is in doubt."""
    drift: tuple[tuple[str, str, int, bool], ...] = ()
    """Office, device, when it was looked at, and whether it had drifted then."""


class Pushes(Collector):
    """Looks into one data folder's journal, now and then; and shows it to whoever scrapes."""

    def __init__(self, data: Path, tell: Callable[[Sequence[StuckSeen]], None]) -> None:
        """Make one; `tell` takes the gateways that are stuck whenever they are others."""
        self._path = data / "provision" / "journal.db"
        self._tell = tell
        self._seen: tuple[object, ...] = ()
        self._known: Journal | None = None
        """None where nothing was ever pushed."""

    async def run(self, mishaps: Mishaps) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            with mishaps.at("upkeep"):
                await self.look()

    async def look(self) -> None:
        """Read the journal if it has changed, and tell what is stuck."""
        before = self._known
        await asyncio.to_thread(self._read)
        stuck = () if self._known is None else self._known.stuck
        if stuck != (() if before is None else before.stuck):
            self._tell(stuck)

    def collect(self) -> Iterator[Metric]:
        """Yield the families; none where nothing was ever pushed."""
        known = self._known
        if known is None:
            return
        transactions = GaugeMetricFamily(
            "tabuah_config_transactions",
            "Pushes to gateways in which something is in doubt, by state.",
            labels=["state"],
        )
        counts = dict(known.states)
        for state in _DOUBTFUL:
            transactions.add_metric([state], counts.get(state, 0))
        yield transactions
        drifted = GaugeMetricFamily(
            "tabuah_config_drift",
            "Whether a gateway ran something else than was confirmed on it, when last looked at.",
            labels=["site", "device"],
        )
        checked = GaugeMetricFamily(
            "tabuah_config_drift_checked_timestamp_seconds",
            "When 'tabuah config drift', or a confirmed push, last looked at a gateway.",
            labels=["site", "device"],
        )
        for site, device, checked_ms, has_drifted in known.drift:
            drifted.add_metric([site, device], float(has_drifted))
            checked.add_metric([site, device], checked_ms / 1000)
        yield drifted
        yield checked

    def _read(self) -> None:
        seen = tuple(map(_stamp, (self._path, self._path.with_name("journal.db-wal"))))
        if seen[0] is None or (seen == self._seen and self._known is not None):
            return
        try:
            # Plain reading would make the file, and a collector that runs as another user may not.
            address = f"file:{quote(str(self._path))}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=1.0)) as database:
                stuck = database.execute(_STUCK).fetchall()
                states = database.execute(_STATES).fetchall()
                drift = database.execute(_DRIFT).fetchall()
        except sqlite3.Error as error:
            if seen != self._seen:
                log.warning("%s: cannot be read, what is stuck is not told: %s", self._path, error)
            self._seen = seen
            return
        self._seen = seen
        self._known = Journal(
            tuple(StuckSeen(s, d, t, at, why[:_SAYS_MOST]) for t, s, d, at, why in stuck),
            tuple((str(state), int(count)) for state, count in states),
            tuple((str(s), str(d), int(at), bool(has)) for s, d, at, has in drift),
        )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size
