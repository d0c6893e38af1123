"""From a report to what the judge reads of it: probes by role, the gateway's port, the UPS.

Which of the gateway's interfaces belongs to a circuit: the one of the circuit's own name where
there is one, else the first for the primary circuit. `ppp0`, `pppoe-wan`, `<pppoe-out1>` are
sessions over a port; they say nothing of the port itself.

Nearly every report says that all is well: it is skimmed (`tabuah.skim`), and not opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from collector.judgement.evidence import Look, Observation, ServiceLook
from tabuah import cadence
from tabuah.measurement import LINE_ROLES, Role
from tabuah.reading import ReadingKind
from tabuah.report import Occasion
from tabuah.sections import Sections
from tabuah.skim import Polled, Port, Probe, Skimmed, skimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector.live import Received
    from inventory.model import Circuit, Site
    from tabuah.block import Packed
    from tabuah.report import Report

UP: Final = 1
"""ifOperStatus of RFC 2863; a dormant PPP interface carries nothing."""
PORT_DOWN: Final = frozenset({2, 6, 7})
"""down, notPresent, lowerLayerDown. Testing, unknown and dormant say neither."""
_GATEWAY, _FIRST_HOP, _CENTRE, _PUBLIC = Role.GATEWAY, Role.FIRST_HOP, Role.CENTRE, Role.PUBLIC
_SPACING_MS: Final = round(cadence.PACKET_SPACING_S * 1000)
_OCCASIONS: Final = {int(occasion): occasion for occasion in Occasion}


class Arrived(Protocol):
    """Whose a report is and when it came: a row of the store."""

    @property
    def site(self) -> str:
        """The office."""

    @property
    def time_ms(self) -> int:
        """When it was measured."""

    @property
    def received_ms(self) -> int:
        """When it came."""

    @property
    def late(self) -> bool:
        """Whether it came out of the spool."""

    @property
    def corrected(self) -> bool:
        """Whether `time_ms` is not the office's own word."""


class Taken(NamedTuple):
    """A report as the line took it: its head, what it says, and when it came."""

    site: str
    epoch: int
    seq: int
    boot_id: bytes
    uptime_ms: int
    wall_ms: int
    interval_ms: int
    occasion: Occasion
    said: Skimmed
    time_ms: int
    received_ms: int
    late: bool
    corrected: bool


def taken(packed: Packed, said: Skimmed, heard: Arrived) -> Taken:
    """Return a report of which its head and what it says of its lines were read."""
    return Taken(
        heard.site,
        packed.epoch,
        packed.seq,
        packed.boot_id,
        packed.uptime_ms,
        packed.wall_ms,
        packed.interval_ms,
        _OCCASIONS.get(packed.occasion, Occasion.CYCLE),
        said,
        heard.time_ms,
        heard.received_ms,
        heard.late,
        heard.corrected,
    )


def take(received: Received) -> Taken:
    """Return a report that was opened."""
    report = received.report
    return Taken(
        report.id.site,
        report.id.epoch,
        report.id.seq,
        report.boot_id,
        report.uptime_ms,
        report.wall_ms,
        report.interval_ms,
        report.occasion,
        _said(report),
        received.time_ms,
        received.received_ms,
        received.late,
        received.corrected,
    )


def observe(report: Taken, site: Site, before: Taken | None = None) -> Observation:
    """Return what a report says; `before` is the office's report before it, for the traffic."""
    said = report.said
    gateway = None
    for device in said.devices:
        if device.role is _GATEWAY:
            gateway = device
            break
    primary = site.primary
    fresh_ms = report.interval_ms * 3 // 2
    return Observation(
        site=report.site,
        at_ms=report.time_ms,
        received_ms=report.received_ms,
        late=report.late,
        interval_ms=report.interval_ms,
        epoch=report.epoch,
        seq=report.seq,
        boot_id=report.boot_id,
        uptime_ms=report.uptime_ms,
        occasion=report.occasion,
        path=said.path or _default_path(site, primary),
        srtt_ms=said.srtt_ms,
        backlog=said.backlog,
        gateway=_gateway_answers(said, gateway, fresh_ms),
        gateway_uptime_ms=_uptime_ms(gateway),
        skew_ms=report.wall_ms - report.time_ms if report.corrected else 0,
        on_battery=_on_battery(said.devices),
        circuits=tuple(
            [
                _look(
                    one,
                    report,
                    gateway,
                    before,
                    site=site,
                    default=one.interface is None or len(site.circuits) == 1,
                )
                for one in site.circuits
            ]
        ),
        services=tuple(
            [
                ServiceLook(p.service, p.good, p.stage, p.run)
                for p in said.probes
                if p.service is not None and not p.dns
            ]
        ),
    )


