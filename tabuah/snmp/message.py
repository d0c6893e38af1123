"""Whole messages: SNMPv2c's (RFC 1901) and SNMPv3's with the user-based security model (RFC 3412).

Encoding signs and encrypts. Decoding does neither check nor decrypt: that takes a user, and
whoever decodes must look it up, check the digest, then the time, then decrypt, in this order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from tabuah.errors import DecodeError
from tabuah.snmp import aes, ber, usm
from tabuah.snmp.pdu import Pdu, decode_pdu, encode_pdu
from tabuah.snmp.usm import EngineTime, Level, SecurityParameters, UsmUser

V1 = 0
V2C = 1
V3 = 3
MAX_SIZE = 65507
"""The greatest UDP payload over IPv4: what we say that we can receive."""
SMALLEST_MAX_SIZE = 484
"""Of msgMaxSize (RFC 3412 section 6)."""
REPORTABLE = 0x04
USM_MODEL = 3

_LEVEL_OF: dict[int, Level] = {int(level): level for level in Level}

_USUAL_LEAST: Final = 256
_VERSION: Final = b"\x02\x01\x03"
_VERSION_THEN_HEADER: Final = b"\x02\x01\x03\x30"
_ONE_FLAG: Final = b"\x04\x01"
_USM: Final = b"\x02\x01\x03"
_FLAGS: Final = {
    (level, reportable): _ONE_FLAG + bytes((level | REPORTABLE if reportable else level,))
    for level in Level
    for reportable in (False, True)
}


class CommunityMessage(NamedTuple):
    """A message of SNMPv2c."""

    community: bytes
    pdu: Pdu


class ScopedPdu(NamedTuple):
    """A PDU and the context that it speaks of (RFC 3412 section 6.8)."""

    context_engine_id: bytes
    context_name: bytes
    pdu: Pdu


class Scope(NamedTuple):
    """A scoped PDU, opened but for its PDU."""

    context_engine_id: bytes
    context_name: bytes
    pdu_at: int
    """Where the PDU's tag stands."""


class Message(NamedTuple):
    """A message of SNMPv3, its digest not checked and its payload not decrypted."""

    msg_id: int
    max_size: int
    level: Level
    reportable: bool
    security: SecurityParameters
    mac_at: int
    payload: bytes
    """The scoped PDU; at AUTH_PRIV its ciphertext."""


def version(data: bytes) -> int:
    """Return the message's msgVersion: 0 is SNMPv1, 1 SNMPv2c, 3 SNMPv3.

    Raises:
        DecodeError: if it is no SNMP message.
    """
    at, stop = ber.enter(data, 0, len(data), ber.SEQUENCE)
    return ber.read_integer(data, at, stop)[0]


def encode_community(community: bytes, pdu: Pdu) -> bytes:
    """Return a message of SNMPv2c."""
    return ber.tlv(ber.SEQUENCE, ber.integer(V2C) + ber.octets(community) + encode_pdu(pdu))


def decode_community(data: bytes) -> CommunityMessage:
    """Return the message of SNMPv2c that `data` is.

    Raises:
        DecodeError: if it is none.
    """
    at, stop = ber.enter(data, 0, len(data), ber.SEQUENCE)
    number, at = ber.read_integer(data, at, stop)
    if number != V2C or stop != len(data):
        raise DecodeError(f"no message of SNMPv2c (version {number})")
    community, at = ber.read_octets(data, at, stop, 255)
    return CommunityMessage(community, decode_pdu(data, at, stop))


def encode_scoped(scoped: ScopedPdu) -> bytes:
    """Return the scoped PDU's octets."""
    return ber.tlv(
        ber.SEQUENCE,
        ber.octets(scoped.context_engine_id)
        + ber.octets(scoped.context_name)
        + encode_pdu(scoped.pdu),
    )


def open_scope(data: bytes) -> Scope:
    """Return the context of the scoped PDU that `data` is, and where its PDU stands.

    Raises:
        DecodeError: if it is none; after decryption this mostly means a wrong key.
    """
    at, stop = ber.enter(data, 0, len(data), ber.SEQUENCE)
    engine_id, at = ber.read_octets(data, at, stop, usm.MAX_ENGINE_ID_OCTETS)
    if at + 2 <= stop and data[at : at + 2] == b"\x04\0":
        name = b""
        at += 2
    else:
        name, at = ber.read_octets(data, at, stop, 255)
    if stop != len(data) or ber.read(data, at, stop)[2] != stop:
        raise DecodeError("octets follow the scoped PDU")
    return Scope(engine_id, name, at)


def decode_scoped(data: bytes) -> ScopedPdu:
    """Return the scoped PDU that `data` is.

    Raises:
        DecodeError: if it is none.
    """
    scope = open_scope(data)
    pdu = decode_pdu(data, scope.pdu_at)
    return ScopedPdu(scope.context_engine_id, scope.context_name, pdu)


