"""One inform on its way through the collector: what it brought, and what is owed for it."""

from __future__ import annotations

from typing import NamedTuple

from collector.opened import Kept
from collector.store import Row
from tabuah.report import ReportId
from tabuah.snmp.receiver import Inform

Address = tuple[str, int] | tuple[str, int, int, int]
"""As the socket gives it: IPv4, or IPv6 with flow and scope."""
Datagram = tuple[bytes, Address]
"""What came, and from where; or what is to leave, and where to."""


class Delivery(NamedTuple):
    """The reports of one inform, judged; it is answered when all of them are on disk."""

    inform: Inform
    source: Address
    known: tuple[ReportId, ...]
    """Of what it brought, those that were known: stored, or on their way to it."""
    rows: tuple[Row, ...]
    """Those that are new."""
    live: tuple[Kept, ...]
    """Those that speak of now."""
