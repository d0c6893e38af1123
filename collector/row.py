"""What the store keeps of a report: apart from the store, for those who need no database."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One report as the store keeps it."""

    site: str
    epoch: int
    """u64."""
    seq: int
    time_ms: int
    """When it was measured (corrected), ms since 1970 UTC."""
    received_ms: int
    """The collector's clock at arrival; its UTC day chooses the table."""
    late: bool
    corrected: bool
    block: bytes
    """As `tabuah.block` encodes it."""
