"""One month's SLA report of 500 circuits: the verdicts, the JSON and the printed page.

No peer computes this. The target is 5 CPU seconds (issue of the ledger); the machine's clock
alone is outside the figures.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from bench.measure import REPETITIONS, Figures, median, say
from collector.sla_json import sheet_json
from collector.sla_model import Account, Month, Ticket
from collector.sla_report import sla_page
from collector.sla_source import Key, report_month
from collector.sla_versions import Version
from collector.stretches import Kind, Stretch, kind_of_downtime
from inventory.hours import parse_hours
from inventory.model import DEFAULT_ZONE, Circuit, Formula, Inventory, Language, Site, Sla

CIRCUITS = 500
OUTAGES = 40
"""Each circuit's in the month: a bad line in the rainy season."""
TARGET_CPU_S = 5.0
_CAUSES = ("last_mile", "area", "provider_core", "session", "power", "gateway", "unknown")
_MONTH = Month(2026, 11, DEFAULT_ZONE)


def run() -> Figures:
    """Return CPU seconds of the report's parts."""
    source = _Source()
    now_ms = _MONTH.window[1] + 86_400_000

    def whole() -> int:
        sheets = report_month(source, _MONTH, None, now_ms)
        return len(sla_page(source.inventory, sheets, _MONTH, Language.INDONESIAN, now_ms))

    say("sla: verdicts")
    sheets = report_month(source, _MONTH, None, now_ms)
    verdicts_s = _cpu_s(lambda: report_month(source, _MONTH, None, now_ms))
    say("sla: json")
    json_s = _cpu_s(lambda: json.dumps([sheet_json(sheet) for sheet in sheets]))
    say("sla: page")
    whole_s = _cpu_s(whole)
    return {
        "circuits": CIRCUITS,
        "outages": sum(len(sheet.month.episodes) for sheet in sheets),
        "verdicts_cpu_s": verdicts_s,
        "json_cpu_s": json_s,
        "report_cpu_s": whole_s,
        "report_bytes": whole(),
        "target_cpu_s": TARGET_CPU_S,
        "met": whole_s < TARGET_CPU_S,
    }


def _cpu_s(work: Callable[[], object]) -> float:

    found = []
    for _ in range(REPETITIONS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return round(median(found), 2)


class _Source:
    """A ledger of made-up faults, the same at each run."""

    def __init__(self) -> None:
        sla = Sla(Decimal("0.995"), 10_000_000, Formula.PRORATA_EXCESS, 300.0)
        hours = parse_hours("Mon-Fri 07:30-16:00")
        self.inventory = Inventory(
            "Dinas Kominfo",
            sites=tuple(
                Site(
                    f"k{number:04}",
                    f"Kantor Camat {number}",
                    hours=hours if number % 4 == 0 else None,
                    circuits=(Circuit("telkom", provider="Telkom", sid=f"47{number:08}", sla=sla),),
                )
                for number in range(CIRCUITS)
            ),
        )
        self._accounts = [
            _account(site.code, seed) for seed, site in enumerate(self.inventory.sites)
        ]
        self._versions: dict[Key, list[Version]] = {}

    def accounts(self, month: Month, sites: Collection[str]) -> Iterable[Account]:
        return self._accounts

    def versions(self, month: Month) -> Mapping[Key, Sequence[Version]]:
        return self._versions

    def keep(self, month: Month, made: Mapping[Key, Version]) -> None:
        for key, version in made.items():
            self._versions.setdefault(key, []).append(version)


def _account(site: str, seed: int) -> Account:
    draw = random.Random(seed)
    begin, end = _MONTH.window
    line = [Stretch(site, "telkom", begin - 86_400_000, end + 86_400_000, Kind.UP)]
    tickets = []
    evidence = {}
    for number in range(OUTAGES):
        at = draw.randrange(begin - 3_600_000, end)
        cause = draw.choice(_CAUSES)
        outage = f"{site}-{number}"
        lasted = round(draw.lognormvariate(6.5, 1.5) * 1000)
        line.append(
            Stretch(site, "telkom", at, at + lasted, kind_of_downtime(cause), cause, outage)
        )
        evidence[outage] = (
            "agent not restarted: boot id unchanged",
            "WAN port up; first hop lost; gateway answered in 0.8 ms",
        )
        if lasted > 1_800_000:
            tickets.append(Ticket(f"INC{seed:04}{number:04}", outage, at + 900_000, at + lasted))
    return Account(site, "telkom", tuple(line), tuple(tickets), {}, evidence)
