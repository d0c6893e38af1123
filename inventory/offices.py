"""One entry of `sites`: an office with its lines and probes. Devices: `inventory.devices`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from inventory import values
from inventory.devices import DEVICE_KEYS, interface_name, read_device
from inventory.fields import Fields, Scope
from inventory.hours import parse_hours
from inventory.model import (
    Bandwidth,
    Circuit,
    CircuitRole,
    ClockStart,
    Contact,
    Exclusion,
    Formula,
    InService,
    Location,
    Precision,
    Probe,
    Site,
    SiteKind,
    Sla,
    Technology,
    Ups,
)
from inventory.yaml_nodes import Node
from tabuah.cadence import (
    MOST_PACKETS,
    SHORTEST_INTERVAL_S,
    SHORTEST_TIMEOUT_S,
    longest_timeout_s,
    too_long,
)
from tabuah.measurement import Kind, Role

T = TypeVar("T")

SITE_KEYS = (
    *("code", "name", "kind", "kecamatan", "kabupaten", "location", "upstream", "power_group"),
    *("ups", "hours", "contacts", "address", "interval", "circuits", "probes", "devices"),
    "services",
)
_CIRCUIT_KEYS = (
    *("id", "role", "provider", "product", "technology", "sid", "interface", "bandwidth", "sla"),
    "in_service",
)
_SLA_KEYS = (
    *("availability", "monthly_fee", "formula", "min_outage", "clock_start", "exclusions", "mttr"),
    "hours",
)
_KINDS = tuple(kind.value for kind in Kind)
_PROBE_KEYS = (
    *("name", *_KINDS, "role", "every", "count", "timeout", "expect", "circuit", "service"),
)
_EVERY_S = {Kind.DNS: 60.0, Kind.HTTP: 300.0}


def read_site(node: Node, scope: Scope, organisation: str) -> Site | None:
    """Return the office, or None when it has no code to know it by; notes what is wrong."""
    scope = scope.named("site", node, "code")
    fields = Fields(node, scope, SITE_KEYS)
    if not fields.need("code", '"13.02.10", the Kemendagri code in quotes, or a short name'):
        return None
    code = fields.text("code", values.token, None)
    if code is None:
        return None
    fields.need("name")
    circuits = _named(fields, "circuit", _CIRCUIT_KEYS, _circuit)
    probes = _named(fields, "probe", _PROBE_KEYS, _probe)
    _check_circuits_of_probes(fields, probes, circuits)
    services = fields.links("service", "services")
    checked = {probe.service for probe in probes}
    for probe in probes:
        if probe.name in services and probe.name not in checked:
            scope.complain(
                fields.at("probes"),
                f"probe '{probe.name}' has the name of a service that is probed too; "
                f"rename it, or add 'service: {probe.name}' to it",
            )
    return Site(
        code=code,
        name=fields.text("name", values.some_text, ""),
        kind=fields.value("kind", values.one_of(SiteKind), SiteKind.OTHER),
        kecamatan=fields.text("kecamatan", values.text, ""),
        kabupaten=fields.text("kabupaten", values.text, "") or organisation,
        location=_location(fields),
        upstream=fields.link("upstream", "upstream"),
        power_group=fields.link("power group", "power_group"),
        ups=fields.value("ups", values.one_of(Ups), Ups.UNKNOWN),
        hours=fields.value("hours", parse_hours, None),
        contacts=tuple(
            contact
            for item in fields.list("contacts")
            if (contact := _contact(item, scope.inside("contact"))) is not None
        ),
        address=fields.value("address", values.host, None),
        interval_s=fields.value("interval", values.duration(SHORTEST_INTERVAL_S), 10.0),
        circuits=circuits,
        probes=probes,
        devices=_named(fields, "device", DEVICE_KEYS, read_device),
        services=services,
        where=scope.where(node),
    )


def _named(
    fields: Fields, noun: str, keys: tuple[str, ...], read: Callable[[Fields, str], T | None]
) -> tuple[T, ...]:
    """Return the things of a list whose names are unique within it; `keys` begins with the name's.

    The first of a name is kept.
    """
    things: list[T] = []
    lines: dict[str, int] = {}
    name_key = keys[0]
    for item in fields.list(f"{noun}s"):
        inner = Fields(item, fields.scope.named(noun, item, name_key), keys)
        if not inner.need(name_key):
            continue
        name = inner.text(name_key, values.token, None)
        if name is None:
            continue
        if name in lines:
            fields.scope.complain(item, f"{noun} '{name}' stands here and in line {lines[name]}")
            continue
        lines[name] = item.line
        thing = read(inner, name)
        if thing is not None:
            things.append(thing)
    return tuple(things)


def _check_circuits_of_probes(
    fields: Fields, probes: Iterable[Probe], circuits: Iterable[Circuit]
) -> None:
    known = tuple(circuit.id for circuit in circuits)
    for probe in probes:
        if probe.circuit is not None and probe.circuit not in known:
            hint = values.hint(probe.circuit, known)
            fields.scope.complain(
                fields.at("probes"), f"probe {probe.name}: unknown circuit '{probe.circuit}'{hint}"
            )


def _location(site: Fields) -> Location | None:
    fields = site.inner("location", ("lat", "lon", "precision"))
    if fields is None or not (fields.need("lat") and fields.need("lon")):
        return None
    lat = fields.value("lat", values.number(-90, 90), None)
    lon = fields.value("lon", values.number(-180, 180), None)
    precision = fields.value("precision", values.one_of(Precision), Precision.APPROXIMATE)
    return None if lat is None or lon is None else Location(lat, lon, precision)


def _contact(node: Node, scope: Scope) -> Contact | None:
    fields = Fields(node, scope, ("name", "phone", "email", "hours"))
    if not fields.need("name"):
        return None
    name = fields.text("name", fields.or_reference("name", values.some_text), None)
    phone = fields.text("phone", fields.or_reference("phone", values.text), None)
    email = fields.text("email", fields.or_reference("email", values.text), None)
    hours = fields.value("hours", parse_hours, None)
    return None if name is None else Contact(name, phone or None, email or None, hours)


def _circuit(fields: Fields, name: str) -> Circuit:
    return Circuit(
        id=name,
        role=fields.value("role", values.one_of(CircuitRole), CircuitRole.PRIMARY),
        provider=fields.text("provider", values.text, ""),
        product=fields.text("product", values.text, ""),
        technology=fields.value("technology", values.one_of(Technology), None),
        sid=fields.text("sid", values.text, ""),
        interface=fields.text("interface", interface_name, None),
        bandwidth=_bandwidth(fields),
        sla=_sla(fields),
        in_service=_in_service(fields),
    )


def _bandwidth(circuit: Fields) -> Bandwidth | None:
    fields = circuit.inner("bandwidth", ("down", "up"))
    if fields is None or not (fields.need("down", "20 (Mbit/s)") and fields.need("up", "20")):
        return None
    mbits = values.number(0.001, 1_000_000)
    down, up = fields.value("down", mbits, None), fields.value("up", mbits, None)
    return None if down is None or up is None else Bandwidth(down, up)


def _sla(circuit: Fields) -> Sla | None:
    fields = circuit.inner("sla", _SLA_KEYS)
    if fields is None:
        return None
    fields.need("availability", "0.995")
    fee = fields.value("monthly_fee", values.rupiah, None)
    if fee is not None:
        fields.need("formula", f"{Formula.PRORATA_EXCESS.value}, as the contract has it")
    availability = fields.value("availability", values.share, None)
    exclude = values.one_of(Exclusion)
    exclusions = (
        fields.scope.read(item, "exclusions", exclude) for item in fields.list("exclusions")
    )
    sla = Sla(
        availability=values.share("0") if availability is None else availability,
        monthly_fee=fee,
        formula=fields.value("formula", values.one_of(Formula), None),
        min_outage_s=fields.value("min_outage", values.duration(), 0.0),
        clock_start=fields.value("clock_start", values.one_of(ClockStart), ClockStart.MEASURED),
        exclusions=tuple(dict.fromkeys(item for item in exclusions if item is not None)),
        mttr_s=fields.value("mttr", values.duration(), None),
        hours=fields.value("hours", parse_hours, None),
    )
    return None if availability is None else sla


def _in_service(circuit: Fields) -> InService:
    fields = circuit.inner("in_service", ("from", "to"))
    if fields is None:
        return InService()
    begins, ends = fields.value("from", values.day, None), fields.value("to", values.day, None)
    if begins is not None and ends is not None and ends <= begins:
        fields.scope.complain(fields.at("to"), "ends before it begins")
    return InService(begins, ends)


def _probe(fields: Fields, name: str) -> Probe | None:
    asked = [kind for kind in Kind if kind.value in fields]
    if len(asked) != 1:
        found = " and ".join(kind.value for kind in asked) or "none"
        fields.scope.complain(fields.node, f"needs exactly one of {', '.join(_KINDS)}; has {found}")
        return None
    kind = asked[0]
    target, server = _target(fields, kind)
    service = fields.link("service", "service")
    every_s = fields.value("every", values.duration(SHORTEST_INTERVAL_S), _EVERY_S.get(kind, 10.0))
    count = fields.value("count", values.whole(1, MOST_PACKETS), 1)
    timeout_s = fields.value(
        "timeout", values.duration(SHORTEST_TIMEOUT_S), longest_timeout_s(every_s, count)
    )
    if (overlaps := too_long(every_s, count, timeout_s)) is not None:
        fields.scope.complain(fields.at("timeout" if "timeout" in fields else "count"), overlaps)
    if "count" in fields and kind not in (Kind.PING, Kind.UDP):
        fields.scope.complain(
            fields.at("count"), f"count has no meaning for {kind.value}, only for ping and udp"
        )
    if "expect" in fields and kind is not Kind.HTTP:
        fields.scope.complain(
            fields.at("expect"), f"expect has no meaning for {kind.value}, only for http"
        )
    return Probe(
        name=name,
        kind=kind,
        target=target,
        role=fields.value(
            "role", values.one_of(Role), Role.OTHER if service is None else Role.SERVICE
        ),
        server=server,
        expect=fields.text("expect", values.some_text, ""),
        every_s=every_s,
        count=count,
        timeout_s=timeout_s,
        circuit=fields.text("circuit", values.token, None),
        service=service,
    )


def _target(fields: Fields, kind: Kind) -> tuple[str, str]:
    """Return what is asked for, and of which server (dns only)."""
    match kind:
        case Kind.PING:
            return fields.value("ping", values.host, ""), ""
        case Kind.UDP | Kind.TCP:
            target = fields.value(kind.value, values.endpoint, None)
            return str(target or ""), ""
        case Kind.HTTP:
            return fields.value("http", values.url, ""), ""
        case Kind.DNS:
            question = fields.inner("dns", ("server", "name"))
            if question is None or not (question.need("server") and question.need("name")):
                return "", ""
            name = question.value("name", values.host, "")
            return name, question.value("server", values.host_or_endpoint, "")
