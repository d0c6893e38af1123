"""The report that the benchmarks speak of: an office where all is well, six probes, one device."""

from __future__ import annotations

import random
import time

from tabuah.measurement import Kind, Measurement, OneWay, Phases, Role, Status, Timing
from tabuah.report import Agent, Clock, Device, Host, Interface, Report, ReportId

INTERVAL_MS = 10_000
BOOT_ID = bytes.fromhex("8c1f5e0ad0f44f7a9d0b1f6f5a3e7c21")


def report(site: str, epoch: int, seq: int) -> Report:
    """Return one cycle; its numbers vary with site and seq, and are the same for the same."""
    dice = random.Random(f"{site} {seq}")
    return Report(
        id=ReportId(site, epoch, seq),
        wall_ms=time.time_ns() // 1_000_000,
        uptime_ms=3_600_000 + seq * INTERVAL_MS,
        boot_id=BOOT_ID,
        interval_ms=INTERVAL_MS,
        measurements=_measurements(dice, seq),
        devices=(_router(dice, seq),),
        host=Host(Clock.SYNCHRONISED, 254_396, 131_072 + dice.randrange(4096), dice.randrange(40)),
        agent=Agent("0.1.0", 22_528, 0, 0, 38 + dice.randrange(6)),
    )


def _measurements(dice: random.Random, seq: int) -> tuple[Measurement, ...]:
    stamp = _trip(dice, 21_000)
    return (
        _ping("router", Role.GATEWAY, _trip(dice, 600), seq),
        _ping("telkom-hop", Role.FIRST_HOP, _trip(dice, 4_200), seq, "telkom"),
        Measurement(
            "dc", Kind.UDP, Role.CENTRE, Status.RESPONSE_RECEIVED, run=seq,
            age_ms=2_150 + dice.randrange(30), received=1, rtt=stamp,
            forward=OneWay(1, 1, dice.randrange(900)), backward=OneWay(1, 1, dice.randrange(900)),
        ),
        _ping("anchor", Role.PUBLIC, _trip(dice, 23_000), seq),
        Measurement(
            "resolver", Kind.DNS, Role.PUBLIC, Status.RESPONSE_RECEIVED, run=1 + seq // 6,
            age_ms=2_100 + seq % 6 * INTERVAL_MS, received=1, rtt=_trip(dice, 31_000), code=0,
        ),
        Measurement(
            "siak", Kind.HTTP, Role.SERVICE, Status.RESPONSE_RECEIVED, service="siak",
            run=1 + seq // 30, age_ms=1_900 + seq % 30 * INTERVAL_MS, received=1,
            rtt=_trip(dice, 180_000), phases=Phases(2_113, 30_482, 71_904, 60_377, 18_215),
            code=200, certificate_days=61,
        ),
    )  # fmt: skip


def _ping(name: str, role: Role, trip: Timing, seq: int, circuit: str | None = None) -> Measurement:
    return Measurement(
        name, Kind.PING, role, Status.RESPONSE_RECEIVED, circuit=circuit, run=seq,
        age_ms=2_100 + trip.mean_us // 1000, received=1, rtt=trip,
    )  # fmt: skip


def _trip(dice: random.Random, about_us: int) -> Timing:
    us = about_us + dice.randrange(about_us // 10)
    return Timing(us, us, us, dice.randrange(about_us // 10))


def _router(dice: random.Random, seq: int) -> Device:
    ticks = 51_840_000 + seq * 1000
    return Device(
        "router", Role.GATEWAY, Status.RESPONSE_RECEIVED, run=seq, age_ms=2_080,
        uptime_ticks=ticks, host_uptime_ticks=ticks + 2_100, load_centi=dice.randrange(60),
        memory_available_kib=71_240 + dice.randrange(999),
        interfaces=(
            Interface(
                "wan0", 1, 1_000_000_000, 91_234_567_890 + seq * 800_000 + dice.randrange(400_000),
                8_234_567_890 + seq * 90_000 + dice.randrange(40_000), 3, 0, 12, 0,
                1, 1_520,
            ),
        ),
    )  # fmt: skip
