"""Drives many offices over one socket: when each reports, what is lost, and what comes back.

One thread and a loop of its own: it must be able to send faster than a collector can take.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import random
import select
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collector.simulation.office import Flight, Office
from collector.simulation.tally import Tally
from tabuah.errors import DecodeError, TabuahError
from tabuah.report import Occasion
from tabuah.snmp import message
from tabuah.snmp.client import Answered, Transmit
from tabuah.snmp.pdu import open_pdu
from tabuah.snmp.usm import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_S: Final = 10.0
"""For the last answers, and for the first."""
CHECKED: Final = 50
"""The MAC of one answer in so many is verified."""
BURST: Final = 64
_RECEIVE_BUFFER: Final = 16 << 20
_SO_RCVBUFFORCE: Final = 33


@dataclass(frozen=True, slots=True)
class Cut:
    """A line that carries nothing for a while."""

    seconds: float
    after_s: float

    def covers(self, since_start_s: float) -> bool:
        """Return whether the line is cut then."""
        return self.after_s <= since_start_s < self.after_s + self.seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """How the offices behave."""

    interval_s: float
    seconds: float
    """0 = until stopped."""
    loss: float = 0.0
    """Share of datagrams lost, each way."""
    cuts: tuple[Cut, ...] = ()
    backlog: int = 0
    """Reports in each office's spool when it begins."""
    all_at_once: bool = False
    """As when the power returns: all first reports leave together."""


@dataclass(slots=True)
class _Sent:
    office: Office
    flight: Flight
    at: float


@dataclass(frozen=True, slots=True)
class _Presigned:
    office: Office
    flight: Flight
    msg_id: int
    datagram: bytes


