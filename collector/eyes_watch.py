"""Opens the centre's own eyes: sends what is due, and tells the judge what was seen.

`run` sends pings and gives up on them; `tell` is called in the line's tick, before the judge
rules, so that an isolated collector knows it before it calls an office down.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from collector.eyes import Eyes, Kind
from collector.eyes_ping import Pinger
from collector.judgement.evidence import CentreSeen, CollectorSeen, Evidence
from collector.live import State
from tabuah.snmp.receiver import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from collector.live import SiteView
    from collector.mishaps import Mishaps
    from collector.refusals import Refusals
    from inventory.model import Inventory

log = logging.getLogger(__name__)

LOOK_S: Final = 0.2
SAY_AGAIN_MS: Final = 5_000
"""How often the judge is told what has not changed."""
REFUSALS_MS: Final = 30_000
"""The same for refusals and traps, which may come a thousand times a second."""
LATE_MS: Final = 5_000
"""Past the shortest interval: with no report for so long and no reference, nobody is heard. While
references fail, falls are held until an interval and 7 s after a cut: this must be less."""
NEVER_S: Final = 60.0
"""When a reference that never answered is complained of."""

_LIVE: Final = frozenset({State.UP, State.DEGRADED})
_GONE: Final = frozenset({State.SILENT, State.DOWN})


class Watch:
    """The eyes at work in the running loop."""

    def __init__(
        self,
        refusals: Refusals,
        collector_saw: Callable[[CollectorSeen], None],
        centre_saw: Callable[[str, CentreSeen], None],
        battery_ms: Callable[[str], int | None] = lambda _: None,
        traps: Callable[[str, int], tuple[Evidence, ...]] = lambda _, __: (),
    ) -> None:
        """Prepare.

        Args:
            refusals: what was refused in the offices' names.
            collector_saw: is told how the collector's own line is.
            centre_saw: is told what was seen of an office that is not heard.
            battery_ms: says since when an office's UPS is on battery, by a sure word.
            traps: gives what an office's devices said around a time (ms since 1970 UTC).
        """
        self.eyes = Eyes()
        self.pings: dict[str, int] = {"answered": 0, "lost": 0, "unable": 0}
        """What came of all pings since the start."""
        self._refusals = refusals
        self._collector_saw, self._centre_saw = collector_saw, centre_saw
        self._battery_ms, self._traps = battery_ms, traps
        self._pinger = Pinger(self._answered, self._lost, self._unable)
        self._interval_ms = 10_000
        self._began: float | None = None
        self._mute: set[str] = set()
        """References that were complained of."""
        self._said: CollectorSeen | None = None
        self._forgotten = False
        self._told: dict[str, CentreSeen] = {}
        """Of the offices that are not heard."""

    def renew(self, inventory: Inventory, now: float) -> None:
        """Take up an inventory at `now`, monotonic seconds."""
        addresses: dict[str, str] = {}
        shortest_s = 86_400.0
        for site in inventory.outlines:
            shortest_s = min(shortest_s, site.interval_s)
            if site.address is not None:
                addresses[site.code] = site.address
        self.eyes.renew([one.ping for one in inventory.references], addresses, now)
        self._interval_ms = round(shortest_s * 1000)
        self._told = {code: seen for code, seen in self._told.items() if inventory.find(code)}

    async def run(self, mishaps: Mishaps) -> None:
        """Ask until cancelled."""
        try:
            while True:
                with mishaps.at("ping"):
                    self.look(time.monotonic())
                await asyncio.sleep(LOOK_S)
        finally:
            self._pinger.close()

    def look(self, now: float) -> None:
        """Give up on what is overdue, and ask what is due."""
        if self._began is None:
            self._began = now
        self._pinger.tick(now)
        for ask in self.eyes.due(now):
            self._pinger.ask(ask, now)
        if now - self._began >= NEVER_S:
            self._complain()

    def tell(self, views: Iterable[SiteView], now: float, now_ms: int) -> None:
        """Tell the judge what is seen; `views` are those of all offices."""
        newest_ms = 0
        references = self.eyes.references()
        for view in views:
            if view.state in _GONE:
                self.eyes.miss(view.code, now)
                self._tell_of(view.code, view.since_ms, now_ms)
            elif view.state in _LIVE and view.code in self._told:
                del self._told[view.code]
                self.eyes.hear(view.code)
            if references is False and view.last is not None:
                newest_ms = max(newest_ms, view.last.received_ms)
        if references is None:
            self._forget(now, now_ms)
            return
        listened = self._began is not None and (now - self._began) * 1000 > self._late_ms
        heard = not listened or now_ms - newest_ms <= self._late_ms
        seen = CollectorSeen(now_ms, references, references or heard)
        before = self._said
        changed = before is None or (before.references, before.hearing) != (
            seen.references,
            seen.hearing,
        )
        if changed or before is None or _old(before, seen, SAY_AGAIN_MS):
            self._said = seen
            self._collector_saw(seen)

    # --- its steps ----------------------------------------------------------------------

    def _forget(self, now: float, now_ms: int) -> None:
        """Tell once that nothing is known of the line: there are no references, or no pings.

        After a start it is waited: what was known before it may be so still.
        """
        waited = self._began is not None and now - self._began >= NEVER_S
        if self._said is not None or (waited and not self._forgotten):
            self._said, self._forgotten = None, True
            self._collector_saw(CollectorSeen(now_ms))

    @property
    def _late_ms(self) -> int:
        return self._interval_ms + LATE_MS

    def _tell_of(self, code: str, since_ms: int, now_ms: int) -> None:
        before = self._told.get(code)
        if before is None:
            before = self._told[code] = CentreSeen(now_ms - REFUSALS_MS)
        address, battery_ms = self.eyes.office(code), self._battery_ms(code)
        changed = (address, battery_ms) != (before.address, before.battery_ms)
        # When thousands are silent this is asked of each of them twice a second.
        if not changed and 0 <= now_ms - before.at_ms < REFUSALS_MS:
            return
        seen = CentreSeen(
            now_ms,
            address=address,
            wrong_digests=self._refusals.count(code, Reason.WRONG_DIGEST),
            not_in_window=self._refusals.count(code, Reason.NOT_IN_WINDOW),
            unknown_engine=self._refusals.count(code, Reason.UNKNOWN_ENGINE),
            unknown_user=self._refusals.count(code, Reason.UNKNOWN_USER),
            battery_ms=battery_ms,
            traps=self._traps(code, since_ms),
        )
        self._told[code] = seen
        if seen != replace(before, at_ms=now_ms):
            self._centre_saw(code, seen)

    def _complain(self) -> None:
        for host in self.eyes.mute():
            if host not in self._mute:
                self._mute.add(host)
                log.warning("reference %s has not answered since the start: does it ever?", host)

    def _answered(self, key: tuple[Kind, str], asked: float, now: float) -> None:
        self.pings["answered"] += 1
        self.eyes.answered(key, asked, now)

    def _lost(self, key: tuple[Kind, str], asked: float, now: float) -> None:
        self.pings["lost"] += 1
        self.eyes.lost(key, asked, now)

    def _unable(self, key: tuple[Kind, str]) -> None:
        self.pings["unable"] += 1
        self.eyes.unable(key)


def _old(before: CentreSeen | CollectorSeen, seen: CentreSeen | CollectorSeen, ms: int) -> bool:
    return not 0 <= seen.at_ms - before.at_ms < ms
