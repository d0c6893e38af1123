"""Reports: what an authoritative engine tells the sender of what it refuses (RFC 3414 section 3.2).

A Report is never larger than one and a half times the datagram that it answers, so that whoever
forges source addresses gains nothing by us.
"""

from __future__ import annotations

from tabuah.errors import DecodeError
from tabuah.snmp import message
from tabuah.snmp.message import Message, ScopedPdu
from tabuah.snmp.pdu import CONFIRMED, Pdu, PduType, Tag, VarBind, decode_head
from tabuah.snmp.usm import NOBODY, EngineTime, Level, Stat, UsmUser

MOST_PER_OCTET = 1.5


def wanted(refused: Message) -> bool:
    """Return whether a Report may answer: never to a Report, lest two engines talk for ever."""
    if not refused.reportable:
        return False
    head = _visible(refused)
    return head is None or head[0] in CONFIRMED


def most_octets(refused: Message, size: int) -> int:
    """Return how large a Report to a datagram of that size may be."""
    return min(refused.max_size, int(MOST_PER_OCTET * size))


def authentic(
    refused: Message, stat: Stat, count: int, *, user: UsmUser, stamp: EngineTime, most: int
) -> bytes | None:
    """Return a Report, of at most `most` octets, from whose stamp the sender may set its clock."""
    engine_id = refused.security.engine_id
    report = _report(refused, stat, count)
    datagram = _encode(
        refused, report, user=user, engine_id=engine_id, context=engine_id, stamp=stamp
    )
    return datagram if len(datagram) <= most else None


def plain(
    refused: Message, stat: Stat, count: int, *, engine_id: bytes, stamp: EngineTime, most: int
) -> bytes | None:
    """Return a Report, of at most `most` octets, that proves nothing.

    A probe for our engine ID is so short that a Report as RFC 3412 wants it would be too large.
    It gets a lean one, without what nobody may believe unauthenticated (our clock) and what the
    header says already (our engine ID). net-snmp and pysnmp take both.
    """
    report = _report(refused, stat, count)
    datagram = _encode(
        refused, report, user=NOBODY, engine_id=engine_id, context=engine_id, stamp=stamp
    )
    if len(datagram) > most:
        lean = Pdu(PduType.REPORT, 0, varbinds=report.varbinds)
        start = EngineTime(0, 0)
        datagram = _encode(
            refused, lean, user=NOBODY, engine_id=engine_id, context=b"", stamp=start
        )
    return datagram if len(datagram) <= most else None


def _report(refused: Message, stat: Stat, count: int) -> Pdu:
    head = _visible(refused)
    # RFC 3412 section 7.1 3c: the request-id, or 0 where it cannot be seen.
    request_id = 0 if head is None else head[1]
    varbind = VarBind(stat.value, Tag.COUNTER32, count % 2**32)
    return Pdu(PduType.REPORT, request_id, varbinds=(varbind,))


def _encode(
    refused: Message,
    report: Pdu,
    *,
    user: UsmUser,
    engine_id: bytes,
    context: bytes,
    stamp: EngineTime,
) -> bytes:
    return message.encode(
        message.encode_scoped(ScopedPdu(context, b"", report)),
        msg_id=refused.msg_id,
        user=user,
        level=min(user.level, Level.AUTH_NO_PRIV),
        engine_id=engine_id,
        stamp=stamp,
        salt=b"",
        reportable=False,
        max_size=message.MAX_SIZE if context else message.SMALLEST_MAX_SIZE,
    )


def _visible(refused: Message) -> tuple[PduType, int] | None:
    # The head alone: a stranger's 10,000 variables are not worth decoding.
    if refused.level is Level.AUTH_PRIV:
        return None
    try:
        scope = message.open_scope(refused.payload)
        return decode_head(refused.payload, scope.pdu_at, len(refused.payload))
    except DecodeError:
        return None
