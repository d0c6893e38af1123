"""A line that loses three packets in ten, each way: nothing is missing, for thrice the bytes."""

from __future__ import annotations

import time
from collections import defaultdict

import pytest

from tests.lab.net import Office
from tests.lab.stack import INTERVAL_S, Stack

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

LOSS_PERCENT = 30
CLEAN_S = 18
LOSSY_S = 54
MOST_TIMES = 3.0


def test_at_30_percent_loss_each_way_no_report_is_missing_for_three_times_the_bytes(
    stack: Stack, office: Office
) -> None:
    stack.lab.count_reports(office)
    clean = _octets(stack, office, CLEAN_S) / CLEAN_S
    assert clean > 0
    before = sum(stack.lab.report_octets(office))
    began = time.monotonic()
    stack.lab.loss(office, LOSS_PERCENT, LOSS_PERCENT)
    time.sleep(LOSSY_S)
    stack.lab.loss(office, 0, 0)
    stack.until(15, lambda: not _missing(stack, office), lambda: f"{_missing(stack, office)}")
    time.sleep(INTERVAL_S)
    seconds = time.monotonic() - began
    times = (sum(stack.lab.report_octets(office)) - before) / seconds / clean
    assert 1.0 < times <= MOST_TIMES
    reports = stack.reports(office)
    assert len({(r.epoch, r.seq) for r in reports}) == len(reports), "each report once"


def _octets(stack: Stack, office: Office, seconds: float) -> int:
    before = sum(stack.lab.report_octets(office))
    time.sleep(seconds)
    return sum(stack.lab.report_octets(office)) - before


def _missing(stack: Stack, office: Office) -> list[int]:
    """Return the numbers below the newest that are not there, of all starts of the agent."""
    seqs: dict[str, set[int]] = defaultdict(set)
    for report in stack.reports(office):
        seqs[report.epoch].add(report.seq)
    return sorted(seq for got in seqs.values() for seq in set(range(1, max(got) + 1)) - got)
