"""Fourteen offices and what they might have said: for tests of the collector's faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collector.judgement.tracking import Incident
from collector.live import Received, SiteView, State
from collector.own_metrics import OwnMetrics
from collector.traffic import Rates
from collector.view import Readiness
from inventory.model import (
    Circuit,
    CircuitRole,
    Inventory,
    Location,
    Precision,
    Site,
    SiteKind,
    Technology,
)
from tabuah.measurement import Kind, Measurement, OneWay, Phases, Role, Stage, Status, Timing
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Agent, Clock, Device, Host, Interface, Report, ReportId

NOW_MS = 1_795_457_112_345
"""2026-11-23 18:05:12.345 UTC, 01.05.12 WIB on the 24th."""

KECAMATAN = {
    "13.02.03": "Pantai Cermin",
    "13.02.04": "Lembah Gumanti",
    "13.02.05": "Payung Sekaki",
    "13.02.06": "Lembang Jaya",
    "13.02.07": "Gunung Talang",
    "13.02.08": "Bukit Sundi",
    "13.02.09": "IX Koto Sungai Lasi",
    "13.02.10": "Kubung",
    "13.02.11": "X Koto Singkarak",
    "13.02.12": "X Koto Diatas",
    "13.02.13": "Junjung Sirih",
    "13.02.17": "Hiliran Gumanti",
    "13.02.18": "Tigo Lurah",
    "13.02.19": "Danau Kembar",
}

TELKOM = Circuit(
    "telkom", provider="Telkom", product="Astinet", technology=Technology.FIBRE, interface="eth0"
)
LTE = Circuit("lte", CircuitRole.BACKUP, "Telkomsel", "Orbit", Technology.LTE, interface="wwan0")


def offices() -> Inventory:
    """Return the kabupaten's fourteen kecamatan; Tigo Lurah has a backup."""
    return Inventory(
        "Dinas Kominfo Kabupaten Solok",
        sites=tuple(
            Site(
                code,
                f"Kantor Camat {name}",
                SiteKind.KECAMATAN,
                kecamatan=name,
                kabupaten="Kabupaten Solok",
                location=Location(-0.831, 100.631, Precision.CENTROID),
                upstream="sto-solok",
                circuits=(TELKOM, LTE) if code == "13.02.18" else (TELKOM,),
            )
            for code, name in KECAMATAN.items()
        ),
    )


def ping(
    probe: str, role: Role, rtt_us: int | None = 23_400, circuit: str | None = None
) -> Measurement:
    """Return a ping of one packet; no rtt means that it was lost."""
    if rtt_us is None:
        return Measurement(probe, Kind.PING, role, Status.REQUEST_TIMED_OUT, circuit=circuit)
    timing = Timing(rtt_us, rtt_us, rtt_us, 1_200)
    return Measurement(
        probe,
        Kind.PING,
        role,
        Status.RESPONSE_RECEIVED,
        circuit=circuit,
        received=1,
        rtt=timing,
    )


def stamp(rtt_us: int = 41_000) -> Measurement:
    """Return a STAMP run of five packets, one of them lost on the way there."""
    return Measurement(
        "dc",
        Kind.UDP,
        Role.CENTRE,
        Status.RESPONSE_RECEIVED,
        sent=5,
        received=4,
        rtt=Timing(rtt_us - 1000, rtt_us, rtt_us + 2500, 800),
        forward=OneWay(5, 4, 400),
        backward=OneWay(4, 4, 380),
    )


def service(*, good: bool = True) -> Measurement:
    """Return a check of SIAK; a bad one got an answer without the expected text."""
    return Measurement(
        "siak",
        Kind.HTTP,
        Role.SERVICE,
        Status.RESPONSE_RECEIVED if good else Status.UNKNOWN,
        stage=Stage.ANSWER if good else Stage.EXPECT,
        service="siak",
        received=1,
        rtt=Timing(180_000, 180_000, 180_000),
        phases=Phases(2_000, 30_000, 70_000, 60_000, 18_000),
        code=200,
        certificate_days=61,
    )


