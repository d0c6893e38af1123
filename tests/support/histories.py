"""Runs a scenario of tests/scenarios/ through the real line: placing, health, judge, ledger.

What an office could see is turned into real reports, packed and opened again as on the wire;
each reaches the centre when the scenario says. See tests/scenarios/README.md for the grammar.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from collector.health import Health
from collector.judgement.court import Court
from collector.judgement.evidence import CentreSeen, CollectorSeen, Observation, Window
from collector.judgement.ledger import Outage
from collector.judgement.observe import Taken, observe, take
from collector.judgement.tracking import Incident
from collector.live import Received
from collector.placing import Anchors
from inventory.model import (
    Bandwidth,
    Circuit,
    CircuitRole,
    Inventory,
    Service,
    Site,
    Technology,
    Ups,
    Upstream,
)
from tabuah import block
from tabuah.measurement import Kind, Measurement, Role, Stage, Status, Timing
from tabuah.reading import Reading, ReadingKind
from tabuah.report import Agent, Device, Interface, Occasion, Report, ReportId

BEGIN_MS = 1_795_500_000_000
"""24 November 2026, 13.00 WIB; a story may say otherwise (`begins`)."""
TRIP_MS = 40
THRESHOLD_MS = 17_000
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

Yaml = Mapping[str, Any]


def ms(text: object) -> int:
    """Return '1h5m30s' as milliseconds."""
    return round(sum(float(n) * _UNIT[u] for n, u in _PART.findall(str(text))))


def begin_of(story: Yaml) -> int:
    """Return when a story begins, in ms since 1970."""
    begins = story.get("begins")
    return BEGIN_MS if begins is None else round(begins.timestamp() * 1000)


def end_of(story: Yaml) -> int:
    """Return how long a story lasts."""
    return max(ms(stretch["until"]) for s in story["sees"].values() for stretch in s)


def windows_of(story: Yaml) -> list[Window]:
    """Return a story's announced work."""
    begin_ms = begin_of(story)
    return [
        Window(
            frozenset(w["offices"]),
            begin_ms + ms(w["from"]),
            begin_ms + ms(w["to"]),
            w.get("why", ""),
        )
        for w in story.get("maintenance", ())
    ]


def load(path: Path) -> Yaml:
    story: Yaml = yaml.safe_load(path.read_text())
    return story


@dataclass(slots=True)
class Told:
    """What the line made of a scenario."""

    versions: list[Outage] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    """All versions, in order."""

    def last(self) -> list[Incident]:
        """Return the newest version of each incident, by its begin."""
        newest = {one.id: one for one in self.incidents}
        return sorted(newest.values(), key=lambda one: (one.began_ms, one.id))

    def newest(self) -> list[Outage]:
        last: dict[str, Outage] = {}
        for one in self.versions:
            last[one.id] = one
        return sorted(
            (o for o in last.values() if not o.withdrawn), key=lambda o: (o.site, o.began_ms)
        )


def inventory_of(story: Yaml) -> Inventory:
    upstreams = {
        code: Upstream(code, code, parent)
        for code, parent in (story.get("upstreams") or {"sto": None}).items()
    }
    sites = tuple(_site(code, office or {}) for code, office in story["offices"].items())
    services = {
        code: Service(code, code.upper(), f"https://{code}.example/", owner="Disdukcapil")
        for code in ("siak", "lpse", "ppid", "sinawa")
    }
    return Inventory("test", upstreams=upstreams, services=services, sites=sites)


def _site(code: str, office: Yaml) -> Site:
    names = office.get("circuits", ["telkom"])
    technology = Technology(office.get("technology", "fibre"))
    circuits = tuple(
        Circuit(
            name,
            CircuitRole.BACKUP if index else CircuitRole.PRIMARY,
            technology=Technology.LTE if index else technology,
            interface=f"eth{index}" if index else None,
            bandwidth=Bandwidth(20, 20),
        )
        for index, name in enumerate(names)
    )
    return Site(
        code,
        code,
        upstream=office.get("upstream", "sto"),
        power_group=office.get("power_group"),
        ups=Ups(office.get("ups", "none")),
        interval_s=ms(office.get("interval", "10s")) / 1000,
        circuits=circuits,
        services=tuple(office.get("services", ())),
        address="198.51.100.1",
    )


