"""A resolver that knows one address for every name. Run as `python resolver.py ADDRESS ANSWER`."""

from __future__ import annotations

import socket
import struct
import sys

_A = 1
_ANSWERED = 0x8180
"""QR, RD, RA, NOERROR (RFC 1035 4.1.1)."""


def answer(query: bytes, address: bytes) -> bytes:
    """Return the reply to a query of one question: the address, or none to other types than A."""
    end = query.index(0, 12) + 5
    asked = struct.unpack("!H", query[end - 4 : end - 2])[0]
    found = struct.pack("!HHHIH", 0xC00C, _A, 1, 60, 4) + address if asked == _A else b""
    head = query[:2] + struct.pack("!HHHHH", _ANSWERED, 1, 1 if found else 0, 0, 0)
    return head + query[12:end] + found


def main(address: str, says: str) -> None:
    """Answer until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 53))
        while True:
            query, peer = sock.recvfrom(1500)
            sock.sendto(answer(query, socket.inet_aton(says)), peer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
