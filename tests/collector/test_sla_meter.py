"""The month so far on the metrics page: the report's own figures, for every circuit."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from collector.sla import judge
from collector.sla_meter import Meter, lines_of
from collector.sla_model import Share
from inventory.model import Circuit, Inventory, Site
from tests.collector.test_sla_report import Ledger
from tests.support.months import CIRCUIT, HOUR, NOVEMBER, SITE, account, contract, stretch, ticket

SLA = contract(min_outage_s=0)
OFFICE = Site(SITE, "Kantor Camat Kubung", circuits=(Circuit(CIRCUIT, sla=SLA),))
BARE = Site("13.02.18", "Kantor Camat Tigo Lurah")
INVENTORY = Inventory("Dinas Kominfo", sites=(OFFICE, BARE))
FAULTS = account(stretch(100, 110, outage="o1"), tickets=[ticket("o1", 104, 110, "INC1")])
NOON = NOVEMBER.window[0] + 400 * HOUR


async def _shown(ledger: Ledger) -> tuple[Meter, dict[str, float]]:
    meter = Meter(lambda: ledger, lambda: NOON)
    await meter.reckon()
    samples = (line.rpartition(" ") for line in meter.render().decode().splitlines())
    return meter, {name: float(value) for name, _, value in samples if not name.startswith("#")}


async def test_the_page_says_what_the_report_says() -> None:
    _, shown = await _shown(Ledger(FAULTS, inventory=INVENTORY))
    verdict = judge(FAULTS, NOVEMBER, SLA, None, NOON)
    at = f'site="{SITE}",circuit="{CIRCUIT}"'
    for bound, ratio in (("low", verdict.due.low), ("high", verdict.due.high)):
        assert shown[
            f'tabuah_circuit_month_availability_ratio{{{at},bound="{bound}"}}'
        ] == pytest.approx(float(ratio))
    for clock, figures in (("measured", verdict.measured), ("ticketed", verdict.ticketed)):
        name = f'tabuah_circuit_month_restitution_rupiah{{{at},clock="{clock}",bound="claim"}}'
        assert shown[name] == figures.claim
    assert shown[f'tabuah_circuit_month_seconds{{{at},share="countable"}}'] == 10 * 3600
    spent = sum(value for name, value in shown.items() if "month_seconds{" in name)
    ahead = verdict.times[Share.AHEAD] / 1000
    assert spent + ahead == shown[f"tabuah_circuit_month_whole_seconds{{{at}}}"]
    assert shown["tabuah_sla_reckoned_timestamp_seconds"] == NOON / 1000


async def test_an_office_that_is_gone_is_gone_from_the_page() -> None:
    ledger = Ledger(FAULTS, inventory=INVENTORY)
    meter, shown = await _shown(ledger)
    assert any(SITE in name for name in shown)
    ledger.inventory = replace(INVENTORY, sites=(BARE,))
    await meter.reckon()
    assert SITE.encode() not in meter.render()


def test_without_a_contract_nothing_is_claimed() -> None:
    verdict = judge(FAULTS, NOVEMBER, None, None, NOON)
    families = {family.name for family in lines_of(verdict)}
    assert "tabuah_circuit_month_seconds" in families
    assert "tabuah_circuit_month_restitution_rupiah" not in families


@pytest.mark.peer
async def test_prometheus_has_no_complaint() -> None:
    meter, _ = await _shown(Ledger(FAULTS, inventory=INVENTORY))
    promtool = shutil.which("promtool")
    assert promtool is not None
    told = subprocess.run(
        [promtool, "check", "metrics"], input=meter.render(), capture_output=True, check=False
    )
    assert told.returncode == 0, told.stderr.decode()
