"""Tries the way to a collector, and the key, with one `tabuahCheck` that is answered and not kept.

For `agent check`. The running agent's reports are `agent.sender`'s.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agent import advice, host
from agent.advice import Trouble
from tabuah import draw, notification
from tabuah.snmp.client import Answered, Ignored, Reason, Transmit, UsmClient
from tabuah.snmp.pdu import Pdu, PduType
from tabuah.snmp.usm import Auth

if TYPE_CHECKING:
    from agent.config import Collector

PATIENCE_S: Final = 6.0
_AGAIN_S: Final = 1.0
_MAX_DATAGRAM: Final = 2048


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it."""

    collector: Collector
    rtt_s: float | None = None
    """From the datagram that was answered to the answer; None when none was."""
    trouble: Trouble | None = None
    """Why there is no answer."""


class _Attempt:
    def __init__(self, site: str, collector: Collector) -> None:
        self._client = UsmClient(
            collector.user, Auth.SHA256_192, collector.ku, collector.ku, collector.engine_id
        )
        binds = notification.check_varbinds(site, host.uptime_ms())
        self._pdu = Pdu(PduType.INFORM, draw.below(2**30) + 1, varbinds=binds)
        self.rtt_s: float | None = None
        self.trouble = Trouble.NO_ANSWER

    async def ask(self, sock: socket.socket) -> None:
        """Send until there is an answer; to be cancelled in time."""
        first = True
        while self.rtt_s is None:
            now = time.monotonic()
            datagram = (
                self._client.send(self._pdu, now)
                if first
                else self._client.resend(self._pdu.request_id, now)
            )
            first = False
            try:
                await asyncio.get_running_loop().sock_sendall(sock, datagram)
                async with asyncio.timeout(_AGAIN_S):
                    await self._hear(sock)
            except TimeoutError:
                pass
            except OSError as error:
                self.trouble = advice.trouble_of_errno(error.errno)
                await asyncio.sleep(_AGAIN_S)  # a collector that restarts is back by then

    async def _hear(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            datagram = await loop.sock_recv(sock, _MAX_DATAGRAM)
            now = time.monotonic()
            match self._client.receive(datagram, now):
                case Answered(_, sent_at):
                    self.rtt_s = now - (now if sent_at is None else sent_at)
                    return
                case Transmit(following):
                    await loop.sock_sendall(sock, following)
                case Ignored(Reason.UNEXPECTED):
                    pass
                case Ignored(reason):
                    trouble = advice.trouble_of_reason(reason)
                    # Rubbish from elsewhere must not hide what the collector has said.
                    if trouble is not Trouble.NOT_UNDERSTOOD or self.trouble is Trouble.NO_ANSWER:
                        self.trouble = trouble
            await asyncio.sleep(0)  # else a flood would leave no time for the end of patience


async def try_path(site: str, collector: Collector, patience_s: float = PATIENCE_S) -> Tried:
    """Return what comes of an authenticated question to the collector."""
    loop = asyncio.get_running_loop()
    attempt = _Attempt(site, collector)
    try:
        async with asyncio.timeout(patience_s):
            found = await loop.getaddrinfo(collector.host, collector.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            with socket.socket(family, kind, protocol) as sock:
                sock.setblocking(False)
                sock.connect(address)
                await attempt.ask(sock)
    except TimeoutError:
        pass
    except socket.gaierror:
        return Tried(collector, trouble=Trouble.NAME_NOT_FOUND)
    except OSError as error:
        return Tried(collector, trouble=advice.trouble_of_errno(error.errno))
    if attempt.rtt_s is None:
        return Tried(collector, trouble=attempt.trouble)
    return Tried(collector, attempt.rtt_s)
