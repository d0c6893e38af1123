"""Pushes to real gateways: a good one is kept, a bad one undoes itself, whoever is killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.lab.machine import LabError, stop
from tests.lab.managed import WINDOW_S, Managed
from tests.lab.net import Lab

pytestmark = [pytest.mark.lab, pytest.mark.peer, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    folder = tmp_path_factory.mktemp("managed")
    try:
        with Lab(3, folder) as lab, Managed(lab, folder) as running:
            for office in lab.offices:
                running.await_live(office, 40)
            yield running
    except LabError as error:
        pytest.fail(str(error))


def test_a_good_push_is_confirmed_and_a_bad_one_undone_with_nobody_left_at_the_centre(
    managed: Managed,
) -> None:
    """All at once; when the good one is confirmed, everything at the centre is killed."""
    good, uplink, locked = managed.lab.offices
    bad = (uplink, locked)
    before = {office: managed.gateways[office].config() for office in bad}
    plans = {
        good: managed.plan(good, {"ntp": ["10.200.0.1", "10.200.0.9"]}),
        uplink: managed.plan(
            uplink, {"addresses": {"wan0": ["10.201.2.9/24"], "lan0": ["192.168.1.1/24"]}}
        ),
        locked: managed.plan(locked, {"extra_input": ["ip saddr 10.200.0.0/16 tcp dport 22 drop"]}),
    }
    logs = {office: managed.folder / f"push-{office.number}.log" for office in plans}
    pushes = {office: managed.push(plan, logs[office]) for office, plan in plans.items()}
    try:
        assert pushes[good].wait(WINDOW_S + 30) == 0, logs[good].read_text()
        assert "10.200.0.9" in managed.gateways[good].config()
    finally:
        for office in bad:
            stop(pushes[office], signal.SIGKILL)
    managed.kill_collector()
    for office in bad:
        assert "verifying" in logs[office].read_text(), logs[office].read_text()
        managed.until(
            WINDOW_S + 10,
            lambda office=office: managed.gateways[office].config() == before[office],  # type: ignore[misc]
            lambda office=office: managed.gateways[office].config(),  # type: ignore[misc]
        )
    managed.start_collector()
    for office in bad:
        managed.await_live(office, 20)
    managed.config("resume")
    for office in bad:
        assert managed.gateways[office].config() == before[office]
    known = managed.states()
    assert known == {
        managed.codes[good]: "confirmed",
        managed.codes[uplink]: "rolled_back",
        managed.codes[locked]: "rolled_back",
    }


def test_a_confirmed_change_outlives_a_reboot_and_drift_from_it_is_seen(managed: Managed) -> None:
    good = managed.lab.offices[0]
    kept = managed.gateways[good].config()
    managed.gateways[good].reboot()
    assert managed.gateways[good].config() == kept
    assert managed.config("drift", managed.codes[good]).stdout == ""
    managed.gateways[good].run("nft add rule inet tabuah forward counter drop")
    drifted = managed.config("drift", managed.codes[good], check=False)
    assert drifted.returncode == 1
    assert "drop" in drifted.stdout
