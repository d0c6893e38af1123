"""How an agent's time is laid out."""

from __future__ import annotations

import pytest

from inventory.model import Probe
from tabuah import cadence
from tabuah.measurement import Kind

LONGER = "longer than 'every' (3s); lower 'timeout' or 'count'"


@pytest.mark.parametrize(
    ("every_s", "count", "timeout_s", "says"),
    [
        (10, 6, 2, None),
        (1, 4, 0.7, None),
        (3, 11, 2, None),
        (3, 12, 2, f"a run may last 3100ms (12 packets 100ms apart, then the timeout), {LONGER}"),
        (2, 1, 3, "a run may last 3s, longer than 'every' (2s); lower 'timeout' or 'count'"),
    ],
)  # fmt: skip
def test_runs_must_not_overlap(
    every_s: float, count: int, timeout_s: float, says: str | None
) -> None:
    assert cadence.too_long(every_s, count, timeout_s) == says


def test_what_is_asked_seldom_does_not_make_reports_wait() -> None:
    ping = Probe("hop", Kind.PING, "192.0.2.1", every_s=10, count=6, timeout_s=2)
    page = Probe("siak", Kind.HTTP, "https://siak.example/", every_s=300, timeout_s=10)
    assert cadence.lead_s(10, [ping, page]) == pytest.approx(2.7)
    assert cadence.lead_s(10, []) == 0.0
