"""Takes a plan to its offices, wave after wave: the edge of `provision.waves`.

What was done of a plan, and what waits, is in the journal: the same command goes on where the last
one was stopped, paused or killed, and never pushes twice to an office that took the change back.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

import click

from inventory.model import Site
from provision import driving, planfile
from provision.drifts import Drifts
from provision.facts import baseline_of, judged, scope_facts, undone_before
from provision.journal import Journal, JournalError, Transaction
from provision.pusher import Pusher
from provision.queue import Queue, Queued
from provision.render import Risk
from provision.session import OutOfReachError, RefusedError
from provision.states import State
from provision.waves import OVER, End, Phase, Rollout, rollout
from provision.workshop import Workshop
from tabuah.errors import TabuahError
from tabuah.wall import wall_ms

_LOOK_S = 0.5
"""How often a person's Ctrl-C is looked for."""
_SOAK_LOOKS = 5
"""Pauses of `Means` between two looks at the offices that are watched."""
_WATCHED = 16
"""Offices that are watched in a soak: the last wave, or the newest of it."""


class LaterError(TabuahError):
    """An office that cannot be pushed to now, and may be later: it is away, or has its hours."""


class Fate(Enum):
    """What became of an office that has no transaction, or not a new one."""

    QUEUED = "queued"
    REFUSED = "refused"
    NOT_BEGUN = "not begun"
    IN_DOUBT = "in doubt"
    """The journal failed; the device undoes by itself what was not confirmed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one office."""

    entry: planfile.Entry
    fate: State | Fate
    tx: str = ""
    reason: str = ""


