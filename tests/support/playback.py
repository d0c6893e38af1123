"""A device that plays back a walk from a file, over SNMPv2c on loopback; it may misbehave.

The files are what `snmpwalk -On` prints: `.1.3.6.1.2.1.1.3.0 = Timeticks: (150) 0:00:01.50`.
Lines that begin with `#` are comments; the first says where the file comes from.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from tabuah.snmp import message
from tabuah.snmp.pdu import Oid, Pdu, PduType, Tag, Value, VarBind

Rows = dict[Oid, tuple[Tag, Value]]
Answer = Callable[[Pdu, Rows], Pdu | None]
"""None is silence."""

WALKS = Path(__file__).parents[1] / "agent" / "walks"
COMMUNITY = "public"
_LINE = re.compile(r"\.([\d.]+) = (?:([A-Za-z][\w -]*): ?)?(.*)", re.DOTALL)
_TAGS = {
    "INTEGER": Tag.INTEGER,
    "Gauge32": Tag.GAUGE32,
    "Counter32": Tag.COUNTER32,
    "Counter64": Tag.COUNTER64,
    "Timeticks": Tag.TIMETICKS,
    "OID": Tag.OID,
    "STRING": Tag.OCTET_STRING,
    "Hex-STRING": Tag.OCTET_STRING,
}


def oid(text: str) -> Oid:
    """Return the OID that is written with dots."""
    return tuple(int(part) for part in text.strip(".").split("."))


def parse(text: str) -> Rows:
    """Return the variables of a walk."""
    rows: Rows = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        assert found is not None, line
        tag = _TAGS[found[2] or "STRING"]
        rows[oid(found[1])] = (tag, _value(found[2] or "STRING", found[3].strip()))
    return rows


def _value(kind: str, text: str) -> Value:
    if kind == "STRING":
        return text.strip('"').encode()
    if kind == "Hex-STRING":
        return bytes.fromhex(text)
    if kind == "OID":
        return oid(text)
    if kind == "Timeticks":
        return int(text[1 : text.index(")")])
    return int(text)


def load(name: str) -> Rows:
    """Return the walk of that name."""
    return parse((WALKS / f"{name}.walk").read_text(encoding="utf-8"))


def well_behaved(asked: Pdu, rows: Mapping[Oid, tuple[Tag, Value]]) -> Pdu:
    """Answer as RFC 3416 section 4.2 asks, whatever the size."""
    if asked.type is PduType.GET:
        missing = (Tag.NO_SUCH_INSTANCE, None)
        found = [VarBind(b.oid, *rows.get(b.oid, missing)) for b in asked.varbinds]
        return _response(asked, found)
    order = sorted(rows)
    cursors = [bound.oid for bound in asked.varbinds]
    found = []
    for _ in range(asked.max_repetitions if asked.type is PduType.GETBULK else 1):
        for place, cursor in enumerate(cursors):
            at = bisect_right(order, cursor)
            if at == len(order):
                found.append(VarBind(cursor, Tag.END_OF_MIB_VIEW, None))
            else:
                cursors[place] = order[at]
                found.append(VarBind(order[at], *rows[order[at]]))
    return _response(asked, found)


def error(asked: Pdu, status: int, index: int = 0) -> Pdu:
    """Return an answer of that error-status, with the variables of the question."""
    return Pdu(PduType.RESPONSE, asked.request_id, status, index, asked.varbinds)


def _response(asked: Pdu, varbinds: list[VarBind]) -> Pdu:
    return Pdu(PduType.RESPONSE, asked.request_id, varbinds=tuple(varbinds))


class Playback(asyncio.DatagramProtocol):
    """A device on loopback; a test may change its rows and its manners."""

    def __init__(self, rows: Rows, answer: Answer = well_behaved) -> None:
        self.rows = rows
        self.answer = answer
        self.asked: list[Pdu] = []
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own datagram transport is no asyncio.DatagramTransport.
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = int(transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        community, pdu = message.decode_community(data)
        if community != COMMUNITY.encode():
            return
        self.asked.append(pdu)
        answer = self.answer(pdu, self.rows)
        if answer is not None:
            self._transport.sendto(message.encode_community(community, answer), addr)

    def set(self, name: str, value: int) -> None:
        """Change the value of a variable that the device has."""
        tag, _ = self.rows[oid(name)]
        self.rows[oid(name)] = (tag, value)


@asynccontextmanager
async def playing(rows: Rows, answer: Answer = well_behaved) -> AsyncIterator[Playback]:
    """Run the device on a free port of loopback."""
    loop = asyncio.get_running_loop()
    transport, device = await loop.create_datagram_endpoint(
        lambda: Playback(rows, answer), local_addr=("127.0.0.1", 0)
    )
    try:
        yield device
    finally:
        transport.close()
        await asyncio.sleep(0)
