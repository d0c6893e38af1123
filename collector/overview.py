"""What the status page shows, as values: the headline, the counts, one row for each office.

Pure: the live view and the time go in, words and numbers as a reader sees them come out; the
template only places them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from alerts.words import cause_says
from collector import formats
from collector.live import SiteView, State
from collector.pages.map import MOST as MOST_ON_MAP
from collector.pages.map import Map, drawn
from collector.traffic import Rates
from collector.view import Readiness, circuit_state, cloned_ms, live_report
from collector.words import say
from inventory.model import Inventory, Language, Site
from tabuah.measurement import LINE_ROLES, Kind, Measurement
from tabuah.report import Report

if TYPE_CHECKING:
    from collector.judgement.tracking import Incident
    from collector.pages.outlines import Ring

TROUBLE_FIRST = (State.DOWN, State.SILENT, State.DEGRADED, State.UNKNOWN, State.UP)
"""The order of rows and counts: what needs a person first."""

# A headline of four clauses is none; the counts below it tell the rest.
_KINDS_IN_HEADLINE = 2
_NAMED_IN_HEADLINE = 3
MOST_ROWS = 1_000
"""What a page can show: those that need a person first. Only their offices are read."""


MOST_INCIDENTS = 20
_NO_OUTLINES: Final[Mapping[str, Sequence[Ring]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Count:
    """How many offices are in one state."""

    state: State
    word: str
    count: int


@dataclass(frozen=True, slots=True)
class CircuitLine:
    """One of several lines of an office."""

    id: str
    state: State
    word: str


@dataclass(frozen=True, slots=True)
class Row:
    """One office. Empty texts mean that there is no live value."""

    code: str
    name: str
    state: State
    word: str
    since: str
    lasted: str
    last_ago: str
    last_time: str
    rtt: str
    loss: str
    down: str
    up: str
    circuits: tuple[CircuitLine, ...]
    """Only when the office has more than one, and its report is live."""
    cloned: str
    """That two agents report with its configuration."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """An incident that goes on."""

    id: str
    cause: str
    severity: str
    names: str
    """Its offices, the first few by name."""
    since: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole page."""

    headline: str
    worst: State
    """The state that gives the headline its colour and sign."""
    places: tuple[str, ...]
    """Who is in trouble and since when; the first few."""
    hint: str
    clones: str
    """What it means that an office is marked as cloned, and what to do; empty when none is."""
    warning: str
    """Why the page itself may be wrong; empty when all is well."""
    counts: tuple[Count, ...]
    rows: tuple[Row, ...]
    incidents: tuple[Wrong, ...]
    """What goes on now, by its begin; the first few."""
    map: Map | None
    rest: str
    """That there are offices without a row, and where they are found; empty when all have one."""
    shown_at: str


def overview(
    inventory: Inventory,
    views: Mapping[str, SiteView],
    rates: Callable[[str], Rates | None],
    readiness: Readiness,
    *,
    now_ms: int,
    language: Language,
    incidents: Sequence[Incident] = (),
    outlines: Mapping[str, Sequence[Ring]] = _NO_OUTLINES,
) -> Overview:
    """Return the page's contents; an office without a view is unknown."""
    pairs = [(code, views.get(code)) for code in inventory.codes]
    pairs.sort(key=lambda pair: _urgency(pair[1]))
    counts = Counter(_state(view) for _, view in pairs)
    heard = any(view is not None and view.last is not None for _, view in pairs)
    cloned = any(view is not None and cloned_ms(view, now_ms) for _, view in pairs)
    worst = next((state for state in TROUBLE_FIRST if counts[state]), State.UNKNOWN)
    return Overview(
        headline=headline(counts, language, heard=heard)
        if readiness.ready
        else say(language, "headline.not_ready", total=len(pairs)),
        worst=worst if readiness.ready else max(worst, State.UNKNOWN, key=_seriousness),
        places=_places(pairs, inventory, now_ms, language),
        hint=say(language, "hint.silent") if counts[State.SILENT] else "",
        clones=say(language, "hint.cloned") if cloned else "",
        warning=_warning(readiness, language),
        counts=tuple(
            Count(state, say(language, f"state.{state.value}"), counts[state])
            for state in TROUBLE_FIRST
        ),
        rows=tuple(
            _row(
                inventory.site(code), view, rates(code), inventory, now_ms=now_ms, language=language
            )
            for code, view in pairs[:MOST_ROWS]
        ),
        incidents=tuple(
            _wrong(one, inventory, now_ms, language) for one in incidents[:MOST_INCIDENTS]
        ),
        map=drawn([(inventory.site(code), _state(view)) for code, view in pairs], outlines)
        if len(pairs) <= MOST_ON_MAP
        else None,
        rest=say(language, "rows.rest", shown=MOST_ROWS, total=len(pairs))
        if len(pairs) > MOST_ROWS
        else "",
        shown_at=formats.clock(language, now_ms, inventory.timezone, seconds=True),
    )


def _wrong(one: Incident, inventory: Inventory, now_ms: int, language: Language) -> Wrong:
    sites = [inventory.find(code) for code in one.sites[:_NAMED_IN_HEADLINE]]
    names = [
        code if site is None else site.name for code, site in zip(one.sites, sites, strict=False)
    ]
    if len(one.sites) > _NAMED_IN_HEADLINE:
        more = formats.number(language, len(one.sites) - _NAMED_IN_HEADLINE)
        names.append(say(language, "and_more", count=more))
    return Wrong(
        id=one.id,
        cause=cause_says(language.value, one.cause.value),
        severity=one.severity,
        names=", ".join(names),
        since=formats.moment(language, one.began_ms, now_ms, inventory.timezone),
    )