@dataclass(slots=True)
class _Office:
    """One office living through its stretches."""

    code: str
    office: Yaml
    rng: random.Random
    begin_ms: int = BEGIN_MS
    epoch: int = 1
    seq: int = 0
    boot: int = 1
    booted_ms: int = -3_600_000
    gateway_booted_ms: int = -7_200_000
    octets: int = 0
    redials: int = 0

    def live(self, stretches: Sequence[Yaml], phase_ms: int) -> list[tuple[int, int, bool, Report]]:
        """Return (arrives, measured, late, report) of all it reports."""
        interval = ms(self.office.get("interval", "10s"))
        made: list[tuple[int, Yaml, Report]] = []
        begin = 0
        for stretch in stretches:
            end = ms(stretch["until"])
            self._begin(stretch, begin)
            times = [] if stretch.get("dark") else range(phase_ms, end, interval)
            times = [t for t in times if t >= begin]
            for t in times:
                last = t == times[-1]
                made.append((t, stretch, self._report(t, stretch, interval, last=last)))
            begin = end
        return self._send(made)

    def _begin(self, stretch: Yaml, at: int) -> None:
        boots = stretch.get("boots")
        if boots in {"host", "all"}:
            self.boot += 1
            self.booted_ms = at - ms(stretch.get("booted", "10s"))
        if boots in {"gateway", "all"}:
            self.gateway_booted_ms = at - ms(stretch.get("booted", "10s"))
        if boots in {"host", "all", "agent"}:
            self.epoch += 1
            self.seq = 0
        self.seq += stretch.get("lost_reports", 0)

    def _send(self, made: list[tuple[int, Yaml, Report]]) -> list[tuple[int, int, bool, Report]]:
        sent: list[tuple[int, int, bool, Report]] = []
        held: list[tuple[int, Report]] = []
        deaf = 0
        for t, stretch, report in made:
            if stretch.get("held"):
                held.append((t, report))
                continue
            if stretch.get("dropped"):
                continue
            arrives = t + TRIP_MS
            about = Agent(srtt_ms=TRIP_MS, backlog=len(held) + deaf)
            deaf = deaf + 1 if stretch.get("deaf") else 0
            sent.append((arrives, t, False, replace(report, agent=about)))
            for index, (then, late) in enumerate(held):
                sent.append((arrives + 500 + 2 * index, then, True, late))
            held = []
        return sorted(sent, key=lambda one: one[0])

    def _report(self, t: int, stretch: Yaml, interval: int, *, last: bool) -> Report:
        self.seq += 1
        self.octets += round(20e6 / 8 * interval / 1000 * stretch.get("load", 0.1))
        if stretch.get("redials"):
            self.redials += 1
        goodbye = {
            "host": Occasion.GOODBYE_HOST,
            "agent": Occasion.GOODBYE_AGENT,
        }.get(stretch.get("goodbye", ""), Occasion.CYCLE)
        wall = self.begin_ms + t if stretch.get("clock") != 1970 else t - self.booted_ms
        names = self.office.get("circuits", ["telkom"])
        return Report(
            id=ReportId(self.code, self.epoch, self.seq),
            wall_ms=wall,
            uptime_ms=t - self.booted_ms,
            boot_id=self.boot.to_bytes(16, "big"),
            interval_ms=interval,
            occasion=goodbye if last else Occasion.CYCLE,
            path=stretch.get("path", names[0] if len(names) > 1 else ""),
            measurements=tuple(self._measurements(t, stretch)),
            devices=tuple(self._devices(t, stretch)),
            agent=Agent(srtt_ms=TRIP_MS),
        )

    def _measurements(self, t: int, stretch: Yaml) -> list[Measurement]:
        lost = stretch.get("lost", [])
        lost = ["first_hop", "centre", "public", "dns", "service"] if lost == "all" else lost
        asked = self.office.get("probes", ["gateway", "first_hop", "centre", "public", "dns"])
        rtt = ms(stretch.get("rtt", "20ms"))
        hop_rtt = rtt if stretch.get("slow_from") != "core" else 10
        found = []
        if "gateway" in asked:
            found.append(self._one("router", Role.GATEWAY, stretch.get("gateway") != "lost", 1))
        for name, role in (
            ("first_hop", Role.FIRST_HOP),
            ("centre", Role.CENTRE),
            ("public", Role.PUBLIC),
        ):
            if name not in asked:
                continue
            loss = stretch.get("loss", 0.0)
            if name == "first_hop" and stretch.get("slow_from") == "core":
                loss = 0.0
            good = name not in lost and self.rng.random() >= loss
            found.append(self._one(name, role, good, hop_rtt if name == "first_hop" else rtt))
        if "dns" in asked:
            good = "dns" not in lost and "public" not in lost
            if "loss" in stretch:
                good = good and self.rng.random() >= stretch["loss"]
            found.append(self._one("resolver", Role.PUBLIC, good, rtt, kind=Kind.DNS))
        services = stretch.get("services", {})
        for service in self.office.get("services", ()):
            stage = services.get(service)
            good = stage is None and "service" not in lost
            step = Stage[(stage or "connect").upper()] if not good else Stage.ANSWER
            found.append(
                self._one(service, Role.SERVICE, good, rtt, kind=Kind.HTTP, stage=step, of=service)
            )
        for circuit in self.office.get("circuits", [])[1:]:
            good = not stretch.get(f"{circuit}_lost")
            found.append(self._one(f"{circuit}-anchor", Role.PUBLIC, good, 60, circuit=circuit))
        return found

    def _one(
        self,
        name: str,
        role: Role,
        good: bool,
        rtt_ms: int,
        *,
        kind: Kind = Kind.PING,
        stage: Stage = Stage.ANSWER,
        of: str | None = None,
        circuit: str | None = None,
    ) -> Measurement:
        return Measurement(
            probe=name,
            kind=kind,
            role=role,
            status=Status.RESPONSE_RECEIVED if good else Status.REQUEST_TIMED_OUT,
            stage=stage,
            service=of,
            circuit=circuit,
            run=self.seq,
            sent=1,
            received=1 if good else 0,
            rtt=Timing(rtt_ms * 1000, rtt_ms * 1000, rtt_ms * 1000, 1000) if good else None,
        )

    def _devices(self, t: int, stretch: Yaml) -> list[Device]:
        devices = []
        if self.office.get("polled", True):
            dead = stretch.get("gateway") == "lost"
            port = Interface(
                "wan0",
                2 if stretch.get("port") == "down" else 1,
                in_octets=self.octets,
                out_octets=self.octets // 4,
            )
            interfaces = [port]
            if "session" in self.office:
                interfaces.append(Interface("ppp0", 2 if stretch.get("session") == "down" else 1))
            readings = []
            if "session" in self.office:
                readings.append(Reading(ReadingKind.REDIALS, "ppp0", self.redials))
            if "no_light" in stretch:
                readings.append(Reading(ReadingKind.OPTICAL_RX_LOSS, "wan0", 1))
            devices.append(
                Device(
                    "router",
                    Role.GATEWAY,
                    Status.REQUEST_TIMED_OUT if dead else Status.RESPONSE_RECEIVED,
                    run=self.seq,
                    age_ms=300,
                    host_uptime_ticks=None if dead else (t - self.gateway_booted_ms) // 10,
                    interfaces=() if dead else tuple(interfaces),
                    readings=tuple(readings),
                )
            )
        if self.office.get("ups_polled"):
            battery = Reading(ReadingKind.UPS_ON_BATTERY, "", int(bool(stretch.get("battery"))))
            devices.append(
                Device("ups", Role.UPS, Status.RESPONSE_RECEIVED, self.seq, readings=(battery,))
            )
        return devices


