"""PDUs and their variable bindings (RFC 3416), to and from octets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from tabuah.errors import DecodeError
from tabuah.snmp import ber

Oid = tuple[int, ...]


class PduType(IntEnum):
    """The PDU's tag (RFC 3416 section 3). The Trap-PDU of SNMPv1 is not among them."""

    GET = 0xA0
    GETNEXT = 0xA1
    RESPONSE = 0xA2
    SET = 0xA3
    GETBULK = 0xA5
    INFORM = 0xA6
    TRAP = 0xA7
    REPORT = 0xA8


CONFIRMED = frozenset({PduType.GET, PduType.GETNEXT, PduType.SET, PduType.GETBULK, PduType.INFORM})
"""The confirmed class of RFC 3411 section 2.8: those that ask for an answer."""


class Tag(IntEnum):
    """The type of a variable's value, or why there is none."""

    INTEGER = 0x02
    OCTET_STRING = 0x04
    NULL = 0x05
    OID = 0x06
    IP_ADDRESS = 0x40
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TIMETICKS = 0x43
    OPAQUE = 0x44
    COUNTER64 = 0x46
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_MIB_VIEW = 0x82


_UNSIGNED: dict[Tag, int] = {
    Tag.COUNTER32: 2**32 - 1,
    Tag.GAUGE32: 2**32 - 1,
    Tag.TIMETICKS: 2**32 - 1,
    Tag.COUNTER64: 2**64 - 1,
}
_OCTETS = frozenset({Tag.OCTET_STRING, Tag.OPAQUE, Tag.IP_ADDRESS})
_EMPTY = frozenset({Tag.NULL, Tag.NO_SUCH_OBJECT, Tag.NO_SUCH_INSTANCE, Tag.END_OF_MIB_VIEW})
_NO_ERROR = b"\x02\x01\0\x02\x01\0"
_PDU_TYPE_OF: dict[int, PduType] = {int(kind): kind for kind in PduType}

Value = int | bytes | Oid | None


class VarBind(NamedTuple):
    """A variable and its value: numbers as int, octets and addresses as bytes, names as tuples."""

    oid: Oid
    tag: Tag = Tag.NULL
    value: Value = None


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU of SNMPv2 (RFC 3416 section 3), which v2c and v3 share."""

    type: PduType
    request_id: int
    """Signed, 32 bits."""
    error_status: int = 0
    error_index: int = 0
    """In a GETBULK these two are non-repeaters and max-repetitions."""
    varbinds: tuple[VarBind, ...] = ()

    @classmethod
    def asking(cls, kind: PduType, request_id: int, *oids: Oid) -> Pdu:
        """Return a GET or GETNEXT for the named variables."""
        return cls(kind, request_id, varbinds=tuple(VarBind(oid) for oid in oids))

    @classmethod
    def bulk(cls, request_id: int, *oids: Oid, max_repetitions: int, non_repeaters: int = 0) -> Pdu:
        """Return a GETBULK (RFC 3416 section 4.2.3)."""
        names = tuple(VarBind(oid) for oid in oids)
        return cls(PduType.GETBULK, request_id, non_repeaters, max_repetitions, names)

    @property
    def non_repeaters(self) -> int:
        """How many of a GETBULK's variables are asked for once."""
        return self.error_status

    @property
    def max_repetitions(self) -> int:
        """How often a GETBULK asks for each of the other variables."""
        return self.error_index


def encode_pdu(pdu: Pdu) -> bytes:
    """Return the PDU's octets.

    Raises:
        ValueError: if a value does not fit its tag.
    """
    bindings = b"".join([_encode_varbind(*varbind) for varbind in pdu.varbinds])
    return ber.tlv(
        pdu.type,
        ber.integer(pdu.request_id)
        + ber.integer(pdu.error_status)
        + ber.integer(pdu.error_index)
        + ber.tlv(ber.SEQUENCE, bindings),
    )


def decode_pdu(data: bytes, start: int = 0, end: int | None = None) -> Pdu:
    """Return the PDU that fills `data[start:end]`.

    Raises:
        DecodeError: if it is none, or more follows.
    """
    data = data if end is None else data[:end]
    kind, request_id, error_status, error_index, at = open_pdu(data, start)
    return Pdu(kind, request_id, error_status, error_index, decode_bindings(data, at))


class Head(NamedTuple):
    """A PDU without its bindings."""

    type: PduType
    request_id: int
    error_status: int
    error_index: int
    bindings_at: int
    """Where the first binding stands; the last one ends with the data."""


def open_pdu(data: bytes, start: int) -> Head:
    """Return the head of the PDU that fills `data[start:]`; its bindings are not looked at.

    Raises:
        DecodeError: if it is none, or more follows.
    """
    end = len(data)
    tag, at, stop = ber.read(data, start, end)
    kind = _PDU_TYPE_OF.get(tag)
    if kind is None:
        raise DecodeError(f"no PDU of SNMPv2 has the tag {tag:#04x}")
    request_id, at = ber.read_integer(data, at, stop)
    if at + 6 <= stop and data[at : at + 6] == _NO_ERROR:
        error_status = error_index = 0
        at += 6
    else:
        error_status, at = ber.read_integer(data, at, stop)
        error_index, at = ber.read_integer(data, at, stop)
    if not -(2**31) <= request_id < 2**31:
        raise DecodeError("request-id above 32 bits")
    at, bindings_stop = ber.enter(data, at, stop, ber.SEQUENCE)
    if stop != end or bindings_stop != stop:
        raise DecodeError("octets follow the PDU")
    return Head(kind, request_id, error_status, error_index, at)


