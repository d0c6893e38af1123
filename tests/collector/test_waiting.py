"""How long an office's fall waits for its peers' to be one message, and that it waits no longer."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from alerts.message import Status
from inventory.model import Circuit, Inventory, Site, Upstream
from tests.support.centre import Centre, centre

CODES = tuple(f"13.02.{number}" for number in range(10, 16))
PHASES_S = (0, 1, 3, 4, 7, 9)
"""When in the interval each office reports."""
INTERVAL_S = 10
CYCLES = 3


async def _offices_behind_a_router(lone: Centre) -> None:
    sites = tuple(
        Site(code, f"Kantor {code}", upstream="sto", circuits=(Circuit("telkom"),))
        for code in CODES
    )
    upstreams = {"sto": Upstream("sto", "STO Solok")}
    lone.inventory = Inventory("Dinas Uji", upstreams=upstreams, sites=sites)
    await lone.restart()


async def _run(
    lone: Centre, seconds: int, cut_s: int, fallen: Collection[str] = CODES
) -> float | None:
    """Let it be so late; return how long after the cut something was said, if it was."""
    phases = dict(zip(CODES, PHASES_S, strict=True))
    for second in range(seconds):
        for code in CODES:
            cycle, phase = divmod(second, INTERVAL_S)
            if phase == phases[code] and (second < cut_s or code not in fallen):
                lone.office(code).reports(cycle + 1)
        lone.wait(1)
        if lone.collector.open_incidents():
            await lone.has_said(1)  # it is written down first, beside the line
            return second + 1 - cut_s
    return None


@pytest.mark.parametrize("phase_s", range(0, INTERVAL_S, 3))
async def test_a_routers_fall_is_one_message_that_names_all_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase_s: int
) -> None:
    async with centre(tmp_path, monkeypatch, CODES) as lone:
        await _offices_behind_a_router(lone)
        after_s = await _run(lone, 60, CYCLES * INTERVAL_S + phase_s)
        assert after_s is not None
        assert after_s <= 18
        lone.wait(60)
        (message,) = lone.said
        assert (message.status, message.incident.alertname) == (Status.FIRING, "TabuahUpstreamDown")
        assert sorted(message.incident.sites) == sorted(CODES)


@pytest.mark.parametrize("phase_s", range(0, INTERVAL_S, 3))
async def test_an_office_that_falls_alone_waits_for_half_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase_s: int
) -> None:
    async with centre(tmp_path, monkeypatch, CODES) as lone:
        await _offices_behind_a_router(lone)
        after_s = await _run(lone, 60, CYCLES * INTERVAL_S + phase_s, [CODES[0]])
        assert after_s is not None
        assert after_s <= 18
        (message,) = lone.said
        assert message.incident.alertname == "TabuahLinkDown"
        assert message.incident.sites == (CODES[0],)


async def test_who_was_never_heard_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with centre(tmp_path, monkeypatch, CODES) as lone:
        await _offices_behind_a_router(lone)
        # Four never reported; of the other two one falls.
        alive = CODES[:2]
        for cycle in range(CYCLES):
            for code in alive:
                lone.office(code).reports(cycle + 1)
            lone.wait(INTERVAL_S)
        for cycle in range(CYCLES, CYCLES + 2):
            lone.office(alive[0]).reports(cycle + 1)
            lone.wait(INTERVAL_S)
        await lone.has_said(1)
        (message,) = lone.said
        assert message.incident.sites == (alive[1],)
