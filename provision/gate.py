"""The gate: is the office, by its own reports, as well as before the change? Pure.

The agent's word is asked for because it comes from behind the gateway and over the line: an SSH
session that stays up proves neither the office's LAN nor its way to the centre. A report counts
when it is live, newer by the agent's own sequence than all that was known when the change was
complete, and of a probe run that ended later than those. Its clock is never asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

NEEDED = 3
"""Good reports in a row; fewer could be one lucky moment of a flapping line."""
STALE_INTERVALS = 3.0
"""A baseline older than so many of the office's intervals is not fresh."""
RTT_FACTOR = 1.5
RTT_SLACK_US = 30_000
"""A round trip may grow by half, or by 30 ms where it is short: queues breathe that much."""
LOSS_SLACK = 0.1
"""Share of packets that may be lost more than before, over the reports weighed together."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one probe measured, in one report."""

    probe: str
    good: bool
    run: int
    """Counts the probe's finished runs since its agent began."""
    rtt_us: int | None
    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class Heard:
    """One report, as the collector has it."""

    epoch: str
    seq: int
    received_ms: int
    interval_ms: int
    late: bool
    path: str
    """The circuit it came by."""
    seen: tuple[Seen, ...]

    @property
    def name(self) -> str:
        """Return what names it in evidence: epoch and sequence."""
        return f"{self.epoch}/{self.seq}"


@dataclass(frozen=True, slots=True)
class Before:
    """What one probe was like before the change."""

    rtt_us: int | None
    loss: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """How the office was before the change, in what was good."""

    path: str
    probes: Mapping[str, Before]
    reports: tuple[str, ...]
    """Those it was made of."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What was known when the change was complete: only what is newer is evidence."""

    reports: Mapping[str, int]
    """The newest sequence of each epoch."""
    runs: Mapping[str, int]
    """The newest run of each probe of the newest epoch."""
    epoch: str


class Opinion(Enum):
    """What the gate thinks."""

    GOOD = "good"
    WAIT = "wait"
    """Not enough is known yet, or what is known is worse than before."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The gate's opinion, its reason in words, and the reports it rests on."""

    opinion: Opinion
    reason: str
    evidence: tuple[str, ...] = ()


def baseline(reports: Iterable[Heard], now_ms: int) -> Baseline | str:
    """Return how the office is, or why nothing may be changed now.

    Args:
        reports: recent ones, in any order.
        now_ms: by the clock that stamped their reception.
    """
    live = _live(reports)[-NEEDED:]
    if len(live) < NEEDED:
        return f"only {len(live)} live reports of the office are known; {NEEDED} are needed"
    newest = live[-1]
    age_ms = now_ms - newest.received_ms
    if age_ms > STALE_INTERVALS * newest.interval_ms:
        return f"the office's newest report is {age_ms / 1000:.0f} s old: no fresh baseline"
    paths = {report.path for report in live}
    if len(paths) > 1:
        return "the office changed its circuit within the last reports: no steady baseline"
    names = {seen.probe for seen in newest.seen}
    good = {n for n in names if all(_good(report, n) for report in live)}
    if not good:
        return "no probe of the office is good: there is nothing to compare with"
    failing = sorted(n for n in names if _good(newest, n) and n not in good)
    if failing:
        return f"not steady before the change: {', '.join(failing)}"
    return Baseline(
        path=newest.path,
        probes={name: _before(live, name) for name in sorted(good)},
        reports=tuple(report.name for report in live),
    )


def floor(reports: Iterable[Heard]) -> Floor:
    """Return what is known now."""
    known = sorted(reports, key=lambda report: report.received_ms)
    sequences: dict[str, int] = {}
    for report in known:
        sequences[report.epoch] = max(sequences.get(report.epoch, 0), report.seq)
    if not known:
        return Floor({}, {}, "")
    newest = known[-1]
    return Floor(sequences, {seen.probe: seen.run for seen in newest.seen}, newest.epoch)