def headline(counts: Mapping[State, int], language: Language, *, heard: bool) -> str:
    """Return the answer in one sentence: `2 dari 14 kantor tidak melapor`."""
    total = sum(counts.values())
    trouble = [s for s in TROUBLE_FIRST if s is not State.UP and counts.get(s, 0)]
    if not total:
        return say(language, "headline.none")
    if not trouble:
        return say(language, "headline.all_up", total=total)
    if not heard:
        return say(language, "headline.waiting", total=total)
    if len(trouble) == 1:
        count = counts[trouble[0]]
        what = say(language, f"headline.{trouble[0].value}")
        form = "headline.single.one" if count == 1 else "headline.single"
        return say(language, form, count=count, total=total, what=what)
    parts = (
        say(
            language,
            "headline.part",
            count=counts[state],
            what=say(language, f"headline.{state.value}"),
        )
        for state in trouble[:_KINDS_IN_HEADLINE]
    )
    return say(language, "headline.many", total=total, parts=", ".join(parts))


def line_rtt_us(report: Report) -> int | None:
    """Return the round trip that stands for the office's line, in microseconds."""
    over_line = _over_line(report)
    for role in LINE_ROLES:
        for one in over_line:
            if one.role is role and one.rtt is not None:
                return one.rtt.mean_us
    return report.agent.srtt_ms * 1000 if report.agent.srtt_ms else None


def line_loss(report: Report) -> float | None:
    """Return the share of packets lost beyond the gateway, over all probes of the report."""
    over_line = _over_line(report)
    sent = sum(one.sent for one in over_line)
    return 1 - sum(one.received for one in over_line) / sent if sent else None


def _over_line(report: Report) -> list[Measurement]:
    """Return the pings and STAMP runs over the circuit by which the report came."""
    return [
        one
        for one in report.measurements
        if one.role in LINE_ROLES
        and one.kind in (Kind.PING, Kind.UDP)
        and (one.circuit is None or not report.path or one.circuit == report.path)
    ]


def _state(view: SiteView | None) -> State:
    return view.state if view is not None else State.UNKNOWN


def _seriousness(state: State) -> int:
    return -TROUBLE_FIRST.index(state)


def _urgency(view: SiteView | None) -> tuple[int, int]:
    """Return the sorting key: trouble first, the newest trouble on top, the rest as listed."""
    state = _state(view)
    newest_first = -view.since_ms if view is not None and state is not State.UP else 0
    return TROUBLE_FIRST.index(state), newest_first


def _places(
    pairs: Sequence[tuple[str, SiteView | None]],
    inventory: Inventory,
    now_ms: int,
    language: Language,
) -> tuple[str, ...]:
    troubled = [
        (code, view)
        for code, view in pairs
        if view is not None and view.state not in (State.UP, State.UNKNOWN)
    ]
    named = [
        say(
            language,
            "since_place",
            name=inventory.site(code).name,
            time=formats.moment(language, view.since_ms, now_ms, inventory.timezone),
        )
        for code, view in troubled[:_NAMED_IN_HEADLINE]
    ]
    if len(troubled) > _NAMED_IN_HEADLINE:
        more = formats.number(language, len(troubled) - _NAMED_IN_HEADLINE)
        named.append(say(language, "and_more", count=more))
    return tuple(named)


def _warning(readiness: Readiness, language: Language) -> str:
    if readiness.ready:
        return ""
    parts = [say(language, "not_ready")]
    if not readiness.storing:
        parts.append(say(language, "not_storing"))
    if not readiness.hearing:
        parts.append(say(language, "not_hearing"))
    return " ".join(parts)


def _row(
    site: Site,
    view: SiteView | None,
    rates: Rates | None,
    inventory: Inventory,
    *,
    now_ms: int,
    language: Language,
) -> Row:
    state = _state(view)
    last = view.last if view is not None else None
    report = live_report(view, now_ms) if view is not None else None
    rtt = line_rtt_us(report) if report is not None else None
    loss = line_loss(report) if report is not None else None
    live = rates if report is not None else None
    zone = inventory.timezone
    return Row(
        code=site.code,
        name=site.name,
        state=state,
        word=say(language, f"state.{state.value}"),
        since=formats.moment(language, view.since_ms, now_ms, zone) if view is not None else "",
        lasted=formats.span(language, now_ms - view.since_ms) if view is not None else "",
        last_ago=formats.ago(language, now_ms - last.received_ms)
        if last is not None
        else say(language, "never"),
        last_time=_last_time(last.received_ms, now_ms, inventory, language)
        if last is not None
        else "",
        rtt=formats.milliseconds(language, rtt) if rtt is not None else "",
        loss=formats.percent(language, loss) if loss is not None else "",
        down=formats.bit_rate(language, live.down_bps) if live is not None else "",
        up=formats.bit_rate(language, live.up_bps) if live is not None else "",
        circuits=_circuits(site, view, report, language),
        cloned=say(language, "cloned") if view is not None and cloned_ms(view, now_ms) else "",
    )


def _last_time(ms: int, now_ms: int, inventory: Inventory, language: Language) -> str:
    zone = inventory.timezone
    if formats.local(ms, zone).date() == formats.local(now_ms, zone).date():
        return formats.clock(language, ms, zone, seconds=True)
    return formats.moment(language, ms, now_ms, zone)


def _circuits(
    site: Site, view: SiteView | None, report: Report | None, language: Language
) -> tuple[CircuitLine, ...]:
    if view is None or report is None or len(site.circuits) < 2:
        return ()
    judged = dict(view.lines)
    lines = []
    for circuit in site.circuits:
        state = circuit_state(circuit, site.circuits, report, judged)
        lines.append(CircuitLine(circuit.id, state, say(language, f"state.{state.value}")))
    return tuple(lines)
