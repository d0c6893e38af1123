"""No false outage: three offices at 5, 10, 20 and 30 % loss each way, four minutes each. Root.

Nobody may be told that a line is down, and the loss that is told must be the loss that was set,
within three binomial standard deviations: of pings both ways together, of STAMP each by itself.
Beside it stands how often the loss alone would do so, if each packet is lost for itself.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.courier import KEEP_AFTER, RETRY_LEAST
from bench.measure import BenchError, Figures, say
from collector.health import threshold_s
from tests.lab.chance import sigmas
from tests.lab.machine import LabError
from tests.lab.stack import INTERVAL_S
from tests.lab.town import MANY, Town, TownStack

PERCENTS = (5, 10, 20, 30)
OFFICES = 3
SECONDS = 240.0
MOST_SIGMAS = 3.0
TOLD_OF_LOSS = {"TabuahLinkDegraded"}
_ASKED = 3 * MANY
"""Packets of a cycle: first hop, centre and a public address."""


def run() -> Figures:
    """Return the loss that was told at each loss that was set, and who was told to be down."""
    seconds = float(os.environ.get("BENCH_SECONDS", SECONDS))
    try:
        with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as name:
            folder = Path(name)
            with Town(folder, plain=OFFICES, grouped=0) as town:
                loads = dict.fromkeys(town.plain, MANY)
                with TownStack(town, folder, loads) as stack:
                    return _measured(stack, seconds)
    except LabError as error:
        raise BenchError(str(error)) from error


def _measured(stack: TownStack, seconds: float) -> Figures:
    time.sleep(4 * INTERVAL_S)
    found: dict[str, object] = {}
    states: set[str] = set()
    worst = 0.0
    for percent in PERCENTS:
        say(f"lossy: {percent} % each way for {seconds:.0f} s")
        for office in stack.lab.plain:
            stack.lab.loss(office, percent, percent)
        began = datetime.now(UTC)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            states |= set(stack.states().values())
            time.sleep(1)
        counts = _counts(stack, began, datetime.now(UTC))
        found[f"{percent}%"] = {way: count.shown(percent) for way, count in counts.items()}
        worst = max(worst, *(count.sigmas(percent) for count in counts.values()))
    for office in stack.lab.plain:
        stack.lab.loss(office, 0, 0)
    time.sleep(10 * INTERVAL_S)
    incidents = json.loads(stack.fetch("/api/v1/incidents"))
    outages = json.loads(stack.fetch("/api/v1/outages"))
    told = sorted({one["alertname"] for one in incidents})
    return {
        "offices": OFFICES,
        "seconds_each": seconds,
        "loss": found,
        "most_sigmas": round(worst, 2),
        "states_seen": sorted(states),
        "incidents": told,
        "causes": sorted({one["cause"] for one in incidents}),
        "outages": len(outages),
        "expected_false_in_a_day": {
            f"{percent}%": expected(percent / 100, INTERVAL_S, _ASKED) for percent in PERCENTS
        },
        "met": worst < MOST_SIGMAS and not outages and set(told) <= TOLD_OF_LOSS,
    }


def expected(loss: float, interval_s: float, packets: int) -> Figures:
    """Return how often an office of such a line is falsely told to be silent or down, in a day.

    Silent: every try of a report, each `RETRY_LEAST`, is lost on its way in for the whole threshold
    beyond its interval. Down, for the ledger, one cycle long: all packets of a cycle are lost one
    way or the other, and so is every try, or its answer, of the report for `KEEP_AFTER`.

    Args:
        loss: the share lost each way.
        interval_s: between reports.
        packets: that a cycle sends across the line.
    """
    beyond_s = threshold_s(round(interval_s * 1000), 0) - interval_s
    both = 1 - (1 - loss) ** 2
    cycles = 86_400 / interval_s
    return {
        "silent": float(f"{cycles * loss ** (beyond_s / RETRY_LEAST):.1e}"),
        "down": float(f"{cycles * both ** (packets + KEEP_AFTER / RETRY_LEAST):.1e}"),
    }


@dataclass(slots=True)
class _Count:
    sent: int = 0
    received: int = 0
    ways: int = 1

    def expected(self, percent: int) -> float:
        return float((1 - percent / 100) ** self.ways)

    def sigmas(self, percent: int) -> float:
        return sigmas(self.received, self.sent, self.expected(percent))

    def shown(self, percent: int) -> Figures:
        return {
            "sent": self.sent,
            "lost_ratio": round(1 - self.received / self.sent, 4) if self.sent else None,
            "set_ratio": round(1 - self.expected(percent), 4),
            "sigmas": round(self.sigmas(percent), 2),
        }


def _counts(stack: TownStack, began: datetime, ended: datetime) -> dict[str, _Count]:
    counts: dict[str, _Count] = defaultdict(_Count)
    counts["ping, both ways"].ways = 2
    for office in stack.lab.plain:
        # A run that is still the newest stands in several reports, and is one run.
        known: set[tuple[str, str, int]] = set()
        for report in stack.reports(office):
            # What is told at the edges was measured in part before them.
            if not (report.time - began).total_seconds() >= 2 * INTERVAL_S or report.time > ended:
                continue
            for seen in report.measurements:
                if (report.epoch, seen.probe, seen.run) in known:
                    continue
                known.add((report.epoch, seen.probe, seen.run))
                if seen.probe in {"hop", "anchor"} and seen.sent == MANY:
                    _add(counts["ping, both ways"], seen.sent, seen.received)
                for way, one in (("up", seen.forward), ("down", seen.backward)):
                    if one is not None and seen.sent == MANY:
                        _add(counts[f"stamp, {way}"], one.sent, one.received)
    return counts


def _add(count: _Count, sent: int, received: int) -> None:
    count.sent += sent
    count.received += received