def weigh(
    before: Baseline, known: Floor, reports: Iterable[Heard], slow: frozenset[str] = frozenset()
) -> Weighed:
    """Return whether the office is as well as before.

    Args:
        before: how it was.
        known: what was known when the change was complete.
        reports: all recent ones, in any order.
        slow: probes that are asked too seldom to say anything within the window.
    """
    new = [r for r in _live(reports) if r.seq > known.reports.get(r.epoch, 0)]
    if not new:
        return Weighed(Opinion.WAIT, "no new report of the office yet")
    weighed = new[-NEEDED:]
    asked = {name: was for name, was in before.probes.items() if name not in slow}
    if not asked:
        return Weighed(Opinion.WAIT, "every probe is asked too seldom for this window")
    for report in reversed(weighed):
        worse = _worse(report, before.path, asked, known)
        if worse is not None:
            return Weighed(Opinion.WAIT, f"report {report.name}: {worse}")
    if len(weighed) < NEEDED:
        return Weighed(Opinion.WAIT, f"{len(weighed)} of {NEEDED} good reports")
    for name, was in asked.items():
        loss = _loss(weighed, name)
        if loss > was.loss + LOSS_SLACK:
            return Weighed(
                Opinion.WAIT, f"{name}: {loss:.0%} of packets lost, {was.loss:.0%} before"
            )
    return Weighed(
        Opinion.GOOD,
        f"{', '.join(asked)}: as before, in {NEEDED} reports",
        tuple(report.name for report in weighed),
    )


def worse_since(before: Baseline, reports: Iterable[Heard], now_ms: int) -> str | None:
    """Return in what an office is worse than before its change was confirmed; None when it is not.

    One bad report is a moment of its line; so many in a row as the gate weighs are not.

    Args:
        before: how it was before the change.
        reports: recent ones, in any order.
        now_ms: by the clock that stamped their reception.
    """
    live = _live(reports)[-NEEDED:]
    if not live:
        return "no live report of it is known"
    age_ms = now_ms - live[-1].received_ms
    if age_ms > STALE_INTERVALS * live[-1].interval_ms:
        return f"its newest report is {age_ms / 1000:.0f} s old"
    nothing = Floor({}, {}, "")
    found = [_worse(report, before.path, before.probes, nothing) for report in live]
    return found[-1] if all(found) else None


def _worse(report: Heard, path: str, asked: Mapping[str, Before], known: Floor) -> str | None:
    """Return in what a report is worse than before; None when it is not."""
    if report.path != path:
        return f"came by circuit '{report.path}', before it was '{path}'"
    seen = {one.probe: one for one in report.seen}
    for name, was in asked.items():
        one = seen.get(name)
        if one is None:
            return f"{name} was not measured"
        if report.epoch == known.epoch and one.run <= known.runs.get(name, 0):
            return f"{name} was not measured since the change"
        if not one.good:
            return f"{name} fails"
        if one.rtt_us is not None and was.rtt_us is not None:
            most = max(was.rtt_us * RTT_FACTOR, was.rtt_us + RTT_SLACK_US)
            if one.rtt_us > most:
                return f"{name} takes {one.rtt_us / 1000:.0f} ms, {was.rtt_us / 1000:.0f} before"
    return None


def _live(reports: Iterable[Heard]) -> list[Heard]:
    return sorted((r for r in reports if not r.late), key=lambda r: (r.received_ms, r.seq))


def _good(report: Heard, probe: str) -> bool:
    return any(seen.good for seen in report.seen if seen.probe == probe)


def _before(reports: Sequence[Heard], probe: str) -> Before:
    trips = [
        seen.rtt_us
        for report in reports
        for seen in report.seen
        if seen.probe == probe and seen.rtt_us is not None
    ]
    return Before(max(trips) if trips else None, _loss(reports, probe))


def _loss(reports: Sequence[Heard], probe: str) -> float:
    sent = received = 0
    for report in reports:
        for seen in report.seen:
            if seen.probe == probe:
                sent += seen.sent
                received += seen.received
    return 1 - received / sent if sent else 0.0
