"""What the page of one office shows, as values. Pure.

Now: the live report, or nothing. Before: points over time with the outages of the ledger upon them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from alerts.words import cause_says
from collector import formats
from collector.live import SiteView, State
from collector.pages.chart import Chart, Point, chart
from collector.pages.sampling import COARSE_MS, Sample
from collector.pages.words import word
from collector.view import circuit_state, live_report
from collector.words import say
from inventory.model import Inventory, Language, Site, effective_probes
from tabuah.measurement import LINE_ROLES, Kind, Measurement, Status

if TYPE_CHECKING:
    from collector.judgement.ledger import Outage
    from collector.judgement.tracking import Incident
    from collector.rollup import Hour
    from tabuah.report import Report

_HOUR_MS: Final = 3_600_000
_OPER_UP: Final = 1
_OPER_DOWN: Final = 2
MOST_OUTAGES: Final = 50
MOST_INCIDENTS: Final = 20


class Range(Enum):
    """How far back a reader looks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def ms(self) -> int:
        """Return its length."""
        return {Range.DAY: 24, Range.WEEK: 168, Range.MONTH: 720}[self] * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Line:
    """A circuit, an interface, a service: what it is, its state, and that state in words."""

    name: str
    about: str
    state: str
    word: str


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """A probe's last finished run."""

    name: str
    role: str
    good: bool
    word: str
    rtt: str
    loss: str


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident, to be opened."""

    id: str
    cause: str
    severity: str
    began: str
    lasted: str
    open: bool


@dataclass(frozen=True, slots=True)
class OutageRow:
    """An outage on record."""

    began: str
    lasted: str
    open: bool
    circuit: str
    cause: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A chart with its words; without `chart` there is nothing to draw."""

    heading: str
    title: str
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class OfficePage:
    """The whole page. Empty texts and lists mean that nothing is known."""

    code: str
    name: str
    state: State
    since: str
    where: tuple[tuple[str, str], ...]
    """What it is, and what it says: kecamatan, upstream, hours."""
    circuits: tuple[Line, ...]
    services: tuple[Line, ...]
    probes: tuple[ProbeRow, ...]
    interfaces: tuple[Line, ...]
    agent: str
    last_ago: str
    range: Range
    graphs: tuple[Graph, ...]
    about_graphs: str
    incidents: tuple[IncidentRow, ...]
    outages: tuple[OutageRow, ...]
    month: str
    """For the SLA report: 2026-11."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the store and the ledger know of an office."""

    range: Range
    samples: Sequence[Sample]
    """Of some reports of the last day, by time; of a longer range there are hours instead."""
    hours: Sequence[Hour]
    incidents: Sequence[Incident]
    """By begin, those of other offices too."""
    outages: Sequence[Outage]
    """By begin, those of other offices and withdrawn ones too."""


def office_page(
    site: Site,
    view: SiteView | None,
    past: Past,
    inventory: Inventory,
    *,
    now_ms: int,
    language: Language,
) -> OfficePage:
    """Return what the page shows."""
    state = State.UNKNOWN if view is None else view.state
    report = None if view is None else live_report(view, now_ms)
    judged = {} if view is None else dict(view.lines)
    last = None if view is None else view.last
    window = (now_ms - past.range.ms, now_ms)
    own = [one for one in past.outages if one.site == site.code and not one.withdrawn]
    shown = [one for one in own if one.ended_ms is None or one.ended_ms > window[0]]
    today = formats.local(now_ms, inventory.timezone)
    return OfficePage(
        code=site.code,
        name=site.name,
        state=state,
        since=_since(view, state, inventory, now_ms, language),
        where=_where(site, inventory, language),
        circuits=_circuits(site, report, judged, language),
        services=() if report is None else _services(report, inventory, language),
        probes=() if report is None else _probes(report, language),
        interfaces=() if report is None else _interfaces(report),
        agent="" if report is None else _agent(report, language),
        last_ago=say(language, "never")
        if last is None
        else formats.ago(language, now_ms - last.received_ms),
        range=past.range,
        graphs=_graphs(site, past, shown, inventory, window=window, language=language),
        about_graphs=word(language, "chart.sampled" if past.range is Range.DAY else "chart.hourly"),
        incidents=tuple(
            _incident(one, inventory, now_ms, language)
            for one in reversed(past.incidents)
            if site.code in one.sites
        )[:MOST_INCIDENTS],
        outages=tuple(
            _outage(one, inventory, now_ms, language) for one in reversed(shown[-MOST_OUTAGES:])
        ),
        month=f"{today:%Y-%m}",
    )


def _since(
    view: SiteView | None, state: State, inventory: Inventory, now_ms: int, language: Language
) -> str:
    if view is None:
        return say(language, f"state.{state.value}")
    return word(
        language,
        "since",
        word=say(language, f"state.{state.value}"),
        time=formats.moment(language, view.since_ms, now_ms, inventory.timezone),
        lasted=formats.span(language, now_ms - view.since_ms),
    )


def _where(site: Site, inventory: Inventory, language: Language) -> tuple[tuple[str, str], ...]:
    upstream = inventory.upstreams.get(site.upstream or "")
    pairs = (
        ("code", site.code),
        ("kecamatan", site.kecamatan),
        ("upstream", "" if upstream is None else upstream.name),
        ("hours", "" if site.hours is None else site.hours.text),
    )
    return tuple((word(language, key), text) for key, text in pairs if text)


