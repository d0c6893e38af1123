"""When an office's probes begin: early enough that its report tells each run."""

from __future__ import annotations

import pytest

from agent.config import Config, Probe
from agent.cycle import Office
from tabuah.measurement import Kind, Role


@pytest.mark.parametrize(
    ("interval_s", "count", "timeout_s", "lasts_s"),
    [(10, 6, 2, 2.5), (3, 10, 2, 2.9), (3, 11, 2, 3.0), (1, 1, 0.5, 0.5), (60, 20, 2, 3.9)],
)
def test_even_a_run_that_waits_for_lost_packets_has_ended_when_its_report_leaves(
    interval_s: float, count: int, timeout_s: float, lasts_s: float
) -> None:
    """Else one without loss takes its place in the next report, and a lossy line reads too well."""
    probe = Probe(
        "hop",
        Kind.PING,
        Role.FIRST_HOP,
        "192.0.2.1",
        every_s=interval_s,
        count=count,
        timeout_s=timeout_s,
    )
    office = Office(Config("13.02.10", (), interval_s=interval_s, probes=(probe,)))
    assert lasts_s <= office.lead_s <= interval_s, "and none is still under way at the next"