def encode(
    scoped: bytes,
    *,
    msg_id: int,
    user: UsmUser,
    level: Level,
    engine_id: bytes,
    stamp: EngineTime,
    salt: bytes,
    reportable: bool,
    max_size: int = MAX_SIZE,
) -> bytes:
    """Return the message of SNMPv3 that carries a scoped PDU at that security level.

    Args:
        scoped: the scoped PDU's octets, in plain.
        msg_id: 0..2^31-1.
        user: the sender's name and keys; they must allow `level`.
        level: how far to protect it.
        engine_id: the authoritative engine's.
        stamp: the authoritative engine's clock.
        salt: 8 octets that this user and stamp have not seen; used at AUTH_PRIV only.
        reportable: whether a Report may answer it.
        max_size: what we can receive.

    Raises:
        ValueError: if the user has no keys for `level`.
    """
    if level > user.level:
        raise ValueError(f"user '{user.name}' has no keys for {level.name}")
    if level is Level.AUTH_PRIV:
        scoped = ber.octets(aes.encrypt(user.priv_key, usm.initial_vector(stamp, salt), scoped))
    else:
        salt = b""
    mac_length = user.mac_length if level else 0
    security = usm.encode_security(
        SecurityParameters(engine_id, stamp, user.name, bytes(mac_length), salt)
    )
    header = ber.tlv(ber.SEQUENCE, ber.integer(msg_id) + _rest(max_size, level, reportable))
    message = ber.tlv(ber.SEQUENCE, b"".join((_VERSION, header, ber.octets(security), scoped)))
    if not level:
        return message
    mac_at = len(message) - len(scoped) - 2 - len(salt) - mac_length
    mac = user.mac(message, mac_at)
    return b"".join((message[:mac_at], mac, message[mac_at + mac_length :]))


@lru_cache(maxsize=16)
def _rest(max_size: int, level: Level, reportable: bool) -> bytes:
    """Return a header's content after the message ID."""
    return b"".join((ber.integer(max_size), _FLAGS[level, reportable], _USM))


def decode(data: bytes) -> Message:
    """Return the message of SNMPv3 that `data` is; see `Message` for what is not done yet.

    Raises:
        DecodeError: if it is none, or of another security model.
    """
    return _decode_usual(data) or _decode_any(data)


def _decode_usual(data: bytes) -> Message | None:
    """Return the message if it is written as an agent's report is, else None.

    This is what the collector does thousands of times a second, in a fifth of the time of
    `_decode_any`: an encrypted message of 260 to 65,539 octets whose parts have lengths of one
    octet, and whose numbers are not negative. Whatever it returns, `_decode_any` returns too.
    """
    size = len(data)
    if (
        size < _USUAL_LEAST
        or data[:2] != b"\x30\x82"
        or int.from_bytes(data[2:4], "big") + 4 != size
        or data[4:8] != _VERSION_THEN_HEADER
    ):
        return None
    # Positions stay below 9 + 4 * 127: with the least size checked again where they may not.
    header_stop = 9 + data[8]
    at = 11 + data[10]
    msg_id = int.from_bytes(data[11:at], "big")
    if data[9] != 2 or not 11 < at < 16 or data[11] & 0x80 or data[at] != 2:
        return None
    start = at + 2
    at = start + data[at + 1]
    max_size = int.from_bytes(data[start:at], "big")
    if not start < at < start + 5 or data[start] & 0x80 or max_size < SMALLEST_MAX_SIZE:
        return None
    flags = data[at + 2]
    if (
        data[at : at + 2] != _ONE_FLAG
        or flags & 0x03 != Level.AUTH_PRIV
        or data[at + 3 : at + 6] != _USM
        or at + 6 != header_stop
    ):
        return None
    security = usm.decode_usual(data, header_stop)
    if security is None:
        return None
    parameters, mac_at, at = security
    if at + 4 > size or data[at : at + 2] != b"\x04\x82":
        return None
    if int.from_bytes(data[at + 2 : at + 4], "big") + at + 4 != size:
        return None
    return Message(
        msg_id,
        max_size,
        Level.AUTH_PRIV,
        bool(flags & REPORTABLE),
        parameters,
        mac_at,
        data[at + 4 :],
    )


def _decode_any(data: bytes) -> Message:
    at, stop = ber.enter(data, 0, len(data), ber.SEQUENCE)
    number, at = ber.read_integer(data, at, stop)
    if number != V3 or stop != len(data):
        raise DecodeError(f"no message of SNMPv3 (version {number})")
    at, header_stop = ber.enter(data, at, stop, ber.SEQUENCE)
    msg_id, at = ber.read_integer(data, at, header_stop)
    max_size, at = ber.read_integer(data, at, header_stop)
    flags, at = ber.read_octets(data, at, header_stop, 1)
    model, at = ber.read_integer(data, at, header_stop)
    if at != header_stop or model != USM_MODEL or not flags:
        raise DecodeError("msgGlobalData is not that of the user-based security model")
    if not (0 <= msg_id <= usm.MAX_INT and SMALLEST_MAX_SIZE <= max_size <= usm.MAX_INT):
        raise DecodeError(f"msgID {msg_id} or msgMaxSize {max_size} out of range")
    level = _LEVEL_OF.get(flags[0] & 0x03)
    if level is None:
        raise DecodeError("msgFlags ask for privacy without authentication")
    security_at, at = ber.enter(data, header_stop, stop, ber.OCTET_STRING)
    security, mac_at = usm.decode_security(data, security_at, at)
    payload_tag = ber.OCTET_STRING if level is Level.AUTH_PRIV else ber.SEQUENCE
    start, payload_stop = ber.enter(data, at, stop, payload_tag)
    if payload_stop != stop:
        raise DecodeError("octets follow the message's data")
    payload = data[start:stop] if level is Level.AUTH_PRIV else data[at:stop]
    reportable = bool(flags[0] & REPORTABLE)
    return Message(msg_id, max_size, level, reportable, security, mac_at, payload)


def decrypt(message: Message, user: UsmUser) -> bytes:
    """Return the scoped PDU's octets, in plain.

    Raises:
        DecodeError: if the message is encrypted and its salt no salt of AES.
    """
    if message.level is not Level.AUTH_PRIV:
        return message.payload
    _, stamp, _, _, salt = message.security
    if len(salt) != usm.SALT_OCTETS:
        raise DecodeError(f"salt of {len(salt)} octets")
    return aes.decrypt(user.priv_key, usm.initial_vector(stamp, salt), message.payload)
