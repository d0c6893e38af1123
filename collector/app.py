"""The line through the collector, in one place.

    datagram -> receiver -> intake -> health -> clerk -> alerts -> channels
                   ^           |                  ^ |
                   |           +----> store       | +--> ledger
                   |                    |         |
                   +---- the answer ----+- late --+  after the commit

`handle` takes a datagram as far as the store's queue, and judges what it says of now: whoever
is heard is not silent, however long the disk takes. `committed` answers it, once it is on disk,
and hands on what came late. `tick` brings what no datagram brings: silence, and the court's
rulings. Sockets, threads and files are in the modules that these call; who is heard, what is new,
what is silent, why, and what is said are decided by pure ones.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alerts.failing import CHANNEL_FAILING
from alerts.message import Message, Status
from alerts.pipeline import REMEMBERED, Pipeline
from alerts.writing import Writer
from collector.announcing import alert_of, taken_up, works_of
from collector.bases import Bases
from collector.clones import Clones
from collector.delivery import Delivery
from collector.eyes_metrics import EyesMetrics
from collector.eyes_watch import Watch
from collector.health import Change, Health
from collector.intake import Intake, Verdict
from collector.keys import site_of
from collector.live import Received, SiteView, State
from collector.mishaps import Mishaps
from collector.opened import Kept, opened
from collector.own_metrics import OwnMetrics
from collector.placing import Anchors
from collector.refusals import Refusals
from collector.retelling import cases_of
from collector.seldom import Seldom
from collector.store import Row
from collector.traffic import Lines, Rates
from collector.traps.desk import Desk
from collector.view import Readiness
from tabuah import block, notification
from tabuah.block import UnknownBaseError
from tabuah.errors import DecodeError
from tabuah.report import ReportId
from tabuah.snmp.receiver import Inform, Reason, Receiver, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alerts.case import Case
    from alerts.incident import Incident as Alert
    from alerts.maintenance import Work
    from collector.clerk import Clerk
    from collector.committer import Commit, Committer
    from collector.delivery import Address, Datagram
    from collector.identity import EngineClock, Identity
    from collector.incident_rows import Noted
    from collector.judgement.evidence import Window
    from collector.judgement.tracking import Incident
    from collector.keys import KeyRing
    from collector.logbook import Logbook
    from collector.receiver import ReceiverSocket
    from collector.store import Store
    from inventory.model import Inventory
    from tabuah.snmp.usm import EngineTime

log = logging.getLogger(__name__)

RESTORE_MS: Final = 8 * 86_400_000
"""How far back duplicates are known after a start: an agent's spool holds seven days."""

NAMED_MOST: Final = 20
"""Offices named where no text could be made."""

STALL_S: Final = 5.0
"""A commit that takes longer is no storing; a bad SD card takes one second."""

SLOW_S: Final = 1.0
"""A commit that takes longer is told of: offices wait so long for each answer."""

RESOURCE_UNAVAILABLE: Final = 13
"""Error-status of RFC 3416."""

OUTCOMES: Final = {
    Reason.MALFORMED: "malformed",
    Reason.WRONG_PDU: "malformed",
    Reason.WRONG_VERSION: "bad_auth",
    Reason.UNSUPPORTED_LEVEL: "bad_auth",
    Reason.WRONG_DIGEST: "bad_auth",
    Reason.DECRYPTION: "bad_auth",
    Reason.UNKNOWN_ENGINE: "bad_auth",
    Reason.UNKNOWN_USER: "unknown_site",
    Reason.NOT_IN_WINDOW: "replayed",
}
"""The word in `tabuah_reports_total` for each refusal."""


