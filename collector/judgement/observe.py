"""From a report to what the judge reads of it: probes by role, the gateway's port, the UPS.

Which of the gateway's interfaces belongs to a circuit: the one of the circuit's own name where
there is one, else the first for the primary circuit. `ppp0`, `pppoe-wan`, `<pppoe-out1>` are
sessions over a port; they say nothing of the port itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collector.judgement.evidence import Look, Observation, ServiceLook
from collector.traffic import rates
from tabuah.measurement import Kind, Measurement, Role
from tabuah.reading import ReadingKind
from tabuah.report import Device, Interface

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collector.live import Received
    from inventory.model import Circuit, Site
    from tabuah.report import Report

UP: Final = 1
"""ifOperStatus of RFC 2863; a dormant PPP interface carries nothing."""
PORT_DOWN: Final = frozenset({2, 6, 7})
"""down, notPresent, lowerLayerDown. Testing, unknown and dormant say neither."""


def observe(received: Received, site: Site, before: Report | None = None) -> Observation:
    """Return what a report says; `before` is the office's report before it, for the traffic."""
    report = received.report
    gateway = next((d for d in report.devices if d.role is Role.GATEWAY), None)
    return Observation(
        site=report.id.site,
        at_ms=received.time_ms,
        received_ms=received.received_ms,
        late=received.late,
        interval_ms=report.interval_ms,
        epoch=report.id.epoch,
        seq=report.id.seq,
        boot_id=report.boot_id,
        uptime_ms=report.uptime_ms,
        occasion=report.occasion,
        path=report.path or _default_path(site),
        srtt_ms=report.agent.srtt_ms,
        backlog=report.agent.backlog,
        gateway=_gateway_answers(report, gateway),
        gateway_uptime_ms=_uptime_ms(gateway),
        skew_ms=report.wall_ms - received.time_ms if received.corrected else 0,
        on_battery=_on_battery(report.devices),
        circuits=tuple(_look(c, site, report, gateway, before) for c in site.circuits),
        services=_services(report),
    )


def _default_path(site: Site) -> str:
    """Return the circuit of the default route: the one without an interface, else the primary."""
    default = next((c for c in site.circuits if c.interface is None), site.primary)
    return "" if default is None else default.id


