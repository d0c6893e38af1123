"""What the SLA report says of each circuit, as texts in the reader's language. Pure.

How the figures came about is `collector.sla`. An availability is cut, never rounded, to four
decimals: 99.49999 % must not read as 99.5 % where that is the promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import partial

from collector.formats import clock, local, number, span
from collector.restitution import WRITTEN
from collector.sla_model import CircuitMonth, Episode, Figures, Month, Share, Ticket
from collector.sla_timeline import Timeline, timeline
from collector.sla_versions import DRAFT, Version
from collector.sla_words import cause, say
from inventory.model import Circuit, Inventory, Language, Site


@dataclass(frozen=True, slots=True)
class Sheet:
    """One circuit's part of the report."""

    site: Site
    circuit: Circuit
    month: CircuitMonth
    version: Version
    earlier: tuple[Version, ...] = ()
    """Oldest first, without `version`."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the result: one clock."""

    name: str
    by_contract: bool
    countable: str
    unknown: str
    open: str
    availability: str
    claim: str
    potential: str
    with_open: str


@dataclass(frozen=True, slots=True)
class Portion:
    """A line of the account of time."""

    share: str
    word: str
    time: str
    part: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list of outages."""

    number: int
    share: str
    began: tuple[str, str]
    ended: tuple[str, str]
    lasted: str
    cause: str
    marks: tuple[str, ...]
    counts: tuple[str, ...]
    tickets: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What the template says of one circuit."""

    anchor: str
    office: str
    code: str
    circuit: str
    sid: str
    warning: str
    contract: tuple[tuple[str, str], ...]
    promised: str
    verdict: str
    kept: str
    figures: tuple[Figure, ...]
    due: Figure
    notes: tuple[str, ...]
    portions: tuple[Portion, ...]
    all_hours: str
    timeline: Timeline
    hours_cut: bool
    rows: tuple[Row, ...]
    countable_outages: int
    opening: str
    version: str
    earlier: tuple[str, ...]
    interval: str


