"""Drives many offices over one socket: when each reports, what is lost, and what comes back.

One thread and a loop of its own: it must be able to send faster than a collector can take. In each
turn of the loop it does a little of everything, so that whatever is late holds up nothing else.
"""

from __future__ import annotations

import gc
import heapq
import math
import secrets
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.simulation import fleet
from collector.simulation.line import HEADERS, Line
from collector.simulation.presign import Presigned, presigned
from collector.simulation.tally import NobodyAnswersError, Tally
from collector.simulation.voice import (
    Acknowledged,
    Declined,
    Refused,
    Resync,
    Unreadable,
    Voice,
    WrongMac,
)
from tabuah.errors import DecodeError
from tabuah.report import Occasion
from tabuah.snmp import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from collector.simulation.office import Flight, Office
    from collector.simulation.plan import Cut, Plan
    from collector.simulation.voice import Sealed

PATIENCE_S: Final = 10.0
"""For the first answer."""
LAST_S: Final = 20.0
"""Without any acknowledgement, for the last ones: retries may be 8 s apart."""
PROGRESS_S: Final = 5.0
CHECKED: Final = 50
"""The MAC of one answer in so many is verified."""
BURST: Final = 64
"""Offices, of those whose time has come, that are looked at in one turn."""


class _Sent(NamedTuple):
    office: Office
    flight: Flight
    at: float
    boots: int


