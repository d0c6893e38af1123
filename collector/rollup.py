"""An hour of one office's reports as a few numbers, and which of the reports are edges.

A run of a probe may stand in many reports, and counts in the first. Octets between two reports
count in the hour of the second. So an hour needs the report before it, and, to tell its edges,
the one after it. Pure: `collector.upkeep` reads and writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from collector.live import Received
from tabuah.measurement import Measurement
from tabuah.notification import LineState, key_facts
from tabuah.report import Interface, Report

HOUR_MS = 3_600_000

_OPER_UP = 1


@dataclass(frozen=True, slots=True)
class ProbeHour:
    """What a probe's finished runs of one hour come to."""

    probe: str
    runs: int
    good: int
    """Runs that were answered as expected."""
    sent: int
    received: int
    rtt_min_us: int | None
    """Of the answered packets; None when none was."""
    rtt_mean_us: int | None
    rtt_max_us: int | None
    forward_sent: int
    """STAMP: from the office to the centre."""
    forward_received: int
    backward_sent: int
    backward_received: int


@dataclass(frozen=True, slots=True)
class InterfaceHour:
    """What an interface carried in one hour, and how long it is known to have been up."""

    device: str
    interface: str
    in_octets: int
    out_octets: int
    up_ms: int
    """ifOperStatus; a report speaks for the time since the one before, at most its interval."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One office's hour."""

    hour_ms: int
    """Its beginning, ms since 1970 UTC."""
    reports: int
    late: int
    """How many of them came late."""
    good_ms: int
    """How long the line was so by `tabuah.notification.LineState`; the rest is not known."""
    impaired_ms: int
    cut_ms: int
    unmeasured_ms: int
    probes: tuple[ProbeHour, ...]
    interfaces: tuple[InterfaceHour, ...]


@dataclass(slots=True)
class _Runs:
    runs: int = 0
    good: int = 0
    sent: int = 0
    received: int = 0
    rtt_sum_us: int = 0
    rtt_packets: int = 0
    lows: list[int] = field(default_factory=list)
    highs: list[int] = field(default_factory=list)
    ways: Counter[str] = field(default_factory=Counter)

    def add(self, one: Measurement) -> None:
        self.runs += 1
        self.good += one.good
        self.sent += one.sent
        self.received += one.received
        if one.rtt is not None:
            packets = max(1, one.received)
            self.rtt_sum_us += one.rtt.mean_us * packets
            self.rtt_packets += packets
            self.lows.append(one.rtt.min_us)
            self.highs.append(one.rtt.max_us)
        for name, way in (("forward", one.forward), ("backward", one.backward)):
            if way is not None:
                self.ways[f"{name}_sent"] += way.sent
                self.ways[f"{name}_received"] += way.received

    def hour(self, probe: str) -> ProbeHour:
        mean = round(self.rtt_sum_us / self.rtt_packets) if self.rtt_packets else None
        return ProbeHour(
            probe=probe,
            runs=self.runs,
            good=self.good,
            sent=self.sent,
            received=self.received,
            rtt_min_us=min(self.lows, default=None),
            rtt_mean_us=mean,
            rtt_max_us=max(self.highs, default=None),
            forward_sent=self.ways["forward_sent"],
            forward_received=self.ways["forward_received"],
            backward_sent=self.ways["backward_sent"],
            backward_received=self.ways["backward_received"],
        )


def hour_of(ms: int) -> int:
    """Return the beginning of the UTC hour of `ms`, in ms since 1970."""
    return ms - ms % HOUR_MS


def by_time(reports: Iterable[Received]) -> list[Received]:
    """Return each report once, in the order in which they were measured."""
    once = {received.report.id: received for received in reports}
    return sorted(once.values(), key=lambda one: (one.time_ms, one.report.id))


def roll_up(hour_ms: int, before: Received | None, reports: Sequence[Received]) -> Hour:
    """Return what an hour comes to.

    Args:
        hour_ms: its beginning.
        before: the last report of the hour before; None = there was none.
        reports: those measured in it, as `by_time` has them.
    """
    runs: dict[str, _Runs] = {}
    octets: dict[tuple[str, str], list[int]] = {}
    spans: Counter[LineState] = Counter()
    last_run: dict[tuple[int, str], int] = {}
    if before is not None:
        for one in _measurements(before.report):
            last_run[before.report.id.epoch, one.probe] = one.run
    for earlier, received in pairwise((before, *reports)):
        assert received is not None
        report = received.report
        span = _span_ms(earlier, received)
        if not received.unread:
            spans[key_facts(report.measurements).state] += span
        for one in _measurements(report):
            name = (report.id.epoch, one.probe)
            if one.run > last_run.get(name, -1):
                runs.setdefault(one.probe, _Runs()).add(one)
                last_run[name] = one.run
        passed = {} if earlier is None else dict(_interfaces(earlier.report))
        for key, interface in _interfaces(report):
            sums = octets.setdefault(key, [0, 0, 0])
            sums[2] += span if interface.oper_status == _OPER_UP else 0
            then = passed.get(key)
            if then is not None and then.counter_epoch == interface.counter_epoch:
                sums[0] += max(0, interface.in_octets - then.in_octets)
                sums[1] += max(0, interface.out_octets - then.out_octets)
    return Hour(
        hour_ms=hour_ms,
        reports=len(reports),
        late=sum(received.late for received in reports),
        good_ms=spans[LineState.GOOD],
        impaired_ms=spans[LineState.IMPAIRED],
        cut_ms=spans[LineState.CUT],
        unmeasured_ms=spans[LineState.UNMEASURED],
        probes=tuple(runs[name].hour(name) for name in sorted(runs)),
        interfaces=tuple(InterfaceHour(*key, *octets[key]) for key in sorted(octets)),
    )


def edges(
    before: Received | None, reports: Sequence[Received], after: Received | None
) -> list[Received]:
    """Return those of `reports` beside which something changed: they are kept for ever.

    A change is another state of the line, another boot of the host, another status of a device
    or a port; or that a report between the two is missing, or the agent began anew.
    """
    found = {}
    for one, other in pairwise((before, *reports, after)):
        if one is None or other is None or not _alike(one, other):
            for received in (one, other):
                if received is not None:
                    found[received.report.id] = received
    return [received for received in reports if received.report.id in found]


def _alike(one: Received, other: Received) -> bool:
    earlier, later = one.report.id, other.report.id
    if later.epoch != earlier.epoch or later.seq != earlier.seq + 1:
        return False
    return _facts(one) == _facts(other)


def _facts(received: Received) -> tuple[object, ...]:
    report = received.report
    ports = [
        (device.name, device.status, [(i.name, i.oper_status) for i in device.interfaces])
        for device in report.devices
    ]
    return report.boot_id, received.unread, key_facts(report.measurements).state, ports


def _span_ms(earlier: Received | None, received: Received) -> int:
    """Return how long before it a report speaks for."""
    interval = min(received.report.interval_ms, HOUR_MS)
    return interval if earlier is None else min(interval, received.time_ms - earlier.time_ms)


def _measurements(report: Report) -> Iterator[Measurement]:
    """Yield each probe's measurement, the first where an office repeats a name."""
    yield from {one.probe: one for one in reversed(report.measurements)}.values()


def _interfaces(report: Report) -> Iterator[tuple[tuple[str, str], Interface]]:
    named = [
        ((device.name, interface.name), interface)
        for device in report.devices
        for interface in device.interfaces
    ]
    yield from dict(reversed(named)).items()
