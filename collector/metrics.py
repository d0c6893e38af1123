"""The sites' families of the metrics page, rendered from the live view (text format 0.0.4).

Written by hand because 7,285 offices with forty gauges each take prometheus-client five to six
seconds of CPU and this a few tenths: label texts are made once, and a scrape only puts numbers
behind them. What an office's report says is rendered again when there is a newer one. A site that
is gone from the inventory is gone from the page.

Measurements are those of the newest live report or absent: silence is no value. What stays for
every site is its state, when it last reported, and the info series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from collector import families, readings
from collector.live import Heard, Received, SiteView, State
from collector.view import LIVE_STATES, circuit_up, live_until_ms
from inventory.model import Circuit, Inventory, Site
from tabuah.measurement import Measurement, OneWay, Phases, Role, Timing
from tabuah.report import Device, Interface, Report

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FAMILIES = (*families.FAMILIES, *readings.FAMILIES)
"""In the order of the page."""

KEPT = 10_000
"""Sites whose texts are kept between scrapes, some 20 kB each."""

_OPER_UP = 1
_OPER_UNKNOWN = 4

# A site has tens of probes and interfaces. Names come from reports, so their texts are bounded.
_TEXTS_PER_SITE = 512

_Key = TypeVar("_Key", bound=Hashable)
_Text = TypeVar("_Text")
_Out = dict[families.Family, list[str]]


def labels(**pairs: str) -> str:
    """Return `{name="value",...} ` with the values escaped as the text format asks."""
    inner = ",".join(f'{name}="{escape(value)}"' for name, value in pairs.items())
    return f"{{{inner}}} "


def escape(value: str) -> str:
    """Return a label value with backslash, quote and line feed escaped."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@dataclass(frozen=True, slots=True)
class _ProbeText:
    plain: str
    rtt_min: str
    rtt_mean: str
    rtt_max: str
    forward: str
    backward: str


def _probe_text(site: str, probe: str, role: Role) -> _ProbeText:
    same = {"site": site, "probe": probe, "role": role.value}
    return _ProbeText(
        labels(**same),
        *(labels(**same, stat=stat) for stat in ("min", "mean", "max")),
        *(labels(**same, direction=direction) for direction in ("forward", "backward")),
    )


class _SiteText:
    """One site's label texts, made at first use."""

    __slots__ = ("_circuits", "_devices", "_phases", "_probes", "_states", "code", "plain")

    def __init__(self, code: str) -> None:
        self.code = code
        self.plain = labels(site=code)
        self._states: dict[State, str] = {}
        self._probes: dict[tuple[str, Role], _ProbeText] = {}
        self._devices: dict[tuple[str, str, str], str] = {}
        self._phases: dict[tuple[str, str], str] = {}
        self._circuits: dict[str, str] = {}

    def states(self, state: State) -> str:
        """Return the samples of tabuah_site_state."""
        if state not in self._states:
            self._states[state] = f"\n{families.SITE_STATE.name}".join(
                f"{labels(site=self.code, state=each.value)}{int(each is state)}" for each in State
            )
        return self._states[state]

    def probe(self, probe: str, role: Role) -> _ProbeText:
        return _cached(self._probes, (probe, role), lambda: _probe_text(self.code, probe, role))

    def device(self, device: str, label: str, name: str) -> str:
        more = {label: name} if label else {}
        return _cached(
            self._devices,
            (device, label, name),
            lambda: labels(site=self.code, device=device, **more),
        )

    def service(self, service: str, phase: str = "") -> str:
        more = {"phase": phase} if phase else {}
        return _cached(
            self._phases,
            (service, phase),
            lambda: labels(site=self.code, service=service, **more),
        )

    def circuit(self, circuit: str) -> str:
        return _cached(self._circuits, circuit, lambda: labels(site=self.code, circuit=circuit))


def _cached(texts: dict[_Key, _Text], key: _Key, make: Callable[[], _Text]) -> _Text:
    text = texts.get(key)
    if text is None:
        if len(texts) >= _TEXTS_PER_SITE:
            texts.clear()
        text = texts[key] = make()
    return text


