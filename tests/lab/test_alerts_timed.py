"""From the kernel's cut to Alertmanager's own message: soon, once for each cause, and ended once.

All at one time: two lines fall, each in its own way, and the router of four other offices, while
one of two Alertmanagers is away; then the collector is killed and started again, and all returns.
`python -m bench alerts` is the long form, at 10 s.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.lab.alerted import AlertedStack
from tests.lab.machine import LabError
from tests.lab.net import Office
from tests.lab.stack import INTERVAL_S
from tests.lab.told import FIRING, RESOLVED, Told, first, of
from tests.lab.town import Town

pytestmark = [pytest.mark.lab, pytest.mark.peer, pytest.mark.timeout(240)]

THRESHOLD_S = INTERVAL_S + 12 * 0.5 + 1
TOLD_WITHIN_S = THRESHOLD_S + INTERVAL_S + 6
"""An interval more where an office shares its router; the rest is for a busy machine."""
ENDED_WITHIN_S = 10 + 5
LASTING = {"TabuahLinkDegraded", "TabuahServiceDown"}
"""A busy machine loses packets and checks of its own: those are told by their own rules."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What was done and what was told."""

    stack: AlertedStack
    cut_at: float
    restored_at: float
    told: Sequence[Told]

    def of(self, office: Office) -> list[Told]:
        """Return what was told of an office."""
        return of(self.stack.codes[office], self.told)

    def shown(self) -> str:
        """Return all that a failure needs to be understood."""
        lines = [each.shown(self.cut_at) for each in self.told]
        return "\n".join([*lines, f"{self.restored_at - self.cut_at:.1f} s restored"])


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Happened]:
    folder = tmp_path_factory.mktemp("alerts")
    try:
        with (
            Town(folder, plain=2, grouped=4) as town,
            AlertedStack(town, folder, interval_s=INTERVAL_S, members=2) as stack,
        ):
            yield _happened(town, stack)
    except LabError as error:
        pytest.fail(str(error))


def _happened(town: Town, stack: AlertedStack) -> Happened:
    hole, carrier = town.plain
    fallen = {stack.codes[office] for office in (hole, carrier, *town.grouped)}
    stack.members[0].stop(signal.SIGKILL)
    time.sleep(2 * INTERVAL_S)
    cut_at = time.monotonic()
    town.black_hole(hole, True)
    town.no_carrier(carrier, True)
    town.no_group(town.grouped[0], True)
    _until_named(stack, fallen, FIRING, cut_at + TOLD_WITHIN_S)
    stack.signal_collector(signal.SIGKILL)
    stack.start_collector()
    time.sleep(THRESHOLD_S + 2)  # long enough to be called silent once more
    restored_at = time.monotonic()
    town.no_group(town.grouped[0], False)
    town.black_hole(hole, False)
    town.no_carrier(carrier, False)
    _until_named(stack, fallen, RESOLVED, restored_at + ENDED_WITHIN_S)
    time.sleep(INTERVAL_S)
    told = [each for each in stack.told() if not LASTING.issuperset(each.names)]
    return Happened(stack, cut_at, restored_at, told)


def _until_named(stack: AlertedStack, sites: set[str], status: str, until: float) -> None:
    """Wait until each office was told of; what was not by then is the tests' business."""
    while time.monotonic() < until:
        named = {s for each in stack.told() if each.status == status for s in each.sites}
        if sites <= named:
            return
        time.sleep(0.2)


@pytest.mark.parametrize("which", [0, 1], ids=["black hole", "carrier"])
def test_a_cut_is_told_by_alertmanager_in_time_and_its_end_too(
    happened: Happened, which: int
) -> None:
    told = happened.of(happened.stack.lab.plain[which])
    began, ended = first(told, FIRING), first(told, RESOLVED)
    assert began is not None, happened.shown()
    assert began - happened.cut_at <= TOLD_WITHIN_S, happened.shown()
    assert ended is not None, happened.shown()
    assert 0 < ended - happened.restored_at <= ENDED_WITHIN_S, happened.shown()


def test_offices_behind_one_router_are_one_message_that_names_them_all(happened: Happened) -> None:
    codes = {happened.stack.codes[office] for office in happened.stack.lab.grouped}
    (began,) = (m for m in happened.told if m.status == FIRING and codes & set(m.sites))
    assert began.names == ("TabuahUpstreamDown",), happened.shown()
    assert set(began.sites) == codes, happened.shown()


def test_a_killed_collector_and_a_lost_alertmanager_repeat_nothing(happened: Happened) -> None:
    for office in happened.stack.codes:
        told = [each.status for each in happened.of(office)]
        assert told == [FIRING, RESOLVED], happened.shown()