def _fresh(report: Report, measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return those of this cycle; where none is, all: a slow probe's last word stands."""
    everything = list(measurements)
    fresh = [m for m in everything if m.age_ms <= report.interval_ms * 3 // 2]
    return fresh or everything


def _gateway_answers(report: Report, gateway: Device | None) -> bool | None:
    answers = [m.good for m in _fresh(report, _of_role(report.measurements, Role.GATEWAY))]
    if gateway is not None and (not answers or gateway.age_ms <= report.interval_ms * 3 // 2):
        answers.append(gateway.status.value == 1)
    return any(answers) if answers else None


def _uptime_ms(gateway: Device | None) -> int | None:
    """Return since when the gateway runs: its own clock before its SNMP daemon's."""
    if gateway is None:
        return None
    ticks = gateway.host_uptime_ticks
    if ticks is None:
        ticks = gateway.uptime_ticks
    return None if ticks is None else ticks * 10 + gateway.age_ms


def _on_battery(devices: Sequence[Device]) -> bool | None:
    said = [
        reading.value == 1
        for device in devices
        for reading in device.readings
        if reading.kind is ReadingKind.UPS_ON_BATTERY
    ]
    return any(said) if said else None


def _services(report: Report) -> tuple[ServiceLook, ...]:
    return tuple(
        ServiceLook(m.service, m.good, m.stage, m.run)
        for m in report.measurements
        if m.service is not None and m.kind is not Kind.DNS
    )


def _of_role(measurements: Iterable[Measurement], role: Role) -> list[Measurement]:
    return [m for m in measurements if m.role is role]


def _look(
    circuit: Circuit, site: Site, report: Report, gateway: Device | None, before: Report | None
) -> Look:
    default = circuit.interface is None or len(site.circuits) == 1
    own = [
        m for m in report.measurements if m.circuit == circuit.id or (default and m.circuit is None)
    ]
    asked = _fresh(report, (m for m in own if m.kind is not Kind.DNS and m.service is None))
    resolvers = [m for m in own if m.kind is Kind.DNS and m.service is None]
    hop = _of_role(asked, Role.FIRST_HOP)
    centre, public = _of_role(asked, Role.CENTRE), _of_role(asked, Role.PUBLIC)
    beyond = [*centre, *public]
    port, session = _interfaces(circuit, site, gateway)
    names = {one.name for one in (port, session) if one is not None}
    return Look(
        circuit=circuit.id,
        first_hop=_any_good(hop),
        centre=_any_good(centre),
        public=_any_good(public),
        resolver=_any_good(resolvers),
        resolver_run=max((m.run for m in resolvers), default=0),
        port=None if port is None else _port_up(port),
        session=None if session is None else session.oper_status == UP,
        redials=_reading(gateway, ReadingKind.REDIALS, names),
        no_light=_no_light(gateway, names),
        first_hop_sent=sum(m.sent for m in hop),
        first_hop_lost=sum(m.sent - m.received for m in hop),
        first_hop_rtt_us=_mean([m.rtt.mean_us for m in hop if m.rtt is not None]),
        sent=sum(m.sent for m in beyond),
        lost=sum(m.sent - m.received for m in beyond),
        rtt_us=min((m.rtt.mean_us for m in beyond if m.rtt is not None), default=None),
        jitter_us=min(
            (m.rtt.jitter_us for m in beyond if m.rtt is not None and m.rtt.jitter_us is not None),
            default=None,
        ),
        load=_load(circuit, site, before, report),
    )


def _any_good(measurements: Sequence[Measurement]) -> bool | None:
    return any(m.good for m in measurements) if measurements else None


def _mean(values: Sequence[int]) -> int | None:
    return sum(values) // len(values) if values else None


def _is_session(name: str) -> bool:
    return name.lower().lstrip("<").startswith("ppp")


def _interfaces(
    circuit: Circuit, site: Site, gateway: Device | None
) -> tuple[Interface | None, Interface | None]:
    """Return a circuit's port and session on the gateway, as far as they are known."""
    # What a gateway that answers no longer said last is of no use: it is not the present.
    if gateway is None or gateway.status.value != 1:
        return None, None
    named = next((i for i in gateway.interfaces if i.name == circuit.interface), None)
    if named is not None and not _is_session(named.name):
        return named, None
    if circuit is not site.primary:
        return None, named
    sessions = [i for i in gateway.interfaces if _is_session(i.name)]
    ports = [i for i in gateway.interfaces if not _is_session(i.name)]
    return (ports[0] if ports else None), named or (sessions[0] if sessions else None)


def _port_up(port: Interface) -> bool | None:
    if port.oper_status == UP:
        return True
    return False if port.oper_status in PORT_DOWN else None


def _reading(gateway: Device | None, kind: ReadingKind, names: set[str]) -> int | None:
    if gateway is None:
        return None
    found = [r.value for r in gateway.readings if r.kind is kind and r.name in names]
    return max(found, default=None)


def _no_light(gateway: Device | None, names: set[str]) -> bool | None:
    value = _reading(gateway, ReadingKind.OPTICAL_RX_LOSS, names)
    return None if value is None else value == 1


def _load(circuit: Circuit, site: Site, before: Report | None, report: Report) -> float | None:
    """Return the share in use; only the primary's interface is known to be the line's."""
    if before is None or circuit.bandwidth is None or circuit is not site.primary:
        return None
    found = rates(before, report)
    if found is None:
        return None
    return max(
        found.down_bps / (circuit.bandwidth.down * 1e6), found.up_bps / (circuit.bandwidth.up * 1e6)
    )
