"""Object identifiers: ours under one enterprise number, and those of the MIBs that we read.

The enterprise number stands here and in docs/mib/TABUAH-MIB.txt, nowhere else. 32473 is the
documentation number of RFC 5612; a real one is to be had from IANA before tabuah is shipped widely.
"""

from __future__ import annotations

Oid = tuple[int, ...]

ENTERPRISE = 32473
TABUAH: Oid = (1, 3, 6, 1, 4, 1, ENTERPRISE, 1)

# RFC 3418
SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
SNMP_TRAP_OID: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)

# TABUAH-MIB: the notifications, and the scalars that they carry.
REPORT_NOTIFICATION: Oid = (*TABUAH, 0, 1)
CHECK_NOTIFICATION: Oid = (*TABUAH, 0, 2)
SITE: Oid = (*TABUAH, 1, 1, 0)
SEQUENCE: Oid = (*TABUAH, 1, 2, 0)
STATE: Oid = (*TABUAH, 1, 3, 0)
RTT: Oid = (*TABUAH, 1, 4, 0)
LOSS: Oid = (*TABUAH, 1, 5, 0)
BLOCK: Oid = (*TABUAH, 1, 6, 0)
