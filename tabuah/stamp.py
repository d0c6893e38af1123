"""STAMP test packets (RFC 8762), unauthenticated mode, with the SSID of RFC 8972. Pure.

Both packets have 44 octets, so that a reflector never amplifies. Times are NTP timestamps on the
wire and Unix nanoseconds here.

    sender                                    reflector
     0  sequence number                        0  its own sequence number (stateful)
     4  timestamp T1                           4  timestamp T3
    12  error estimate                        12  error estimate
    14  SSID                                  14  SSID
    16  zero                                  16  receive timestamp T2
                                              24  sender's sequence number
                                              28  sender's timestamp T1
                                              36  sender's error estimate, 38 zero
                                              40  sender's TTL, 41 zero
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tabuah.errors import DecodeError

LENGTH = 44

_SENDER = struct.Struct("!IQHH28x")
_REFLECTOR = struct.Struct("!IQHHQIQH2xB3x")

_NTP_UNIX = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905)."""
_ERA = 1 << 32
_NS = 1_000_000_000

_SYNCHRONISED = 0x8000
_PTP = 0x4000
_ERROR_SYNCHRONISED = _SYNCHRONISED | (22 << 8) | 1
"""Scale 22, multiplier 1: 2^-32 * 2^22 s, about 1 ms (RFC 4656 section 4.1.2)."""
_ERROR_FREE_RUNNING = (32 << 8) | 1
"""Scale 32, multiplier 1: 1 s. A multiplier of 0 would mean that the stamp is invalid."""


@dataclass(frozen=True, slots=True)
class SenderPacket:
    """What a Session-Sender sends."""

    sequence: int
    sent_ns: int
    """T1."""
    ssid: int = 0
    synchronised: bool = False
    """Whether the clock follows UTC."""


@dataclass(frozen=True, slots=True)
class ReflectorPacket:
    """What a stateful Session-Reflector answers."""

    sequence: int
    """How many packets of this session it had received before this one."""
    sent_ns: int
    """T3."""
    received_ns: int
    """T2."""
    sender_sequence: int
    sender_sent_ns: int
    """T1, as the sender wrote it."""
    ssid: int = 0
    sender_ttl: int = 0
    """TTL or hop limit with which the sender's packet came; 0 = not known."""
    synchronised: bool = False
    sender_error: int = _ERROR_FREE_RUNNING
    """The sender's error estimate, as it came."""


def encode_sender(packet: SenderPacket) -> bytes:
    """Return the 44 octets of a sender's packet."""
    return _SENDER.pack(
        packet.sequence % _ERA,
        ntp_from_unix_ns(packet.sent_ns),
        _error(packet.synchronised),
        packet.ssid,
    )


def decode_sender(data: bytes) -> SenderPacket:
    """Return the sender's packet at the begin of `data`; more octets are padding or TLVs.

    Raises:
        DecodeError: when `data` is too short to be one.
    """
    if len(data) < LENGTH:
        raise DecodeError(f"a STAMP packet has {LENGTH} octets or more, not {len(data)}")
    sequence, sent, error, ssid = _SENDER.unpack_from(data)
    return SenderPacket(sequence, unix_ns_from_ntp(sent), ssid, bool(error & _SYNCHRONISED))


def encode_reflector(packet: ReflectorPacket) -> bytes:
    """Return the 44 octets of a reflector's packet."""
    return _REFLECTOR.pack(
        packet.sequence % _ERA,
        ntp_from_unix_ns(packet.sent_ns),
        _error(packet.synchronised),
        packet.ssid,
        ntp_from_unix_ns(packet.received_ns),
        packet.sender_sequence % _ERA,
        ntp_from_unix_ns(packet.sender_sent_ns),
        packet.sender_error,
        packet.sender_ttl,
    )


def decode_reflector(data: bytes) -> ReflectorPacket:
    """Return the reflector's packet at the begin of `data`.

    Raises:
        DecodeError: when `data` is too short, or its times are PTP's (Z of the error estimate).
    """
    if len(data) < LENGTH:
        raise DecodeError(f"a STAMP packet has {LENGTH} octets or more, not {len(data)}")
    sequence, sent, error, ssid, received, sender_sequence, sender_sent, sender_error, ttl = (
        _REFLECTOR.unpack_from(data)
    )
    if error & _PTP:
        raise DecodeError("a reflector answers with PTP timestamps; set it to NTP's")
    return ReflectorPacket(
        sequence=sequence,
        sent_ns=unix_ns_from_ntp(sent),
        received_ns=unix_ns_from_ntp(received),
        sender_sequence=sender_sequence,
        sender_sent_ns=unix_ns_from_ntp(sender_sent),
        ssid=ssid,
        sender_ttl=ttl,
        synchronised=bool(error & _SYNCHRONISED),
        sender_error=sender_error,
    )


def reflect(
    data: bytes, *, sequence: int, received_ns: int, sent_ns: int, ttl: int, synchronised: bool
) -> bytes:
    """Return the answer to a sender's packet, of the same size; the sender's own fields verbatim.

    Octets beyond the 44th go back as they came.

    Raises:
        DecodeError: as `decode_sender`.
    """
    if len(data) < LENGTH:
        raise DecodeError(f"a STAMP packet has {LENGTH} octets or more, not {len(data)}")
    sender_sequence, sender_sent, sender_error, ssid = _SENDER.unpack_from(data)
    head = _REFLECTOR.pack(
        sequence % _ERA,
        ntp_from_unix_ns(sent_ns),
        _error(synchronised),
        ssid,
        ntp_from_unix_ns(received_ns),
        sender_sequence,
        sender_sent,
        sender_error,
        ttl,
    )
    return head + data[LENGTH:]


def ntp_from_unix_ns(unix_ns: int) -> int:
    """Return the 64-bit NTP timestamp (RFC 5905 section 6) of a time in Unix nanoseconds."""
    seconds, rest = divmod(unix_ns, _NS)
    fraction = ((rest << 32) + _NS // 2) // _NS
    return (((seconds + _NTP_UNIX) << 32) + fraction) % (1 << 64)


def unix_ns_from_ntp(ntp: int) -> int:
    """Return the Unix nanoseconds of an NTP timestamp, taken to lie from 1968 to 2104."""
    seconds, fraction = ntp >> 32, ntp & (_ERA - 1)
    if seconds < _ERA // 2:
        seconds += _ERA
    return (seconds - _NTP_UNIX) * _NS + ((fraction * _NS + _ERA // 2) >> 32)


def _error(synchronised: bool) -> int:
    return _ERROR_SYNCHRONISED if synchronised else _ERROR_FREE_RUNNING
