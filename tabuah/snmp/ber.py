"""The basic encoding rules (X.690), as far as SNMP uses them (RFC 3417 section 8).

Positions are passed instead of slices, so that nesting costs no copies. Lengths are definite;
one written in more octets than it needs is accepted, since net-snmp and others send `82 00 05`.
Decoding raises `DecodeError` and nothing else; encoding what SNMP cannot say, `ValueError`.
"""

from __future__ import annotations

from functools import lru_cache

from tabuah.errors import DecodeError

SEQUENCE = 0x30
INTEGER = 0x02
OCTET_STRING = 0x04

MAX_SUB_IDENTIFIERS = 128
MAX_SUB_IDENTIFIER = 2**32 - 1
"""Both of RFC 2578 section 3.5."""


class _ShortHeads(dict[int, list[bytes]]):
    """By tag, then by length: the first two octets of every element whose length has one.

    A tag's row is made when the tag is first said. SNMP has some twenty; those of all 256 would
    take 1.7 MiB, which a gateway feels.
    """

    def __missing__(self, tag: int) -> list[bytes]:
        row = self[tag] = [bytes((tag, length)) for length in range(0x80)]
        return row


_SHORT_HEADS = _ShortHeads()
_OCTETS_HEADS = _SHORT_HEADS[OCTET_STRING]
_MAX_OID_OCTETS = 5 * MAX_SUB_IDENTIFIERS
_OIDS_REMEMBERED = 512
"""The same few names come in every message; a name decodes into a few kB at most."""


def read(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return the tag at `at`, where its content starts, and where it stops (at most `end`).

    Raises:
        DecodeError: if the element is cut short, or its length indefinite or beyond `end`.
    """
    try:
        tag = data[at]
        length = data[at + 1]
        start = at + 2
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4:
                raise DecodeError(f"length of {octets} octets at {at + 1}")
            start += octets
            length = int.from_bytes(data[start - octets : start], "big")
    except IndexError:
        raise DecodeError(f"cut short at {at}") from None
    stop = start + length
    if stop > end:
        raise DecodeError(f"element at {at} ends {stop - end} octets too late")
    return tag, start, stop


def enter(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Return where the content of the element at `at` starts and stops; it must have `tag`.

    Raises:
        DecodeError: as `read`, or if another tag stands there.
    """
    found, start, stop = read(data, at, end)
    if found != tag:
        raise DecodeError(f"tag {found:#04x} at {at} instead of {tag:#04x}")
    return start, stop


def read_integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the INTEGER at `at`, and where it stops.

    Raises:
        DecodeError: as `enter`, or if it has more than 64 bits.
    """
    start, stop = enter(data, at, end, INTEGER)
    return decode_integer(data, start, stop), stop


def read_octets(data: bytes, at: int, end: int, most: int) -> tuple[bytes, int]:
    """Return the OCTET STRING at `at`, and where it stops.

    Raises:
        DecodeError: as `enter`, or if it has more than `most` octets.
    """
    start, stop = enter(data, at, end, OCTET_STRING)
    if stop - start > most:
        raise DecodeError(f"{stop - start} octets at {at} instead of at most {most}")
    return data[start:stop], stop


def decode_integer(data: bytes, start: int, stop: int) -> int:
    """Return the two's complement number in `data[start:stop]`, 1 to 8 octets.

    Raises:
        DecodeError: if there are none or more.
    """
    if not 1 <= stop - start <= 8:
        raise DecodeError(f"integer of {stop - start} octets at {start}")
    return int.from_bytes(data[start:stop], "big", signed=True)


def decode_unsigned(data: bytes, start: int, stop: int, most: int) -> int:
    """Return the number in `data[start:stop]`, which is at most `most`.

    A first octet above 0x7F counts as a value, not as a sign: some agents leave out the zero
    before it, and net-snmp reads them the same way.

    Raises:
        DecodeError: if there are no octets, more than 9, or the number is greater.
    """
    if not 1 <= stop - start <= 9:
        raise DecodeError(f"unsigned number of {stop - start} octets at {start}")
    value = int.from_bytes(data[start:stop], "big")
    if value > most:
        raise DecodeError(f"unsigned number at {start} above {most}")
    return value


@lru_cache(maxsize=_OIDS_REMEMBERED)
def decode_oid(content: bytes) -> tuple[int, ...]:
    """Return the object identifier whose content is given; no content at all is 0.0.

    `06 00` is not valid, but sent by devices; net-snmp reads it as 0.0 too.

    Raises:
        DecodeError: if it is cut short, or has more or greater sub-identifiers than SNMP allows.
    """
    if len(content) > _MAX_OID_OCTETS:
        raise DecodeError(f"object identifier of {len(content)} octets")
    if not content:
        return (0, 0)
    if content[-1] & 0x80:
        raise DecodeError("object identifier cut short")
    subs: list[int] = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if octet < 0x80:
            subs.append(value)
            value = 0
        elif value > MAX_SUB_IDENTIFIER:
            raise DecodeError("sub-identifier above 32 bits")
    first = subs[0]
    root = min(first // 40, 2)
    subs[:1] = (root, first - 40 * root)
    if len(subs) > MAX_SUB_IDENTIFIERS or max(subs) > MAX_SUB_IDENTIFIER:
        raise DecodeError("object identifier beyond RFC 2578 section 3.5")
    return tuple(subs)


def tlv(tag: int, content: bytes) -> bytes:
    """Return the element of that tag and content."""
    length = len(content)
    if length < 0x80:
        return _SHORT_HEADS[tag][length] + content
    octets = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | octets)) + length.to_bytes(octets, "big") + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Return the element of that tag for a number of at most 64 bits, signed or not.

    Raises:
        ValueError: if it has more.
    """
    if not -(2**63) <= value < 2**64:
        raise ValueError(f"{value} has more than 64 bits")
    octets = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return _SHORT_HEADS[tag][octets] + value.to_bytes(octets, "big", signed=True)


def octets(content: bytes) -> bytes:
    """Return the OCTET STRING of that content."""
    length = len(content)
    return _OCTETS_HEADS[length] + content if length < 0x80 else tlv(OCTET_STRING, content)


@lru_cache(maxsize=_OIDS_REMEMBERED)
def encode_oid(oid: tuple[int, ...]) -> bytes:
    """Return the content of an object identifier.

    Raises:
        ValueError: if it is none that SNMP can say.
    """
    if not 2 <= len(oid) <= MAX_SUB_IDENTIFIERS or not 0 <= min(oid) <= max(oid) <= 2**32 - 1:
        raise ValueError(f"{oid} is no object identifier of RFC 2578 section 3.5")
    root, second, *rest = oid
    if root > 2 or (root < 2 and second >= 40):
        raise ValueError(f"{oid} is no object identifier of X.660")
    content = bytearray()
    for sub in (40 * root + second, *rest):
        if sub < 0x80:
            content.append(sub)
            continue
        shift = (sub.bit_length() - 1) // 7 * 7
        while shift:
            content.append(0x80 | sub >> shift & 0x7F)
            shift -= 7
        content.append(sub & 0x7F)
    return bytes(content)
