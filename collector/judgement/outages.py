"""What was down, from when to when, and why: a circuit's runs, each with its verdict.

Silence gives a provisional finding, the office's own record the final one: the same functions
read both, so that the whole is simply read again when late reports land. What is found is
compared with the ledger there (`ledger.revise`), which writes a new version of what changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from collector.judgement.case import Case, Gap, Nature
from collector.judgement.diagnosis import diagnose
from collector.judgement.evidence import (
    Cause,
    CentreSeen,
    CollectorSeen,
    Observation,
    Verdict,
    Window,
)
from collector.judgement.faces import Face, began_ms
from collector.judgement.runs import Run, runs
from collector.stretches import Kind, kind_of_downtime

if TYPE_CHECKING:
    from inventory.model import Site


@dataclass(frozen=True, slots=True)
class Context:
    """What is known beside the office's own reports."""

    now_ms: int = 0
    windows: tuple[Window, ...] = ()
    isolated: tuple[CollectorSeen, ...] = ()
    """Moments at which the collector was cut off from everybody."""
    centre: CentreSeen | None = None
    """What the centre saw of the office since it fell silent."""
    silent: bool = False
    """The office does not report now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One stretch of one circuit that was not up, and what it was."""

    case: Case
    kind: Kind
    verdict: Verdict
    fell_ms: int
    """The middle of what is known of its begin: between the last good word and the first bad."""

    @property
    def site(self) -> str:
        """Whose it is."""
        return self.case.site

    @property
    def circuit(self) -> str:
        """Which line."""
        return self.case.circuit

    @property
    def began_ms(self) -> int:
        """When it began."""
        return self.case.began_ms

    @property
    def ended_ms(self) -> int | None:
        """When it ended; None while it lasts."""
        return self.case.ended_ms


def read(site: Site, timeline: Sequence[Observation], context: Context) -> list[Finding]:
    """Return what the record says of all circuits of an office, in order of time.

    Args:
        site: of the inventory.
        timeline: its reports; any order, repeats allowed.
        context: what others know.
    """
    line = in_order(timeline)
    pending = bool(line) and line[-1].backlog > 0
    found = []
    for circuit in site.circuits:
        for run in runs(line, circuit.id, silent=context.silent):
            if run.face in {Face.GOOD, Face.NOT_ASKED}:
                continue
            found += _findings(site, circuit.id, run, context, pending=pending)
    return sorted(found, key=lambda f: (f.began_ms, f.circuit))


def in_order(timeline: Sequence[Observation]) -> list[Observation]:
    """Return the reports by time of measuring, each once.

    One that stands for others too (`plain.condensed`) goes before itself brought again.
    """
    once: dict[tuple[int, int], Observation] = {}
    for seen in timeline:
        known = once.get((seen.epoch, seen.seq))
        if known is None or seen.left_out >= known.left_out:
            once[seen.epoch, seen.seq] = seen
    return sorted(once.values(), key=lambda seen: (seen.at_ms, seen.seq))


def judged(finding: Finding, case: Case) -> Finding:
    """Return the finding judged again with what `case` adds."""
    verdict = diagnose(case)
    return replace(finding, case=case, verdict=verdict, kind=kind_of(case, verdict.cause))


def kind_of(case: Case, cause: Cause) -> Kind:
    """Return which class of time it is.

    What neither side recorded is unknown, but for power and announced work. A silent stretch of
    a common fault is unknown until somebody recorded it, too.
    """
    if case.gap is Gap.OFF:
        return Kind.OFF
    if case.gap is not None and cause not in {Cause.POWER, Cause.MAINTENANCE}:
        return Kind.UNKNOWN
    if case.gap is Gap.OPEN:
        return Kind.UNKNOWN
    return kind_of_downtime(cause.value)


def _findings(
    site: Site, circuit: str, run: Run, context: Context, *, pending: bool
) -> list[Finding]:
    case = Case(
        site=site.code,
        circuit=circuit,
        nature=Nature.DOWN if run.gap is None else Nature.GAP,
        began_ms=run.begin_ms,
        ended_ms=run.end_ms,
        face=run.face,
        gap=run.gap,
        first=run.first,
        before=run.before,
        after=run.after,
        pending=pending,
        ups=site.ups,
        centre=context.centre if run.gap is Gap.OPEN else None,
        isolated=_isolated(run, context),
    )
    window = _window(site.code, circuit, run, context)
    if window is None:
        return [_finding(case, run)]
    until_ms = context.now_ms if run.end_ms is None else run.end_ms
    if until_ms <= window.ends_ms:
        return [_finding(replace(case, window=window), run)]
    # Work that overran its window: the rest must explain itself.
    inside = replace(case, window=window, ended_ms=window.ends_ms)
    rest = replace(case, began_ms=window.ends_ms)
    return [_finding(inside, run), _finding(rest, run)]


def _finding(case: Case, run: Run) -> Finding:
    verdict = diagnose(case)
    before = run.before
    fell_ms = case.began_ms
    if before is not None and case.began_ms == run.begin_ms:
        if run.gap is None:
            fell_ms = (began_ms(before, before.look(case.circuit), Face.GOOD) + fell_ms) // 2
        else:
            fell_ms = before.at_ms + before.interval_ms // 2
    return Finding(case, kind_of(case, verdict.cause), verdict, fell_ms)


def _window(site: str, circuit: str, run: Run, context: Context) -> Window | None:
    return next((w for w in context.windows if w.covers(site, circuit, run.begin_ms)), None)


def _isolated(run: Run, context: Context) -> CollectorSeen | None:
    """Return when within the gap the collector was cut off; what an office recorded stands."""
    if run.gap is not Gap.OPEN:
        return None
    return next((seen for seen in context.isolated if seen.at_ms >= run.begin_ms), None)
