"""Offices whose clocks are wrong among good ones: real datagrams to the real line and store."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from collector.metrics import SitesPage
from collector.store import Row
from tabuah.block import Packed
from tests.support.centre import Centre, Office, centre, until
from tests.support.reports import BEGIN_MS

GOOD, AHEAD, IN_1970, STEPPED = "13.02.07", "13.02.10", "13.02.11", "13.02.12"
HOUR_MS = 3_600_000
CUT_S, RETURN_S, END_S = 300, 1_500, 1_600

WALLS: dict[str, Callable[[int], int]] = {
    GOOD: lambda true_ms: true_ms,
    AHEAD: lambda true_ms: true_ms + HOUR_MS,
    IN_1970: lambda true_ms: true_ms - BEGIN_MS + 12_000,
    # NTP puts it two hours forward in the midst of the outage, and back again.
    STEPPED: lambda true_ms: true_ms + (2 * HOUR_MS if 600 <= _s(true_ms) < 1_200 else 0),
}


def _s(true_ms: int) -> int:
    return (true_ms - BEGIN_MS) // 1000


@pytest.fixture
async def county(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Centre]:
    async with centre(tmp_path, monkeypatch, tuple(WALLS)) as made:
        yield made


async def test_reports_of_wrong_clocks_land_at_their_true_time_and_none_in_the_future(
    county: Centre,
) -> None:
    offices = {site: county.office(site) for site in WALLS}
    for at in range(10, CUT_S, 10):
        _speak(county, offices, at)
    missed = list(range(CUT_S, RETURN_S, 10))
    _speak(county, offices, RETURN_S)
    for first in range(0, len(missed), 10):
        for office in offices.values():
            batch = [_packed(office, at) for at in missed[first : first + 10]]
            office.send(batch, history=True)
    for at in range(RETURN_S + 10, END_S, 10):
        _speak(county, offices, at)
    expected = (END_S - 10) // 10
    await until(lambda: all(len(_rows(county, site)) == expected for site in WALLS))
    for site, wall in WALLS.items():
        for row in _rows(county, site):
            true_ms = BEGIN_MS + row.seq * 10_000
            assert abs(row.time_ms - true_ms) <= 2_000, (site, row.seq)
            assert row.time_ms <= row.received_ms
            assert row.corrected is (abs(wall(true_ms) - true_ms) > 2_000), (site, row.seq)
    assert _skews(county) == {
        GOOD: pytest.approx(0, abs=0.1),
        AHEAD: pytest.approx(3_600, abs=0.1),
        IN_1970: pytest.approx(12 - BEGIN_MS / 1000, abs=0.1),
        STEPPED: pytest.approx(0, abs=0.1),
    }
    newest = max(row.time_ms for site in WALLS for row in _rows(county, site))
    assert newest <= county.collector.now_ms()


def _speak(county: Centre, offices: dict[str, Office], at: int) -> None:
    """Let each office send its report of this second; it takes 20 ms."""
    county.clock.passed = at + 0.02
    for office in offices.values():
        office.send([_packed(office, at)])
    county.collector.tick()


def _packed(office: Office, at: int) -> Packed:
    true_ms = BEGIN_MS + at * 1000
    return office.packed(at // 10, wall_ms=WALLS[office.site](true_ms), uptime_ms=at * 1000)


def _rows(county: Centre, site: str) -> list[Row]:
    return county.store.reports(site, 0, 2**62)


def _skews(county: Centre) -> dict[str, float]:
    views = [view for site in WALLS if (view := county.collector.view(site)) is not None]
    page = SitesPage().render(county.inventory, views, county.collector.now_ms()).decode()
    found = re.findall(
        r'^tabuah_agent_clock_skew_seconds\{site="([^"]+)"\} (.*)$', page, re.MULTILINE
    )
    return {site: float(value) for site, value in found}