class _Office:
    """What is kept of a site between scrapes: texts, and what its newest report came to."""

    __slots__ = ("_last", "_measured", "_until_ms", "circuits", "hours", "info", "text")

    def __init__(self, site: Site) -> None:
        self.text = _SiteText(site.code)
        self.circuits = site.circuits
        self.hours = site.hours
        self.info = _joined(_info(site))
        self._last: Heard | None = None
        self._until_ms = 0
        self._measured: dict[families.Family, str] = {}

    def measured(self, last: Heard, now_ms: int) -> dict[families.Family, str]:
        """Return the lines of a report by family; nothing when it is too old to be the present."""
        if last is not self._last and last != self._last:
            received = last.opened()
            out: _Out = defaultdict(list)
            _measured(out, self.text, self.circuits, received)
            self._last, self._until_ms = last, live_until_ms(received)
            self._measured = _joined(out)
        return self._measured if now_ms <= self._until_ms else {}


def _joined(out: _Out) -> dict[families.Family, str]:
    # No pairs: hundreds of thousands of tuples keep the garbage collector busy.
    return {
        family: lines[0] if len(lines) == 1 else f"\n{family.name}".join(lines)
        for family, lines in out.items()
    }


class SitesPage:
    """Renders the sites' families, and keeps their texts between scrapes."""

    def __init__(self) -> None:
        self._inventory: Inventory | None = None
        self._offices: dict[str, _Office] = {}

    def render(self, inventory: Inventory, views: Iterable[SiteView], now_ms: int) -> bytes:
        """Return the page's part that speaks of sites; sites outside the inventory are left out.

        CPU-bound and long for thousands of sites: call it in a worker thread, one at a time.
        """
        seen = {view.code: view for view in views}
        shown = ((code, seen.get(code)) for code in inventory.codes)
        out = {
            **self.lines(inventory, shown, now_ms),
            families.SERVICE_OBJECTIVE: of_services(inventory),
        }
        return b"".join(
            octets for one in FAMILIES for octets in (head(one), *body(one, out.get(one, ())))
        )

    def lines(
        self, inventory: Inventory, views: Iterable[tuple[str, SiteView | None]], now_ms: int
    ) -> Mapping[families.Family, Sequence[str]]:
        """Return some sites' lines by family, without its name; some hold several lines."""
        if inventory is not self._inventory:
            self._inventory = inventory
            self._offices = {}
        out: _Out = defaultdict(list)
        local = datetime.fromtimestamp(now_ms / 1000, inventory.timezone)
        for code, view in views:
            office = self._office(inventory, code)
            if office is not None:
                _site(out, office, view, now_ms, local)
        return out

    def _office(self, inventory: Inventory, code: str) -> _Office | None:
        office = self._offices.get(code)
        if office is None:
            site = inventory.find(code)
            if site is None:
                return None
            office = _Office(site)
            if len(self._offices) < KEPT:
                self._offices[code] = office
        return office


class Measured:
    """One site's reports as the samples that the page would have shown, had they been live."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._text = _SiteText(site.code)

    def lines(self, received: Received) -> Iterator[tuple[str, str, str]]:
        """Yield name, labels in braces, and value; not what only the collector itself can say."""
        out: _Out = defaultdict(list)
        _measured(out, self._text, self.site.circuits, received)
        for family, lines in out.items():
            for line in lines:
                labelled, _, value = line.rpartition(" ")
                yield family.name, labelled, value


def head(family: families.Family) -> bytes:
    """Return what stands before a family's samples."""
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n".encode()


def body(family: families.Family, lines: Sequence[str]) -> tuple[bytes, ...]:
    """Return a family's samples, in pieces: to put megabytes together takes its time."""
    if not lines:
        return ()
    name = family.name.encode()
    # A name from a file may hold what UTF-8 cannot; one bad label must not cost the page.
    return name, f"\n{family.name}".join(lines).encode(errors="replace"), b"\n"


def of_services(inventory: Inventory) -> list[str]:
    """Return the lines of `families.SERVICE_OBJECTIVE`, which speaks of no site."""
    return [
        f"{labels(service=service.code)}{service.objective}"
        for service in inventory.services.values()
        if service.objective is not None
    ]


