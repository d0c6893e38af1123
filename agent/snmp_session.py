"""Asks one device over SNMP: sends, sends again, gives up in time. The edge of `agent.poll`."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import socket
import time
from collections.abc import Sequence

from agent.probes.run import Deadline
from tabuah.errors import TabuahError
from tabuah.measurement import Status
from tabuah.snmp.client import Answered, Client, Ignored, Reason, Transmit
from tabuah.snmp.pdu import Oid, Pdu, PduType, Tag, VarBind

log = logging.getLogger(__name__)

RETRIES = 2
_PATIENCE_S = 1.0
"""How long a device on the office's LAN may take for an answer before it is asked again."""
_MAX_DATAGRAM = 65_535
_REPETITIONS = 16
_MAX_WALK = 64
"""GETBULKs of one walk: a device whose table never ends is left."""
_TOO_BIG = 1
_REPORTED_FROM = Reason.UNKNOWN_ENGINE
_REPORTED = frozenset(list(Reason)[list(Reason).index(_REPORTED_FROM) :])
_NO_VALUE = (Tag.NO_SUCH_OBJECT, Tag.NO_SUCH_INSTANCE, Tag.END_OF_MIB_VIEW)


class PollFailure(TabuahError):  # noqa: N818  a device that does not answer is a finding
    """The device did not give what was asked."""

    def __init__(self, status: Status, why: str, hint: Reason | None = None) -> None:
        self.status = status
        self.hint = hint
        super().__init__(why)


class SnmpSession:
    """One poll's requests to one device, within one deadline."""

    def __init__(self, sock: socket.socket, client: Client, deadline: Deadline) -> None:
        self._sock = sock
        self._client = client
        self._deadline = deadline
        self._ids = itertools.count(secrets.randbelow(1 << 30))

    async def get(self, oids: Sequence[Oid], at_once: int) -> list[VarBind]:
        """Return the variables, asked in lots of `at_once`; those that do not exist are left out.

        Raises:
            PollFailure: when an answer fails to come, or is an error.
        """
        found: list[VarBind] = []
        at = 0
        while at < len(oids):
            lot = oids[at : at + at_once]
            answer = await self._ask(Pdu.asking(PduType.GET, next(self._ids), *lot))
            if answer.error_status == _TOO_BIG and at_once > 1:
                at_once = max(1, at_once // 2)
                continue
            if answer.error_status:
                raise PollFailure(Status.UNKNOWN, f"error-status {answer.error_status}")
            found += [bound for bound in answer.varbinds if bound.tag not in _NO_VALUE]
            at += len(lot)
        return found

    async def walk(self, *columns: Oid) -> dict[Oid, dict[int, VarBind]]:
        """Return the columns of a table that has one integer as index.

        Raises:
            PollFailure: as `get`.
        """
        found: dict[Oid, dict[int, VarBind]] = {column: {} for column in columns}
        cursors = {column: column for column in columns}
        for _ in range(_MAX_WALK):
            asked = list(cursors)
            answer = await self._ask(
                Pdu.bulk(next(self._ids), *cursors.values(), max_repetitions=_REPETITIONS)
            )
            if answer.error_status:
                raise PollFailure(Status.UNKNOWN, f"error-status {answer.error_status}")
            if not answer.varbinds:
                break
            for place, bound in enumerate(answer.varbinds):
                column = asked[place % len(asked)]
                if column not in cursors:
                    continue
                inside = bound.oid[: len(column)] == column and bound.tag not in _NO_VALUE
                # A device that goes back would be walked for ever.
                if inside and len(bound.oid) == len(column) + 1 and bound.oid > cursors[column]:
                    found[column][bound.oid[-1]] = bound
                    cursors[column] = bound.oid
                else:
                    del cursors[column]
            if not cursors:
                break
        return found

    async def _ask(self, pdu: Pdu) -> Pdu:
        loop = asyncio.get_running_loop()
        hint: Reason | None = None
        try:
            for attempt in range(RETRIES + 1):
                left_s = self._deadline.left_s()
                if left_s <= 0:
                    break
                now = time.monotonic()
                await loop.sock_sendall(
                    self._sock,
                    self._client.resend(pdu.request_id, now)
                    if attempt
                    else self._client.send(pdu, now),
                )
                answer, hint = await self._hear(min(_PATIENCE_S, left_s), hint)
                if answer is not None:
                    return answer
        finally:
            self._client.forget(pdu.request_id)
        if hint is not None:
            raise PollFailure(Status.UNKNOWN, f"the device says {hint.name}", hint)
        raise PollFailure(Status.REQUEST_TIMED_OUT, "no answer")

    async def _hear(
        self, patience_s: float, hint: Reason | None
    ) -> tuple[Pdu | None, Reason | None]:
        """Return the answer if it comes in time, and the last refusal that was heard."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    datagram = await loop.sock_recv(self._sock, _MAX_DATAGRAM)
                    match self._client.receive(datagram, time.monotonic()):
                        case Answered(pdu):
                            return pdu, hint
                        case Transmit(following):
                            await loop.sock_sendall(self._sock, following)
                        case Ignored(reason) if reason in _REPORTED or reason is Reason.STALE:
                            hint = reason
                        case Ignored(reason):
                            log.debug("ignored a datagram: %s", reason.name)
        except TimeoutError:
            return None, hint
