"""A line between agents and their collector that knows what was said on it, and can be cut.

It holds the offices' keys: of each inform it notes the reports, and of each authentic answer
without an error that they are acknowledged. That is what a collector has promised, whether or not
the agent lived to hear it. Another thread than the test's carries the datagrams.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tabuah import block, notification
from tabuah.errors import DecodeError
from tabuah.report import ReportId
from tabuah.snmp import message
from tabuah.snmp.message import Message
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import UsmUser

_POLL_S = 0.1


class Witness:
    """Carries datagrams to a port of loopback and back; a context manager."""

    def __init__(self, port: int, users: Mapping[str, UsmUser]) -> None:
        """Prepare.

        Args:
            port: the collector's.
            users: by user name, with keys localised to the collector's engine ID.
        """
        self._users = users
        self._server = ("127.0.0.1", port)
        self._selector = selectors.DefaultSelector()
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._front.setblocking(False)
        self._selector.register(self._front, selectors.EVENT_READ)
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._flights: dict[tuple[str, int], list[ReportId]] = {}
        self._bases: dict[bytes, bytes] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness")
        self.port: int = self._front.getsockname()[1]
        self.cut = False
        """Whether the line is down, both ways."""
        self.sent: dict[ReportId, bytes] = {}
        """The octets of each report that an agent has sent, even into a line that is cut."""
        self.acknowledged: set[ReportId] = set()

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
        for each in (self._front, *self._backs.values()):
            each.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(_POLL_S):
                self._carry(key.fileobj, key.data)  # type: ignore[arg-type]

    def _carry(self, from_: socket.socket, client: tuple[str, int] | None) -> None:
        try:
            datagram, source = from_.recvfrom(65_535)
        except OSError:  # nobody listens at the centre now
            return
        with contextlib.suppress(DecodeError):  # a Report in plain, or rubbish, promises nothing
            self._overhear(datagram, upward=client is None)
        if self.cut:
            return
        if client is not None:
            self._front.sendto(datagram, client)
            return
        try:
            self._back(source).send(datagram)
        except OSError:
            return

    def _back(self, client: tuple[str, int]) -> socket.socket:
        if client not in self._backs:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect(self._server)
            made.setblocking(False)
            self._selector.register(made, selectors.EVENT_READ, client)
            self._backs[client] = made
        return self._backs[client]

    def _overhear(self, datagram: bytes, *, upward: bool) -> None:
        received = message.decode(datagram)
        name = received.security.user
        user = self._users.get(name)
        if user is None or not user.verifies(datagram, received.mac_at, received.security.mac):
            return
        pdu = message.decode_scoped(message.decrypt(received, user)).pdu
        if upward and pdu.type is PduType.INFORM:
            self._note_inform(name, received, pdu)
        elif not upward and pdu.type is PduType.RESPONSE and pdu.error_status == 0:
            self.acknowledged.update(self._flights.get((name, received.msg_id), ()))

    def _note_inform(self, name: str, received: Message, pdu: Pdu) -> None:
        if not notification.is_report(pdu.varbinds):
            return
        brought = notification.read_block(pdu.varbinds, self._bases.get)
        site = name.partition("#")[0]
        flight = self._flights[name, received.msg_id] = []
        for packed in brought.reports:
            one = ReportId(site, packed.epoch, packed.seq)
            flight.append(one)
            self._bases[block.base_name(packed.octets)] = packed.octets
            known = self.sent.setdefault(one, packed.octets)
            assert known == packed.octets, f"{one} was sent with another content"
