"""The clerk: brings what the line hears before the court, and writes down what it rules.

    rows, silence, references -> Court -> ledger, and incidents for the alerts

Lives in the event loop; the ledger is written in a thread. A disk that refuses delays the ledger
and nothing else: what is not written is kept and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.arrears import Arrears
from collector.judgement.court import Court, Ruling
from collector.judgement.ledger import Entry, Json, Outage, Subject, outage_body
from collector.judgement.observe import Taken, observe, taken
from collector.judgement.planned import entered_windows
from collector.judgement.record import (
    Act,
    Book,
    Said,
    incident_body,
    read_book,
    said_body,
    watch_body,
)
from collector.judgement.rest import Resting, as_before
from collector.live import State
from collector.opened import Kept
from tabuah import block
from tabuah.errors import DecodeError, TabuahError
from tabuah.skim import NOTHING, skim
from tabuah.wall import wall_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collector.judgement.evidence import CentreSeen, CollectorSeen, StuckSeen, Window
    from collector.judgement.tracking import Incident
    from collector.ledger_store import LedgerStore
    from collector.live import SiteView
    from collector.mishaps import Mishaps
    from collector.store import Row, Store
    from inventory.model import Inventory, Site

log = logging.getLogger(__name__)

LATE_AT_ONCE: Final = 400
"""Late reports read in one tick, some 35 ms: a week's backlog must not keep the loop from the
live ones."""
LATE_PAUSES: Final = 9
"""Where more wait, they have a tenth of the loop beside: each reading is followed by a pause of so
many times its length."""
SLOW_S: Final = 0.05
PAUSES: Final = 4
"""A ruling that took longer than `SLOW_S` is followed by a pause of so many times its length: where
thousands fall at once, the court takes a fifth of the loop and no more."""
CATCH_UP_S: Final = 1.0
RETRY_S: Final = 5.0
BEFORE_MS: Final = 600_000
"""Of an office with open trouble, so much before it is read at a start."""
PLAN_MS: Final = 3_600_000
"""How often announced work that comes again is looked at; it is read so far ahead and more."""
PLAN_AHEAD_MS: Final = 2 * 86_400_000
_WORSE: Final = frozenset({State.DEGRADED, State.DOWN})
_LOOKED_AFTER: Final = frozenset({Act.ACKNOWLEDGED, Act.TICKET_OPENED})
_FALLS: Final = frozenset({"down", "area"})
REACH_MS: Final = 8 * 86_400_000
"""No further back than an agent's spool reaches."""


class _Last(NamedTuple):
    """An office's newest report."""

    kept: Kept
    report: Taken


