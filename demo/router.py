"""The offices' router as an SNMP device: net-snmp's `snmpd` where installed, otherwise played here.

`snmpd` is a real peer, but shows this machine's interfaces, so one process serves all offices,
each on a port of its own. The played router has a `wan0` of its own for each office. Both
answer SNMPv2c on loopback. Only GET, GETNEXT and GETBULK are answered (RFC 3416 section 4.2).
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import time
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pysnmp.proto import api
from pysnmp.proto.error import ProtocolError

from demo.relay import LOOPBACK, Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tabuah.oids import Oid

V2 = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
MIB_2: Oid = (1, 3, 6, 1, 2, 1)
IF_ENTRY: Oid = (*MIB_2, 2, 2, 1)
IF_X_ENTRY: Oid = (*MIB_2, 31, 1, 1, 1)
UCD: Oid = (1, 3, 6, 1, 4, 1, 2021)
MOST_ROWS = 100
"""Varbinds in one answer to GETBULK, so that it stays one datagram."""

SPEED_MBPS = 20
SWELL_S = 300.0
SWELL = 0.6
LO, WAN = 1, 2


@dataclass(frozen=True, slots=True)
class Traffic:
    """Octets that grow forever, in a swell of five minutes around a mean rate."""

    mean_octets_s: float
    phase: float
    """Radians: offices are not all busy at once."""

    def octets(self, elapsed_s: float) -> int:
        """Return the octets since the beginning: the integral of the swelling rate."""
        turn = 2 * math.pi / SWELL_S
        swung = math.cos(self.phase) - math.cos(turn * elapsed_s + self.phase)
        return int(self.mean_octets_s * (elapsed_s + SWELL * swung / turn))


@dataclass(frozen=True, slots=True)
class Mib:
    """What the played router of one office knows."""

    name: str
    down: Traffic
    up: Traffic

    @classmethod
    def of(cls, name: str, number: int) -> Mib:
        """Return the router of the office that is `number` in the list."""
        phase = number * 2.4
        return cls(name, Traffic(450_000 + 25_000 * number, phase), Traffic(90_000, phase + 1))

    def rows(self, elapsed_s: float) -> list[tuple[Oid, object]]:
        """Return all values `elapsed_s` after the router came up, in the order of their OIDs."""
        ticks = V2.TimeTicks(int(elapsed_s * 100) % 2**32)
        received, sent = self.down.octets(elapsed_s), self.up.octets(elapsed_s)
        zero = V2.Counter32(0)
        rows: dict[Oid, object] = {
            (*MIB_2, 1, 1, 0): V2.OctetString("tabuah demo router"),
            (*MIB_2, 1, 3, 0): ticks,
            (*MIB_2, 1, 5, 0): V2.OctetString(self.name),
            (*MIB_2, 2, 1, 0): V2.Integer32(2),
            (*MIB_2, 25, 1, 1, 0): ticks,
            (*UCD, 4, 6, 0): V2.Integer32(81_920),
            (*UCD, 10, 1, 5, 1): V2.Integer32(12),
        }
        for index, name, kind, octets_in, octets_out in (
            (LO, "lo", 24, 0, 0),
            (WAN, "wan0", 6, received, sent),
        ):
            columns = {
                1: V2.Integer32(index),
                2: V2.OctetString(name),
                3: V2.Integer32(kind),
                5: V2.Gauge32(SPEED_MBPS * 1_000_000),
                7: V2.Integer32(1),
                8: V2.Integer32(1),
                9: V2.TimeTicks(0),
                10: V2.Counter32(octets_in % 2**32),
                13: zero,
                14: zero,
                16: V2.Counter32(octets_out % 2**32),
                19: zero,
                20: zero,
            }
            extended = {
                1: V2.OctetString(name),
                6: V2.Counter64(octets_in),
                10: V2.Counter64(octets_out),
                15: V2.Gauge32(SPEED_MBPS),
                19: V2.TimeTicks(0),
            }
            rows |= {(*IF_ENTRY, column, index): value for column, value in columns.items()}
            rows |= {(*IF_X_ENTRY, column, index): value for column, value in extended.items()}
        return sorted(rows.items(), key=lambda row: row[0])


def respond(datagram: bytes, community: str, rows: Sequence[tuple[Oid, object]]) -> bytes | None:
    """Return the answer to one SNMPv2c request, or None where an agent stays silent."""
    try:
        request, _ = decoder.decode(datagram, asn1Spec=V2.Message())
        if bytes(V2.apiMessage.get_community(request)) != community.encode():
            return None
        pdu = V2.apiMessage.get_pdu(request)
        asked = [tuple(oid) for oid, _ in V2.apiPDU.get_varbinds(pdu)]
        if pdu.isSameTypeWith(V2.GetRequestPDU()):
            known = dict(rows)
            # RFC 3416 section 4.2.1: an unknown name is an exception in its place.
            found = [(oid, known.get(oid, V2.NoSuchObject(""))) for oid in asked]
        elif pdu.isSameTypeWith(V2.GetNextRequestPDU()):
            found = [row for oid in asked for row in _after(oid, 1, rows)]
        elif pdu.isSameTypeWith(V2.GetBulkRequestPDU()):
            single = int(V2.apiBulkPDU.get_non_repeaters(pdu))
            most = int(V2.apiBulkPDU.get_max_repetitions(pdu))
            found = [row for oid in asked[:single] for row in _after(oid, 1, rows)]
            found += _interleaved(asked[single:], most, rows)
        else:
            return None
        response = V2.apiMessage.get_response(request)
        V2.apiPDU.set_varbinds(
            V2.apiMessage.get_pdu(response), [(V2.ObjectIdentifier(o), v) for o, v in found]
        )
        return bytes(encoder.encode(response))
    except (PyAsn1Error, ProtocolError):
        return None


def _after(oid: Oid, count: int, rows: Sequence[tuple[Oid, object]]) -> list[tuple[Oid, object]]:
    """Return the `count` rows that follow `oid`; past the end, endOfMibView."""
    at = bisect_right(rows, oid, key=lambda row: row[0])
    found = list(rows[at : at + count])
    return found or [(oid, V2.EndOfMibView(""))]


def _interleaved(
    asked: Sequence[Oid], count: int, rows: Sequence[tuple[Oid, object]]
) -> Iterable[tuple[Oid, object]]:
    """Return GETBULK's repetitions, row by row (RFC 3416 section 4.2.3)."""
    count = min(count, MOST_ROWS // max(1, len(asked)))
    columns = [_after(oid, count, rows) for oid in asked]
    for repetition in range(count):
        for column in columns:
            last = column[-1][0]
            yield column[repetition] if repetition < len(column) else (last, V2.EndOfMibView(""))


class PlayedRouter(asyncio.DatagramProtocol):
    """One office's router, played on a port of its own."""

    def __init__(self, mib: Mib, community: str) -> None:
        self._mib = mib
        self._community = community
        self._began = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        # Python 3.11's own datagram transport is no asyncio.DatagramTransport.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a request."""
        rows = self._mib.rows(time.monotonic() - self._began)
        response = respond(data, self._community, rows)
        if response is not None:
            self._transport.sendto(response, addr)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(*self._transport.get_extra_info("sockname"))

    def close(self) -> None:
        """Stop answering."""
        self._transport.close()


async def play_router(mib: Mib, community: str) -> PlayedRouter:
    """Return a router that answers on a free port."""
    loop = asyncio.get_running_loop()
    _, router = await loop.create_datagram_endpoint(
        lambda: PlayedRouter(mib, community), local_addr=(LOOPBACK, 0)
    )
    return router


def find_snmpd() -> str | None:
    """Return the path of net-snmp's daemon; users often lack /usr/sbin in their PATH."""
    return shutil.which("snmpd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start: its arguments, and what its environment has besides ours."""

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


def snmpd_command(program: str, folder: Path, ports: Sequence[int], community: str) -> Command:
    """Return how to start `snmpd` on `ports`; its configuration is written to `folder`.

    Nothing of it is written or read elsewhere: `-C` leaves the system's configuration alone,
    and SNMP_PERSISTENT_DIR moves what it keeps.
    """
    state = folder / "state"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    listen = ",".join(f"udp:{LOOPBACK}:{port}" for port in ports)
    config = folder / "router.conf"
    config.touch(mode=0o600)
    config.write_text(
        f"agentaddress {listen}\n"
        f"rocommunity {community} {LOOPBACK}\n"
        # It would log each request.
        "dontLogTCPWrappersConnects yes\n"
    )
    arguments = (program, "-f", "-r", "-Lo", "-C", "-c", str(config), "-p", str(folder / "pid"))
    return Command(
        arguments,
        (("SNMP_PERSISTENT_DIR", str(state)), ("SNMPCONFPATH", str(state)), ("MIBS", "")),
    )
