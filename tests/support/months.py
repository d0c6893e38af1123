"""A circuit's month for tests: stretches in hours since the month began, in WIB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from collector.sla_model import Account, Month, Ticket
from collector.stretches import Kind, Stretch
from inventory.model import ClockStart, Exclusion, Formula, Sla

WIB = ZoneInfo("Asia/Jakarta")
NOVEMBER = Month(2026, 11, WIB)
"""720 hours; a Sunday first."""
MONTHS = (Month(2026, 2, WIB), Month(2028, 2, WIB), NOVEMBER, Month(2026, 12, WIB))
"""Of 28, 29, 30 and 31 days."""
HOUR = 3_600_000
AFTER = 4_000_000_000_000
"""Long past every month of these tests."""
SITE, CIRCUIT = "13.02.10", "telkom"


def at(text: str, zone: ZoneInfo = WIB) -> int:
    """Return the milliseconds of a local time like 2026-11-24T07:30."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def stretch(
    begin_h: float,
    end_h: float,
    kind: Kind = Kind.DOWN,
    cause: str = "",
    outage: str | None = None,
    *,
    month: Month = NOVEMBER,
) -> Stretch:
    """Return a stretch from and to hours since the month began; it may reach over its edges."""
    begin = month.window[0]
    if not cause and kind is Kind.DOWN:
        cause = "last_mile"
    return Stretch(
        SITE,
        CIRCUIT,
        begin + round(begin_h * HOUR),
        begin + round(end_h * HOUR),
        kind,
        cause,
        outage,
    )


def whole_up(month: Month = NOVEMBER) -> Stretch:
    """Return a month in which the line worked, beyond both edges."""
    begin, end = month.window
    return Stretch(SITE, CIRCUIT, begin - 100 * HOUR, end + 100 * HOUR, Kind.UP)


def account(*stretches: Stretch, month: Month = NOVEMBER, **more: object) -> Account:
    """Return an account in which the line worked but for the stretches."""
    return Account(SITE, CIRCUIT, (whole_up(month), *stretches), **more)  # type: ignore[arg-type]


def ticket(outage: str, opened_h: float, closed_h: float | None, number: str = "INC1") -> Ticket:
    """Return a ticket of November, in hours since it began."""
    begin = NOVEMBER.window[0]
    closed = None if closed_h is None else begin + round(closed_h * HOUR)
    return Ticket(number, outage, begin + round(opened_h * HOUR), closed)


def moved(known: Account, month: Month) -> Account:
    """Return an account of November as that of another month: begun as long after its begin."""
    by = month.window[0] - NOVEMBER.window[0]
    return replace(
        known,
        stretches=[
            replace(s, begin_ms=s.begin_ms + by, end_ms=s.end_ms + by) for s in known.stretches
        ],
        tickets=[
            replace(
                t,
                opened_ms=t.opened_ms + by,
                closed_ms=None if t.closed_ms is None else t.closed_ms + by,
            )
            for t in known.tickets
        ],
    )


def contract(
    formula: Formula = Formula.PRORATA_ALL,
    *,
    availability: str = "0.995",
    fee: int | None = 10_000_000,
    min_outage_s: float = 0.0,
    clock_start: ClockStart = ClockStart.MEASURED,
    exclusions: tuple[Exclusion, ...] = (),
    mttr_s: float | None = None,
) -> Sla:
    """Return a contract: 10 million a month at 99.5 %."""
    return Sla(
        availability=Decimal(availability),
        monthly_fee=fee,
        formula=formula if fee is not None else None,
        min_outage_s=min_outage_s,
        clock_start=clock_start,
        exclusions=exclusions,
        mttr_s=mttr_s,
    )
