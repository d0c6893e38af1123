"""Polls a device of the office over SNMP, and says what it saw as a `report.Device`.

Interfaces are found by name once and then asked by index, with the name in the same GET: when it
no longer matches (a redial), the table is walked again. An interface that is wanted by name and
not there is reported as notPresent, for that is what a PPP session that is down looks like.

What else the device has (`agent.discovery`) is asked in the same GETs: a healthy poll is one or
two datagrams each way. None of it can make a poll fail that heard of uptime and interfaces.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import replace

from agent import config, counters, evidence, if_mib
from agent.discovery import Discovery
from agent.if_mib import Row, Values
from agent.probes.net import resolve
from agent.probes.run import Deadline, Memory, ProbeFailure, status_of
from agent.snmp_session import PollFailure, SnmpSession
from agent.walking import Pace
from tabuah import draw
from tabuah.measurement import Status
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Device, Interface
from tabuah.snmp.client import Client, CommunityClient, Reason, UsmClient
from tabuah.snmp.pdu import Oid, VarBind
from tabuah.snmp.usm import Auth, password_to_key

log = logging.getLogger(__name__)

_MAX_INTERFACES = 16
_MOST_NAME = 255
"""Octets of a DisplayString (RFC 2579)."""
_LONGEST_S = 8.0
_AUTH = {"sha1": Auth.SHA1_96, "sha256": Auth.SHA256_192}


class Poller:
    """Polls one device again and again, and remembers what it has, its indices, its totals."""

    def __init__(self, device: config.Device) -> None:
        self._device = device
        self._memory = Memory()
        self._client: Client | None = None
        self._rows: list[Row] | None = None
        self._if_number: int | None = None
        self._totals: dict[str, counters.Totals] = {}
        # Drawn, so that totals of the agent's last life are not taken for these.
        self._first_epoch = draw.bits(31)
        self._complaint = ""
        self._pace = Pace()
        self._discovery = Discovery(device.name)
        self._refused: set[Oid] = set()
        """Variables for the lack of which the device refuses all that is asked with them."""
        self._began: tuple[int, float, int | None] | None = None
        """sysUpTime, when it was read, and snmpEngineBoots."""
        self._redials: dict[str, int] = {}

    async def poll(self) -> Device:
        """Return what the device says now; one that does not answer is a Device with a status."""
        why = ""
        try:
            result = await self._poll()
        except PollFailure as failure:
            # Another engine answers now, or this one lost its boots: begin with it anew.
            if failure.hint in (Reason.UNKNOWN_ENGINE, Reason.STALE):
                self._client = None
            result, why = self._failed(failure.status), str(failure)
        except ProbeFailure as failure:
            result, why = self._failed(failure.status), str(failure)
        except OSError as error:
            result, why = self._failed(status_of(error)), error.strerror or str(error)
        except Exception:
            log.exception("polling %s failed in itself", self._device.name)
            result = self._failed(Status.INTERNAL_ERROR)
        if why != self._complaint:
            self._complaint = why
            if why:
                log.warning("device %s: %s", self._device.name, why)
        self._memory.runs += 1
        return replace(result, run=self._memory.runs)

    async def _poll(self) -> Device:
        deadline = Deadline(min(_LONGEST_S, 0.8 * self._device.every_s))
        family, host = (await resolve(self._device.host, self._memory, deadline.left_s()))[0]
        if self._client is None:
            self._client = _client(self._device)
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((host, self._device.port))
            session = SnmpSession(sock, self._client, deadline, self._pace)
            try:
                return await self._read(session)
            finally:
                self._pace = session.pace

    async def _read(self, session: SnmpSession) -> Device:
        if self._discovery.due(time.monotonic()):
            self._refused.clear()
        known = self._rows is not None and self._complete(self._rows)
        rows = self._rows if known and self._rows is not None else await self._walk(session)
        values = await self._values(session, rows)
        moved = not all(if_mib.still_there(row, values) for row in rows)
        if known and (moved or values.count(if_mib.IF_NUMBER) != self._if_number):
            rows = await self._walk(session)
            values = await self._values(session, rows)
        self._if_number = values.count(if_mib.IF_NUMBER)
        at_s = time.monotonic()
        anew = self._begins_anew(values, at_s)
        if anew:
            self._discovery.forget()
            self._refused.clear()
        there = [row for row in rows if if_mib.still_there(row, values)]
        self._rows = there if len(there) == len(rows) else None
        interfaces = (
            *(self._interface(row, values, at_s, anew=anew) for row in there),
            *self._absent({row.name for row in there}),
        )
        readings = await self._evidence(session, values, {one.name for one in interfaces})
        return Device(
            name=self._device.name,
            role=self._device.role,
            status=Status.RESPONSE_RECEIVED,
            uptime_ticks=values.count(if_mib.SYS_UPTIME),
            host_uptime_ticks=values.count(if_mib.HR_SYSTEM_UPTIME),
            load_centi=values.count(if_mib.LA_LOAD_INT_1),
            memory_available_kib=values.count(if_mib.MEM_AVAIL_REAL),
            interfaces=interfaces,
            readings=tuple(readings),
        )

    async def _values(self, session: SnmpSession, rows: list[Row]) -> Values:
        # Of a row that has gone all is refused: that says nothing of the row that comes back.
        names = {row.oids()[0] for row in rows}
        asked = [oid for row in rows for oid in row.oids()]
        known = self._discovery.known.oids()
        return Values(await self._get(session, [*if_mib.SCALARS, *asked, *known], names))

    async def _get(
        self, session: SnmpSession, oids: Sequence[Oid], names: set[Oid] | None = None
    ) -> list[VarBind]:
        fetch = await session.get([oid for oid in oids if oid not in self._refused])
        if fetch.refused and not fetch.found:
            status = next(iter(fetch.refused.values()))
            raise PollFailure(Status.UNKNOWN, f"error-status {status}")
        if names is None or not names & fetch.refused.keys():
            self._refused |= fetch.refused.keys()
        return fetch.found

    async def _evidence(
        self, session: SnmpSession, values: Values, interfaces: set[str]
    ) -> list[Reading]:
        """Return all that the device says beyond its interfaces."""
        now = time.monotonic()
        alarms: list[VarBind] = []
        try:
            if self._discovery.due(now):
                await self._discovery.look(session, interfaces, now)
                values.add(await self._get(session, self._discovery.known.oids()))
            if evidence.has_alarms(self._discovery.known, values):
                table = await session.walk(evidence.UPS_ALARM_DESCR)
                alarms += table[evidence.UPS_ALARM_DESCR].values()
        except PollFailure as failure:
            log.debug("device %s, beyond its interfaces: %s", self._device.name, failure)
        return [
            *evidence.readings(self._discovery.known, values, alarms),
            *(
                Reading(ReadingKind.REDIALS, name, count)
                for name, count in self._redials.items()
                if name in interfaces
            ),
        ]

    def _begins_anew(self, values: Values, at_s: float) -> bool:
        """Return whether the device, or its SNMP engine, began anew since the last poll."""
        before = self._began
        ticks = values.count(if_mib.SYS_UPTIME)
        boots = values.count(if_mib.SNMP_ENGINE_BOOTS)
        self._began = before if ticks is None else (ticks, at_s, boots)
        if before is None or ticks is None:
            return False
        return boots != before[2] or counters.restarted(before[0], ticks, at_s - before[1])

    def _complete(self, rows: list[Row]) -> bool:
        return {row.name for row in rows} >= set(self._device.interfaces)

    async def _walk(self, session: SnmpSession) -> list[Row]:
        for column in (if_mib.IF_NAME, if_mib.IF_DESCR):
            table = await session.walk(column, if_mib.IF_TYPE)
            names = {
                index: bound.value.decode("utf-8", "replace")
                for index, bound in table[column].items()
                if isinstance(bound.value, bytes) and len(bound.value) <= _MOST_NAME
            }
            types = {
                index: bound.value
                for index, bound in table[if_mib.IF_TYPE].items()
                if isinstance(bound.value, int)
            }
            if names:
                wanted = self._device.interfaces
                return if_mib.rows(names, types, wanted, _MAX_INTERFACES, column)
        return []

    def _interface(self, row: Row, values: Values, at_s: float, *, anew: bool) -> Interface:
        reading = if_mib.reading(row, values, at_s)
        before = self._totals.get(row.name)
        totals = (
            counters.first(reading, self._first_epoch)
            if before is None
            else counters.advance(before, reading)
        )
        if before is not None and totals.dropped > before.dropped:
            log.warning(
                "device %s, %s: a counter fell beyond its speed; that sample is left out",
                self._device.name,
                row.name,
            )
        self._totals[row.name] = totals
        if row.ppp:
            self._redials.setdefault(row.name, 0)
        if before is not None and before.last.index != row.index and not anew:
            self._redials[row.name] = self._redials.get(row.name, 0) + 1
        return Interface(
            name=row.name,
            oper_status=if_mib.oper_status(row, values),
            speed_bps=reading.speed_bps,
            **totals.counters._asdict(),
            counter_epoch=totals.epoch,
            last_change_ticks=if_mib.last_change(row, values),
        )

    def _absent(self, there: set[str]) -> list[Interface]:
        """Return the wanted interfaces that the device does not have now, with their totals."""
        absent = []
        for name in self._device.interfaces:
            if name in there:
                continue
            totals = self._totals.get(name)
            absent.append(
                Interface(
                    name,
                    if_mib.NOT_PRESENT,
                    **(totals.counters if totals else counters.Counters())._asdict(),
                    counter_epoch=totals.epoch if totals else self._first_epoch,
                )
            )
        return absent

    def _failed(self, status: Status) -> Device:
        return Device(self._device.name, self._device.role, status)


def _client(device: config.Device) -> Client:
    if device.version == "2c":
        return CommunityClient(device.community)
    auth = _AUTH.get(device.auth_protocol)
    if auth is None:
        return UsmClient(device.user, None, b"", b"", None)
    priv_ku = password_to_key(device.priv_key.encode(), auth) if device.priv_protocol else b""
    return UsmClient(
        device.user, auth, password_to_key(device.auth_key.encode(), auth), priv_ku, None
    )