def _said(report: Report) -> Skimmed:
    return skimmed(
        Sections(report.measurements, report.devices, report.host, report.agent, report.path)
    )


def _default_path(site: Site, primary: Circuit | None) -> str:
    """Return the circuit of the default route: the one without an interface, else the primary."""
    for circuit in site.circuits:
        if circuit.interface is None:
            return circuit.id
    return "" if primary is None else primary.id


def _fresh(probes: list[Probe], fresh_ms: int) -> list[Probe]:
    """Return those of this cycle; where none is, all: a slow probe's last word stands."""
    return [p for p in probes if p.age_ms <= fresh_ms] or probes


def _gateway_answers(said: Skimmed, gateway: Polled | None, fresh_ms: int) -> bool | None:
    asked = [p for p in said.probes if p.role is _GATEWAY]
    answers = [p.good for p in _fresh(asked, fresh_ms)]
    if gateway is not None and (not answers or gateway.age_ms <= fresh_ms):
        answers.append(gateway.good)
    return any(answers) if answers else None


def _uptime_ms(gateway: Polled | None) -> int | None:
    """Return since when the gateway runs: its own clock before its SNMP daemon's."""
    if gateway is None:
        return None
    ticks = gateway.host_uptime_ticks
    if ticks is None:
        ticks = gateway.uptime_ticks
    return None if ticks is None else ticks * 10 + gateway.age_ms


def _on_battery(devices: Sequence[Polled]) -> bool | None:
    said: bool | None = None
    for device in devices:
        for kind, _, value in device.readings:
            if kind is ReadingKind.UPS_ON_BATTERY:
                said = said or value == 1
    return said