class Words:
    """Figures as text, in one language and zone."""

    def __init__(self, inventory: Inventory, language: Language) -> None:
        self._zone = inventory.timezone
        self._language = language
        self._say = partial(say, language)
        self._months = say(language, "months").split()

    def view(self, sheet: Sheet) -> View:
        """Return the texts of one circuit."""
        month, site, circuit = sheet.month, sheet.site, sheet.circuit
        due = month.due
        figures = (
            self.figure("measured", month.measured, by_contract=due is month.measured),
            self.figure("ticketed", month.ticketed, by_contract=due is month.ticketed),
        )
        rows = tuple(self._row(at, e, month) for at, e in enumerate(month.episodes, 1))
        return View(
            anchor=f"{site.code}-{circuit.id}",
            office=site.name,
            code=site.code,
            circuit=circuit.id,
            sid=circuit.sid,
            warning=self._warning(month),
            contract=self._contract(sheet),
            promised="" if month.sla is None else self.percent(Fraction(month.sla.availability)),
            verdict=self.verdict(month),
            kept=_verdict(month),
            figures=figures,
            due=figures[0] if due is month.measured else figures[1],
            notes=self._notes(month),
            portions=tuple(
                self._portion(share, ms, month.hours_ms)
                for share, ms in month.times.items()
                if ms or share in {Share.UP, Share.COUNTABLE, Share.UNKNOWN}
            ),
            all_hours=hms(month.hours_ms),
            timeline=timeline(month),
            hours_cut=month.hours is not None,
            rows=rows,
            countable_outages=sum(Share.COUNTABLE in e.times for e in month.episodes),
            opening=self._say(
                "minutes.opening",
                circuit=" ".join(filter(None, (circuit.provider, circuit.product, circuit.sid)))
                or circuit.id,
                office=f"{site.name} ({site.code})",
                month=self.month(month.month),
            ),
            version=self._say(
                "version.draft" if sheet.version.number == DRAFT else "version.now",
                number=sheet.version.number,
                time=self.moment(sheet.version.made_ms),
                computation=sheet.version.computation,
                digest=sheet.version.digest[:12],
            ),
            earlier=tuple(self._earlier(version) for version in sheet.earlier),
            interval=span(self._language, round(site.interval_s * 1000)),
        )

    def verdict(self, month: CircuitMonth) -> str:
        """Return whether the promise was kept."""
        return self._say(f"kept.{_verdict(month)}")

    def month(self, month: Month) -> str:
        """Return `November 2026`."""
        return f"{self._months[month.month - 1]} {month.year}"

    def zone_name(self, month: Month) -> str:
        """Return what people call the zone: WIB; with daylight saving both names."""
        begin, end = month.window
        names = [f"{local(ms, self._zone):%Z}" for ms in (begin, end - 1)]
        return "/".join(dict.fromkeys(names))

    def moment(self, ms: int) -> str:
        """Return `24 November 2026, 07.30.10 WIB`."""
        then = local(ms, self._zone)
        day = f"{then.day} {self._months[then.month - 1]} {then.year}"
        return f"{day}, {clock(self._language, ms, self._zone, seconds=True)}"

    def percent(self, share: Fraction, least: int = 2) -> str:
        """Return a share in percent, cut to four decimals, zeros beyond `least` left out."""
        cut = (share * 1_000_000).__floor__()
        decimals = next(n for n in range(least, 5) if cut % 10 ** (4 - n) == 0)
        text = number(self._language, cut / 10_000, decimals)
        return f"{text} %" if self._language is Language.INDONESIAN else f"{text}%"

    def money(self, rupiah: int | None) -> str:
        """Return `Rp1.250.000`; nothing where nothing was computed."""
        return "" if rupiah is None else f"Rp{number(self._language, rupiah)}"

    def totals(self, sheets: Sequence[Sheet]) -> tuple[str, str] | None:
        """Return claim and potential of all circuits; None when no contract has a fee."""
        with_fee = [s.month.due for s in sheets if s.month.due.claim is not None]
        if not with_fee:
            return None
        return (
            self.money(sum(figures.claim or 0 for figures in with_fee)),
            self.money(sum(figures.potential or 0 for figures in with_fee)),
        )

    def _when(self, ms: int) -> tuple[str, str]:
        then = local(ms, self._zone)
        day = f"{then.day} {self._months[then.month - 1][:3]} {then.year}"
        return day, clock(self._language, ms, self._zone, seconds=True)

    def figure(self, key: str, figures: Figures, *, by_contract: bool) -> Figure:
        """Return the texts of one clock's figures."""
        low, high = self.percent(figures.low), self.percent(figures.high)
        return Figure(
            name=self._say(key),
            by_contract=by_contract,
            countable=hms(figures.countable_ms),
            unknown=hms(figures.unknown_ms),
            open=hms(figures.open_ms),
            availability=high if low == high else self._say("low_high", low=low, high=high),
            claim=self.money(figures.claim),
            potential=self.money(figures.potential),
            with_open=self.money(figures.with_open),
        )

    def _portion(self, share: Share, ms: int, hours_ms: int) -> Portion:
        part = Fraction(ms, hours_ms) if hours_ms else Fraction(0)
        return Portion(
            share.value, self._say(f"share.{share.value}"), hms(ms), self.percent(part, least=4)
        )

    def _warning(self, month: CircuitMonth) -> str:
        if month.sla is None:
            return self._say("contract.absent")
        return self._say("contract.no_fee") if month.measured.claim is None else ""

    def _notes(self, month: CircuitMonth) -> tuple[str, ...]:
        notes = []
        if month.due.low != month.due.high:
            notes.append(self._say("note.low_high"))
        if month.times[Share.OPEN]:
            notes.append(self._say("note.open", time=hms(month.times[Share.OPEN])))
        if month.lost_ms:
            worth = self.money(month.lost_rupiah)
            money = self._say("lost.money", money=worth) if worth else ""
            notes.append(self._say("lost", time=hms(month.lost_ms), money=money))
        elif month.times[Share.COUNTABLE]:
            notes.append(self._say("lost.none"))
        return tuple(notes)

    def _contract(self, sheet: Sheet) -> tuple[tuple[str, str], ...]:
        month, circuit, missing = sheet.month, sheet.circuit, self._say("not_given")
        rows = [
            ("provider", circuit.provider or missing),
            ("product", circuit.product or missing),
            ("sid", circuit.sid or missing),
        ]
        begin, end = month.window
        if month.window != month.month.window:
            rows.append(
                (
                    "in_service",
                    self._say("low_high", low=self.moment(begin), high=self.moment(end)),
                )
            )
        rows.append(
            ("hours", self._say("hours.always") if month.hours is None else month.hours.text)
        )
        sla = month.sla
        if sla is not None:
            rows += [
                ("promised", self.percent(Fraction(sla.availability))),
                ("fee", self._fee(month) or missing),
                ("formula", missing if sla.formula is None else self._formula(month)),
                ("floor", span(self._language, round(sla.min_outage_s * 1000))),
                ("clock", self._say(f"clock.{sla.clock_start.value}")),
                (
                    "exclusions",
                    ", ".join(cause(self._language, e.value) for e in sla.exclusions)
                    or self._say("nothing"),
                ),
                (
                    "mttr",
                    missing
                    if sla.mttr_s is None
                    else span(self._language, round(sla.mttr_s * 1000)),
                ),
            ]
        return tuple((self._say(key), value) for key, value in rows)

    def _formula(self, month: CircuitMonth) -> str:
        assert month.sla is not None
        assert month.sla.formula is not None
        return f"{month.sla.formula.value}: {WRITTEN[month.sla.formula]}"

    def _fee(self, month: CircuitMonth) -> str:
        if month.sla is None or month.sla.monthly_fee is None or month.fee is None:
            return ""
        fee = self.money(month.sla.monthly_fee)
        if month.fee == month.sla.monthly_fee:
            return fee
        return self._say("fee.scaled", fee=fee, scaled=self.money(round(month.fee)))

    def _row(self, at: int, episode: Episode, month: CircuitMonth) -> Row:
        stretch = episode.stretch
        ongoing = not month.final and stretch.end_ms >= month.as_of_ms
        inside = sum(episode.times.values())
        counts = [
            self._say(f"share.{share.value}") + (f": {hms(ms)}" if len(episode.times) > 1 else "")
            for share, ms in episode.times.items()
        ]
        if inside < stretch.length_ms:
            counts.append(self._say("in_month", time=hms(inside)))
        marks = []
        if episode.liability is not None:
            marks.append(self._say(f"liability.{episode.liability.value}"))
        if episode.late_repair:
            marks.append(self._say("late_repair"))
        word = stretch.cause or stretch.kind.value
        down = Share.COUNTABLE in episode.times or Share.OPEN in episode.times
        return Row(
            number=at,
            share=next(iter(episode.times)).value,
            began=self._when(stretch.begin_ms),
            ended=(self._say("ongoing"), "") if ongoing else self._when(stretch.end_ms),
            lasted=hms(stretch.length_ms),
            cause=cause(self._language, word),
            marks=tuple(marks),
            counts=tuple(counts),
            tickets=tuple(self._ticket(t) for t in episode.tickets)
            or ((self._say("ticket.none"),) if down else ()),
            evidence=episode.evidence or ((self._say("evidence.none"),) if down else ()),
        )

    def _ticket(self, ticket: Ticket) -> str:
        closed = (
            self._say("ticket.open") if ticket.closed_ms is None else self._short(ticket.closed_ms)
        )
        return self._say(
            "ticket.span",
            number=ticket.number,
            opened=self._short(ticket.opened_ms),
            closed=closed,
        )

    def _short(self, ms: int) -> str:
        then = local(ms, self._zone)
        time = clock(self._language, ms, self._zone)
        return f"{then.day} {self._months[then.month - 1][:3]}, {time}"

    def _earlier(self, version: Version) -> str:
        return self._say(
            "version.was",
            number=version.number,
            time=self.moment(version.made_ms),
            high=self.percent(version.availability[1]),
            claim=self.money(version.claim) or self._say("not_given"),
        )


def _verdict(month: CircuitMonth) -> str:
    if month.sla is None:
        return "none"
    return {True: "yes", False: "no", None: "open"}[month.kept]


def hms(ms: int) -> str:
    """Return a length of time as `10:05:30`, hours without limit, whole seconds."""
    seconds = timedelta(milliseconds=ms) // timedelta(seconds=1)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