class Collector:
    """The centre: everything it knows, and the line that each report takes."""

    def __init__(
        self,
        *,
        inventory: Inventory,
        identity: Identity,
        clock: EngineClock,
        keys: KeyRing,
        store: Store,
        logbook: Logbook,
        clerk: Clerk,
    ) -> None:
        self._inventory = inventory
        self._clock = clock
        self._keys = keys
        self._store = store
        self.writer = Writer(inventory)
        self.failing_before: list[Alert] = []
        """Channels that failed when the last collector ended."""
        self._pipeline = Pipeline(
            self.writer,
            inventory.alerts,
            inventory.language.value,
            inventory.timezone,
            self._works,
            clerk.acknowledged,
        )
        self._announced: tuple[tuple[Window, ...], tuple[Work, ...]] = ((), ())
        self._logbook = logbook
        logbook.speak, logbook.now_ms = self._speak, self.now_ms
        self._receiver = Receiver(identity.engine_id, keys.lookup, own=notification.own_block)
        self._intake = Intake()
        self._bases = Bases()
        self._anchors = Anchors()
        self._clones = Clones()
        self._health = Health(inventory.codes, time.monotonic(), self.now_ms())
        self.clerk = clerk
        self.refusals = Refusals()
        self.traps = Desk(inventory, store)
        book = self.traps.book
        self.watch = Watch(
            self.refusals, clerk.collector_saw, clerk.centre_saw, book.battery.get, book.around
        )
        self.watch.renew(inventory, time.monotonic())
        self._lines = Lines()
        self._store_error = ""
        self._store_errors = Seldom()
        self._commit_s = 0.0
        self.own = OwnMetrics()
        self.own.registry.register(EyesMetrics(self.watch, self.refusals))
        self.own.registry.register(self.traps)
        self.mishaps = Mishaps(self.own.mishap)
        self.socket: ReceiverSocket
        """Given by the program once it is open."""
        self.committer: Committer
        """The same."""

    # --- the line -----------------------------------------------------------------------

    def handle(self, arrived: Sequence[Datagram]) -> None:
        """Take datagrams to the store's queue, or refuse them.

        Step by step, all of them through each: its code is then at hand in the processor, which
        saves a third of what a report costs one by one.
        """
        now, now_ms = time.monotonic(), self.now_ms()
        engine_time = self._clock.at(now)
        each = self.mishaps.each
        opened = each("datagram", lambda one: self._open(one, engine_time, now), arrived)
        informs = [one for one in opened if one is not None]
        judged = each("datagram", lambda one: self._judge(*one, now_ms, now), informs)
        deliveries = [one for one in judged if one is not None]
        each("datagram", self._submit, deliveries)
        live = [kept for delivery in deliveries for kept in delivery.live]
        each("datagram", lambda kept: self._hear(kept, now), live)

    def committed(self, commit: Commit) -> None:
        """Answer what is on disk."""
        self._note_commit(commit)
        if commit.error is None:
            for delivery in commit.deliveries:
                if not commit.unfit or commit.unfit.keys().isdisjoint(delivery.rows):
                    self._acknowledge(delivery)

    def tick(self) -> None:
        """Find who has fallen silent or lost its keys; to be called at least each second."""
        self._keys.refresh()
        now, now_ms = time.monotonic(), self.now_ms()
        if self._health.has_stalled(now):
            self.clerk.was_away(now_ms)
        for change in self._health.tick(now, now_ms):
            with self.mishaps.at("silence"):
                self._tell(change)
        with self.mishaps.at("ping"):
            # Before it rules: an isolated collector is to know it before it calls an office down.
            self.watch.tell(self._health.views.values(), now, now_ms)
        changed: Sequence[Incident] = ()
        with self.mishaps.at("judgement"):
            changed = self.clerk.tick(now_ms)
        self._announce(changed, now_ms)

    # --- its steps ----------------------------------------------------------------------

    def _open(
        self, arrived: Datagram, engine_time: EngineTime, now: float
    ) -> tuple[Inform, Address] | None:
        """Return the inform that a datagram is, if it is authentic and brings reports."""
        datagram, source = arrived
        inform = self._receiver.receive(datagram, engine_time, now, str(source[0]))
        if isinstance(inform, Refused):
            self._refuse(inform, source)
        elif inform.own is None and not notification.is_report(inform.varbinds):
            self._answer(inform, source, echo=True)
        else:
            self._keys.heard(inform.user.name)
            return inform, source
        return None

    def _refuse(self, refused: Refused, source: Address) -> None:
        self.own.count("resync" if refused.resync else OUTCOMES[refused.reason])
        self.own.refused(refused.reason)
        site = site_of(refused.claimed)
        if not refused.resync and site in self._health.views:
            self.refusals.note(site, refused.reason)
        if refused.reply is not None:
            self.socket.send(refused.reply, source)

    def _judge(self, inform: Inform, source: Address, now_ms: int, now: float) -> Delivery | None:
        site = site_of(inform.user.name)
        self.refusals.heard(site)
        try:
            own, find_base = inform.own, self._bases.finder(site)
            brought = (
                block.decode(own, find_base)
                if own is not None
                else notification.read_block(inform.varbinds, find_base)
            )
        except UnknownBaseError:
            self._decline(inform, source)
            return None
        except DecodeError as error:
            log.warning("%s: a report that cannot be read: %s", site, error)
            self.own.count("malformed")
            return None
        known, rows, live = [], [], []
        for packed in brought.reports:
            verdict = self._intake.judge(site, packed, history=brought.history)
            if verdict is Verdict.DUPLICATE:
                self.own.count("duplicate")
                known.append(ReportId(site, packed.epoch, packed.seq))
                continue
            is_live = verdict is Verdict.LIVE
            placed = self._anchors.place(site, packed, now_ms, now, live=is_live)
            row = Row(
                site,
                packed.epoch,
                packed.seq,
                placed.time_ms,
                now_ms,
                not is_live,
                placed.corrected,
                packed.octets,
            )
            rows.append(row)
            if is_live:
                live.append(Kept(row, placed.skew_ms))
                self._bases.keep(site, packed.octets)
            if not brought.history:
                self._look_for_clone(row, now)
        return Delivery(inform, source, tuple(known), tuple(rows), tuple(live))

    def _submit(self, delivery: Delivery) -> None:
        if not delivery.rows:
            # Known: nothing to write. What is not on disk yet is answered when it is, to
            # the first that brought it. A flood of replays takes no room in the queue.
            self._acknowledge(delivery)
        elif not self.committer.submit(delivery):
            self.forget([delivery])

    def _look_for_clone(self, row: Row, now: float) -> None:
        measured = now - (row.received_ms - row.time_ms) / 1000
        clone = self._clones.judge(row.site, row.epoch, measured, now, live=not row.late)
        if clone is None:
            return
        if clone.warn:
            log.warning(
                "%s: two agents report with one configuration (epochs %016x and %016x); stop one, "
                "or make a new key for the right one: tabuah enrol %s --rotate",
                *(row.site, clone.other, clone.epoch, row.site),
            )
        view = self._health.views.get(row.site)
        if view is not None:
            view.clone_reports += 1
            view.cloned_ms = row.received_ms

    def _note_commit(self, commit: Commit) -> None:
        if commit.error is not None:
            if times := self._store_errors.due(time.monotonic()):
                log.error("not stored, and not acknowledged, %d times: %s", times, commit.error)
            self._store_error = str(commit.error)
            self.forget(commit.deliveries)
            return
        for row, error in commit.unfit.items():
            # Not acknowledged either: whoever sent it keeps it, and its log says so.
            log.error("%s: report %d cannot be stored: %s", row.site, row.seq, error)
            self._intake.unstored(row.site, row.epoch, row.seq)
            self.own.count("malformed")
        stored = commit.rows
        late = 0
        for row in stored:
            self._intake.stored(row.site, row.epoch, row.seq)
            if row.late:
                late += 1
                if row.site in self._health.views:
                    self.clerk.late(row)
        if stored:
            self.own.count("late", late)
            self.own.count("accepted", len(stored) - late)
            self._store_error, self._commit_s = "", commit.seconds
            self.own.commit_seconds.observe(commit.seconds)

    def forget(self, deliveries: Sequence[Delivery]) -> None:
        """Take reports for new when they come again: they are not stored."""
        for delivery in deliveries:
            for row in delivery.rows:
                self._intake.unstored(row.site, row.epoch, row.seq)
                self.own.count("unstored")

    def _acknowledge(self, delivery: Delivery) -> None:
        """Answer a delivery whose new reports are stored, if the known ones are too."""
        for report_id in delivery.known:
            if not self._intake.is_stored(*report_id):
                return
        self._answer(delivery.inform, delivery.source, echo=False)

    def _answer(self, inform: Inform, source: Address, *, echo: bool) -> None:
        engine_time = self._clock.at(time.monotonic())
        self.socket.send(self._receiver.answer(inform, engine_time, echo=echo), source)

    def _decline(self, inform: Inform, source: Address) -> None:
        """Ask for the report whole: it rests on one that is held no longer, or is a replay."""
        self.own.count("declined")
        engine_time = self._clock.at(time.monotonic())
        self.socket.send(self._receiver.refuse(inform, engine_time, RESOURCE_UNAVAILABLE), source)

    def _hear(self, kept: Kept, now: float) -> None:
        site = kept.site
        if site not in self._health.views:  # enrolled, but not in the inventory: not judged
            return
        self._lines.note(site, block.line_run(kept.block), kept)
        change = self._health.heard(site, kept, now)
        with self.mishaps.at("judgement"):
            self.clerk.live(kept)
        if change is not None:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        log.info("%s: %s, was %s", change.site, change.after.value, change.before.value)
        if change.after is State.SILENT:
            self.clerk.silent(change.site, change.at_ms, self.now_ms())

    def _announce(self, incidents: Sequence[Incident], now_ms: int) -> None:
        gone = self.clerk.gone() if any(not one.open for one in incidents) else ()
        for incident in incidents:
            with self.mishaps.at("alert"):
                alert = alert_of(incident, self._inventory, () if incident.open else gone)
                self._pipeline.decide(alert, now_ms)
        with self.mishaps.at("alert"):
            self._logbook.enter(self._pipeline.tick(now_ms))

    def announce(self, alert: Alert) -> None:
        """Tell people of something, if the alert path finds that they ought to hear of it."""
        with self.mishaps.at("alert"):
            self._logbook.enter(self._pipeline.look([alert], self.now_ms()))

    def _speak(self, status: Status, case: Case) -> Message:
        """Return what is said; a text that cannot be made keeps nobody from hearing."""
        with self.mishaps.at("text"):
            return self._pipeline.message(status, case)
        incident = case.now()
        summary = f"{incident.alertname}: {', '.join(incident.sites[:NAMED_MOST])}"
        return Message(status, incident, summary, "")

    def _works(self) -> tuple[Work, ...]:
        windows = self.clerk.windows()
        if self._announced[0] is not windows:
            self._announced = (windows, works_of(windows))
        return self._announced[1]

    # --- what people see ----------------------------------------------------------------

    @property
    def inventory(self) -> Inventory:
        """What exists, as last loaded."""
        return self._inventory

    def now_ms(self) -> int:
        """Return the collector's clock, ms since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def views(self) -> Sequence[SiteView]:
        """Return the live view of every site."""
        return [self.clerk.shown(view) for view in self._health.views.values()]

    def view(self, code: str) -> SiteView | None:
        """Return one site's live view, or None if there is no such site."""
        view = self._health.views.get(code)
        return None if view is None else self.clerk.shown(view)

    def open_incidents(self) -> Sequence[Incident]:
        """Return what is wrong now, by its begin."""
        return self.clerk.open_incidents()

    def rates(self, code: str) -> Rates | None:
        """Return the traffic of a site's line between its last two reports."""
        return self._lines.rates(code)

    def readiness(self) -> Readiness:
        """Return whether reports are being taken and kept."""
        hearing, trouble = self.socket.hearing, self._store_error
        began = self.committer.busy_since
        if not trouble and began is not None and time.monotonic() - began > STALL_S:
            trouble = f"the disk has been writing for more than {STALL_S:g} s"
        detail = trouble or ("" if hearing else "the report socket is closed")
        if not detail and self._commit_s > SLOW_S:
            detail = f"the disk is slow: the last commit took {self._commit_s:.1f} s"
        return Readiness(storing=not trouble, hearing=hearing, detail=detail)

    def reports(
        self, site: str, from_ms: int | None, to_ms: int | None, limit: int | None
    ) -> Iterator[Received]:
        """Yield a site's reports by time of measuring, oldest first; blocks on the disk."""
        rows = self._store.stream(
            site, 0 if from_ms is None else from_ms, 2**62 if to_ms is None else to_ms, limit
        )
        return map(opened, rows)

    # --- start and change ---------------------------------------------------------------

    async def restore(self) -> None:
        """Take up what the store knows, before anything is received."""
        await asyncio.to_thread(self._restore_reports)
        await self.clerk.restore(self._store, self.now_ms())
        self._resume(await asyncio.to_thread(self._store.unfinished_incidents))
        self._pipeline.remember_over(
            await asyncio.to_thread(self._store.incidents_over, REMEMBERED)
        )
        for site in self.clerk.fallen():
            self._still_silent(site)
        # What was found and not said yet, or ended and not said, when the last collector ended.
        left = [
            one for one in self.clerk.incidents() if one.open or self._pipeline.is_firing(one.id)
        ]
        self._announce(left, self.now_ms())

    def _restore_reports(self) -> None:
        """Take up duplicates, and who is expected to report. Blocks."""
        since_ms = self.now_ms() - RESTORE_MS
        for held in self._store.ranges(since_ms):
            self._intake.remember(*held)
        for site, row in self._store.newest(set(self._health.views)).items():
            self._health.expect(site, Kept(row))

    def _resume(self, noted: Sequence[Noted]) -> None:
        """Go on with what was told before the start."""

        def newest(incident_id: str) -> Alert | None:
            known = self.clerk.incident(incident_id)
            gone = () if known is None or known.open else self.clerk.gone()
            return None if known is None else alert_of(known, self._inventory, gone)

        channels = {channel.name for channel in self._inventory.alerts.channels}
        cases = cases_of(noted, newest, channels)
        lasting = [case for case in cases if case.lasts]
        for case in lasting:
            self._pipeline.remember(case)
        self._logbook.resume(cases)
        for alert in [one for case in lasting for one in case.members.values()]:
            if alert.ended_ms is not None or self.clerk.incident(alert.id) is not None:
                continue
            incident = taken_up(alert)
            if incident is not None:
                self.clerk.take_up(incident)
            elif alert.alertname == CHANNEL_FAILING and alert.about in channels:
                self.failing_before.append(alert)
            else:
                self._pipeline.decide(replace(alert, ended_ms=self.now_ms()), self.now_ms())

    def _still_silent(self, site: str) -> None:
        """Go on with a silence that people were told of before the start."""
        view = self._health.views.get(site)
        if view is None:
            return
        since_ms = self.now_ms() if view.last is None else view.last.received_ms
        self._health.still_silent(site, since_ms)
        self.clerk.silent(site, since_ms, self.now_ms())

    def renew(self, inventory: Inventory) -> None:
        """Take up a changed inventory: new offices are unknown, gone ones are forgotten."""
        now_ms = self.now_ms()
        self._inventory = inventory
        self.writer.renew(inventory)
        # Channels are opened at the start, and what they want to hear is theirs.
        alerts = replace(inventory.alerts, channels=self._pipeline.alerts.channels)
        self._pipeline.renew(alerts, inventory.language.value, inventory.timezone)
        self._health.renew(inventory.codes, now_ms)
        self._lines.keep(self._health.views)
        self.clerk.renew(inventory)
        self.watch.renew(inventory, time.monotonic())
        self.traps.renew(inventory)
        for code, view in self._health.views.items():
            if view.state is State.SILENT and self.clerk.unjudged(code):
                self.clerk.silent(code, view.since_ms, now_ms)