def _circuits(
    site: Site, report: Report | None, judged: Mapping[str, State], language: Language
) -> tuple[Line, ...]:
    lines = []
    for circuit in site.circuits:
        state = circuit_state(circuit, site.circuits, report, judged)
        technology = circuit.technology.value if circuit.technology else ""
        about = " ".join(part for part in (circuit.provider, circuit.product, technology) if part)
        lines.append(Line(circuit.id, about, state.value, say(language, f"state.{state.value}")))
    return tuple(lines)


def _services(report: Report, inventory: Inventory, language: Language) -> tuple[Line, ...]:
    good: dict[str, bool] = {}
    for one in report.measurements:
        if one.service is not None:
            good[one.service] = good.get(one.service, True) and one.good
    lines = []
    for code, well in good.items():
        known = inventory.services.get(code)
        state = State.UP if well else State.DOWN
        says = word(language, "services.good" if well else "services.bad")
        owner = "" if known is None else known.owner
        lines.append(Line(code if known is None else known.name, owner, state.value, says))
    return tuple(lines)


def _probes(report: Report, language: Language) -> tuple[ProbeRow, ...]:
    return tuple(
        ProbeRow(
            name=one.probe,
            role=word(language, f"role.{one.role.value}"),
            good=one.good,
            word=word(language, _verdict(one)),
            rtt="" if one.rtt is None else formats.milliseconds(language, one.rtt.mean_us),
            loss=formats.percent(language, 1 - one.received / one.sent) if one.sent else "",
        )
        for one in report.measurements
    )


def _verdict(one: Measurement) -> str:
    if one.good:
        return "good"
    return "bad_answer" if one.status is Status.RESPONSE_RECEIVED or one.received else "bad"


def _interfaces(report: Report) -> tuple[Line, ...]:
    states = {_OPER_UP: State.UP, _OPER_DOWN: State.DOWN}
    return tuple(
        Line(one.name, device.name, states.get(one.oper_status, State.UNKNOWN).value, "")
        for device in report.devices
        for one in device.interfaces
    )


def _agent(report: Report, language: Language) -> str:
    agent = report.agent
    return word(
        language,
        "agent.line",
        version=agent.version,
        memory=round(agent.resident_kib / 1024),
        backlog=agent.backlog,
    )


def line_probes(site: Site, inventory: Inventory) -> tuple[str, ...]:
    """Return the names of the probes that stand for the office's line, the best first."""
    probes = effective_probes(site, inventory)
    return tuple(
        probe.name
        for role in LINE_ROLES
        for probe in probes
        if probe.role is role and probe.kind in {Kind.PING, Kind.UDP}
    )


def _graphs(
    site: Site,
    past: Past,
    outages: Iterable[Outage],
    inventory: Inventory,
    *,
    window: tuple[int, int],
    language: Language,
) -> tuple[Graph, ...]:
    spans = [(one.began_ms, window[1] if one.ended_ms is None else one.ended_ms) for one in outages]
    if past.range is Range.DAY:
        gap_ms = 2 * COARSE_MS
        points: Sequence[tuple[int, float | None, float | None]] = past.samples
    else:
        gap_ms = 2 * _HOUR_MS
        line = line_probes(site, inventory)
        points = [_of_hour(one, line) for one in past.hours]
    graphs = []
    for key, values in (
        ("chart.rtt", [Point(at, rtt) for at, rtt, _ in points]),
        ("chart.loss", [Point(at, loss) for at, _, loss in points]),
    ):
        made = chart(values, spans, window, gap_ms, inventory.timezone)
        heading = word(language, key)
        title = word(language, "chart.none")
        if made is not None:
            low, high = (formats.number(language, value, 1) for value in (made.low, made.high))
            title = word(
                language, "chart.title", what=heading, low=low, high=high, outages=len(spans)
            )
        graphs.append(Graph(heading, title, made))
    return tuple(graphs)


def _of_hour(hour: Hour, line: Sequence[str]) -> tuple[int, float | None, float | None]:
    """Return its middle, round trip in ms, loss in percent."""
    found = {one.probe: one for one in hour.probes}
    probes = [found[name] for name in line if name in found]
    sent = sum(one.sent for one in probes)
    rtt_us = next((one.rtt_mean_us for one in probes if one.rtt_mean_us is not None), None)
    return (
        hour.hour_ms + _HOUR_MS // 2,
        None if rtt_us is None else rtt_us / 1000,
        100 * (1 - sum(one.received for one in probes) / sent) if sent else None,
    )


def _incident(one: Incident, inventory: Inventory, now_ms: int, language: Language) -> IncidentRow:
    ended_ms = now_ms if one.ended_ms is None else one.ended_ms
    return IncidentRow(
        id=one.id,
        cause=cause_says(language.value, one.cause.value),
        severity=one.severity,
        began=formats.moment(language, one.began_ms, now_ms, inventory.timezone),
        lasted=formats.span(language, ended_ms - one.began_ms),
        open=one.open,
    )


def _outage(one: Outage, inventory: Inventory, now_ms: int, language: Language) -> OutageRow:
    ended_ms = now_ms if one.ended_ms is None else one.ended_ms
    return OutageRow(
        began=formats.moment(language, one.began_ms, now_ms, inventory.timezone),
        lasted=formats.span(language, ended_ms - one.began_ms),
        open=one.ended_ms is None,
        circuit=one.circuit,
        cause=cause_says(language.value, one.cause.value),
        confidence=word(language, f"confidence.{one.confidence.value}"),
    )