def router() -> Device:
    """Return what the office's router said."""
    wan = Interface("wan0", 1, 1_000_000_000, 9_000_000_000, 800_000_000, in_errors=3)
    said = (
        Reading(ReadingKind.TEMPERATURE, "cpu", 415),
        Reading(ReadingKind.OPTICAL_RX_POWER, "wan0", -18_765),
    )
    return Device(
        "router", Role.GATEWAY, Status.RESPONSE_RECEIVED, interfaces=(wan,), readings=said
    )


def ups() -> Device:
    """Return what a UPS said whose mains are out."""
    said = (
        Reading(ReadingKind.UPS_ON_BATTERY, "", 1),
        Reading(ReadingKind.UPS_MINUTES_LEFT, "", 6),
        Reading(ReadingKind.UPS_CHARGE, "", 23),
        Reading(ReadingKind.UPS_INPUT_LINE_BADS, "", 41),
    )
    return Device("ups", Role.UPS, Status.RESPONSE_RECEIVED, readings=said)


def report(
    site: str = "13.02.10",
    measurements: Sequence[Measurement] | None = None,
    *,
    seq: int = 7,
    wall_ms: int = NOW_MS - 4_000,
    path: str = "telkom",
    devices: Sequence[Device] | None = None,
) -> Report:
    """Return one cycle of an office where all is well."""
    seen = (ping("router", Role.GATEWAY, 600), stamp(), ping("anchor", Role.PUBLIC), service())
    return Report(
        ReportId(site, 0xFEDC_BA98_7654_3210, seq),
        wall_ms,
        86_400_000,
        bytes(range(16)),
        10_000,
        path=path,
        measurements=tuple(measurements) if measurements is not None else seen,
        devices=tuple(devices) if devices is not None else (router(),),
        host=Host(Clock.SYNCHRONISED, 262_144, 131_072, 12),
        agent=Agent("0.1.0", 18_432, 2, 1, 40, 96),
    )


def received(what: Report, received_ms: int = NOW_MS - 3_980, *, late: bool = False) -> Received:
    """Return a report as the collector took it."""
    skew_ms = what.wall_ms - received_ms
    return Received(what, received_ms, what.wall_ms, corrected=False, late=late, skew_ms=skew_ms)


def view(code: str, state: State = State.UP, *, since_ms: int = NOW_MS - 9_000_000) -> SiteView:
    """Return a site's view with a report of four seconds ago."""
    return SiteView(code, state, since_ms, received(report(code)))


@dataclass
class FakeCentre:
    """A collector of plain fields."""

    inventory: Inventory = field(default_factory=offices)
    live: list[SiteView] = field(default_factory=list)
    traffic: Mapping[str, Rates] = field(default_factory=dict)
    ready: Readiness = Readiness(storing=True, hearing=True)  # noqa: RUF009 (it is frozen)
    stored: list[Received] = field(default_factory=list)
    own: OwnMetrics = field(default_factory=OwnMetrics)
    time_ms: int = NOW_MS
    incidents: list[Incident] = field(default_factory=list)

    def open_incidents(self) -> list[Incident]:
        return self.incidents

    def now_ms(self) -> int:
        return self.time_ms

    def views(self) -> list[SiteView]:
        return self.live

    def view(self, code: str) -> SiteView | None:
        return next((one for one in self.live if one.code == code), None)

    def rates(self, code: str) -> Rates | None:
        return self.traffic.get(code)

    def readiness(self) -> Readiness:
        return self.ready

    def reports(
        self, site: str, from_ms: int | None, to_ms: int | None, limit: int | None
    ) -> Iterator[Received]:
        chosen = [
            one
            for one in self.stored
            if one.report.id.site == site
            and (from_ms is None or from_ms <= one.time_ms)
            and (to_ms is None or one.time_ms < to_ms)
        ]
        return iter(chosen if limit is None else chosen[:limit])
