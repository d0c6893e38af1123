"""One inform on its way through the collector: what it brought, and what is owed for it."""

from __future__ import annotations

from dataclasses import dataclass

from collector.live import Received
from collector.store import Row
from tabuah.report import ReportId
from tabuah.snmp.receiver import Inform

Address = tuple[str, int] | tuple[str, int, int, int]
"""As the socket gives it: IPv4, or IPv6 with flow and scope."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The reports of one inform, judged; it is answered when all of them are on disk."""

    inform: Inform
    source: Address
    ids: tuple[ReportId, ...]
    """All that it brought, duplicates too."""
    rows: tuple[Row, ...]
    """Those that are new."""
    live: tuple[Received, ...]
    """Those that speak of now."""