class Drive:
    """A run of simulated offices."""

    def __init__(self, plan: Plan, offices: Sequence[Office], address: tuple[str, int]) -> None:
        """Open the socket.

        Raises:
            TabuahError: there is no such address.
        """
        self._plan = plan
        self._offices = offices
        self._dice = random.Random()  # noqa: S311 - lost datagrams, not keys
        self._socket = _open(address)
        self._sent: dict[tuple[str, int], _Sent] = {}
        """By user and message ID."""
        self._retries: list[tuple[float, int, Office, Flight]] = []
        self._histories: list[tuple[float, int, Office]] = []
        self._count = 0
        self._next = 0
        """How many live reports have become due: round and office follow from it."""
        self._presigned: list[_Presigned] = []
        self._start = 0.0
        self.stopping = False
        """Set to end the run early."""
        self.tally = Tally()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    # --- before the start -----------------------------------------------------------------

    def introduce(self) -> None:
        """Let the first office ask for the collector's clock, and tell it to the others.

        Raises:
            TabuahError: nobody answers.
        """
        first = self._offices[0]
        flight = first.flight(first.cycle(time.monotonic()))
        first.offer(flight)
        self.tally.reports += 1
        until = time.monotonic() + PATIENCE_S
        while first.live is not None:
            if time.monotonic() > until:
                raise TabuahError("the collector does not answer; is it running, and is it there?")
            self._transmit(first, flight, time.monotonic())
            select.select([self._socket], [], [], 1.0)
            self._hear()
        now = time.monotonic()
        for office in self._offices[1:]:
            office.client.tell_time(first.client.clock(now), now)

    def presign(self) -> None:
        """Encode and sign all reports of the run, for the engine time at which they will leave.

        Each rests on the one before, as it will when that is acknowledged by then. A report that
        is asked for again is signed when it is.
        """
        count = self._due_in_all()
        self._start = time.monotonic() + count * self._seconds_each()
        for number in range(count):
            office, due = self._due(number)
            made = office.cycle(due)
            flight = office.flight(made)
            datagram = office.client.send(office.pdu(flight), due)
            office.client.forget(flight.request_id)
            office.presume(made)
            msg_id = message.decode(datagram).msg_id
            self._presigned.append(_Presigned(office, flight, msg_id, datagram))
        # Half a million reports in memory: no collection of garbage shall walk through them.
        gc.collect()
        gc.freeze()
        # Whether that took less or more than estimated: the time window is 150 s each way.
        time.sleep(max(0.0, self._start - time.monotonic()))
        self._start = time.monotonic()

    def _seconds_each(self) -> float:
        """Return about how long one report takes to make, by making some that are not used."""
        office = Office(
            *("trial", self._offices[0].client, self._offices[0].user),
            interval_s=self._plan.interval_s,
            began=0.0,
            wall_ahead_s=0.0,
        )
        began = time.monotonic()
        for _ in range(200):
            made = office.cycle(1.0)
            office.client.send(office.pdu(office.flight(made)), time.monotonic())
            office.presume(made)
        return (time.monotonic() - began) / 200

    # --- the run --------------------------------------------------------------------------

    def run(self) -> Tally:
        """Report until the plan's end or `stopping`, await the last answers, and return counts."""
        tally, plan = self.tally, self._plan
        now = time.monotonic()
        if not self._presigned:
            self._start = now
        tally.began = tally.ended = now
        self._fill_spools(now)
        ending = self._start + plan.seconds if plan.seconds else float("inf")
        while not self.stopping and (now := time.monotonic()) < ending:
            self._send_due(now)
            self._send_again(now)
            self._wait(now)
            self._hear()
        until = time.monotonic() + PATIENCE_S
        while (now := time.monotonic()) < until and tally.acknowledged < tally.reports:
            self._send_again(now)
            self._wait(now)
            self._hear()
        return tally

    def _fill_spools(self, now: float) -> None:
        for office in self._offices:
            for ago in range(self._plan.backlog, 0, -1):
                office.kept.append(office.cycle(now - ago * self._plan.interval_s))
        given = len(self._offices) * self._plan.backlog
        self.tally.reports += given
        self.tally.history += given

    def _due_in_all(self) -> int:
        return round(len(self._offices) * self._plan.seconds / self._plan.interval_s)

    def _due(self, number: int) -> tuple[Office, float]:
        """Return whose report the live one of that number is, and when it is due."""
        each = len(self._offices)
        phase = 0.0 if self._plan.all_at_once and number < each else number % each / each
        interval_s = self._plan.interval_s
        return self._offices[number % each], self._start + (number // each + phase) * interval_s

    def _send_due(self, now: float) -> None:
        for _ in range(BURST):
            office, due = self._due(self._next)
            if due > now:
                return
            if self._presigned:
                if self._next >= len(self._presigned):
                    return
                ready = self._presigned[self._next]
                self._offer(office, ready.flight)
                self._put(ready.datagram, ready.msg_id, office, ready.flight, now)
            else:
                self._report(office, now)
            self._next += 1

    def _report(self, office: Office, now: float, occasion: Occasion = Occasion.CYCLE) -> None:
        flight = office.flight(office.cycle(now, occasion))
        self._offer(office, flight)
        self._transmit(office, flight, now)

    def _offer(self, office: Office, flight: Flight) -> None:
        office.offer(flight)
        self.tally.reports += 1

    def _send_again(self, now: float) -> None:
        while self._retries and self._retries[0][0] <= now:
            _, _, office, flight = heapq.heappop(self._retries)
            if flight is office.live or flight is office.batch:
                self.tally.retries += 1
                self._transmit(office, flight, now)
        while self._histories and self._histories[0][0] <= now:
            office = heapq.heappop(self._histories)[2]
            # Beside an unanswered live report the line is silent; its answer comes back here.
            if office.live is None and (batch := office.load()) is not None:
                self._transmit(office, batch, now)

    def _transmit(self, office: Office, flight: Flight, now: float) -> None:
        datagram = office.client.send(office.pdu(flight), now)
        self._put(datagram, message.decode(datagram).msg_id, office, flight, now)

    def _put(
        self, datagram: bytes, msg_id: int, office: Office, flight: Flight, now: float
    ) -> None:
        if flight.tries == 0:
            flight.first_sent = now
        flight.tries += 1
        self._sent[office.user.name, msg_id] = _Sent(office, flight, now)
        self._count += 1
        heapq.heappush(self._retries, (now + office.retry_s, self._count, office, flight))
        self.tally.datagrams += 1
        self.tally.octets += len(datagram)
        if not self._loses(now):
            with contextlib.suppress(OSError):  # as if it were lost on its way
                self._socket.send(datagram)

    def _loses(self, now: float) -> bool:
        plan = self._plan
        if plan.loss and self._dice.random() < plan.loss:
            return True
        return any(cut.covers(now - self._start) for cut in plan.cuts)

    def _wait(self, now: float) -> None:
        due = self._due(self._next)[1] - now
        select.select([self._socket], [], [], min(0.05, max(0.0, due)))

    # --- answers --------------------------------------------------------------------------

    def _hear(self) -> None:
        for _ in range(4 * BURST):
            try:
                datagram = self._socket.recv(65_535)
            except BlockingIOError:
                return
            except OSError:  # ICMP: nobody listens there now
                continue
            now = time.monotonic()
            if not self._loses(now):
                self._take(datagram, now)

    def _take(self, datagram: bytes, now: float) -> None:
        tally = self.tally
        tally.answers += 1
        try:
            received = message.decode(datagram)
        except DecodeError:
            tally.unreadable += 1
            return
        sent = self._sent.pop((received.security.user, received.msg_id), None)
        if sent is None:
            tally.unreadable += 1
            return
        office, flight = sent.office, sent.flight
        if received.level is not Level.AUTH_PRIV:
            self._resume(office, flight, datagram, now)
            return
        if tally.answers % CHECKED == 0:
            tally.macs_checked += 1
            wrong = not office.user.verifies(datagram, received.mac_at, received.security.mac)
            tally.macs_wrong += wrong
        try:
            scoped = message.decrypt(received, office.user)
            head = open_pdu(scoped, message.open_scope(scoped).pdu_at)
        except DecodeError:
            tally.unreadable += 1
            return
        office.client.forget(head.request_id)
        if head.error_status:
            tally.declined += 1
            if (again := office.declined(head.request_id)) is not None:
                self._transmit(office, again, now)
        else:
            self._acknowledged(office, head.request_id, now - sent.at, now)

    def _resume(self, office: Office, flight: Flight, datagram: bytes, now: float) -> None:
        """Take a Report: the collector tells its time, and the datagram goes out again."""
        outcome = office.client.receive(datagram, now)
        if isinstance(outcome, Transmit):
            msg_id = message.decode(outcome.datagram).msg_id
            self._put(outcome.datagram, msg_id, office, flight, now)
        elif isinstance(outcome, Answered):
            self._acknowledged(office, outcome.pdu.request_id, 0.0, now)

    def _acknowledged(self, office: Office, request_id: int, trip_s: float, now: float) -> None:
        flight = office.answered(request_id, trip_s)
        if flight is None:
            return
        tally = self.tally
        tally.acknowledged += len(flight.reports)
        tally.ended = now
        if not flight.history:
            tally.latencies_s.append(now - flight.first_sent)
            if office.missed and not self._presigned:
                office.missed = False
                self._report(office, now, Occasion.RETURN)
        if office.kept:
            # Its first history after a gap leaves within one interval, not all offices' at once.
            wait_s = 0.0 if flight.history else self._dice.random() * self._plan.interval_s
            self._count += 1
            heapq.heappush(self._histories, (now + wait_s, self._count, office))


def _open(address: tuple[str, int]) -> socket.socket:
    try:
        family, _, _, _, found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        opened = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise TabuahError(f"--collector {address[0]}:{address[1]}: {error.strerror}") from error
    opened.setblocking(False)
    for option in (_SO_RCVBUFFORCE, socket.SO_RCVBUF):
        with contextlib.suppress(OSError):  # the first takes root
            opened.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BUFFER)
            break
    opened.connect(found)
    return opened
