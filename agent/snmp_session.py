"""Asks one device over SNMP: sends, sends again, gives up in time. The edge of `agent.poll`."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import Sequence

from agent.probes.run import Deadline
from agent.walking import Fetch, Job, Pace, Walk, rungs
from tabuah import draw
from tabuah.errors import TabuahError
from tabuah.measurement import Status
from tabuah.snmp.client import Answered, Client, Ignored, Reason, Transmit
from tabuah.snmp.pdu import Oid, Pdu, VarBind

log = logging.getLogger(__name__)

_PATIENCE_S = 1.0
"""How long a device on the office's LAN may take for an answer before it is asked again."""
_MAX_DATAGRAM = 65_535
_REPORTED_FROM = Reason.UNKNOWN_ENGINE
_REPORTED = frozenset(list(Reason)[list(Reason).index(_REPORTED_FROM) :])


class PollFailure(TabuahError):  # noqa: N818  a device that does not answer is a finding
    """The device did not give what was asked."""

    def __init__(self, status: Status, why: str, hint: Reason | None = None) -> None:
        self.status = status
        self.hint = hint
        super().__init__(why)


class SnmpSession:
    """One poll's requests to one device, within one deadline."""

    def __init__(
        self, sock: socket.socket, client: Client, deadline: Deadline, pace: Pace | None = None
    ) -> None:
        self.pace = Pace() if pace is None else pace
        """How much the device bears, after what it has answered so far."""
        self.sent = 0
        """Datagrams."""
        self._sock = sock
        self._client = client
        self._deadline = deadline
        self._ids = itertools.count(draw.below(1 << 30))
        self._hint: Reason | None = None

    async def get(self, oids: Sequence[Oid]) -> Fetch:
        """Return the variables: what was found, and what the device refused.

        Raises:
            PollFailure: when no answer comes.
        """
        fetch = Fetch(oids)
        await self._do(fetch)
        return fetch

    async def walk(self, *columns: Oid) -> dict[Oid, dict[int, VarBind]]:
        """Return the columns of tables that have one integer as index.

        Raises:
            PollFailure: as `get`.
        """
        walk = Walk(columns)
        await self._do(walk)
        return walk.found

    async def _do(self, job: Job) -> None:
        while await self._step(job):
            pass

    async def _step(self, job: Job) -> bool:
        """Ask once, larger or smaller; return whether there was something to ask."""
        for rung in rungs(job, self.pace):
            self._hint = None
            answer = await self._ask(rung.request.pdu(next(self._ids)), rung.attempts)
            if answer is not None:
                self.pace = job.answered(rung.request, answer, rung.pace)
                return True
            if self._hint is not None:  # it hears, and refuses
                raise PollFailure(Status.UNKNOWN, f"the device says {self._hint.name}", self._hint)
            if self._deadline.left_s() <= 0:
                break
        else:
            if job.next(self.pace) is None:
                return False
        raise PollFailure(Status.REQUEST_TIMED_OUT, "no answer")

    async def _ask(self, pdu: Pdu, attempts: int) -> Pdu | None:
        """Return the answer; None when none comes."""
        loop = asyncio.get_running_loop()
        try:
            for attempt in range(attempts):
                left_s = self._deadline.left_s()
                if left_s <= 0:
                    break
                now = time.monotonic()
                self.sent += 1
                await loop.sock_sendall(
                    self._sock,
                    self._client.resend(pdu.request_id, now)
                    if attempt
                    else self._client.send(pdu, now),
                )
                answer = await self._hear(min(_PATIENCE_S, left_s))
                if answer is not None:
                    return answer
        finally:
            self._client.forget(pdu.request_id)
        return None

    async def _hear(self, patience_s: float) -> Pdu | None:
        """Return the answer if it comes in time; keeps the last refusal that was heard."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    datagram = await loop.sock_recv(self._sock, _MAX_DATAGRAM)
                    match self._client.receive(datagram, time.monotonic()):
                        case Answered(pdu):
                            return pdu
                        case Transmit(following):
                            self.sent += 1
                            await loop.sock_sendall(self._sock, following)
                        case Ignored(reason) if reason in _REPORTED or reason is Reason.STALE:
                            self._hint = reason
                        case Ignored(reason):
                            log.debug("ignored a datagram: %s", reason.name)
                    # What is there already is received without a pause: a flood from the device's
                    # address would hold up the agent, and its time would never be over.
                    await asyncio.sleep(0)
        except TimeoutError:
            return None
