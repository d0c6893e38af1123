"""Small reports for tests that are about something else."""

from __future__ import annotations

import random
from dataclasses import replace

from tabuah import block
from tabuah.block import Packed
from tabuah.measurement import Kind, Measurement, Role, Status, Timing
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Agent, Clock, Device, Host, Interface, Report, ReportId

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


def stated(seq: int, *, good: bool, **clocks: int) -> Report:
    """Return such a report, whose one probe across the line was answered or not."""
    made = report(seq, **clocks)  # type: ignore[arg-type]
    (probe,) = made.measurements
    if not good:
        probe = replace(probe, status=Status.REQUEST_TIMED_OUT, received=0, rtt=None)
    return replace(made, measurements=(probe,))


def full_report(seq: int) -> Packed:
    """Return the report of an office that is asked much: all numbers vary, as they do."""
    dice = random.Random(seq)

    def ping(name: str, role: Role, about_us: int) -> Measurement:
        us = about_us + dice.randrange(about_us // 10)
        timing = Timing(us, us, us, dice.randrange(about_us // 10))
        return Measurement(
            name, Kind.PING, role, Status.RESPONSE_RECEIVED, run=seq, received=1, rtt=timing,
            age_ms=2_000 + 100 * dice.randrange(3),
        )  # fmt: skip

    ports = tuple(
        Interface(
            name, 1, 1_000_000_000, 91_234_567_890 + seq * 800_000 + dice.randrange(400_000),
            8_234_567_890 + seq * 90_000 + dice.randrange(40_000), 3, 0, 12, 0, 1, 1_520,
        )
        for name in ("wan0", "lan0")
    )  # fmt: skip
    kinds = list(ReadingKind)
    readings = tuple(
        Reading(kinds[nth % len(kinds)], f"part{nth}", dice.randrange(100_000)) for nth in range(9)
    )
    router = Device(
        "router", Role.GATEWAY, Status.RESPONSE_RECEIVED, run=seq, age_ms=2_000,
        uptime_ticks=51_840_000 + seq * 1_000, host_uptime_ticks=51_842_100 + seq * 1_000,
        load_centi=dice.randrange(60), memory_available_kib=71_240 + dice.randrange(999),
        interfaces=ports, readings=readings,
    )  # fmt: skip
    probes = (
        ping("router", Role.GATEWAY, 600),
        ping("telkom-hop", Role.FIRST_HOP, 4_200),
        ping("dc", Role.CENTRE, 21_000),
        ping("anchor", Role.PUBLIC, 23_000),
        ping("resolver", Role.PUBLIC, 31_000),
        ping("siak", Role.SERVICE, 180_000),
    )
    host = Host(Clock.SYNCHRONISED, 254_396, 131_072 + dice.randrange(4096), dice.randrange(40))
    about = Agent("0.1.0", 29_000, seq, 0, 38 + dice.randrange(6), seq // 3)
    made = report(seq, epoch=0x8C1F5E0AD0F44F7A)
    return block.pack(replace(made, measurements=probes, devices=(router,), host=host, agent=about))