class Clerk:
    """Keeps court over one collector's offices."""

    def __init__(self, inventory: Inventory, ledger: LedgerStore) -> None:
        self._inventory = inventory
        self._ledger = ledger
        self._resting = Resting(inventory)
        self._court = Court(inventory, heard_ms=self._resting.heard_ms)
        self._last: dict[str, _Last] = {}
        """The newest report of each office before the court."""
        self._late = Arrears()
        self._unwritten: list[tuple[Subject, Json]] = []
        self._filled = asyncio.Event()
        self._watched: dict[str, tuple[str, ...]] = {}
        """The circuits of each office whose first report is in the ledger."""
        self._shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        """Those circuits once: most offices have the same."""
        self._met: set[str] = set()
        """The offices of which that is so of all circuits that they have."""
        self._outages: dict[str, Outage] = {}
        self._incidents: dict[str, Incident] = {}
        self._said: list[Said] = []
        self._planned_ms = 0
        self._pause_until = 0.0

    # --- what the line brings -----------------------------------------------------------

    def live(self, kept: Kept) -> None:
        """Take a report that speaks of now."""
        code = kept.site
        if code not in self._met and not self._meet(code, kept.time_ms):
            return
        if code not in self._court.scene.sites and self._resting.rests(kept):
            return
        self._wake(code)
        site = self._site(code)
        # One that is too new to be read was heard all the same, and went over the line.
        row = kept.row
        report = _taken(row) or _unread(row)
        before = self._last.get(code)
        self._court.observe(observe(report, site, before and before.report))
        well = before is not None and self._resting.may_rest(before.kept, kept)
        if well and self._court.dismiss(code):
            del self._last[code]
            self._resting.enter(kept)
        else:
            self._last[code] = _Last(kept, report)

    def late(self, row: Row) -> None:
        """Take a report out of a spool: it is read when there is time."""
        self._late.add(row)

    def silent(self, site: str, since_ms: int, now_ms: int) -> None:
        """Note that an office has fallen silent, or was so before the start."""
        self._wake(site)
        self._court.silent(site, since_ms, now_ms)

    def centre_saw(self, site: str, seen: CentreSeen) -> None:
        """Note what the centre saw of a silent office."""
        self._court.centre_saw(site, seen)

    def was_away(self, until_ms: int) -> None:
        """Note that this collector stood still until then."""
        self._court.was_away(until_ms)

    def collector_saw(self, seen: CollectorSeen) -> None:
        """Note how the collector's own line is."""
        self._court.collector_saw(seen)

    def stuck(self, seen: Sequence[StuckSeen]) -> None:
        """Note which gateways could not take a push back."""
        self._court.stuck(seen)

    def tick(self, now_ms: int) -> tuple[Incident, ...]:
        """Rule; return the incidents that began, changed or ended."""
        self._read_late()
        if now_ms - self._planned_ms > PLAN_MS:
            self._planned_ms = now_ms
            self._court.plan(_around(entered_windows(self._said, now_ms + PLAN_AHEAD_MS), now_ms))
        began = time.monotonic()
        if began < self._pause_until:
            return ()
        ruling = self._court.rule(now_ms, len(self._resting.asking))
        self._enter(ruling)
        took = time.monotonic() - began
        if took > SLOW_S:
            self._pause_until = began + (PAUSES + 1) * took
        return ruling.incidents

    async def say(self, said: Said) -> None:
        """Enter what a person said or decided; it is on disk once this returns.

        Raises:
            StoreError: it is not.
        """
        entry = [(Subject.PERSON, said_body(said))]
        await asyncio.to_thread(self._ledger.append, wall_ms(), entry)
        self._said.append(said)
        self._planned_ms = 0

    def renew(self, inventory: Inventory) -> None:
        """Take up a changed inventory."""
        self._inventory = inventory
        self._court.renew(inventory)
        self._resting.renew(inventory)
        self._met.clear()
        self._last = {code: r for code, r in self._last.items() if inventory.find(code)}

    # --- what people ask ----------------------------------------------------------------

    def shown(self, view: SiteView) -> SiteView:
        """Return the view with what the court knows better; itself where that is nothing."""
        now = self._court.scene.sites.get(view.code)
        if now is None:
            return view
        standing = now.standing
        lines = tuple(
            (circuit, line.standing.state)
            for circuit, line in now.lines.items()
            if line.standing.state in _WORSE
        )
        if standing.state is view.state and not lines:
            return view
        since_ms = standing.since_ms or view.since_ms
        return replace(view, state=standing.state, since_ms=since_ms, lines=lines)

    def windows(self) -> tuple[Window, ...]:
        """Return the announced work that may touch now; another tuple once it changed."""
        return self._court.announced

    def acknowledged(self, incident: str) -> bool:
        """Return whether a person looks after an incident: said so, or has a ticket's number."""
        return any(one.about == incident and one.act in _LOOKED_AFTER for one in self._said)

    def gone(self) -> set[str]:
        """Return the offices that are silent or down."""
        return {code for code, now in self._court.scene.sites.items() if now.gone}

    def unjudged(self, site: str) -> bool:
        """Return whether nothing can be said of an office yet."""
        now = self._court.scene.sites.get(site)
        return now is not None and now.standing.state is State.UNKNOWN

    def incidents(self) -> list[Incident]:
        """Return the newest version of every incident, by its begin."""
        return sorted(self._incidents.values(), key=lambda one: (one.began_ms, one.id))

    def open_incidents(self) -> list[Incident]:
        """Return what is wrong now, by its begin."""
        found = self._court.tracker.open.values()
        return sorted(found, key=lambda one: (one.began_ms, one.id))

    def incident(self, incident_id: str) -> Incident | None:
        """Return the newest version of one incident."""
        return self._incidents.get(incident_id)

    def outages(self) -> list[Outage]:
        """Return the newest version of every outage that was none is left out; by its begin."""
        kept = (one for one in self._outages.values() if not one.withdrawn)
        return sorted(kept, key=lambda one: (one.began_ms, one.site, one.circuit))

    def said(self) -> list[Said]:
        """Return what people said and decided, in order."""
        return list(self._said)

    def entries(self) -> list[Entry]:
        """Return the whole ledger; blocks on the disk.

        Raises:
            StoreError: it cannot be read.
        """
        return self._ledger.entries()

    # --- start and the disk -------------------------------------------------------------

    async def restore(self, store: Store, now_ms: int) -> None:
        """Take up what ledger and store hold, before anything is received or written.

        In a thread: the open trouble of many offices is minutes of reading, and whoever started
        us is told meanwhile that the start goes on.
        """
        await asyncio.to_thread(self._restore, store, now_ms)

    def _restore(self, store: Store, now_ms: int) -> None:
        book, newest, rows = self._read(store, now_ms)
        for code, circuit in book.watched:
            circuits = (*self._watched.get(code, ()), circuit)
            self._watched[code] = self._shapes.setdefault(circuits, circuits)
        self._outages = {one.id: one for one in book.outages}
        self._incidents = {one.id: one for one in book.incidents}
        self._said = list(book.said)
        judged = {row.site for row in rows}
        for row in newest:
            self._meet(row.site, row.time_ms)
            if row.site in judged or not self._resting.rests(Kept(row)):
                rows.append(row)
        seen = []
        for row in rows:
            site, report = self._inventory.find(row.site), _taken(row)
            if site is None or report is None:
                continue
            seen.append(observe(report, site))
            if not row.late:
                self._last[row.site] = _Last(Kept(row), report)
        self._court.restore(tuple(self._outages.values()), self._incidents.values(), seen, now_ms)

    def fallen(self) -> set[str]:
        """Return the offices whose fall is an open incident: they were silent before the start."""
        down = {o.site for o in self._outages.values() if o.ended_ms is None and not o.withdrawn}
        return {
            site
            for one in self._incidents.values()
            if one.open and one.key[0] in _FALLS
            for site in one.sites
            if site in down or one.key[0] == "down"
        }

    def take_up(self, incident: Incident) -> None:
        """Go on with an open incident that the ledger does not know."""
        self._incidents[incident.id] = incident
        self._court.tracker.restore([incident])
        self._write([(Subject.INCIDENT, incident_body(incident))])

    async def run(self) -> None:
        """Write the ledger until cancelled; what is not written then is tried once more."""
        writing: asyncio.Task[bool] | None = None
        try:
            while True:
                await self._filled.wait()
                writing = asyncio.create_task(self._write_down())
                if not await asyncio.shield(writing):
                    await asyncio.sleep(RETRY_S)
        finally:
            if writing is not None:
                await writing  # it was under way when we were told to stop
            await self._write_down()

    async def catch_up(self, store: Store, mishaps: Mishaps) -> None:
        """Read late reports of which there are more than a tick reads, until cancelled."""
        while True:
            began = time.monotonic()
            with mishaps.at("judgement"):
                try:
                    await self._late.refill(store)
                except TabuahError as error:
                    log.error("late reports are not judged yet: %s", error)  # noqa: TRY400
                    await asyncio.sleep(RETRY_S)
                if len(self._late) > LATE_AT_ONCE:
                    self._read_late()
            many = len(self._late) > LATE_AT_ONCE or self._late.more
            took = time.monotonic() - began
            await asyncio.sleep(min(LATE_PAUSES * took, CATCH_UP_S) if many else CATCH_UP_S)

    def _read_late(self) -> None:
        for row in self._late.take(LATE_AT_ONCE):
            report = _taken(row)
            if report is not None and self._meet(row.site, row.time_ms):
                self._wake(row.site)
                self._court.observe(observe(report, self._site(row.site)))

    def _read(self, store: Store, now_ms: int) -> tuple[Book, list[Row], list[Row]]:
        """Return the ledger, each office's newest report, and those that are to be judged anew."""
        entries: list[Entry] = self._ledger.entries()
        book = read_book(entries)
        codes = set(self._inventory.codes)
        rows: list[Row] = []
        outages = {outage.id: outage for outage in book.outages}
        since: dict[str, int] = {}
        for outage in outages.values():
            if outage.ended_ms is None and outage.site in codes:
                begin_ms = max(outage.began_ms - BEFORE_MS, now_ms - REACH_MS)
                since[outage.site] = min(since.get(outage.site, begin_ms), begin_ms)
        for incident in {one.id: one for one in book.incidents}.values():
            # An area is known again by all of its offices, those included that are back.
            for site in incident.sites if incident.open else ():
                begin_ms = max(incident.began_ms - BEFORE_MS, now_ms - REACH_MS)
                if site in codes:
                    since[site] = min(since.get(site, begin_ms), begin_ms)
        for site, begin_ms in since.items():
            rows += store.reports(site, begin_ms, now_ms)
        return book, list(store.newest(codes).values()), rows

    def _meet(self, code: str, at_ms: int) -> bool:
        """Enter in the ledger since when an office is watched; return whether there is such."""
        if code in self._met:
            return True
        site = self._inventory.find(code)
        if site is None:
            return False
        known = self._watched.get(code, ())
        new = [circuit.id for circuit in site.circuits if circuit.id not in known]
        if new:
            circuits = (*known, *new)
            self._watched[code] = self._shapes.setdefault(circuits, circuits)
            self._write([(Subject.WATCH, watch_body(code, one, at_ms)) for one in new])
        self._resting.learn(site)
        self._met.add(sys.intern(code))
        return True

    def _site(self, code: str) -> Site:
        """Return an office of the inventory; one that is before the court is not read anew."""
        now = self._court.scene.sites.get(code)
        return self._inventory.site(code) if now is None else now.site

    def _wake(self, code: str) -> None:
        """Bring an office that rests before the court, with its last report."""
        kept = self._resting.leave(code)
        if kept is None:
            return
        row = kept.row
        report = _taken(row) or _unread(row)
        seen = observe(report, self._inventory.site(code))
        for one in as_before(seen, kept.well_since_ms):
            self._court.observe(one)
        self._last[code] = _Last(kept, report)

    def _enter(self, ruling: Ruling) -> None:
        for outage in ruling.outages:
            self._outages[outage.id] = outage
            log.info(
                "outage %s version %d: %s, %s",
                outage.id,
                outage.version,
                outage.cause.value,
                outage.reason,
            )
        changed = (*ruling.incidents, *ruling.revised)
        for incident in changed:
            self._incidents[incident.id] = incident
        self._write([(Subject.OUTAGE, outage_body(one)) for one in ruling.outages])
        self._write([(Subject.INCIDENT, incident_body(one)) for one in changed])

    def _write(self, said: Iterable[tuple[Subject, Json]]) -> None:
        self._unwritten += said
        if self._unwritten:
            self._filled.set()

    async def _write_down(self) -> bool:
        waiting: Sequence[tuple[Subject, Json]] = self._unwritten
        self._unwritten = []
        self._filled.clear()
        try:
            await asyncio.to_thread(self._ledger.append, wall_ms(), waiting)
        except TabuahError as error:
            log.error("the ledger is not written, and tried again: %s", error)  # noqa: TRY400
            self._unwritten = [*waiting, *self._unwritten]
            self._filled.set()
            return False
        return True


def _taken(row: Row) -> Taken | None:
    """Return what a row says of the office's lines; None if it cannot be read."""
    packed = block.unpack(row.block)
    if not packed.readable:
        return None
    try:
        said = skim(packed.octets[block.BODY_AT :])
    except DecodeError:
        return None
    return taken(packed, said, row)


def _unread(row: Row) -> Taken:
    """Return what a row's head alone says."""
    return taken(block.unpack(row.block), NOTHING, row)


def _around(windows: Iterable[Window], now_ms: int) -> list[Window]:
    """Return those that a record which is open to change may touch."""
    return [one for one in windows if one.ends_ms > now_ms - REACH_MS]