def _info(site: Site) -> _Out:
    out: _Out = defaultdict(list)
    about = labels(
        site=site.code,
        name=site.name,
        kind=site.kind.value,
        kecamatan=site.kecamatan,
        kabupaten=site.kabupaten,
        upstream=site.upstream or "",
    )
    out[families.SITE_INFO].append(f"{about}1")
    if site.location is not None:
        place = labels(
            site=site.code,
            latitude=str(site.location.lat),
            longitude=str(site.location.lon),
        )
        out[families.LOCATION].append(f"{place}1")
    for circuit in site.circuits:
        line = labels(
            site=site.code,
            circuit=circuit.id,
            provider=circuit.provider,
            product=circuit.product,
            technology=circuit.technology.value if circuit.technology else "",
            role=circuit.role.value,
        )
        out[families.CIRCUIT_INFO].append(f"{line}1")
        _promised(out, site, circuit)
    return out


def _promised(out: _Out, site: Site, circuit: Circuit) -> None:
    same = {"site": site.code, "circuit": circuit.id}
    if circuit.sla is not None:
        out[families.OBJECTIVE].append(f"{labels(**same)}{circuit.sla.availability}")
    if circuit.bandwidth is not None:
        for direction, mbps in (("down", circuit.bandwidth.down), ("up", circuit.bandwidth.up)):
            line = labels(**same, direction=direction)
            out[families.BANDWIDTH].append(f"{line}{mbps * 1e6 / 8:.0f}")


def _site(out: _Out, office: _Office, view: SiteView | None, now_ms: int, local: datetime) -> None:
    text = office.text
    for family, lines in office.info.items():
        out[family].append(lines)
    serving = office.hours is None or office.hours.covers(local)
    out[families.SERVING].append(f"{text.plain}{int(serving)}")
    state = view.state if view is not None else State.UNKNOWN
    out[families.SITE_STATE].append(text.states(state))
    if state in LIVE_STATES:
        out[families.SITE_UP].append(f"{text.plain}1")
    elif state is State.DOWN:
        out[families.SITE_UP].append(f"{text.plain}0")
    if view is None or view.last is None:
        return
    out[families.LAST].append(f"{text.plain}{view.last.received_ms / 1000}")
    out[families.CLONES].append(f"{text.plain}{view.clone_reports}")
    if state in LIVE_STATES:
        for family, lines in office.measured(view.last, now_ms).items():
            out[family].append(lines)


def _measured(out: _Out, text: _SiteText, circuits: Sequence[Circuit], received: Received) -> None:
    report = received.report
    for circuit in circuits:
        up = circuit_up(circuit, circuits, report)
        if up is not None:
            out[families.CIRCUIT_UP].append(f"{text.circuit(circuit.id)}{int(up)}")
    if received.skew_ms is not None:
        # Against the quickest report, which took half a round trip too.
        skew_ms = received.skew_ms + report.agent.srtt_ms // 2
        out[families.SKEW].append(f"{text.plain}{skew_ms / 1000}")
    if not received.unread:  # else it may say much, and we cannot know what
        _agent(out, text, report)
    _probes(out, text, report.measurements)
    _services(out, text, report.measurements)
    _devices(out, text, report.devices)


def _agent(out: _Out, text: _SiteText, report: Report) -> None:
    agent = report.agent
    if agent.srtt_ms:
        out[families.REPORT_RTT].append(f"{text.plain}{agent.srtt_ms / 1000}")
    if agent.resident_kib:
        out[families.RESIDENT].append(f"{text.plain}{agent.resident_kib * 1024}")
    out[families.WRITTEN].append(f"{text.plain}{agent.written_kib * 1024}")
    out[families.BACKLOG].append(f"{text.plain}{agent.backlog}")
    out[families.DROPPED].append(f"{text.plain}{agent.dropped}")


