"""Offices that report without rest from one thread, and know what was acknowledged to them.

Each has some reports under way, in an inform of its own each, and sends each again until its
authentic answer came. So whatever becomes of the collector, none is given up.
"""

from __future__ import annotations

import secrets
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tabuah import block, notification
from tabuah.report import ReportId
from tabuah.snmp.client import Answered, Transmit, UsmClient
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import Auth
from tests.support.reports import report

RETRY_S = 0.5
UNDER_WAY = 8
_POLL_S = 0.02


class Burden:
    """The offices; a context manager, within which they report."""

    def __init__(
        self, port: int, engine_id: bytes, keys: Mapping[str, bytes], per_second: float
    ) -> None:
        """Prepare.

        Args:
            port: the collector's, on loopback.
            engine_id: its.
            keys: Ku of each office's first key, by the office.
            per_second: new reports of all offices, as long as they are answered.
        """
        self._each_s = len(keys) / per_second
        self._selector = selectors.DefaultSelector()
        self._offices = [_Office(self, site, ku, engine_id, port) for site, ku in keys.items()]
        for office in self._offices:
            self._selector.register(office.socket, selectors.EVENT_READ, office)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="burden")
        self.resting = False
        """Whether nothing new is reported; what is under way goes on."""
        self.sent: dict[ReportId, bytes] = {}
        """The octets of each report that was sent."""
        self.acknowledged: set[ReportId] = set()
        self.answer_at = 0.0
        """When an answer last came, monotonic seconds."""

    @property
    def under_way(self) -> int:
        """How many reports wait for their answer."""
        return len(self.sent) - len(self.acknowledged)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        for office in self._offices:
            office.socket.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(_POLL_S):
                key.data.listen()
            now = time.monotonic()
            for office in self._offices:
                office.report(now, None if self.resting else self._each_s)


class _Office:
    def __init__(self, burden: Burden, site: str, ku: bytes, engine_id: bytes, port: int) -> None:
        self._burden, self._site = burden, site
        self._client = UsmClient(f"{site}#1", Auth.SHA256_192, ku, ku, engine_id)
        self._epoch, self._seq = secrets.randbits(64), 0
        self._under_way: dict[int, tuple[ReportId, float]] = {}
        self._next = 0.0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)

    def report(self, now: float, each_s: float | None) -> None:
        for request, (one, sent_at) in list(self._under_way.items()):
            if now - sent_at > RETRY_S:
                self._under_way[request] = (one, now)
                self._put_out(self._client.resend(request, now))
        if each_s is None or now < self._next or len(self._under_way) >= UNDER_WAY:
            return
        self._next = max(now, self._next + each_s)
        self._seq += 1
        wall_ms, uptime_ms = time.time_ns() // 1_000_000, round(now * 1000)
        packed = block.pack(
            report(
                self._seq,
                site=self._site,
                epoch=self._epoch,
                wall_ms=wall_ms,
                uptime_ms=uptime_ms,
                interval_ms=1_000,
            )
        )
        one = ReportId(self._site, self._epoch, self._seq)
        binds = notification.varbinds(
            self._site, uptime_ms, notification.key_facts(()), (packed,), history=False
        )
        self._burden.sent[one] = packed.octets
        self._under_way[self._seq] = (one, now)
        self._put_out(self._client.send(Pdu(PduType.INFORM, self._seq, varbinds=binds), now))

    def listen(self) -> None:
        while True:
            try:
                datagram = self.socket.recv(65_535)
            except OSError:  # no more, or nobody listens there now
                return
            now = time.monotonic()
            match self._client.receive(datagram, now):
                case Answered(pdu) if pdu.error_status == 0:
                    one, _ = self._under_way.pop(pdu.request_id)
                    self._burden.acknowledged.add(one)
                    self._burden.answer_at = now
                case Transmit(again):
                    self._put_out(again)

    def _put_out(self, datagram: bytes) -> None:
        try:
            self.socket.send(datagram)
        except OSError:
            return  # nobody listens there now: it is sent again
