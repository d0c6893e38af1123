"""A year of fourteen offices through the court: what is seen in, outages and incidents out.

No peer does this. Counted is the court's CPU alone; that of making the reports up is not, nor
that of decoding them (`codec`). The court rules once an interval.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace

from bench import year
from bench.measure import Figures, say
from collector.judgement.court import Court, Ruling
from collector.judgement.ledger import Outage, newest, stretches
from collector.judgement.tracking import Incident
from collector.sla import judge
from collector.sla_model import Account, Month
from inventory.model import Inventory

SEED = 20261124
TARGET_CPU_S = 60.0
SILENT_AFTER_MS = 7_000
"""Beyond the interval: twelve tries half a second apart, and one second."""


def run() -> Figures:
    """Return CPU seconds of a year at 60 s."""
    interval_s = float(os.environ.get("BENCH_INTERVAL", "60"))
    days = int(os.environ.get("BENCH_DAYS", "365"))
    return judged(interval_s, days, SEED)


def judged(interval_s: float, days: int, seed: int) -> Figures:
    """Return what a court of so many days cost, and what it found."""
    offices = year.inventory()
    offices = replace(
        offices, sites=tuple(replace(site, interval_s=interval_s) for site in offices.sites)
    )
    bench = Bench(offices, round(interval_s * 1000))
    for number, steps in enumerate(year.year(offices, bench.interval_ms, seed, days * year.DAY_MS)):
        bench.interval(number, steps)
        if number % (30 * year.DAY_MS // bench.interval_ms) == 0:
            say(f"judge: day {number * bench.interval_ms // year.DAY_MS}, {bench.cpu_s:.1f} CPU s")
    months_cpu_s = bench.months()
    outages = newest(bench.outages)
    kept = [outage for outage in outages.values() if not outage.withdrawn]
    return {
        "offices": len(offices.sites),
        "interval_s": interval_s,
        "days": days,
        "seed": seed,
        "reports": bench.reports,
        "rulings": bench.rulings,
        "court_cpu_s": round(bench.cpu_s, 1),
        "cpu_us_a_report": round(bench.cpu_s / bench.reports * 1e6, 2),
        "months_cpu_s": round(months_cpu_s, 1),
        "outages": len(kept),
        "by_cause": dict(Counter(outage.cause.value for outage in kept)),
        "incidents": len({incident.id for incident in bench.told}),
        "target_cpu_s": TARGET_CPU_S,
        "met": bench.cpu_s + months_cpu_s < TARGET_CPU_S,
    }


class Bench:
    """The centre around a court, with a clock of its own."""

    def __init__(self, offices: Inventory, interval_ms: int) -> None:
        self.offices = offices
        self.interval_ms = interval_ms
        self.court = Court(offices)
        self.cpu_s = 0.0
        self.reports = self.rulings = 0
        self.outages: list[Outage] = []
        self.told: list[Incident] = []
        self._heard = {site.code: year.BEGIN_MS for site in offices.sites}
        self._silent: set[str] = set()

    def interval(self, number: int, steps: list[year.Step]) -> None:
        """Take an interval's reports, and rule at its end."""
        began = time.process_time()
        court, heard = self.court, self._heard
        now_ms = year.BEGIN_MS + (number + 1) * self.interval_ms
        for step in steps:
            court.observe(step.seen)
            heard[step.seen.site] = step.received_ms
            for seen in step.late:
                court.observe(seen)
            self.reports += 1 + len(step.late)
        if self._silent:
            self._silent = {
                code for code in self._silent if heard[code] < now_ms - self.interval_ms
            }
        if len(steps) < len(heard):
            self._overdue(now_ms)
        self._take(court.rule(now_ms))
        self.cpu_s += time.process_time() - began

    def _overdue(self, now_ms: int) -> None:
        for code, last_ms in self._heard.items():
            due_ms = last_ms + self.interval_ms + SILENT_AFTER_MS
            if code not in self._silent and due_ms <= now_ms:
                self._silent.add(code)
                self.court.silent(code, last_ms, now_ms)

    def _take(self, ruling: Ruling) -> None:
        self.rulings += 1
        self.outages += ruling.outages
        self.told += (*ruling.incidents, *ruling.revised)

    def months(self) -> float:
        """Return the CPU seconds of judging each circuit's twelve months."""
        began = time.process_time()
        until_ms = year.BEGIN_MS + year.YEAR_MS
        watched = {
            (site.code, circuit.id): year.BEGIN_MS
            for site in self.offices.sites
            for circuit in site.circuits
        }
        line = stretches(self.outages, watched, until_ms)
        for site in self.offices.sites:
            for circuit in site.circuits:
                own = [s for s in line if (s.site, s.circuit) == (site.code, circuit.id)]
                account = Account(site.code, circuit.id, own)
                for month in range(1, 13):
                    judge(
                        account,
                        Month(2026, month, self.offices.timezone),
                        circuit.sla,
                        None,
                        until_ms,
                    )
        return time.process_time() - began