@dataclass(slots=True)
class Going:
    """One plan on its way, as a command sees it."""

    workshop: Workshop
    digest: str
    facts: Mapping[str, str]
    """Who planned and who pushes it."""
    at_site: bool = False
    most: int | None = None
    limit: int | None = None
    """At most so many offices now."""
    stop: threading.Event = field(default_factory=threading.Event)
    ends: list[Ended] = field(default_factory=list)
    why: str = ""
    """Why it did not come to its end."""

    def push(self, entries: Sequence[planfile.Entry]) -> Phase:
        """Return how far the plan came; `ends` has each office.

        Raises:
            JournalError: nothing may be done, since nothing is written down.
        """
        with closing(Journal(self.workshop.folder)) as journal:
            known = journal.of_plan(self.digest)
            waiting = self._waiting(journal, known, entries)
        ends = [
            End(tx.state, undone_before(tx))
            for tx in known
            if judged(tx) and tx.state is not State.ABORTED
        ]
        now = rollout(ends, len(waiting), self.most)
        if now.phase is Phase.STOPPED:
            self.why = (
                "this plan is stopped: too many offices took it back; mend it, and plan again"
            )
        under_way: dict[Future[Ended], planfile.Entry] = {}
        with ThreadPoolExecutor(driving.AT_ONCE) as pool:
            while under_way or not (now.phase in OVER or self.stop.is_set()):
                while now.room and len(under_way) < driving.AT_ONCE and not self.stop.is_set():
                    entry = _next(waiting, list(under_way.values()))
                    if entry is None:
                        break
                    waiting.remove(entry)
                    under_way[pool.submit(self._one, entry, now.undone)] = entry
                    now = now.began()
                if under_way:
                    for done in wait(under_way, _LOOK_S, FIRST_COMPLETED).done:
                        del under_way[done]
                        now = self._ended(now, done.result())
                elif now.phase is Phase.SOAK:
                    now = self._soak(now)
        self.ends += [Ended(entry, Fate.NOT_BEGUN) for entry in waiting]
        return now.phase

    def _ended(self, now: Rollout, ended: Ended) -> Rollout:
        self.ends.append(ended)
        state = ended.fate if isinstance(ended.fate, State) else None
        if state is not State.CONFIRMED and self.stop.is_set():
            # What a person's Ctrl-C undid says nothing of the change.
            return now.ended(None)
        if state in (State.ROLLED_BACK, State.STUCK, State.UNKNOWN):
            self.why = self.why or f"{ended.entry.site}: {ended.reason}"
        return now.ended(state)

    def _waiting(
        self, journal: Journal, known: Sequence[Transaction], entries: Sequence[planfile.Entry]
    ) -> list[planfile.Entry]:
        """Return those that were not pushed to; what an older plan had waiting for them is gone."""
        queue = Queue(journal)
        newest = {(tx.site, tx.device): tx for tx in known}
        offices = {(entry.site, entry.device) for entry in entries}
        for one in queue.all():
            if (one.site, one.device) in offices and one.plan != self.digest:
                queue.remove(one, wall_ms(), f"a newer plan: {self.digest[:12]}")
        waiting = []
        for entry in entries:
            tx = newest.get((entry.site, entry.device))
            if tx is None or tx.state is State.ABORTED or (tx.settled and not judged(tx)):
                waiting.append(entry)
            else:
                reason = str(tx.facts.get("reason") or "")
                self.ends.append(Ended(entry, tx.state, tx.id, reason))
                _tell(entry, f"{tx.state.value} already ({tx.id})")
        return waiting[: self.limit]

    def _one(self, entry: planfile.Entry, undone: int) -> Ended:
        """Return what became of one office, pushed to now if that can be."""
        try:
            with closing(Journal(self.workshop.folder)) as journal:
                try:
                    tx = self._push(journal, entry, undone)
                except LaterError as error:
                    self._queue(journal, entry, str(error))
                    return Ended(entry, Fate.QUEUED, reason=str(error))
        except JournalError as error:
            # What cannot be written down may not be done, at no office.
            self.stop.set()
            self.why = str(error)
            return Ended(entry, Fate.IN_DOUBT, reason=str(error))
        except TabuahError as error:
            _tell(entry, str(error))
            return Ended(entry, Fate.REFUSED, reason=str(error))
        return Ended(entry, tx.state, tx.id, str(tx.facts.get("reason") or ""))

    def _queue(self, journal: Journal, entry: planfile.Entry, why: str) -> None:
        now_ms = wall_ms()
        expires_ms = now_ms + round(self.workshop.settings.queue_s * 1000)
        facts = {**planfile.entry_facts(entry), "said": dict(self.facts)}
        Queue(journal).add(
            Queued(entry.site, entry.device, self.digest, facts, why, now_ms, expires_ms)
        )
        _tell(entry, f"waits, and is pushed by 'tabuah config resume' when it can be: {why}")

    def _push(self, journal: Journal, entry: planfile.Entry, undone: int) -> Transaction:
        """Return the transaction as far as it came.

        Raises:
            LaterError: the office is away, or serves its public.
            TabuahError: it was refused before there was a transaction.
        """
        workshop = self.workshop
        site, device = workshop.device(entry.site, entry.device)
        if entry.risk is Risk.A and not self.at_site and self._serves(site):
            hours = site.hours.text if site.hours is not None else ""
            raise LaterError(
                f"this can cut the office off, and it serves its public now ({hours}); push it "
                "with --at-site when someone stands there"
            )
        try:
            prepared = driving.look_at(workshop, site, device)
        except OutOfReachError as error:
            raise LaterError(str(error)) from error
        except TabuahError as error:
            raise driving.named(workshop, site, device, error) from error
        if prepared.before_digest != entry.before_digest:
            raise RefusedError("it runs something else than when it was planned; plan again")
        if prepared.want_digest != entry.want_digest:
            raise RefusedError("templates or variables have changed since; plan again")
        if prepared.errors:
            raise RefusedError("; ".join(prepared.errors))
        if prepared.lacks and entry.risk is Risk.A and not self.at_site:
            raise RefusedError(
                f"this can cut the office off, and its gateway cannot undo it for sure: "
                f"{prepared.lacks}; push it with --at-site when someone stands there"
            )
        if self.stop.is_set():
            raise RefusedError("interrupted before it began")
        tx = f"{datetime.now(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(3)}"
        hidden = prepared.rendered.secrets
        with workshop.owning(tx):
            journal.open(
                tx,
                site.code,
                device.name,
                {
                    **self.facts,
                    "plan": self.digest,
                    "undone_before": undone,
                    "before": prepared.before_masked,
                    "want": prepared.want_masked,
                    "before_digest": prepared.before_digest,
                    "want_digest": prepared.want_digest,
                    "scope": scope_facts(prepared.rendered.scope),
                    "risk": entry.risk.value if entry.risk else "",
                },
                wall_ms(),
            )
            for one in Queue(journal).all():
                if (one.site, one.device) == (site.code, device.name):
                    Queue(journal).remove(one, wall_ms(), f"pushed by {tx}")
            pusher = Pusher(driving.means(workshop, journal, hidden, self.stop))
            target = workshop.target(site, device, tx, hidden)
            with suppress(KeyboardInterrupt):
                pusher.push(tx, target, prepared.order)
        done = journal.get(tx)
        if done.state is State.CONFIRMED:
            Drifts(journal).saw((site.code, device.name), wall_ms(), drifted=False)
        return done

    def _serves(self, site: Site) -> bool:
        """Return whether an office serves its public before a push begun now would be over."""
        if site.hours is None:
            return False
        now = datetime.now(self.workshop.inventory.timezone)
        over = now + timedelta(seconds=self.workshop.settings.window_s)
        return site.hours.covers(now) or site.hours.covers(over)

    def _soak(self, now: Rollout) -> Rollout:
        """Watch the offices that have kept it for a while; return the plan after that."""
        with closing(Journal(self.workshop.folder)) as journal, suppress(KeyboardInterrupt):
            known = journal.of_plan(self.digest)
            kept = [tx for tx in known if tx.state is State.CONFIRMED][-_WATCHED:]
            seeing = driving.means(self.workshop, journal, stop=self.stop)
            soak_s = self.workshop.settings.soak_s
            click.echo(
                f"watching {len(kept)} offices for {soak_s:.0f} s; {now.waiting} wait", err=True
            )
            until = seeing.clock() + soak_s
            while True:
                for tx in kept:
                    worse = seeing.worse_since(tx.site, baseline_of(tx))
                    if worse is not None:
                        self.why = f"{tx.site} is worse since it was confirmed: {worse}"
                        return now.soaked(well=False)
                if seeing.clock() >= until:
                    return now.soaked(well=True)
                for _ in range(_SOAK_LOOKS):
                    seeing.pause(stopping=False)
        return now


def _next(
    waiting: Sequence[planfile.Entry], under_way: Sequence[planfile.Entry]
) -> planfile.Entry | None:
    """Return the first whose office has nothing under way: never both of its ways out at once."""
    busy = {entry.site for entry in under_way}
    return next((entry for entry in waiting if entry.site not in busy), None)


def _tell(entry: planfile.Entry, words: str) -> None:
    click.echo(f"{entry.site} {entry.device}: {words}", err=True)
