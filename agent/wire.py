"""One way to one collector: the key we share with it, and a socket that opens when it is needed.

A circuit's interface is bound to with SO_BINDTODEVICE, which needs no privilege on Linux 5.7 and
later, and CAP_NET_RAW before; without an interface the kernel's routes decide.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import TYPE_CHECKING, Final

from agent.circuits import circuit_of
from agent.probes.net import bind_to, resolve
from agent.probes.run import Memory, ProbeFailure
from tabuah.snmp.client import Answered, Ignored, Reason, Transmit, UsmClient
from tabuah.snmp.usm import Auth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.config import Circuit, Collector
    from tabuah.block import Packed
    from tabuah.snmp.pdu import Pdu

log = logging.getLogger(__name__)

REOPEN_AFTER: Final = 5.0
"""Seconds without an answer after which another socket is tried: after a redial this one may have
an address that is ours no more, or a NAT may have forgotten it."""
LOOKUP_AGAIN_AFTER: Final = 60.0
"""Seconds after which the collector's name is looked up anew."""
LOOKUP_S: Final = 30.0
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
_PMTUDISC_DO: Final = 2
"""ip(7): never fragment. A lost fragment loses all of a report; smaller ones are tried instead."""
WARN_AGAIN_AFTER: Final = 600.0
"""Seconds for which a reason to ignore datagrams is not logged again: who sends us rubbish shall
not wear out the flash that the log lies on."""


class Wire:
    """Carries requests to a collector, and hands its answers on."""

    def __init__(
        self,
        collector: Collector,
        circuit: Circuit | None,
        circuits: Sequence[Circuit],
        answered: Callable[[Wire, Answered, float], None],
        told: Callable[[float], None],
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            collector: the other end.
            circuit: the one whose interface is bound to; None leaves it to the routes.
            circuits: all of the office, to name the one that the routes take.
            answered: called with each authentic answer, and the round trip in seconds.
            told: called with the round trip when the collector has told its time.
        """
        self._collector = collector
        self._circuit = circuit
        self._circuits = circuits
        self._answered = answered
        self._told = told
        self._client = UsmClient(
            collector.user,
            Auth.SHA256_192,
            collector.ku,
            collector.ku,
            collector.engine_id,
            short_ids=True,
        )
        self._known: set[int] = set()
        """Request ids that the client holds."""
        self._names = Memory()
        """Of the collector's name; what was found once serves while the resolver is dead."""
        self._tries = 0
        self._socket: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._asked: float | None = None
        """When the present socket was first used without an answer since."""
        self._warned: dict[str, float] = {}
        """When each reason was last logged."""
        self.base: Packed | None = None
        """The last live report that this collector acknowledged: it holds it."""
        self.path = circuit.id if circuit is not None else circuit_of("", circuits)
        """The circuit that it leaves by; '' = not known."""

    @property
    def name(self) -> str:
        """Return how people know it: the collector's address, and the circuit if it is bound."""
        address = f"{self._collector.host}:{self._collector.port}"
        return address if self._circuit is None else f"{address} over {self._circuit.id}"

    def transmit(self, pdu: Pdu, now: float) -> int:
        """Send a request, or send it again; return the octets of its datagram."""
        if pdu.request_id in self._known:
            datagram = self._client.resend(pdu.request_id, now)
        else:
            datagram = self._client.send(pdu, now)
            self._known.add(pdu.request_id)
        self._asked = now if self._asked is None else self._asked
        if self._socket is None or now - self._asked > REOPEN_AFTER:
            self._open(datagram)
        self._put_out(datagram)
        return len(datagram)

    def forget(self, request_id: int) -> None:
        """Wait no longer for the answer to a request."""
        self._known.discard(request_id)
        self._client.forget(request_id)

    def close(self) -> None:
        """Close the socket; the next request opens another."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self._drop_socket()

    def _drop_socket(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _put_out(self, datagram: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(datagram)
        except OSError as error:
            # The line is down, or this is too large for it: a try like any that goes unanswered.
            log.debug("%s: cannot send: %s", self.name, error)

    def _open(self, first: bytes) -> None:
        """Open a socket beside the one in use, if any: a resolver that hangs holds up nothing."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_and_send(first))

    async def _open_and_send(self, first: bytes) -> None:
        host = self._collector.host
        try:
            found = await resolve(host, self._names, LOOKUP_S, keep_s=LOOKUP_AGAIN_AFTER)
        except ProbeFailure as failure:
            log.debug("%s: %s", host, failure)
            found = self._names.addresses
        if not found:
            return
        family, address = found[self._tries % len(found)]
        self._tries += 1
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            if family == socket.AF_INET:
                opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
            else:
                opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DO)
            bind_to(opened, None if self._circuit is None else self._circuit.interface)
            opened.connect((address, self._collector.port))
            opened.send(first)
        except (OSError, ProbeFailure) as error:
            log.debug("%s: cannot open: %s", self.name, error)
            opened.close()
            return
        if self._circuit is None:
            self.path = circuit_of(opened.getsockname()[0], self._circuits)
        self._drop_socket()
        self._socket = opened
        self._asked = None
        asyncio.get_running_loop().add_reader(opened, self._take_in)

    def _take_in(self) -> None:
        for _ in range(16):
            if self._socket is None:
                return
            try:
                datagram = self._socket.recv(2048)
            except BlockingIOError:
                return
            except OSError as error:  # port unreachable: nobody listens there now
                log.debug("%s: %s", self.name, error)
                return
            self._hear(datagram, time.monotonic())

    def _hear(self, datagram: bytes, now: float) -> None:
        match self._client.receive(datagram, now):
            case Answered(pdu) as answer:
                self._asked = None
                self._known.discard(pdu.request_id)
                sent_at = now if answer.sent_at is None else answer.sent_at
                self._answered(self, answer, now - sent_at)
            case Transmit(again, _, sent_at):
                self._told(now - sent_at)
                self._put_out(again)
            case Ignored(Reason.UNEXPECTED):
                pass  # the second answer to a report that was sent twice
            case Ignored(reason):
                self._warn(reason.name.lower(), now)

    def _warn(self, word: str, now: float) -> None:
        if now - self._warned.get(word, -WARN_AGAIN_AFTER) >= WARN_AGAIN_AFTER:
            self._warned[word] = now
            log.warning("%s: not an answer: %s", self.name, word)