class _Line:
    """The centre, second by second."""

    def __init__(self, story: Yaml) -> None:
        self.story = story
        self.begin_ms = begin_of(story)
        self.inventory = inventory_of(story)
        self.told = Told()
        self.stored: list[tuple[Observation, Received]] = []
        self.anchors = Anchors()
        self.last: dict[str, Taken] = {}
        self.heard_ms = 0
        self.start(0)

    def start(self, at: int) -> None:
        """Begin as after a (re)start of the collector: with what the ledger and store hold."""
        windows = windows_of(self.story)
        codes = [site.code for site in self.inventory.sites]
        self.health = Health(codes, at / 1000, self.begin_ms + at)
        self.court = Court(self.inventory, tuple(windows))
        self.court.restore(
            self.told.versions, self.told.incidents, [seen for seen, _ in self.stored]
        )
        for seen, received in self.stored:
            if not received.late:
                self.health.expect(seen.site, received)

    def take(self, arrives: int, late: bool, report: Report) -> None:
        code = report.id.site
        received_ms = self.begin_ms + arrives
        placed = self.anchors.place(
            code, block.pack(report), received_ms, arrives / 1000, live=not late
        )
        received = Received(report, received_ms, placed.time_ms, placed.corrected, late)
        before = self.last.get(code)
        now = take(received)
        seen = observe(now, self.inventory.site(code), None if late else before)
        self.stored.append((seen, received))
        self.court.observe(seen)
        if late:
            return
        self.last[code] = now
        self.heard_ms = arrives
        self.health.heard(code, received, arrives / 1000)

    def tick(self, at: int) -> None:
        for change in self.health.tick(at / 1000, self.begin_ms + at):
            self.court.silent(change.site, change.at_ms, self.begin_ms + at)
        lost = any(
            one.get("references") == "lost" and ms(one["from"]) <= at < ms(one["to"])
            for one in self.story.get("centre", ())
        )
        hearing = at - self.heard_ms <= THRESHOLD_MS
        self.court.collector_saw(
            CollectorSeen(self.begin_ms + at, references=not lost, hearing=hearing)
        )
        for one in self.story.get("centre", ()):
            if not ms(one["from"]) <= at < ms(one["to"]):
                continue
            if "office" in one:
                self.court.centre_saw(
                    one["office"],
                    CentreSeen(
                        self.begin_ms + at,
                        address=True if one.get("address") == "answers" else None,
                        wrong_digests=one.get("wrong_digests", 0),
                    ),
                )
        ruling = self.court.rule(self.begin_ms + at)
        self.told.versions += ruling.outages
        self.told.incidents += (*ruling.incidents, *ruling.revised)


def run(story: Yaml) -> Told:
    """Run a scenario to its end."""
    arrivals: list[tuple[int, int, bool, Report]] = []
    for index, (code, office) in enumerate(story["offices"].items()):
        seed = random.Random(f"{story['story']}{code}")
        living = _Office(code, office or {}, seed, begin_of(story))
        arrivals += living.live(story["sees"][code], phase_ms=1000 + 2300 * index % 10_000)
    arrivals.sort(key=lambda one: one[0])
    line = _Line(story)
    stops = [(ms(c["from"]), ms(c["to"])) for c in story.get("centre", ()) if c.get("stopped")]
    until = end_of(story)
    stopped = False
    for at in range(1000, until + 30_000, 1000):
        if any(begin <= at < end for begin, end in stops):
            stopped = True
            continue
        if stopped:
            stopped = False
            line.start(at)
        while arrivals and arrivals[0][0] <= at:
            arrives, _, late, report = arrivals.pop(0)
            line.take(arrives, late, report)
        # After its last stretch nobody speaks any more; that is no part of the story.
        if at <= until + 5_000:
            line.tick(at)
    return line.told
