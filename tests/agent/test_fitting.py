"""A live report fits one datagram, whatever an office watches."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from agent.fitting import MOST_OCTETS, fit
from tabuah import block
from tabuah.measurement import Role, Status
from tabuah.report import Device, Interface, Report
from tests.support.reports import report
from tests.support.strategies import reports

SITE = "13.02.10"


@given(reports)
def test_whatever_an_office_says_fits_or_is_down_to_one_probe(said: Report) -> None:
    packed, left_out = fit(said)
    if len(block.encode([packed])) > MOST_OCTETS:
        kept = block.read(SITE, packed)
        assert len(kept.measurements) <= 1
        assert not kept.devices
    if not left_out:
        assert block.read(SITE, packed) == said


def test_interfaces_go_before_probes() -> None:
    ports = tuple(
        Interface(f"ether{n}", 1, 10**9, 12345678901 * n, 98765432101 * n, n, n * 7, n * 13)
        for n in range(1, 65)
    )
    switch = Device("switch", Role.OTHER, Status.RESPONSE_RECEIVED, interfaces=ports)
    router = Device("router", Role.GATEWAY, Status.RESPONSE_RECEIVED, interfaces=ports[:1])
    said = replace(report(1), devices=(router, switch))
    packed, left_out = fit(said)
    kept = block.read(SITE, packed)
    assert left_out > 0
    assert kept.measurements == said.measurements
    assert kept.devices[0] == router
    assert 1 <= len(kept.devices[1].interfaces) < 64