def _look(
    circuit: Circuit,
    report: Taken,
    gateway: Polled | None,
    before: Taken | None,
    *,
    site: Site,
    default: bool,
) -> Look:
    id_, primary = circuit.id, site.primary
    own = [
        probe
        for probe in report.said.probes
        if probe.service is None and (probe.circuit == id_ or (default and probe.circuit is None))
    ]
    first_hop = centre = public = resolver = None
    resolver_run = hop_sent = hop_lost = sent = lost = 0
    hop_trips: list[int] = []
    rtt_us = jitter_us = None
    lead_ms: int | None = None
    for probe in _fresh([p for p in own if not p.dns], report.interval_ms * 3 // 2):
        role = probe.role
        if role not in LINE_ROLES:
            continue
        if probe.received == probe.sent:
            ago_ms = probe.age_ms + (probe.sent - 1) * _SPACING_MS
            lead_ms = ago_ms if lead_ms is None or ago_ms < lead_ms else lead_ms
        if role is _FIRST_HOP:
            first_hop = first_hop or probe.good
            hop_sent += probe.sent
            hop_lost += probe.sent - probe.received
            if probe.rtt_us is not None:
                hop_trips.append(probe.rtt_us)
            continue
        if role is _CENTRE:
            centre = centre or probe.good
        else:
            public = public or probe.good
        sent += probe.sent
        lost += probe.sent - probe.received
        if probe.rtt_us is not None and (rtt_us is None or probe.rtt_us < rtt_us):
            rtt_us = probe.rtt_us
        if probe.jitter_us is not None and (jitter_us is None or probe.jitter_us < jitter_us):
            jitter_us = probe.jitter_us
    for probe in own:
        if probe.dns:
            resolver = resolver or probe.good
            resolver_run = max(resolver_run, probe.run)
    if lead_ms is None and (lost or hop_lost) and report.occasion is Occasion.CYCLE:
        # A run with loss ends by its timeout, and its age does not tell when it began.
        lead_ms = round(cadence.lead_s(report.interval_ms / 1000, site.probes) * 1000)
    port, session = _interfaces(circuit, primary, gateway)
    told = gateway is not None and gateway.readings
    names = {one.name for one in (port, session) if one is not None} if told else set()
    return Look(
        id_,
        first_hop=first_hop,
        centre=centre,
        public=public,
        resolver=resolver,
        resolver_run=resolver_run,
        port=None if port is None else _port_up(port),
        session=None if session is None else session.oper_status == UP,
        redials=_reading(gateway, ReadingKind.REDIALS, names) if told else None,
        no_light=_no_light(gateway, names) if told else None,
        first_hop_sent=hop_sent,
        first_hop_lost=hop_lost,
        first_hop_rtt_us=_mean(hop_trips),
        sent=sent,
        lost=lost,
        rtt_us=rtt_us,
        jitter_us=jitter_us,
        lead_ms=lead_ms or 0,
        load=_load(circuit, before, report) if circuit is primary else None,
    )


def _mean(values: Sequence[int]) -> int | None:
    return sum(values) // len(values) if values else None


def _is_session(name: str) -> bool:
    return name.lower().lstrip("<").startswith("ppp")


def _interfaces(
    circuit: Circuit, primary: Circuit | None, gateway: Polled | None
) -> tuple[Port | None, Port | None]:
    """Return a circuit's port and session on the gateway, as far as they are known."""
    # What a gateway that answers no longer said last is of no use: it is not the present.
    if gateway is None or not gateway.good:
        return None, None
    named = None
    for one in gateway.ports if circuit.interface is not None else ():
        if one.name == circuit.interface:
            named = one
            break
    if named is not None and not _is_session(named.name):
        return named, None
    if circuit is not primary:
        return None, named
    sessions = [i for i in gateway.ports if _is_session(i.name)]
    ports = [i for i in gateway.ports if not _is_session(i.name)]
    return (ports[0] if ports else None), named or (sessions[0] if sessions else None)


def _port_up(port: Port) -> bool | None:
    if port.oper_status == UP:
        return True
    return False if port.oper_status in PORT_DOWN else None


def _reading(gateway: Polled | None, kind: ReadingKind, names: set[str]) -> int | None:
    if gateway is None:
        return None
    found = [value for said, name, value in gateway.readings if said is kind and name in names]
    return max(found, default=None)


def _no_light(gateway: Polled | None, names: set[str]) -> bool | None:
    value = _reading(gateway, ReadingKind.OPTICAL_RX_LOSS, names)
    return None if value is None else value == 1


def _load(circuit: Circuit, before: Taken | None, report: Taken) -> float | None:
    """Return the share in use; only the primary's interface is known to be the line's.

    The line is the first interface that a gateway reports, as in `collector.traffic`.
    """
    if before is None or circuit.bandwidth is None or before.boot_id != report.boot_id:
        return None
    old, new = _line(before.said), _line(report.said)
    if old is None or new is None or old.run == new.run or old.name != new.name:
        return None
    was, now = old.ports[0], new.ports[0]
    if was.name != now.name or was.counter_epoch != now.counter_epoch:
        return None
    spent_ms = report.uptime_ms - new.age_ms - before.uptime_ms + old.age_ms
    if spent_ms <= 0:
        return None
    down_bps = (now.in_octets - was.in_octets) * 8000 / spent_ms
    up_bps = (now.out_octets - was.out_octets) * 8000 / spent_ms
    return max(down_bps / (circuit.bandwidth.down * 1e6), up_bps / (circuit.bandwidth.up * 1e6))


def _line(said: Skimmed) -> Polled | None:
    for device in said.devices:
        if device.role is _GATEWAY and device.ports:
            return device
    return None
