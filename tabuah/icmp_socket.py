"""Opens a socket for ICMP echo: an unprivileged one where the kernel lets us, else a raw one."""

from __future__ import annotations

import socket
import struct

from tabuah.icmp import ECHO_V4, ECHO_V6

_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}

# linux/icmp.h, linux/icmpv6.h: a set bit keeps that type from a raw socket.
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1


def open_icmp(family: int) -> tuple[socket.socket, bool]:
    """Return an ICMP socket, and whether it is a raw one; the caller closes it.

    Raises:
        PermissionError: neither ping_group_range nor CAP_NET_RAW lets us.
        OSError: the kernel has no such family.
    """
    protocol = _PROTOCOL[socket.AddressFamily(family)]
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol), False
    except OSError:  # EACCES outside ping_group_range; EPROTONOSUPPORT where it is not built in
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    if family == socket.AF_INET:
        mask = struct.pack("@I", 0xFFFFFFFF & ~(1 << ECHO_V4[1]))
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, mask)
    else:
        blocked = [0xFFFFFFFF] * 8
        blocked[ECHO_V6[1] >> 5] &= ~(1 << (ECHO_V6[1] & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("@8I", *blocked))
    return sock, True
