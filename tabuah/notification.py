"""Reports as the varbinds of a notification: a few key facts in plain, the rest as one block.

The key facts are for any SNMP manager and its log; tabuah's collector reads the block. In a
batch of history they speak of the first report alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from tabuah import block, oids
from tabuah.errors import DecodeError
from tabuah.measurement import LINE_ROLES, Role
from tabuah.snmp import ber
from tabuah.snmp.pdu import Tag, VarBind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabuah.block import Block, FindBase, Packed
    from tabuah.measurement import Measurement

_IS_REPORT = ber.tlv(
    ber.SEQUENCE,
    b"".join(
        ber.tlv(Tag.OID, ber.encode_oid(name))
        for name in (oids.SNMP_TRAP_OID, oids.REPORT_NOTIFICATION)
    ),
)
_BLOCK_NAME = ber.tlv(Tag.OID, ber.encode_oid(oids.BLOCK))


class LineState(IntEnum):
    """tabuahState: what the office itself says of its line."""

    GOOD = 1
    """Every probe across the line answered."""
    IMPAIRED = 2
    """Some did not."""
    CUT = 3
    """None did."""
    UNMEASURED = 4
    """Nothing was asked across the line."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the plain varbinds say."""

    state: LineState
    rtt_us: int
    """Of the centre's probe, else of the first that answered; 0 = none did."""
    loss_permille: int


def key_facts(measurements: Sequence[Measurement]) -> KeyFacts:
    """Return the summary of an office's probes across the line."""
    wan = [m for m in measurements if m.role in LINE_ROLES]
    good = [m for m in wan if m.good]
    if not wan:
        state = LineState.UNMEASURED
    elif len(good) == len(wan):
        state = LineState.GOOD
    else:
        state = LineState.IMPAIRED if good else LineState.CUT
    timed = sorted((m for m in wan if m.rtt is not None), key=lambda m: m.role is not Role.CENTRE)
    sent = sum(m.sent for m in wan)
    lost = sent - sum(m.received for m in wan)
    return KeyFacts(
        state=state,
        rtt_us=timed[0].rtt.mean_us if timed and timed[0].rtt is not None else 0,
        loss_permille=1000 * lost // sent if sent else 0,
    )


def varbinds(
    site: str,
    uptime_ms: int,
    facts: KeyFacts,
    reports: Sequence[Packed],
    *,
    history: bool,
    base: Packed | None = None,
) -> tuple[VarBind, ...]:
    """Return the varbinds of one notification; `history` and `base` as in `block.encode`.

    sysUpTime.0 comes first and snmpTrapOID.0 second, as RFC 3416 4.2.6 asks.
    """
    return (
        VarBind(oids.SYS_UPTIME, Tag.TIMETICKS, uptime_ms // 10 % 2**32),
        VarBind(oids.SNMP_TRAP_OID, Tag.OID, oids.REPORT_NOTIFICATION),
        VarBind(oids.SITE, Tag.OCTET_STRING, site.encode()),
        VarBind(oids.SEQUENCE, Tag.GAUGE32, reports[0].seq),
        VarBind(oids.STATE, Tag.INTEGER, int(facts.state)),
        VarBind(oids.RTT, Tag.GAUGE32, min(facts.rtt_us, 2**32 - 1)),
        VarBind(oids.LOSS, Tag.GAUGE32, facts.loss_permille),
        VarBind(oids.BLOCK, Tag.OCTET_STRING, block.encode(reports, history=history, base=base)),
    )


def check_varbinds(site: str, uptime_ms: int) -> tuple[VarBind, ...]:
    """Return the varbinds of a `tabuahCheck`: a person tries the way and the key."""
    return (
        VarBind(oids.SYS_UPTIME, Tag.TIMETICKS, uptime_ms // 10 % 2**32),
        VarBind(oids.SNMP_TRAP_OID, Tag.OID, oids.CHECK_NOTIFICATION),
        VarBind(oids.SITE, Tag.OCTET_STRING, site.encode()),
    )


def is_report(binds: Sequence[VarBind]) -> bool:
    """Whether a notification is tabuah's own, by its snmpTrapOID."""
    return any(
        bind.oid == oids.SNMP_TRAP_OID and bind.value == oids.REPORT_NOTIFICATION
        for bind in binds[:2]
    )


def own_block(octets: bytes, at: int) -> bytes | None:
    """Return tabuahBlock's content if `octets[at:]` are bindings as our agents write them.

    None if they are not, or not so written: then `is_report` and `read_block` tell. The key facts
    between are for other managers and are passed over, whatever they say.
    """
    end = len(octets)
    try:
        first, at = at, at + 2 + octets[at + 1]
        if octets[first] != ber.SEQUENCE or not octets.startswith(_IS_REPORT, at):
            return None
        at += len(_IS_REPORT)
        while octets[at + 1] < 0x80 and not octets.startswith(_BLOCK_NAME, at + 2):
            if octets[at] != ber.SEQUENCE:
                return None
            at += 2 + octets[at + 1]
        tag, start, stop = ber.read(octets, at, end)
        if tag != ber.SEQUENCE or stop != end or not octets.startswith(_BLOCK_NAME, start):
            return None
        tag, start, stop = ber.read(octets, start + len(_BLOCK_NAME), end)
    except (IndexError, DecodeError):
        return None
    return octets[start:stop] if tag == ber.OCTET_STRING and stop == end else None


def read_block(binds: Sequence[VarBind], find_base: FindBase = lambda _: None) -> Block:
    """Return the block of a report notification.

    Raises:
        UnknownBaseError: it rests on a report that `find_base` does not hold.
        DecodeError: there is none, or it is damaged.
    """
    for bind in reversed(binds):
        if bind.oid == oids.BLOCK and isinstance(bind.value, bytes):
            return block.decode(bind.value, find_base)
    raise DecodeError("a report notification without tabuahBlock")
