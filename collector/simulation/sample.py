"""What a simulated office says: all is well there, six probes and a router were asked. Pure.

Thousands of offices a second can be said only because they share their words: an office says what
one of `VARIANTS` says in that cycle, under a head of its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tabuah import block, notification
from tabuah.measurement import Kind, Measurement, OneWay, Phases, Role, Status, Timing
from tabuah.report import Agent, Clock, Device, Host, Interface, Occasion, Report, ReportId

if TYPE_CHECKING:
    from tabuah.block import Packed

VARIANTS: Final = 16
"""Different offices in one cycle."""
_BOOT_ID: Final = bytes(16)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a report is made, by the office's own clocks, and how it fares."""

    wall_ms: int
    uptime_ms: int
    interval_ms: int
    srtt_ms: int = 0
    backlog: int = 0
    dark: bool = False
    """The power was away before this boot: the router began anew with it."""


def packed(id_: ReportId, boot_id: bytes, moment: Moment, occasion: Occasion) -> Packed:
    """Return one cycle, packed: what the office's variant says, under its own head."""
    # A round trip is told as the next power of two, that words may be shared.
    srtt_ms = 1 << (moment.srtt_ms - 1).bit_length() if moment.srtt_ms else 0
    said = replace(moment, wall_ms=0, uptime_ms=0, srtt_ms=srtt_ms)
    words = _words(id_.epoch % VARIANTS, id_.seq, said)
    return block.rehead(
        words._replace(
            epoch=id_.epoch,
            wall_ms=moment.wall_ms,
            uptime_ms=moment.uptime_ms,
            boot_id=boot_id,
            interval_ms=moment.interval_ms,
            occasion=int(occasion),
        )
    )


@lru_cache(maxsize=4096)
def _words(variant: int, seq: int, moment: Moment) -> Packed:
    return block.pack(report(ReportId("", variant, seq), _BOOT_ID, moment, Occasion.CYCLE))


@lru_cache(maxsize=1024)
def facts(variant: int, seq: int) -> notification.KeyFacts:
    """Return what an inform says in plain of that cycle of a variant."""
    said = report(ReportId("", variant, seq), _BOOT_ID, Moment(0, 0, 1), Occasion.CYCLE)
    return notification.key_facts(said.measurements)


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
        devices=(_router(dice, id_.seq, moment),),
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


def _router(dice: random.Random, seq: int, moment: Moment) -> Device:
    began = 3_000 if moment.dark else 51_840_000
    ticks = began + seq * moment.interval_ms // 10
    moved = 0 if moment.dark else 8_234_567_890
    wan = Interface(
        "wan0", 1, 1_000_000_000, 11 * moved + seq * 800_000 + dice.randrange(400_000),
        moved + seq * 90_000 + dice.randrange(40_000), 3, 0, 12, 0, 1 + moment.dark, 1_520,
    )  # fmt: skip
    return Device(
        "router", Role.GATEWAY, Status.RESPONSE_RECEIVED, run=seq, age_ms=2_080,
        uptime_ticks=ticks, host_uptime_ticks=ticks + 100, load_centi=dice.randrange(60),
        memory_available_kib=71_240 + dice.randrange(999), interfaces=(wan,),
    )  # fmt: skip
