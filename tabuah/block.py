"""Reports as octets: the compact block that one OCTET STRING of an inform carries.

    block   = version u8, flags u8, reports     (reports deflated as a whole if flag DEFLATE)
            | version u8, flags u8, base u32, reports        (flag BASE: deflated upon another)
    report  = length, head, section ...         (length: varint, of what follows it)
    head    = epoch u64, seq u32, wall_ms u64, uptime_ms u64, boot_id 16 octets,
              interval_ms u32, occasion u8      (big-endian, 49 octets)
    section = type varint, length varint, body  (`tabuah.sections`)

The version speaks of the sections alone: envelope and head never change, so that a
collector can name, store and acknowledge a report whose sections it cannot read yet.
Such a report is a `Packed`; `read` makes a `Report` of it.

Upon another: an office says nearly the same each cycle. Once a report was acknowledged, both
ends hold it, and the next is deflated with it as the preset dictionary (RFC 1950's FDICT, over
raw RFC 1951), named by its CRC-32. A collector that does not hold it answers with an error, and
the report comes again whole.

Raises `DecodeError`, and nothing else, for octets that are not a block.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from tabuah import sections, varint
from tabuah.errors import DecodeError
from tabuah.report import Occasion, Report, ReportId
from tabuah.sections import Sections
from tabuah.varint import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    FindBase = Callable[[bytes], bytes | None]

VERSION = 1
DEFLATE = 0x01
HISTORY = 0x02
"""The reports come from the spool: they tell of the past and never of now."""
BASE = 0x04
"""Deflated upon another report."""

MAX_INFLATED = 1 << 18
"""No datagram of ours unpacks to more; a bomb stops here."""
MAX_RATIO = 64
"""Nor to more than so many times its size: reports deflate to a seventh at best."""

_HEAD = struct.Struct(">QIQQ16sIB")
BODY_AT = 1 + _HEAD.size
"""Where a report's sections begin in `Packed.octets`."""
_INTERVAL_AT = 1 + struct.calcsize(">QIQQ16s")
_OCCASIONS = {int(occasion): occasion for occasion in Occasion}


class Packed(NamedTuple):
    """One report, named but not read: what is stored, and what intake decides on."""

    epoch: int
    seq: int
    wall_ms: int
    uptime_ms: int
    boot_id: bytes
    interval_ms: int
    occasion: int
    octets: bytes
    """The version octet, then head and sections."""

    @property
    def readable(self) -> bool:
        """Whether `read` knows the sections' version: ours, or an older agent's."""
        return 1 <= self.octets[0] <= VERSION


class UnknownBaseError(DecodeError):
    """The block rests on a report that is not held here: it is to be sent whole."""


class Block(NamedTuple):
    """What one OCTET STRING holds."""

    reports: tuple[Packed, ...]
    history: bool


def pack(report: Report) -> Packed:
    """Return the report as it is stored and sent."""
    head = _HEAD.pack(
        report.id.epoch,
        report.id.seq,
        report.wall_ms,
        report.uptime_ms,
        report.boot_id,
        report.interval_ms,
        report.occasion,
    )
    body = sections.write(
        Sections(report.measurements, report.devices, report.host, report.agent, report.path)
    )
    return unpack(bytes((VERSION,)) + head + body)


def unpack(octets: bytes) -> Packed:
    """Return a stored report by its head."""
    if len(octets) < BODY_AT:
        raise DecodeError(f"a report of {len(octets)} octets is shorter than its head")
    return Packed._make((*_HEAD.unpack_from(octets, 1), octets))


def rehead(changed: Packed) -> Packed:
    """Return a report whose fields were changed (`_replace`), its octets made to say the same."""
    head = _HEAD.pack(*changed[:-1])
    return changed._replace(octets=changed.octets[:1] + head + changed.octets[1 + _HEAD.size :])


def interval_ms(octets: bytes) -> int:
    """Return `Packed.interval_ms` of a stored report, without the rest of its head."""
    return int.from_bytes(octets[_INTERVAL_AT : _INTERVAL_AT + 4], "big")


