"""What a simulated office says: all is well there, six probes and a router were asked. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tabuah.measurement import Kind, Measurement, OneWay, Phases, Role, Status, Timing
from tabuah.report import Agent, Clock, Device, Host, Interface, Occasion, Report, ReportId


@dataclass(frozen=True, slots=True)
class Moment:
    """When a report is made, by the office's own clocks, and how it fares."""

    wall_ms: int
    uptime_ms: int
    interval_ms: int
    srtt_ms: int = 0
    backlog: int = 0


def report(id_: ReportId, boot_id: bytes, moment: Moment, occasion: Occasion) -> Report:
    """Return one cycle; its numbers vary with its id, and are the same for the same."""
    # No secret hangs on these dice.
    dice = random.Random(id_.epoch + id_.seq)  # noqa: S311
    return Report(
        id=id_,
        wall_ms=moment.wall_ms,
        uptime_ms=moment.uptime_ms,
        boot_id=boot_id,
        interval_ms=moment.interval_ms,
        occasion=occasion,
        measurements=_measurements(dice, id_.seq),
        devices=(_router(dice, id_.seq),),
        host=Host(Clock.SYNCHRONISED, 254_396, 131_072 + dice.randrange(4096), dice.randrange(40)),
        agent=Agent("simulated", 22_528, moment.backlog, 0, moment.srtt_ms),
    )


def _measurements(dice: random.Random, seq: int) -> tuple[Measurement, ...]:
    return (
        _ping("router", Role.GATEWAY, _trip(dice, 600), seq),
        _ping("telkom-hop", Role.FIRST_HOP, _trip(dice, 4_200), seq, "telkom"),
        Measurement(
            "dc", Kind.UDP, Role.CENTRE, Status.RESPONSE_RECEIVED, run=seq, age_ms=2_100,
            received=1, rtt=_trip(dice, 21_000), forward=OneWay(1, 1, dice.randrange(900)),
            backward=OneWay(1, 1, dice.randrange(900)),
        ),
        _ping("anchor", Role.PUBLIC, _trip(dice, 23_000), seq),
        Measurement(
            "resolver", Kind.DNS, Role.PUBLIC, Status.RESPONSE_RECEIVED, run=1 + seq // 6,
            age_ms=2_100 + seq % 6 * 10_000, received=1, rtt=_trip(dice, 31_000), code=0,
        ),
        Measurement(
            "siak", Kind.HTTP, Role.SERVICE, Status.RESPONSE_RECEIVED, service="siak",
            run=1 + seq // 30, age_ms=1_900 + seq % 30 * 10_000, received=1,
            rtt=_trip(dice, 180_000), phases=Phases(2_113, 30_482, 71_904, 60_377, 18_215),
            code=200, certificate_days=61,
        ),
    )  # fmt: skip


def _ping(name: str, role: Role, trip: Timing, seq: int, circuit: str | None = None) -> Measurement:
    return Measurement(
        name, Kind.PING, role, Status.RESPONSE_RECEIVED, circuit=circuit, run=seq, age_ms=2_100,
        received=1, rtt=trip,
    )  # fmt: skip


def _trip(dice: random.Random, about_us: int) -> Timing:
    us = about_us + dice.randrange(about_us // 10)
    return Timing(us, us, us, dice.randrange(about_us // 10))


def _router(dice: random.Random, seq: int) -> Device:
    ticks = 51_840_000 + seq * 1000
    wan = Interface(
        "wan0", 1, 1_000_000_000, 91_234_567_890 + seq * 800_000 + dice.randrange(400_000),
        8_234_567_890 + seq * 90_000 + dice.randrange(40_000), 3, 0, 12, 0, 1, 1_520,
    )  # fmt: skip
    return Device(
        "router", Role.GATEWAY, Status.RESPONSE_RECEIVED, run=seq, age_ms=2_080,
        uptime_ticks=ticks, host_uptime_ticks=ticks + 2_100, load_centi=dice.randrange(60),
        memory_available_kib=71_240 + dice.randrange(999), interfaces=(wan,),
    )  # fmt: skip
