"""One simulated office: what it reports, keeps, and sends when. Pure: it is told the time.

It keeps to what an agent does (two lanes, retries, reports upon the last one that was
acknowledged), but for what only matters on a real host: it writes nothing to a disk, its history
is sent in one inform at a time, and its report says that all is well.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collector.simulation.sample import Moment, report
from tabuah import block, notification
from tabuah.report import Occasion, ReportId
from tabuah.snmp.pdu import Pdu, PduType

if TYPE_CHECKING:
    from tabuah.block import Packed
    from tabuah.snmp.client import UsmClient
    from tabuah.snmp.usm import UsmUser

RETRY_LEAST_S: Final = 0.5
RETRY_UNKNOWN_S: Final = 1.0
HISTORY_OCTETS: Final = 2_400
"""Of packed reports in one inform; they deflate to a third."""
BOOTED_S: Final = 30.0
"""An office's uptime when it begins."""


@dataclass(slots=True, eq=False)
class Flight:
    """Reports on their way in one inform."""

    reports: tuple[Packed, ...]
    history: bool
    request_id: int
    first_sent: float = 0.0
    tries: int = 0


class Office:
    """The state of one office. All times are of one monotonic clock, in seconds."""

    __slots__ = (
        "_base", "_began", "_boot_id", "_epoch", "_facts", "_interval_ms", "_request_id", "_seq",
        "_wall_ahead_s", "batch", "client", "kept", "live", "missed", "site", "srtt_s", "user",
    )  # fmt: skip

    def __init__(
        self,
        site: str,
        client: UsmClient,
        user: UsmUser,
        *,
        interval_s: float,
        began: float,
        wall_ahead_s: float,
    ) -> None:
        """Begin.

        Args:
            site: its code.
            client: speaks for it.
            user: its keys, to open answers with.
            interval_s: between its reports.
            began: when it booted, less BOOTED_S.
            wall_ahead_s: its wall clock minus the monotonic one.
        """
        self.site = site
        self.client = client
        self.user = user
        self.live: Flight | None = None
        self.batch: Flight | None = None
        self.kept: deque[Packed] = deque()
        self.srtt_s: float | None = None
        self.missed = False
        """A report was overtaken unanswered: the next answer ends a gap."""
        self._interval_ms = round(interval_s * 1000)
        self._began = began
        self._wall_ahead_s = wall_ahead_s
        self._epoch = secrets.randbits(64)
        self._boot_id = secrets.token_bytes(16)
        self._seq = 0
        self._request_id = 0
        self._base: Packed | None = None
        self._facts = notification.key_facts(())

    @property
    def retry_s(self) -> float:
        """Seconds between tries."""
        return RETRY_UNKNOWN_S if self.srtt_s is None else max(RETRY_LEAST_S, 1.5 * self.srtt_s)

    def cycle(self, now: float, occasion: Occasion = Occasion.CYCLE) -> Packed:
        """Return a new report."""
        self._seq += 1
        uptime_s = now - self._began + BOOTED_S
        moment = Moment(
            wall_ms=max(0, round((now + self._wall_ahead_s) * 1000)),
            uptime_ms=max(0, round(uptime_s * 1000)),
            interval_ms=self._interval_ms,
            srtt_ms=round((self.srtt_s or 0.0) * 1000),
            backlog=len(self.kept),
        )
        made = report(ReportId(self.site, self._epoch, self._seq), self._boot_id, moment, occasion)
        self._facts = notification.key_facts(made.measurements)
        return block.pack(made)

    def flight(self, made: Packed) -> Flight:
        """Return a live report ready to be sent, then or later."""
        return self._flight((made,), history=False)

    def offer(self, flight: Flight) -> None:
        """Take a new report as the live one: what was not answered becomes history."""
        if self.live is not None:
            self.kept.extend(self.live.reports)
            self.missed = True
        self.live = flight

    def load(self) -> Flight | None:
        """Return the next inform of history, if there is any and none is on its way."""
        if self.batch is not None or not self.kept:
            return None
        octets = 0
        reports: list[Packed] = []
        while self.kept and (not reports or octets + len(self.kept[0].octets) <= HISTORY_OCTETS):
            reports.append(self.kept.popleft())
            octets += len(reports[-1].octets)
        self.batch = self._flight(tuple(reports), history=True)
        return self.batch

    def pdu(self, flight: Flight) -> Pdu:
        """Return the inform of a flight."""
        binds = notification.varbinds(
            self.site,
            flight.reports[0].uptime_ms,
            self._facts,
            flight.reports,
            history=flight.history,
            base=None if flight.history else self._base,
        )
        return Pdu(PduType.INFORM, flight.request_id, varbinds=binds)

    def answered(self, request_id: int, round_trip_s: float) -> Flight | None:
        """Note an acknowledgement; return its flight, None if it is overtaken or known."""
        flight = self._find(request_id)
        if flight is None:
            return None
        if self.srtt_s is None:
            self.srtt_s = round_trip_s
        else:
            self.srtt_s += (round_trip_s - self.srtt_s) / 8
        if flight is self.live:
            self.live = None
            self._base = flight.reports[0]
        else:
            self.batch = None
        return flight

    def declined(self, request_id: int) -> Flight | None:
        """Note that a report is to be sent whole; return its flight, with another request id."""
        flight = self._find(request_id)
        if flight is not None:
            self._base = None
            flight.request_id = self._next_id()
        return flight

    def presume(self, made: Packed) -> None:
        """Let the next report rest on this one, as if it had been acknowledged."""
        self._base = made

    def _find(self, request_id: int) -> Flight | None:
        for flight in (self.live, self.batch):
            if flight is not None and flight.request_id == request_id:
                return flight
        return None

    def _flight(self, reports: tuple[Packed, ...], *, history: bool) -> Flight:
        return Flight(reports, history, self._next_id())

    def _next_id(self) -> int:
        self._request_id += 1
        return self._request_id
