"""Small reports for tests that are about something else."""

from __future__ import annotations

from tabuah import block
from tabuah.block import Packed
from tabuah.measurement import Kind, Measurement, Role, Status, Timing
from tabuah.report import Agent, Report, ReportId

BOOT = bytes(range(16))
BEGIN_MS = 1_795_500_000_000
"""24 November 2026."""


def report(
    seq: int,
    *,
    site: str = "13.02.10",
    epoch: int = 1,
    boot_id: bytes = BOOT,
    uptime_ms: int | None = None,
    wall_ms: int | None = None,
    interval_ms: int = 10_000,
    srtt_ms: int = 0,
) -> Report:
    """Return a report with one good probe; its clocks follow `seq` at its interval."""
    return Report(
        id=ReportId(site, epoch, seq),
        wall_ms=BEGIN_MS + seq * interval_ms if wall_ms is None else wall_ms,
        uptime_ms=seq * interval_ms if uptime_ms is None else uptime_ms,
        boot_id=boot_id,
        interval_ms=interval_ms,
        measurements=(
            Measurement(
                probe="dc",
                kind=Kind.UDP,
                role=Role.CENTRE,
                status=Status.RESPONSE_RECEIVED,
                received=1,
                rtt=Timing(20_000, 20_000, 20_000),
            ),
        ),
        agent=Agent(srtt_ms=srtt_ms),
    )


def packed(seq: int, **clocks: int) -> Packed:
    """Return such a report, packed."""
    return block.pack(report(seq, **clocks))  # type: ignore[arg-type]