def read(site: str, packed: Packed) -> Report:
    """Return the whole report of `site`.

    Raises:
        DecodeError: its sections are damaged, or of a version that is not known here.
    """
    if not packed.readable:
        version = packed.octets[0]
        raise DecodeError(f"{site}: report of version {version}; 1 to {VERSION} are read here")
    said = sections.read(packed.octets[BODY_AT:])
    return Report(
        id=ReportId(site, packed.epoch, packed.seq),
        wall_ms=packed.wall_ms,
        uptime_ms=packed.uptime_ms,
        boot_id=packed.boot_id,
        interval_ms=packed.interval_ms,
        occasion=_OCCASIONS.get(packed.occasion, Occasion.CYCLE),
        path=said.path,
        measurements=said.measurements,
        devices=said.devices,
        host=said.host,
        agent=said.agent,
    )


def line_run(octets: bytes) -> int | None:
    """Return `sections.line_run` of a report's octets."""
    return sections.line_run(octets, BODY_AT) if octets[0] <= VERSION else None


def encode(
    reports: Sequence[Packed], *, history: bool = False, base: Packed | None = None
) -> bytes:
    """Return a block of reports that were packed in one version; deflated when that is shorter.

    Args:
        reports: what it says.
        history: whether they come from the spool.
        base: a report that the reader is known to hold; None for a block that stands alone.
    """
    body = bytearray()
    for report in reports:
        varint.put(body, len(report.octets) - 1)
        body += report.octets[1:]
    version = reports[0].octets[0] if reports else VERSION
    flags = HISTORY if history else 0
    alone = zlib.compress(body, 9, wbits=-15)
    if base is not None:
        deflater = zlib.compressobj(9, wbits=-15, zdict=base.octets)
        upon = deflater.compress(body) + deflater.flush()
        if len(upon) + 4 < len(alone):
            return bytes((version, flags | BASE)) + base_name(base.octets) + upon
    if len(alone) < len(body):
        return bytes((version, flags | DEFLATE)) + alone
    return bytes((version, flags)) + body


def base_name(octets: bytes) -> bytes:
    """Return the four octets by which a report's octets are named as a base."""
    return zlib.crc32(octets).to_bytes(4, "big")


def decode(octets: bytes, find_base: FindBase = lambda _: None) -> Block:
    """Return the reports of a block by their heads, whatever their version.

    Args:
        octets: the block.
        find_base: gives the octets of the report of that `base_name`, if they are held.

    Raises:
        UnknownBaseError: it rests on a report that is not held.
        DecodeError: it is no block.
    """
    if len(octets) < 2:
        raise DecodeError("a block of under two octets")
    version, flags = octets[0], octets[1]
    body = octets[2:]
    if flags & BASE:
        base = find_base(body[:4])
        if base is None:
            raise UnknownBaseError("a block upon a report that is not held here")
        body = _inflate(body[4:], base)
    elif flags & DEFLATE:
        body = _inflate(body)
    prefix = bytes((version,))
    if len(body) > 2 and body[0] >= 0x80 > body[1]:
        # Nearly always: one report, of 128 octets or more.
        length = body[0] & 0x7F | body[1] << 7
        if len(body) == 2 + length:
            return Block((unpack(prefix + body[2:]),), bool(flags & HISTORY))
    reader = Reader(body)
    reports = []
    while not reader.done:
        reports.append(unpack(prefix + reader.take(reader.number())))
    return Block(tuple(reports), bool(flags & HISTORY))


def _inflate(body: bytes, base: bytes = b"") -> bytes:
    inflater = zlib.decompressobj(wbits=-15, zdict=base)
    # What stands in the base already costs next to nothing: a report like it is its size again.
    most = min(MAX_INFLATED, MAX_RATIO * len(body) + 2 * len(base))
    try:
        inflated = inflater.decompress(body, most)
    except zlib.error as error:
        raise DecodeError(f"a block that does not inflate: {error}") from error
    if not inflater.eof:
        raise DecodeError("a block that is cut off, or inflates without end")
    return inflated