def _probes(out: _Out, text: _SiteText, measurements: tuple[Measurement, ...]) -> None:
    # A series must stand on the page once, whatever an office's report repeats: Prometheus
    # refuses the whole page for one duplicate.
    seen: set[str] = set()
    for one in measurements:
        if one.probe in seen:
            continue
        seen.add(one.probe)
        lines = text.probe(one.probe, one.role)
        share = one.received / one.sent if one.sent else 0
        out[families.SUCCESS].append(f"{lines.plain}{share if one.good else 0}")
        if one.sent:
            out[families.LOSS].append(f"{lines.plain}{(one.sent - one.received) / one.sent}")
        if one.rtt is not None:
            _round_trips(out, lines, one.rtt)
        if one.forward is not None:
            _one_way(out, lines.forward, one.forward)
        if one.backward is not None:
            _one_way(out, lines.backward, one.backward)


def _round_trips(out: _Out, lines: _ProbeText, rtt: Timing) -> None:
    # Microseconds as they are, with an exponent: exact, and a quarter of a float's time.
    out[families.RTT] += (
        f"{lines.rtt_min}{rtt.min_us}e-6",
        f"{lines.rtt_mean}{rtt.mean_us}e-6",
        f"{lines.rtt_max}{rtt.max_us}e-6",
    )
    if rtt.jitter_us is not None:
        out[families.JITTER].append(f"{lines.plain}{rtt.jitter_us}e-6")


def _one_way(out: _Out, line: str, way: OneWay) -> None:
    if way.sent:
        out[families.ONE_WAY_LOSS].append(f"{line}{max(0, way.sent - way.received) / way.sent}")


def _services(out: _Out, text: _SiteText, measurements: tuple[Measurement, ...]) -> None:
    good: dict[str, bool] = {}
    phases: dict[str, Phases] = {}
    days: dict[str, int] = {}
    for one in measurements:
        if one.service is not None:
            good[one.service] = good.get(one.service, True) and one.good
            if one.phases is not None:
                phases.setdefault(one.service, one.phases)
            if one.certificate_days is not None:
                days[one.service] = min(
                    days.get(one.service, one.certificate_days), one.certificate_days
                )
    for service, up in good.items():
        out[families.SERVICE_UP].append(f"{text.service(service)}{int(up)}")
    for service, left in days.items():
        out[families.CERTIFICATE].append(f"{text.service(service)}{left * 86400}")
    for service, spent in phases.items():
        for phase, spent_us in (
            ("resolve", spent.resolve_us),
            ("connect", spent.connect_us),
            ("tls", spent.tls_us),
            ("first_byte", spent.first_byte_us),
            ("body", spent.body_us),
        ):
            if spent_us is not None:
                line = text.service(service, phase)
                out[families.SERVICE_DURATION].append(f"{line}{spent_us}e-6")


def _devices(out: _Out, text: _SiteText, devices: tuple[Device, ...]) -> None:
    seen: set[tuple[families.Family, str]] = set()
    for device in devices:
        for interface in device.interfaces:
            line = text.device(device.name, "interface", interface.name)
            if (families.IF_UP, line) not in seen:
                seen.add((families.IF_UP, line))
                _interface(out, line, interface)
        for reading in device.readings:
            shown = readings.SHOWN[reading.kind]
            line = text.device(device.name, shown.label, reading.name if shown.label else "")
            if (shown.family, line) not in seen:
                seen.add((shown.family, line))
                out[shown.family].append(f"{line}{readings.value(reading)}")


def _interface(out: _Out, line: str, interface: Interface) -> None:
    if interface.oper_status != _OPER_UNKNOWN:
        out[families.IF_UP].append(f"{line}{int(interface.oper_status == _OPER_UP)}")
    if interface.speed_bps:
        out[families.IF_SPEED].append(f"{line}{interface.speed_bps}")
    out[families.RX_BYTES].append(f"{line}{interface.in_octets}")
    out[families.TX_BYTES].append(f"{line}{interface.out_octets}")
    out[families.RX_ERRORS].append(f"{line}{interface.in_errors}")
    out[families.TX_ERRORS].append(f"{line}{interface.out_errors}")
    out[families.RX_DISCARDS].append(f"{line}{interface.in_discards}")
    out[families.TX_DISCARDS].append(f"{line}{interface.out_discards}")
