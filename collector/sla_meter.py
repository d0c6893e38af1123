"""The month so far of every circuit on the metrics page: availability, downtime, restitution.

The report on `/sla` stays the record; these are for dashboards. They follow from the same verdicts,
a few milliseconds of CPU for each circuit, so they are reckoned in the background at a twentieth of
one core, and an office's figures change together.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from collector.families import Family
from collector.formats import local
from collector.metrics import body, head, labels
from collector.sla_model import CircuitMonth, Month, Share
from collector.sla_source import SlaSource, report_month
from tabuah.errors import NothingMatchedError

if TYPE_CHECKING:
    from collector.mishaps import Mishaps

EVERY_S: Final = 300.0
"""Between two passes, from the end of one to the beginning of the next."""
FIRST_S: Final = 15.0
"""After the start: what the offices spooled while we were away is in by then, if the line is."""
SPARING: Final = 19.0
"""Rest after each office, as a multiple of the time that it took."""

AVAILABILITY: Final = Family(
    "tabuah_circuit_month_availability_ratio",
    "gauge",
    "Availability in the month so far, by the contract's clock; low counts unknown time as down.",
)
SPENT: Final = Family(
    "tabuah_circuit_month_seconds",
    "gauge",
    "The month so far within the contract's hours, by what it is put down to; adds up to all.",
)
WHOLE: Final = Family(
    "tabuah_circuit_month_whole_seconds",
    "gauge",
    "The whole month within the contract's hours: what the promised availability is a share of.",
)
RESTITUTION: Final = Family(
    "tabuah_circuit_month_restitution_rupiah",
    "gauge",
    "What the provider owes for the month so far, as measured and within its tickets; potential "
    "counts unknown time as down.",
)
FEE: Final = Family(
    "tabuah_circuit_month_fee_rupiah", "gauge", "The contract's fee for the month in service."
)
RECKONED: Final = Family(
    "tabuah_sla_reckoned_timestamp_seconds",
    "gauge",
    "Up to when the newest figures of a month so far were reckoned.",
)
FAMILIES: Final = (AVAILABILITY, SPENT, WHOLE, RESTITUTION, FEE, RECKONED)

Lines = dict[Family, list[str]]


def lines_of(verdict: CircuitMonth) -> Lines:
    """Return a circuit's samples, without the families' names. Pure."""
    out: Lines = defaultdict(list)
    same = {"site": verdict.site, "circuit": verdict.circuit}
    due = verdict.due
    for bound, ratio in (("low", due.low), ("high", due.high)):
        out[AVAILABILITY].append(f"{labels(**same, bound=bound)}{float(ratio)}")
    for share, spent_ms in verdict.times.items():
        if share is not Share.AHEAD:
            out[SPENT].append(f"{labels(**same, share=share.value)}{spent_ms / 1000}")
    out[WHOLE].append(f"{labels(**same)}{verdict.hours_ms / 1000}")
    for clock, figures in (("measured", verdict.measured), ("ticketed", verdict.ticketed)):
        for bound, rupiah in (("claim", figures.claim), ("potential", figures.potential)):
            if rupiah is not None:
                out[RESTITUTION].append(f"{labels(**same, clock=clock, bound=bound)}{rupiah}")
    if verdict.fee is not None:
        out[FEE].append(f"{labels(**same)}{float(verdict.fee)}")
    return out


class Meter:
    """Reckons the months again and again, and has the page's part ready."""

    def __init__(self, source: Callable[[], SlaSource], now_ms: Callable[[], int]) -> None:
        self._source, self._now_ms = source, now_ms
        self._sites: dict[str, Lines] = {}
        self._reckoned_ms: int | None = None

    def render(self) -> bytes:
        """Return the page's part; empty families before the first pass."""
        shown: Lines = defaultdict(list)
        for lines in list(self._sites.values()):
            for family, samples in lines.items():
                shown[family] += samples
        if self._reckoned_ms is not None:
            shown[RECKONED].append(f" {self._reckoned_ms / 1000}")
        return b"".join(
            octets for one in FAMILIES for octets in (head(one), *body(one, shown[one]))
        )

    async def run(self, mishaps: Mishaps) -> None:
        """Reckon for ever, an office at a time in a worker thread."""
        await asyncio.sleep(FIRST_S)
        while True:
            with mishaps.at("sla"):
                await self.reckon()
            await asyncio.sleep(EVERY_S)

    async def reckon(self) -> None:
        """Reckon all offices once; an office that is gone from the inventory is gone from here."""
        now_ms = self._now_ms()
        source = await asyncio.to_thread(self._source)
        inventory = source.inventory
        today = local(now_ms, inventory.timezone)
        month = Month(today.year, today.month, inventory.timezone)
        for code in inventory.codes:
            self._sites[code], took_s = await asyncio.to_thread(_lines, source, month, code, now_ms)
            await asyncio.sleep(took_s * SPARING)
        for gone in self._sites.keys() - set(inventory.codes):
            del self._sites[gone]
        self._reckoned_ms = now_ms


def _lines(source: SlaSource, month: Month, site: str, now_ms: int) -> tuple[Lines, float]:
    """Return an office's samples, and how long it took in seconds."""
    began = time.monotonic()
    out: Lines = defaultdict(list)
    try:
        sheets = report_month(source, month, site, now_ms)
    except NothingMatchedError:
        sheets = []  # an office without a circuit
    for sheet in sheets:
        for family, lines in lines_of(sheet.month).items():
            out[family] += lines
    return out, time.monotonic() - began
