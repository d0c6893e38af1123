"""ICMP and ICMPv6 echo (RFC 792, RFC 4443): requests made, answers read. Pure.

An answer is taken for ours by its sequence number and by random octets of the asker's in its
payload, and, on a raw socket, by its identifier: on a datagram socket the kernel puts its own
identifier into what leaves, and filters by it.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

COOKIE_OCTETS: Final = 8
ECHO_V4: Final = (8, 0)
ECHO_V6: Final = (128, 129)
"""The types of a request and of its answer."""

_HEADER: Final = struct.Struct("!BBHHH")


class Answer(NamedTuple):
    """An echo answer."""

    identifier: int
    sequence: int
    cookie: bytes


def request(identifier: int, sequence: int, cookie: bytes, *, v6: bool) -> bytes:
    """Return an echo request whose payload is the cookie, of COOKIE_OCTETS."""
    kind = ECHO_V6[0] if v6 else ECHO_V4[0]
    # Of ICMPv6 the kernel computes the checksum: it covers the source address.
    plain = _HEADER.pack(kind, 0, 0, identifier, sequence) + cookie
    total = 0 if v6 else checksum(plain)
    return _HEADER.pack(kind, 0, total, identifier, sequence) + cookie


def answer(data: bytes, *, v6: bool, raw: bool) -> Answer | None:
    """Return the answer that a datagram is; None if it is something else.

    Args:
        data: as the socket gave it.
        v6: of ICMPv6.
        raw: it came by a raw socket, which shows IPv4's header too.
    """
    if raw and not v6:
        data = data[(data[0] & 0x0F) * 4 :] if data else b""
    if len(data) < _HEADER.size + COOKIE_OCTETS:
        return None
    kind, _, _, identifier, sequence = _HEADER.unpack_from(data)
    if kind != (ECHO_V6[1] if v6 else ECHO_V4[1]):
        return None
    return Answer(identifier, sequence, data[_HEADER.size : _HEADER.size + COOKIE_OCTETS])


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of `data`."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
