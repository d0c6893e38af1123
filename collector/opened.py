"""Stored reports as people see them: read, or by their head where that is all that can be read.

Nobody looks at most of the reports that come: they are kept packed, and read when somebody does.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from collector.live import Received
from collector.row import Row
from tabuah import block
from tabuah.block import Packed
from tabuah.errors import DecodeError
from tabuah.report import Occasion, Report, ReportId
from tabuah.skim import skim

log = logging.getLogger(__name__)


class Kept:
    """A row that stands in the live view: `collector.live.Heard`.

    There are two for each office: what the report's own octets say is not held beside them.
    """

    __slots__ = (
        "block", "corrected", "glance", "lag_ms", "received_ms", "site", "skew_ms",
        "well_since_ms",
    )  # fmt: skip

    def __init__(self, row: Row, skew_ms: int | None = None) -> None:
        """Keep a report that was not late."""
        self.site = row.site
        self.block = row.block
        self.received_ms = row.received_ms
        """The collector's clock when it came, ms since 1970 UTC."""
        self.lag_ms = row.received_ms - row.time_ms
        """How long after its measuring it came: a small number, which costs no memory."""
        self.corrected = row.corrected
        """Whether that is not the office's own word."""
        self.skew_ms = skew_ms
        self.glance = 0
        """What `tabuah.glance.well` said of it; 0 = nobody asked, or it is to be read."""
        self.well_since_ms = row.time_ms
        """Since when each report of its office has been well; one number for all of them."""

    @property
    def time_ms(self) -> int:
        """When it was measured."""
        return self.received_ms - self.lag_ms

    @property
    def row(self) -> Row:
        """Return the report as the store has it."""
        head = block.unpack(self.block)
        times = (self.time_ms, self.received_ms)
        return Row(self.site, head.epoch, head.seq, *times, False, self.corrected, self.block)

    @property
    def interval_ms(self) -> int:
        """When its office means to report again."""
        return block.interval_ms(self.block)

    @property
    def srtt_ms(self) -> int:
        """The smoothed round trip of its office's reports; a fifth of the time to open it."""
        packed = block.unpack(self.block)
        try:
            return skim(packed.octets[block.BODY_AT :]).srtt_ms if packed.readable else 0
        except DecodeError:
            return 0

    def opened(self) -> Received:
        """Return the report."""
        return replace(opened(self.row), skew_ms=self.skew_ms)


def opened(row: Row) -> Received:
    """Return the report of a row; of one that is too new or damaged, what its head says."""
    packed = block.unpack(row.block)
    unread = False
    try:
        report = block.read(row.site, packed)
    except DecodeError as error:
        log.debug("%s: kept unread: %s", row.site, error)
        report, unread = _by_head(row.site, packed), True
    return Received(report, row.received_ms, row.time_ms, row.corrected, row.late, unread=unread)


def _by_head(site: str, packed: Packed) -> Report:
    known = packed.occasion in Occasion._value2member_map_
    return Report(
        id=ReportId(site, packed.epoch, packed.seq),
        wall_ms=packed.wall_ms,
        uptime_ms=packed.uptime_ms,
        boot_id=packed.boot_id,
        interval_ms=packed.interval_ms,
        occasion=Occasion(packed.occasion) if known else Occasion.CYCLE,
    )