class Drive:
    """A run of simulated offices."""

    def __init__(
        self,
        plan: Plan,
        offices: Sequence[Office],
        engine_id: bytes,
        address: tuple[str, int],
        say: Callable[[str], None],
    ) -> None:
        """Open the line; `say` is told how it goes.

        Raises:
            TabuahError: there is no such address.
        """
        self._plan = plan
        self._offices = offices
        self._say = say
        self._voice = Voice(engine_id, secrets.randbits(64))
        self._sent: dict[int, _Sent] = {}
        """By message ID, as long as an answer counts."""
        self._alarms: list[tuple[float, int, Office]] = []
        self._count = 0
        self._next = 0
        """How many live reports have become due: round and office follow from it."""
        self._presigned: list[Presigned] = []
        self._start = 0.0
        self._in_spools = sum(office.backlog for office in offices)
        """Reports that were late and are not acknowledged."""
        self._dark: list[Cut] = []
        """Power cuts that are on."""
        self._progress_at = 0.0
        self._stopping = False
        self._impatient = False
        self.tally = Tally(reports=self._in_spools, history=self._in_spools)
        self._line = Line(plan, address)

    def stop(self) -> None:
        """End the run early; told twice, without the last answers."""
        self._impatient = self._stopping
        self._stopping = True

    def close(self) -> None:
        """Give the socket back."""
        self._line.close()

    # --- before the start -----------------------------------------------------------------

    def presign(self) -> None:
        """Make all reports of the run beforehand; returns when it is time to begin.

        Raises:
            NobodyAnswersError: the collector's time could not be had.
        """
        self._introduce()
        self._presigned = presigned(self._plan, self._offices, self._voice, lambda: self._stopping)
        # Half a million reports in memory: no collection of garbage shall walk through them.
        gc.collect()
        gc.freeze()

    def _introduce(self) -> None:
        """Let the first office ask for the collector's clock, which is then all offices'."""
        first = self._offices[0]
        flight = first.flight(first.cycle(time.monotonic()))
        self._offer(first, flight)
        until = time.monotonic() + PATIENCE_S
        while first.live is not None and not self._stopping:
            if time.monotonic() > until:
                raise NobodyAnswersError(
                    "the collector does not answer; is it running, is --collector its --listen, "
                    "and is --data its data folder?"
                )
            self._pump(first, time.monotonic())
            self._line.wait(0.1)
            self._hear()
        for office in self._offices:
            office.knows_time = True

    # --- the run --------------------------------------------------------------------------

    def run(self) -> Tally:
        """Report until the plan's end or `stopping`, await the last answers, and return counts."""
        tally, plan = self.tally, self._plan
        now = self._start = self._line.began = time.monotonic()
        cpu_s = time.process_time()
        tally.began = tally.returned = tally.ended = now
        if tally.all_live is not None:  # a single office, when it was introduced
            tally.all_live = now
        self._progress_at = now + PROGRESS_S
        ending = now + plan.seconds if plan.seconds else math.inf
        while not self._stopping and (now := time.monotonic()) < ending:
            self._switch(now)
            self._send_due(now)
            self._turn(now, self._due(self._next)[1])
        since = time.monotonic()
        while tally.missing and not self._impatient:
            now = time.monotonic()
            if self._switch(now):
                since = now
            if now - max(since, tally.ended) > LAST_S:
                break
            self._turn(now, math.inf)
        tally.cpu_s = time.process_time() - cpu_s
        return tally

    def _turn(self, now: float, due: float) -> None:
        self._look_again(now)
        self._wait(now, due)
        self._hear()
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_S
            self._say(self.tally.progress(now, self._in_spools))

    def _due(self, number: int) -> tuple[Office, float]:
        """Return whose report the live one of that number is, and when it is due."""
        each = len(self._offices)
        return self._offices[number % each], self._start + self._plan.due_s(number, each)

    def _send_due(self, now: float) -> None:
        for _ in range(BURST):
            office, due = self._due(self._next)
            if due > now:
                return
            self.tally.behind_s = max(self.tally.behind_s, now - due)
            number, self._next = self._next, self._next + 1
            if not self._presigned:
                if office.powered:
                    self._report(office, now)
            elif number < len(self._presigned):
                self._send_presigned(self._presigned[number], now)

    def _send_presigned(self, ready: Presigned, now: float) -> None:
        office, flight, sealed = ready
        self._offer(office, flight)
        if flight.base is office.base:
            self._put(office, flight, sealed, now)
            self._set_alarm(office, now)
        else:  # the one that it rests on is not known to have arrived
            self._pump(office, now)

    def _report(self, office: Office, now: float, occasion: Occasion = Occasion.CYCLE) -> None:
        self._offer(office, office.flight(office.cycle(now, occasion)))
        self._pump(office, now)

    def _offer(self, office: Office, flight: Flight) -> None:
        self.tally.reports += 1
        overtaken = office.offer(flight)
        if overtaken is not None:
            self._in_spools += 1
            self._forget(overtaken)

    # --- power ----------------------------------------------------------------------------

    def _switch(self, now: float) -> bool:
        """Take power away, or give it back, as the plan says; return whether any is still away."""
        since_start_s = now - self._start
        for cut in self._plan.power_cuts:
            within = cut.after_s <= since_start_s < cut.after_s + cut.seconds
            if within and cut not in self._dark:
                self._dark.append(cut)
                for office in self._of(cut):
                    self._darken(office, now)
            elif not within and cut in self._dark:
                self._dark.remove(cut)
                self.tally.returned = now
                self.tally.all_live = self.tally.caught_up = None
                for office in self._of(cut):
                    office.boot(fleet.new_boot(self._plan, office.number, now, dark=True))
                    self._offer(office, office.flight(office.cycle(now)))
                    self._set_alarm(office, now)
        return bool(self._dark)

    def _of(self, cut: Cut) -> Iterator[Office]:
        yield from self._offices[: cut.sites]

    def _darken(self, office: Office, now: float) -> None:
        self.tally.live_offices -= office.heard
        flights, lost = office.lose_power(now)
        for flight in flights:
            self._forget(flight)
            if not flight.history and not lost:
                self._in_spools += 1
        self.tally.lost_with_power += lost

    # --- what leaves ----------------------------------------------------------------------

    def _look_again(self, now: float) -> None:
        for _ in range(BURST):
            if not self._alarms or self._alarms[0][0] > now:
                return
            at, _, office = heapq.heappop(self._alarms)
            if at == office.alarm:
                office.alarm = math.inf
                self._pump(office, now)

    def _pump(self, office: Office, now: float) -> None:
        """Send all that an office has to send now."""
        while office.powered and (flight := office.next(now)) is not None:
            self.tally.retries += flight.tries > 0
            pdu = office.pdu(flight)
            sealed = self._voice.seal(office.user, pdu, now, knows_time=office.knows_time)
            self._put(office, flight, sealed, now)
        self._set_alarm(office, now)

    def _set_alarm(self, office: Office, now: float) -> None:
        at = office.wake(now)
        if at < office.alarm and office.powered:
            office.alarm = at
            self._count += 1
            heapq.heappush(self._alarms, (at, self._count, office))

    def _put(self, office: Office, flight: Flight, sealed: Sealed, now: float) -> None:
        msg_id, datagram, boots = sealed
        self._sent[msg_id] = _Sent(office, flight, now, boots)
        flight.boots = boots
        flight.msg_ids.append(msg_id)
        office.sent(flight, now, len(datagram) + HEADERS)
        self.tally.datagrams += 1
        self.tally.octets += len(datagram)
        self._line.send(datagram, office.number, now)

    def _forget(self, flight: Flight) -> None:
        """Expect no answer to a flight any more."""
        for msg_id in flight.msg_ids:
            self._sent.pop(msg_id, None)
        flight.msg_ids.clear()

    def _wait(self, now: float, due: float) -> None:
        if self._alarms:
            due = min(due, self._alarms[0][0])
        self._line.wait(min(0.05, max(0.0, due - now)))

    # --- answers --------------------------------------------------------------------------

    def _hear(self) -> None:
        for datagram in self._line.heard(4 * BURST):
            self._take(datagram, time.monotonic())

    def _take(self, datagram: bytes, now: float) -> None:
        tally = self.tally
        try:
            received = message.decode(datagram)
        except DecodeError:
            tally.answers += 1
            tally.unreadable += 1
            return
        sent = self._sent.get(received.msg_id)
        if sent is None:
            tally.answers += 1
            tally.overtaken += 1
            return
        office, flight, at, boots = sent
        if self._line.loses(office.number, now):
            return
        tally.answers += 1
        check = tally.answers % CHECKED == 0
        tally.macs_checked += check
        heard = self._voice.hear(datagram, received, office.user, now, check=check)
        match heard:
            case Acknowledged(request_id):
                if request_id == flight.request_id:
                    self._acknowledged(office, flight, now - at, now)
            case Declined(request_id):
                tally.declined += 1
                if request_id == flight.request_id and office.declined(flight):
                    self._forget(flight)
                    self._pump(office, now)
            case Resync():
                tally.resyncs += 1
                office.told(now - at)
                self._resync(office, flight, now, msg_id=received.msg_id, boots=boots)
            case WrongMac():
                tally.macs_wrong += 1
            case Refused():
                tally.refused += 1
            case Unreadable():
                tally.unreadable += 1

    def _resync(
        self, office: Office, flight: Flight, now: float, *, msg_id: int, boots: int
    ) -> None:
        """Send again, at once, what the collector has answered with its time.

        But not if it has gone out by the right clock since.
        """
        del self._sent[msg_id]  # one Report draws one datagram
        flight.msg_ids.remove(msg_id)
        if boots != flight.boots == self._voice.boots(now):
            return
        sealed = self._voice.seal(office.user, office.pdu(flight), now, knows_time=True)
        self._put(office, flight, sealed, now)

    def _acknowledged(self, office: Office, flight: Flight, trip_s: float, now: float) -> None:
        self._forget(flight)
        if not office.acknowledged(flight, trip_s, now):
            return
        tally = self.tally
        tally.acknowledged += len(flight.reports)
        tally.ended = now
        if flight.history:
            tally.acknowledged_late += len(flight.reports)
            self._in_spools -= len(flight.reports)
            if not self._in_spools:
                tally.caught_up = now
        else:
            tally.latencies_s.append(now - flight.first_sent)
            self._note_live(office, now)
        ends_gap, office.missed = office.missed, False
        # Those that are signed beforehand have their numbers, and there is none between two.
        if ends_gap and not self._presigned:
            self._report(office, now, Occasion.RETURN)
        else:
            self._pump(office, now)

    def _note_live(self, office: Office, now: float) -> None:
        if not office.heard:
            office.heard = True
            self.tally.live_offices += 1
            if self.tally.live_offices == len(self._offices):
                self.tally.all_live = now
