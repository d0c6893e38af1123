"""What is said to each channel, and the record of it: nothing is said that is not written first.

A channel has one message in hand at a time. That it gets it is on disk before it does, and that it
took it as soon as it has: a restart forgets nothing, repeats nothing that was taken, and tells the
end to all who heard the beginning and to nobody else. A disk that refuses or takes more than a
second delays no alert: then the writing comes after. Who kills the collector in the milliseconds
between a channel's answer and the note of it may have that one message said again, with the same
incident and status.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alerts.message import Status
from alerts.steps import Decided, Decision, Step
from alerts.telling import Signal, Stage
from collector.incident_rows import Noted, Page
from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from alerts.case import Case
    from alerts.message import Message
    from alerts.pipeline import Outcome
    from alerts.telling import Ear

    Put = Callable[[Message], None]

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0
HURRY_S: Final = 1.0
"""A write that takes longer is not waited for."""
QUEUE_MOST: Final = 1_000
"""Beginnings that wait for one channel; what comes beyond is not told there, and that is noted."""


class Logbook:
    """Writes down what is to be said, then has it said. Lives in the event loop."""

    speak: Callable[[Status, Case], Message]
    """Makes a message of what is known by now; given by the collector."""
    now_ms: Callable[[], int]
    """Likewise: its clock."""

    def __init__(
        self,
        write: Callable[[Page], None],
        channels: Mapping[str, Put],
        keepers: Mapping[str, Put] | None = None,
    ) -> None:
        """Prepare.

        Args:
            write: makes a page durable, blocking; run in a thread.
            channels: by name, what takes a message for delivery; each calls `taken` after it.
            keepers: those of them that go on telling what lasts, and are to know its newest form.
        """
        self._write = write
        self._channels = channels
        self._keepers = keepers or {}
        self._cases: dict[str, Case] = {}
        """Of which something is left to be said or written."""
        self._due: dict[str, deque[tuple[Case, Status]]] = {name: deque() for name in channels}
        self._in_hand: dict[str, tuple[str, Status]] = {}
        """By channel: a case's id, and what is said of it."""
        self._changed: set[str] = set()
        self._members: dict[str, Noted] = {}
        self._decided: list[Decided] = []
        self._filled = asyncio.Event()

    # --- what is to be said -------------------------------------------------------------

    def enter(self, outcome: Outcome) -> None:
        """Have what was decided written down, and said."""
        for one in outcome.decided:
            if one.decision.step is Step.REPEAT:
                decision = one.decision
                log.info("incident %s: %s: %s", one.incident, decision.decided, decision.reason)
        self._decided += outcome.decided
        for incident, told_as in outcome.members.values():
            over = incident.ended_ms is not None
            self._members[incident.id] = Noted(incident, bool(told_as), over, told_as)
        for case in outcome.cases.values():
            self._cases[case.id] = case
            self._changed.add(case.id)
        for case, ear in outcome.due:
            self._queue(case, ear)
        for case in outcome.revised.values():
            self._revise(case)
        if outcome.cases or outcome.members or outcome.decided:
            self._filled.set()

    def resume(self, cases: Iterable[Case]) -> None:
        """Take up cases from before the start, and what a channel is not known to have taken."""
        waiting: list[tuple[bool, int, Case, Ear]] = []
        for case in cases:
            self._cases[case.id] = case
            case.spare_strangers(self._channels, self.now_ms())
            self._changed.add(case.id)
            for ear, saying in case.sayings.items():
                if saying.waiting:
                    waiting.append((saying.stage is Stage.DUE, saying.at_ms, case, ear))
            if case.lasts:
                self._revise(case)
        for _, _, case, (channel, status) in sorted(waiting, key=lambda one: one[:2]):
            self._due[channel].append((case, status))
        self._filled.set()

    def taken(self, channel: str, message: Message) -> None:
        """Note that a channel has taken a message; it gets the next."""
        ear = (channel, message.status)
        if self._in_hand.get(channel) == (message.incident.id, message.status):
            del self._in_hand[channel]
        case = self._cases.get(message.incident.id)
        if case is not None and case.signal(ear, Signal.TAKE, self.now_ms()):
            self._changed.add(case.id)
            decision = Decision(
                Step.CHANNEL, f"{message.status.value} taken", "the channel said so", channel
            )
            self._decided.append(Decided(case.id, self.now_ms(), decision))
        self._filled.set()

    def behind(self, channel: str) -> int:
        """Return how many messages wait for their turn at a channel."""
        return len(self._due[channel])

    def _queue(self, case: Case, ear: Ear) -> None:
        channel, status = ear
        queue = self._due.get(channel)
        if queue is None or (status is not Status.RESOLVED and len(queue) >= QUEUE_MOST):
            why = "there is no such channel" if queue is None else f"{QUEUE_MOST} wait for it"
            case.signal(ear, Signal.SPARE, self.now_ms())
            log.error("channel %s: %s of %s is not said: %s", channel, status.value, case.id, why)
            decision = Decision(Step.CHANNEL, f"{status.value} not said", why, channel)
            self._decided.append(Decided(case.id, self.now_ms(), decision))
            return
        queue.append((case, status))

    def _revise(self, case: Case) -> None:
        told = [keep for name, keep in self._keepers.items() if case.heard_by(name)]
        if told:
            message = self.speak(Status.FIRING, case)
            for keep in told:
                keep(message)

    # --- writing, then saying -----------------------------------------------------------

    async def run(self) -> None:
        """Write and say what there is until cancelled; what is not written then is tried again."""
        writing: asyncio.Task[bool] | None = None
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                said = self.hand()
                slow = writing is not None
                if writing is None:
                    writing = asyncio.create_task(self._write_down(self.collect()))
                await asyncio.wait({writing}, timeout=HURRY_S)
                for channel, message in said:
                    self._channels[channel](message)
                if not writing.done():
                    if not slow:
                        writing.add_done_callback(lambda _: self._filled.set())
                    continue
                if not writing.result():
                    asyncio.get_running_loop().call_later(RETRY_S, self._filled.set)
                writing = None
        finally:
            if writing is not None:
                await writing  # it was under way when we were told to stop
            await self._write_down(self.collect())

    def hand(self) -> list[tuple[str, Message]]:
        """Return the next message of each channel that has none in hand, noted as handed to it."""
        said = []
        for channel, queue in self._due.items():
            while queue and channel not in self._in_hand:
                case, status = queue.popleft()
                saying = case.sayings[channel, status]
                if not saying.waiting:  # spared meanwhile
                    continue
                case.signal((channel, status), Signal.HAND, self.now_ms())
                self._in_hand[channel] = (case.id, status)
                self._changed.add(case.id)
                message = self.speak(status, case)
                decision = Decision(Step.TEXT, message.summary, f"{status.value} for {channel}")
                self._decided.append(Decided(case.id, self.now_ms(), decision))
                said.append((channel, message))
        return said

    def collect(self) -> Page:
        """Return all that is not written yet."""
        entries = [self._entry(self._cases[id_]) for id_ in sorted(self._changed)]
        page = Page([*self._members.values(), *entries], self._decided)
        self._changed.clear()
        self._members, self._decided = {}, []
        return page

    def settle(self, page: Page, *, written: bool) -> None:
        """Let go of what is written and over; keep what is not written for the next time."""
        if not written:
            self._decided = [*page.decided, *self._decided]
            for entry in page.entries:
                if entry.incident.id in self._cases:
                    self._changed.add(entry.incident.id)
                else:
                    self._members.setdefault(entry.incident.id, entry)
            return
        for entry in page.entries:
            id_ = entry.incident.id
            case = self._cases.get(id_)
            if case is not None and case.finished and id_ not in self._changed:
                del self._cases[id_]

    async def _write_down(self, page: Page) -> bool:
        try:
            if page.entries or page.decided:
                await asyncio.to_thread(self._write, page)
        except TabuahError as error:
            log.error("what was said is not noted, and told anew after a restart: %s", error)  # noqa: TRY400
            self.settle(page, written=False)
            return False
        self.settle(page, written=True)
        return True

    def _entry(self, case: Case) -> Noted:
        first = case.first
        if not case.lasts:
            now = case.now()
            first = replace(
                first, ended_ms=now.ended_ms, ending=now.ending, found=now.known, about=now.about
            )
        return Noted(first, True, not case.lasts, case.id, tuple(case.sayings.items()))
