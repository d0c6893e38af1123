"""When a line fell and when it was back: to one interval, whenever it was cut and mended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judgement.evidence import Look, Observation
from collector.judgement.faces import Face
from collector.judgement.observe import observe, take
from collector.judgement.outages import Context, Finding, in_order, read
from collector.judgement.plain import with_answers, with_last_held
from collector.judgement.quality import Quality
from collector.live import Received
from inventory.model import Bounds, Circuit, Probe, Site
from tabuah import cadence
from tabuah.measurement import Kind, Measurement, Role, Status, Timing
from tabuah.report import Agent, Report, ReportId

BEGIN_MS: Final = 1_795_500_000_000
TIMEOUT_S: Final = 2.0
KEEP_AFTER_S: Final = 3.0
RETRY_S: Final = 0.5
TRIP_S: Final = 0.02


@dataclass(frozen=True)
class _Line:
    """A line that carries nothing for a while, or nothing inwards, and the agent behind it."""

    interval_s: float
    count: int
    cut_s: float
    intervals: float
    """For so many it is down."""
    deaf: bool
    phase_s: float

    @property
    def mended_s(self) -> float:
        return self.cut_s + self.intervals * self.interval_s

    def site(self) -> Site:
        probes = tuple(
            Probe(
                role.value, Kind.PING, "192.0.2.1", role,
                every_s=self.interval_s, count=self.count, timeout_s=TIMEOUT_S,
            )
            for role in (Role.FIRST_HOP, Role.PUBLIC)
        )  # fmt: skip
        return Site(
            "kubung", "Kubung", interval_s=self.interval_s, circuits=(Circuit("telkom"),),
            probes=probes,
        )  # fmt: skip

    def found(self) -> list[Finding]:
        """Return what its record says once all of it is there."""
        site = self.site()
        seen = []
        backlog, number = 0, 0
        while (
            made_s := self.phase_s + number * self.interval_s
        ) < self.mended_s + 5 * self.interval_s:
            number += 1
            answered_s = self._answered_s(made_s)
            held = answered_s is None or answered_s - made_s >= KEEP_AFTER_S
            came_s = made_s if self.deaf else self.mended_s + 60 if held else answered_s or 0.0
            report = self._report(site, number, made_s, backlog if self.deaf else 0)
            late = held and not self.deaf
            seen.append(
                observe(take(Received(report, _ms(came_s), _ms(made_s), False, late)), site)
            )
            backlog = backlog + 1 if held else 0
        line = with_last_held(with_answers(in_order(seen)))
        return read(site, line, Context())

    def _carries(self, at_s: float) -> bool:
        return not self.cut_s <= at_s < self.mended_s

    def _answered_s(self, made_s: float) -> float | None:
        """Return when a report is answered, before the next one takes its place."""
        tries = round(self.interval_s / RETRY_S)
        return next(
            (t for n in range(tries) if self._carries(t := made_s + n * RETRY_S)),
            None,
        )

    def _report(self, site: Site, number: int, made_s: float, backlog: int) -> Report:
        begun_s = made_s - cadence.lead_s(self.interval_s, site.probes)
        sent_s = [begun_s + n * cadence.PACKET_SPACING_S for n in range(self.count)]
        received = sum(self._carries(at_s) for at_s in sent_s)
        ended_s = sent_s[-1] + (TRIP_S if received == self.count else TIMEOUT_S)
        trip = Timing(20_000, 20_000, 20_000, 0)
        return Report(
            id=ReportId("kubung", 1, number),
            wall_ms=_ms(made_s),
            uptime_ms=_ms(made_s) - BEGIN_MS + 3_600_000,
            boot_id=b"b" * 16,
            interval_ms=round(self.interval_s * 1000),
            path="telkom",
            measurements=tuple(
                Measurement(
                    probe.name, Kind.PING, probe.role,
                    Status.RESPONSE_RECEIVED if received else Status.REQUEST_TIMED_OUT,
                    run=number, age_ms=round((made_s - ended_s) * 10) * 100,
                    sent=self.count, received=received, rtt=trip if received else None,
                )
                for probe in site.probes
            ),
            agent=Agent(backlog=backlog),
        )  # fmt: skip


def _ms(at_s: float) -> int:
    return BEGIN_MS + round(at_s * 1000)


@settings(max_examples=400)
@given(
    line=st.builds(
        _Line,
        interval_s=st.sampled_from([3.0, 10.0, 60.0]),
        count=st.integers(1, 10),
        cut_s=st.floats(300, 400),
        intervals=st.floats(3, 12),
        deaf=st.booleans(),
        phase_s=st.floats(0, 60),
    )
)
def test_an_outages_edges_are_those_of_the_line_to_one_interval(line: _Line) -> None:
    (outage,) = line.found()
    assert outage.ended_ms is not None
    # An age is told to a tenth of a second.
    assert abs(outage.began_ms - _ms(line.cut_s)) <= line.interval_s * 1000 + 100
    assert abs(outage.ended_ms - _ms(line.mended_s)) <= line.interval_s * 1000 + 100


def _cycle(number: int, path: str, *, telkom: bool) -> Observation:
    at_ms = BEGIN_MS + number * 3_000
    lost = 0 if telkom else 5
    return Observation(
        "kubung", at_ms, at_ms + 40, late=False, interval_ms=3_000, epoch=1, seq=number,
        boot_id=b"b", uptime_ms=number * 3_000, path=path, gateway=True,
        circuits=(
            Look("telkom", first_hop=telkom, public=telkom, sent=5, lost=lost, lead_ms=2_600),
            Look("lte", public=True, sent=5),
        ),
    )  # fmt: skip


def test_a_report_that_the_other_line_answered_does_not_speak_for_the_first() -> None:
    """It was to leave by the first, got no answer there, and the next one left by the other."""
    site = Site("kubung", "Kubung", interval_s=3, circuits=(Circuit("telkom"), Circuit("lte")))
    good = [_cycle(n, "telkom", telkom=True) for n in range(1, 10)]
    cut = [_cycle(n, "telkom" if n == 10 else "lte", telkom=False) for n in range(10, 15)]
    line = with_answers([*good, *cut, _cycle(15, "lte", telkom=True)])
    (outage,) = read(site, line, Context())
    assert (outage.circuit, outage.case.face) == ("telkom", Face.NO_HOP)
    assert outage.began_ms == cut[0].at_ms - 2_600
    assert outage.ended_ms == BEGIN_MS + 15 * 3_000 - 2_600


@pytest.mark.parametrize("falls", [True, False])
@pytest.mark.parametrize("deaf", [True, False], ids=["told at the second", "told at once"])
def test_what_is_lost_as_a_line_falls_is_not_told_as_a_lossy_line(falls: bool, deaf: bool) -> None:
    quality = Quality(Bounds(0.1, 0.02, 0.03))
    look = Look("telkom", first_hop=True, public=True, sent=10)
    for number in range(30):
        quality.add(BEGIN_MS + number * 10_000, look)
    assert quality.add(BEGIN_MS + 300_000, replace(look, lost=6)) is None
    if deaf:
        nothing = replace(look, first_hop=False, public=False, lost=10)
        assert quality.add(BEGIN_MS + 310_000, nothing) is None
    if falls:
        quality.fell()
    slow = quality.add(BEGIN_MS + 320_000, look)
    assert (slow is None) is falls
