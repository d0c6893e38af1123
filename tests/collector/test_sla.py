"""A month against its contract: what counts, what is unknown, what is owed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.restitution import Terms, restitution, rupiah
from collector.sla import judge
from collector.sla_model import Account, CircuitMonth, Liability, Month, Share
from collector.stretches import Kind, Stretch
from inventory.hours import Hours, parse_hours
from inventory.model import ClockStart, Exclusion, Formula, Sla
from tests.support.months import (
    AFTER,
    CIRCUIT,
    HOUR,
    MONTHS,
    NOVEMBER,
    SITE,
    WIB,
    account,
    contract,
    moved,
    stretch,
    ticket,
    whole_up,
)


def november(
    *stretches: Stretch, sla: Sla | None = None, hours: str | None = None, **more: object
) -> CircuitMonth:
    parsed = None if hours is None else parse_hours(hours)
    known = account(*stretches, **more)  # type: ignore[arg-type]
    return judge(known, NOVEMBER, sla or contract(), parsed, AFTER)


# domain.md 2.3: F 10,000,000, H 720, S 0.995, D 10 h; 138,888.89 is 138,889 once rounded half up.
VECTORS = {
    Formula.PRORATA_ALL: ("138888.89", 138_889),
    Formula.PRORATA_EXCESS: ("88888.89", 88_889),
    Formula.PRORATA_EXCESS_OVER_S: ("89335.57", 89_336),
    Formula.X_Y_OVER_Z_SLG: ("139586.82", 139_587),
}


@pytest.mark.parametrize("formula", Formula)
def test_the_four_formulas_give_their_test_vectors_to_the_rupiah(formula: Formula) -> None:
    exact, rounded = VECTORS[formula]
    terms = Terms(Fraction(10_000_000), Fraction(720), Fraction(10), Fraction("0.995"))
    assert f"{float(restitution(formula, terms)):.2f}" == exact
    month = november(stretch(100, 110), sla=contract(formula))
    assert month.hours_ms == 720 * HOUR
    assert month.measured.claim == rounded


@pytest.mark.parametrize(
    ("year", "month", "rupiahs"),
    [(2026, 2, 148_810), (2026, 11, 138_889), (2026, 12, 134_409)],
)
def test_an_hour_is_worth_more_in_a_short_month(year: int, month: int, rupiahs: int) -> None:
    asked = Month(year, month, WIB)
    lost = account(stretch(100, 110, month=asked), month=asked)
    assert judge(lost, asked, contract(), None, AFTER).measured.claim == rupiahs


def test_with_daylight_saving_the_month_has_the_hours_that_passed() -> None:
    march = Month(2026, 3, ZoneInfo("Europe/Berlin"))
    lost = account(stretch(100, 110, month=march), month=march)
    judged = judge(lost, march, contract(), None, AFTER)
    assert judged.hours_ms == 743 * HOUR
    assert judged.measured.high == 1 - Fraction(10, 743)


@pytest.mark.parametrize(("amount", "whole"), [("0.5", 1), ("0.49", 0), ("138888.88", 138_889)])
def test_money_is_rounded_half_up_once(amount: str, whole: int) -> None:
    assert rupiah(Fraction(amount)) == whole


def test_prorata_all_is_due_only_below_the_promise() -> None:
    # 3.6 h of 720 are exactly 0.5 %.
    assert november(stretch(1, 4.6)).measured.claim == 0
    assert november(stretch(1, 4.7)).measured.claim == rupiah(Fraction(37, 7200) * 10_000_000)


@pytest.mark.parametrize("formula", Formula)
def test_more_than_the_fee_is_never_claimed(formula: Formula) -> None:
    month = november(stretch(-50, 800), sla=contract(formula, availability="0.5"))
    assert month.measured.claim is not None
    assert month.measured.claim <= 10_000_000


def test_only_the_providers_causes_count() -> None:
    month = november(
        stretch(0, 1),
        stretch(10, 11, cause="area"),
        stretch(20, 21, cause="provider_core"),
        stretch(30, 31, Kind.EXCLUDED, "power"),
        stretch(40, 41, cause="gateway"),
        stretch(50, 51, cause="session"),
        stretch(60, 61, cause="unknown"),
        stretch(70, 71, Kind.OFF),
        stretch(80, 81, Kind.UNKNOWN, "no_data"),
    )
    hours = {share: ms / HOUR for share, ms in month.times.items()}
    assert hours == {
        Share.UP: 711,
        Share.COUNTABLE: 3,
        Share.OPEN: 2,
        Share.SHORT: 0,
        Share.EXCLUDED: 2,
        Share.OFF: 1,
        Share.UNKNOWN: 1,
        Share.AHEAD: 0,
    }
    assert month.measured.high == 1 - Fraction(3, 720)
    assert month.measured.low == 1 - Fraction(4, 720)
    assert month.down_ms == 5 * HOUR


def test_a_session_fault_counts_once_a_person_says_whose_it_is() -> None:
    fault = stretch(10, 20, cause="session", outage="o1")
    undecided = november(fault)
    theirs = november(fault, liabilities={"o1": Liability.PROVIDER})
    ours = november(fault, liabilities={"o1": Liability.OTHER})
    assert (undecided.measured.claim, undecided.measured.with_open) == (0, 138_889)
    assert undecided.times[Share.OPEN] == 10 * HOUR
    assert theirs.measured.claim == theirs.measured.with_open == 138_889
    assert (ours.measured.claim, ours.measured.with_open) == (0, 0)
    assert ours.times[Share.EXCLUDED] == 10 * HOUR


def test_a_person_can_take_a_fault_away_but_no_power_cut_becomes_the_providers() -> None:
    liabilities = {"o1": Liability.OTHER, "o2": Liability.PROVIDER}
    month = november(
        stretch(10, 20, outage="o1"),
        stretch(30, 40, Kind.EXCLUDED, "power", "o2"),
        stretch(50, 60, cause="power", outage="o2"),
        liabilities=liabilities,
    )
    assert month.times[Share.COUNTABLE] == 0
    assert month.times[Share.EXCLUDED] == 30 * HOUR


def test_exclusions_of_the_contract_take_more_away() -> None:
    sla = contract(exclusions=(Exclusion.CONGESTION, Exclusion.MAINTENANCE))
    month = november(
        stretch(10, 20, cause="congestion", outage="o1"),
        liabilities={"o1": Liability.PROVIDER},
        sla=sla,
    )
    assert month.measured.claim == 0


def test_an_outage_counts_if_longer_than_the_floor_and_then_whole() -> None:
    sla = contract(Formula.X_Y_OVER_Z_SLG, min_outage_s=300)
    second = 1 / 3600
    short = november(stretch(10, 10 + 300 * second), sla=sla)
    assert short.times[Share.SHORT] == 300_000
    assert short.times[Share.COUNTABLE] == 0
    longer = november(stretch(10, 10 + 301 * second), sla=sla)
    assert longer.times[Share.COUNTABLE] == 301_000


def test_the_floor_is_measured_before_the_month_cuts_the_outage() -> None:
    sla = contract(min_outage_s=300)
    month = november(stretch(-1, 1 / 60), sla=sla)
    assert month.times[Share.COUNTABLE] == 60_000
    assert month.episodes[0].unbroken_ms == HOUR + 60_000


def test_the_floor_is_measured_before_service_hours_cut_the_outage() -> None:
    # Monday 2 November, 15:58 to 18:00: two minutes of it in service hours.
    month = november(
        stretch(24 + 15 + 58 / 60, 24 + 18),
        sla=contract(min_outage_s=300),
        hours="Mon-Fri 07:30-16:00",
    )
    assert month.times[Share.COUNTABLE] == 120_000
    assert month.hours_ms == 178.5 * HOUR


def test_the_floor_is_measured_before_a_window_of_maintenance_cuts_the_outage() -> None:
    month = november(
        stretch(10, 10.1),
        stretch(10.02, 10.08, Kind.EXCLUDED, "maintenance"),
        sla=contract(min_outage_s=300),
    )
    assert month.times[Share.COUNTABLE] == pytest.approx(0.04 * HOUR, abs=1)
    assert month.times[Share.SHORT] == 0


def test_a_window_of_maintenance_in_which_the_line_worked_takes_nothing() -> None:
    month = november(stretch(10, 12), stretch(11, 20, Kind.EXCLUDED, "maintenance"))
    assert month.times[Share.COUNTABLE] == month.times[Share.EXCLUDED] == HOUR
    assert month.times[Share.UP] == 718 * HOUR


def test_another_cause_between_breaks_an_outage_in_two() -> None:
    month = november(
        stretch(10, 10.1),
        stretch(10.02, 10.08, Kind.EXCLUDED, "power"),
        sla=contract(min_outage_s=300),
    )
    assert month.times[Share.COUNTABLE] == 0
    assert month.times[Share.SHORT] == pytest.approx(0.04 * HOUR, abs=1)


def test_flapping_stretches_are_weighed_singly() -> None:
    flaps = [stretch(10 + n / 30, 10 + n / 30 + 1 / 60) for n in range(20)]
    month = november(*flaps, sla=contract(min_outage_s=300))
    assert month.times[Share.COUNTABLE] == 0
    assert month.times[Share.SHORT] == 20 * 60_000


def test_what_nobody_recorded_is_unknown_and_only_potentially_owed() -> None:
    month = judge(
        Account(SITE, CIRCUIT, [stretch(0, 700, Kind.UP), stretch(705, 720, Kind.UP)]),
        NOVEMBER,
        contract(),
        None,
        AFTER,
    )
    assert month.times[Share.UNKNOWN] == 5 * HOUR
    assert month.measured.high == 1
    assert month.measured.low == 1 - Fraction(5, 720)
    assert month.measured.claim == 0
    assert month.measured.potential == rupiah(Fraction(5, 720) * 10_000_000)
    assert month.kept is None
    assert [e.stretch.cause for e in month.episodes] == ["no_data"]


def test_a_month_that_is_not_over_is_judged_to_the_present() -> None:
    now = NOVEMBER.window[0] + 100 * HOUR
    month = judge(account(stretch(10, 20)), NOVEMBER, contract(), None, now)
    assert month.times[Share.AHEAD] == 620 * HOUR
    assert month.times[Share.UP] == 90 * HOUR
    assert sum(month.times.values()) == month.hours_ms == 720 * HOUR
    assert not month.final
    assert month.kept is False


def test_a_month_that_has_not_begun_is_all_ahead() -> None:
    month = judge(account(), NOVEMBER, contract(), None, NOVEMBER.window[0] - HOUR)
    assert month.times[Share.AHEAD] == 720 * HOUR
    assert month.measured.claim == 0


def test_a_ticket_bounds_what_a_ticket_contract_pays() -> None:
    fault = stretch(10, 30, outage="o1")
    tickets = [ticket("o1", 18, 22), ticket("o1", 20, 24, "INC2"), ticket("o9", 10, 30)]
    by_clock = november(fault, tickets=tickets, sla=contract(Formula.X_Y_OVER_Z_SLG))
    assert by_clock.measured.countable_ms == 20 * HOUR
    assert by_clock.ticketed.countable_ms == 6 * HOUR
    assert by_clock.lost_ms == 14 * HOUR
    assert by_clock.due is by_clock.measured
    by_ticket = november(
        fault,
        tickets=tickets,
        sla=contract(Formula.X_Y_OVER_Z_SLG, clock_start=ClockStart.TICKET),
    )
    assert by_ticket.due.claim == rupiah(Fraction(10_000_000 * 6 * 1000, 720 * 995))
    assert by_ticket.lost_rupiah == rupiah(Fraction(10_000_000 * 20 * 1000, 720 * 995)) - rupiah(
        Fraction(10_000_000 * 6 * 1000, 720 * 995)
    )
    assert [t.number for t in by_ticket.episodes[0].tickets] == ["INC1", "INC2"]


def test_an_open_ticket_runs_until_the_report() -> None:
    month = november(stretch(10, 30, outage="o1"), tickets=[ticket("o1", 12, None)])
    assert month.ticketed.countable_ms == 18 * HOUR


def test_a_circuit_in_service_for_part_of_a_month_has_hours_and_fee_scaled() -> None:
    begin = NOVEMBER.window[0]
    month = november(
        stretch(-10, 10),
        stretch(400, 410),
        in_service=(begin + 360 * HOUR, None),
    )
    assert month.hours_ms == 360 * HOUR
    assert month.fee == 5_000_000
    assert month.measured.countable_ms == 10 * HOUR
    # The same hour is worth the same: 5,000,000 x 10 / 360.
    assert month.measured.claim == 138_889
    assert len(month.episodes) == 1


def test_a_circuit_not_in_service_that_month_owes_nothing() -> None:
    month = november(stretch(10, 20), in_service=(NOVEMBER.window[1] + 1, None))
    assert month.hours_ms == 0
    assert month.measured.claim == 0
    assert month.measured.high == month.measured.low == 1
    assert month.episodes == ()


def test_service_hours_do_not_scale_the_fee() -> None:
    month = november(stretch(24 + 8, 24 + 10), hours="Mon-Fri 07:30-16:00")
    assert month.fee == 10_000_000
    assert month.measured.claim == rupiah(Fraction(2 * 10_000_000) / Fraction("178.5"))


def test_without_a_contract_time_is_told_and_nothing_claimed() -> None:
    month = judge(account(stretch(10, 20)), NOVEMBER, None, None, AFTER)
    assert month.times[Share.COUNTABLE] == 10 * HOUR
    assert month.measured.claim is None
    assert month.lost_rupiah is None
    assert month.kept is None


def test_a_contract_without_a_fee_has_an_availability_and_no_money() -> None:
    month = november(stretch(10, 20), sla=contract(fee=None))
    assert month.measured.claim is None
    assert month.kept is False


def test_excluded_time_stays_in_the_hours() -> None:
    month = november(stretch(0, 360, Kind.EXCLUDED, "power"), stretch(400, 436))
    assert month.hours_ms == 720 * HOUR
    assert month.measured.high == 1 - Fraction(36, 720)


def test_a_repair_beyond_the_contracts_longest_is_marked() -> None:
    sla = contract(mttr_s=3.6 * 3600)
    month = november(stretch(10, 13), stretch(20, 24), sla=sla)
    assert [e.late_repair for e in month.episodes] == [False, True]


_hours = st.integers(-40, 760)
_stretches = st.builds(
    lambda begin, length, kind, cause, outage: stretch(
        begin / 2, (begin + length) / 2, kind, cause, outage
    ),
    st.integers(-80, 1500),
    st.integers(0, 100),
    st.sampled_from(Kind),
    st.sampled_from(
        ["last_mile", "area", "provider_core", "session", "unknown", "power", "maintenance"]
    ),
    st.none() | st.sampled_from(["o1", "o2"]),
)
_slas = st.builds(
    contract,
    st.sampled_from(Formula),
    availability=st.sampled_from(["0", "0.5", "0.95", "0.995", "1"]),
    min_outage_s=st.sampled_from([0.0, 300.0, 7200.0]),
    clock_start=st.sampled_from(ClockStart),
)
_accounts = st.builds(
    lambda stretches, tickets, liabilities: Account(
        SITE, CIRCUIT, (stretch(-20, 600, Kind.UP), *stretches), tickets, liabilities
    ),
    st.lists(_stretches, max_size=10),
    st.lists(
        st.builds(
            lambda outage, opened, lasted: ticket(outage, opened, opened + lasted),
            st.sampled_from(["o1", "o2"]),
            _hours,
            st.integers(0, 200),
        ),
        max_size=3,
    ),
    st.dictionaries(st.sampled_from(["o1", "o2"]), st.sampled_from(Liability)),
)
_open = st.none() | st.sampled_from(["Mon-Fri 07:30-16:00", "Sun-Sat 00:00-24:00"]).map(parse_hours)
_over = st.booleans()
_months = st.sampled_from(MONTHS)


@given(_accounts, _slas, _open, _months, _over)
def test_all_shares_add_up_and_bounds_are_bounds(
    known: Account, sla: Sla, hours: Hours | None, asked: Month, over: bool
) -> None:
    now = AFTER if over else asked.window[0] + 333 * HOUR
    month = judge(moved(known, asked), asked, sla, hours, now)
    assert sum(month.times.values()) == month.hours_ms
    if hours is None:
        begin, end = asked.window
        assert month.hours_ms == end - begin
        assert month.hours_ms // (24 * HOUR) in {28, 29, 30, 31}
    assert min(month.times.values()) >= 0
    for figures in (month.measured, month.ticketed):
        assert 0 <= figures.low <= figures.high <= 1
        assert figures.claim is not None
        assert figures.potential is not None
        assert figures.with_open is not None
        assert 0 <= figures.claim <= figures.potential <= 10_000_000
        assert figures.claim <= figures.with_open <= 10_000_000
    assert month.ticketed.countable_ms <= month.measured.countable_ms
    assert sum(p.stretch.length_ms for p in month.pieces) + month.times[Share.AHEAD] == (
        month.hours_ms
    )
    for piece in month.pieces:
        if piece.episode >= 0:
            whole = month.episodes[piece.episode].stretch
            assert whole.begin_ms <= piece.stretch.begin_ms
            assert piece.stretch.end_ms <= whole.end_ms
            assert (whole.cause, whole.outage) == (piece.stretch.cause, piece.stretch.outage)


_outages_of_power = st.builds(
    lambda begin, lasted: stretch(begin / 2, (begin + lasted) / 2, Kind.EXCLUDED, "power"),
    st.integers(-80, 1500),
    st.integers(1, 100),
)


@given(_accounts, _slas, _open, _months, _outages_of_power)
def test_evidence_of_power_never_raises_what_is_owed(
    known: Account, sla: Sla, hours: Hours | None, asked: Month, power: Stretch
) -> None:
    more = replace(known, stretches=(*known.stretches, power))
    before = judge(moved(known, asked), asked, sla, hours, AFTER)
    after = judge(moved(more, asked), asked, sla, hours, AFTER)
    for was, now in ((before.measured, after.measured), (before.ticketed, after.ticketed)):
        assert (now.claim or 0) <= (was.claim or 0)
        assert (now.potential or 0) <= (was.potential or 0)
        assert now.high >= was.high


def test_the_month_is_up_when_nothing_happened() -> None:
    month = november()
    assert month.times[Share.UP] == 720 * HOUR
    assert month.kept is True
    assert whole_up().kind is Kind.UP
