"""What holds of money from the reports on: reports -> findings -> ledger -> month."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judgement import ledger
from collector.judgement.evidence import Look, Observation
from collector.judgement.outages import Context, read
from collector.sla import judge
from collector.sla_model import Account, CircuitMonth, Month
from inventory.model import Circuit, Formula, Site, Sla, Ups
from tabuah.report import Occasion
from tests.support.months import AFTER, HOUR, MONTHS, contract

INTERVAL_MS = 60_000
LOOKS = {
    "good": Look("telkom", first_hop=True, centre=True, public=True, port=True),
    "cut": Look("telkom", first_hop=False, centre=False, public=False, port=True),
    "port": Look("telkom", first_hop=False, centre=False, public=False, port=False),
    "gateway": Look("telkom", first_hop=False, centre=False, public=False),
    "core": Look("telkom", first_hop=True, centre=False, public=False, port=True),
}
_stretches = st.lists(
    st.tuples(
        st.sampled_from((*LOOKS, "dark", "reboot", "goodbye")),
        st.integers(1, 60),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
)
"""What an office sees, for how many cycles, and whether its UPS would run on battery."""
_slas = st.builds(
    contract,
    st.sampled_from(Formula),
    availability=st.sampled_from(["0.9", "0.995", "1"]),
    min_outage_s=st.sampled_from([0.0, 300.0, 1800.0]),
)


def _reports(
    stretches: list[tuple[str, int, bool]], begin_ms: int, *, battery_told: bool
) -> list[Observation]:
    line: list[Observation] = []
    at, boots, booted_ms = begin_ms, 1, begin_ms - HOUR
    for word, cycles, battery in [("good", 3, False), *stretches, ("good", 10, False)]:
        if word == "goodbye":
            line[-1] = replace(line[-1], occasion=Occasion.GOODBYE_HOST)
        if word not in LOOKS:
            at += cycles * INTERVAL_MS
            if word != "dark":
                boots, booted_ms = boots + 1, at
            continue
        for _ in range(cycles):
            at += INTERVAL_MS
            failing = word != "good"
            line.append(
                Observation(
                    site="kubung",
                    at_ms=at,
                    received_ms=at + (600_000 if failing else 40),
                    late=failing,
                    interval_ms=INTERVAL_MS,
                    epoch=boots,
                    seq=len(line) + 1,
                    boot_id=boots.to_bytes(16, "big"),
                    uptime_ms=at - booted_ms,
                    path="telkom",
                    gateway=word != "gateway",
                    gateway_uptime_ms=None if word == "gateway" else at - booted_ms,
                    on_battery=battery if battery_told else None,
                    circuits=(LOOKS[word],),
                )
            )
    return line


def _month(line: list[Observation], ups: Ups, month: Month, sla_of: Circuit) -> CircuitMonth:
    site = Site("kubung", "Kubung", ups=ups, circuits=(sla_of,))
    until_ms = max(line[-1].at_ms, month.window[1])
    found = read(site, line, Context(now_ms=until_ms))
    outages = ledger.revise((), found, 0, until_ms)
    watched = {("kubung", "telkom"): month.window[0] - HOUR}
    stretches = ledger.stretches(outages, watched, until_ms)
    return judge(Account("kubung", "telkom", stretches), month, sla_of.sla, None, AFTER)


_begins = st.tuples(st.sampled_from(MONTHS), st.sampled_from([-5, 1, 300, 650]))
"""The month, and in which of its hours the story begins: before its begin, over its end."""


@settings(max_examples=150, deadline=None)
@given(_stretches, _slas, _begins)
def test_what_an_office_reports_adds_up_to_its_month(
    stretches: list[tuple[str, int, bool]], sla: Sla, begins: tuple[Month, int]
) -> None:
    month, hour = begins
    line = _reports(stretches, month.window[0] + hour * HOUR, battery_told=True)
    circuit = Circuit("telkom", sla=sla)
    verdict = _month(line, Ups.AGENT, month, circuit)
    begin, end = month.window
    assert sum(verdict.times.values()) == verdict.hours_ms == end - begin
    assert min(verdict.times.values()) >= 0
    assert 0 <= verdict.due.low <= verdict.due.high <= 1
    assert 0 <= (verdict.due.claim or 0) <= (verdict.due.potential or 0) <= 10_000_000


@settings(max_examples=150, deadline=None)
@given(_stretches, _slas, _begins, st.sampled_from(Ups))
def test_a_ups_that_is_polled_never_raises_restitution(
    stretches: list[tuple[str, int, bool]], sla: Sla, begins: tuple[Month, int], ups: Ups
) -> None:
    month, hour = begins
    begin_ms = month.window[0] + hour * HOUR
    circuit = Circuit("telkom", sla=sla)
    without = _month(_reports(stretches, begin_ms, battery_told=False), ups, month, circuit)
    told = _month(_reports(stretches, begin_ms, battery_told=True), ups, month, circuit)
    assert (told.due.claim or 0) <= (without.due.claim or 0)
    assert (told.due.potential or 0) <= (without.due.potential or 0)