def decode_bindings(data: bytes, at: int) -> tuple[VarBind, ...]:
    """Return the bindings that fill `data[at:]`.

    Raises:
        DecodeError: if they are none.
    """
    end = len(data)
    varbinds: list[VarBind] = []
    while at < end:
        tag, at, binding_stop = ber.read(data, at, end)
        if tag != ber.SEQUENCE:
            raise DecodeError(f"tag {tag:#04x} where a binding should stand")
        varbinds.append(_decode_varbind(data, at, binding_stop))
        at = binding_stop
    return tuple(varbinds)


def decode_head(data: bytes, start: int, end: int) -> tuple[PduType, int]:
    """Return the type and request-id of the PDU at `start`; its bindings are not looked at.

    Raises:
        DecodeError: if no PDU of SNMPv2 begins there.
    """
    tag, at, stop = ber.read(data, start, end)
    kind = _PDU_TYPE_OF.get(tag)
    if kind is None:
        raise DecodeError(f"no PDU of SNMPv2 has the tag {tag:#04x}")
    request_id, _ = ber.read_integer(data, at, stop)
    if not -(2**31) <= request_id < 2**31:
        raise DecodeError("request-id above 32 bits")
    return kind, request_id


def _decode_varbind(data: bytes, at: int, end: int) -> VarBind:
    octet, start, at = ber.read(data, at, end)
    if octet != _OID:
        raise DecodeError(f"tag {octet:#04x} where a name should stand")
    oid = ber.decode_oid(data[start:at])
    octet, start, stop = ber.read(data, at, end)
    if stop != end:
        raise DecodeError(f"octets follow the binding at {at}")
    try:
        tag, decode_value = _DECODERS[octet]
    except KeyError:
        raise DecodeError(f"no value of SNMPv2 has the tag {octet:#04x}") from None
    return VarBind(oid, tag, decode_value(data, start, stop))


def _octets(data: bytes, start: int, stop: int) -> Value:
    return data[start:stop]


def _address(data: bytes, start: int, stop: int) -> Value:
    if stop - start != 4:
        raise DecodeError(f"IpAddress of {stop - start} octets")
    return data[start:stop]


def _unsigned32(data: bytes, start: int, stop: int) -> Value:
    return ber.decode_unsigned(data, start, stop, 2**32 - 1)


def _unsigned64(data: bytes, start: int, stop: int) -> Value:
    return ber.decode_unsigned(data, start, stop, 2**64 - 1)


def _name(data: bytes, start: int, stop: int) -> Value:
    return ber.decode_oid(data[start:stop])


def _nothing(_: bytes, start: int, stop: int) -> Value:
    if start != stop:
        raise DecodeError(f"a value where there should be none at {start}")
    return None


# Keyed by plain numbers: hashing or calling an enum costs more than the rest of a binding.
_DECODERS: dict[int, tuple[Tag, Callable[[bytes, int, int], Value]]] = {
    int(tag): (tag, decoder)
    for tag, decoder in {
        Tag.INTEGER: ber.decode_integer,
        Tag.OCTET_STRING: _octets,
        Tag.NULL: _nothing,
        Tag.OID: _name,
        Tag.IP_ADDRESS: _address,
        Tag.COUNTER32: _unsigned32,
        Tag.GAUGE32: _unsigned32,
        Tag.TIMETICKS: _unsigned32,
        Tag.OPAQUE: _octets,
        Tag.COUNTER64: _unsigned64,
        Tag.NO_SUCH_OBJECT: _nothing,
        Tag.NO_SUCH_INSTANCE: _nothing,
        Tag.END_OF_MIB_VIEW: _nothing,
    }.items()
}
_OID = int(Tag.OID)


def _encode_varbind(oid: Oid, tag: Tag, value: Value) -> bytes:
    name = ber.encode_oid(oid)
    return ber.tlv(ber.SEQUENCE, ber.tlv(Tag.OID, name) + _encode_value(tag, value))


def _encode_value(tag: Tag, value: Value) -> bytes:
    match value:
        case int() if tag is Tag.INTEGER and -(2**63) <= value < 2**63:
            return ber.integer(value)
        case int() if 0 <= value <= _UNSIGNED.get(tag, -1):
            return ber.integer(value, tag)
        case bytes() if tag in _OCTETS and (tag is not Tag.IP_ADDRESS or len(value) == 4):
            return ber.tlv(tag, value)
        case tuple() if tag is Tag.OID:
            return ber.tlv(tag, ber.encode_oid(value))
        case None if tag in _EMPTY:
            return ber.tlv(tag, b"")
        case _:
            raise ValueError(f"{value!r} is no {tag.name}")
