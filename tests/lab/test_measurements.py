"""What reaches Prometheus and the API, against what the kernel and `ping` say of the same line."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import pytest

from tests.lab.chance import sigmas
from tests.lab.net import CENTRE, Office
from tests.lab.said import MeasurementSaid, ReportSaid
from tests.lab.stack import COUNT, INTERVAL_S, Stack

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

BURST = 300
RECEIVE = "tabuah_interface_receive_bytes_total"
TRANSMIT = "tabuah_interface_transmit_bytes_total"


def test_all_offices_are_up_in_prometheus(stack: Stack) -> None:
    up = dict.fromkeys(stack.codes.values(), 1.0)
    stack.until(
        10,
        lambda: stack.ask('tabuah_site_state{state="up"}', "site") == up,
        lambda: str(stack.ask("tabuah_site_state", "site", "state")),
    )
    assert stack.ask("tabuah_site_up", "site") == up


def test_the_metrics_page_pleases_promtool(stack: Stack) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=stack.metrics(),
        capture_output=True,
        text=True,
        check=False,
    )
    # The contract's one name in bits, as ifHighSpeed and every seller of lines count.
    agreed = 'tabuah_interface_speed_bits_per_second use base unit "bytes" instead of "bits"'
    assert done.stderr.strip() in {"", agreed}


@pytest.mark.parametrize("interface", ["wan0", "lan0"])
def test_interface_counters_agree_with_the_kernels(
    stack: Stack, office: Office, interface: str
) -> None:
    lab = stack.lab
    start = lab.counters(office.gateway, interface)
    lab.run(
        office.host, "ping", "-nq", "-c", str(BURST), "-i", "0.002", "-s", "1000", CENTRE
    )  # 1,028 octets of IP, and the 14 of Ethernet that veth counts
    least = lab.counters(office.gateway, interface)
    assert least.rx_bytes - start.rx_bytes >= BURST * 1042

    def told(metric: str) -> float:
        labels = f'{{site="{stack.codes[office]}",interface="{interface}"}}'
        return stack.ask(metric + labels).get("", 0.0)

    stack.until(
        40,
        lambda: told(RECEIVE) >= least.rx_bytes and told(TRANSMIT) >= least.tx_bytes,
        lambda: f"{least}, told {told(RECEIVE)}, {told(TRANSMIT)}",
    )
    received, transmitted = told(RECEIVE), told(TRANSMIT)
    most = lab.counters(office.gateway, interface)
    assert least.rx_bytes <= received <= most.rx_bytes
    assert least.tx_bytes <= transmitted <= most.tx_bytes
    # The bracket says something only when it is narrow beside what passed.
    assert most.rx_bytes - least.rx_bytes < BURST * 1042 / 2


def test_round_trips_agree_with_ping(stack: Stack, office: Office) -> None:
    stack.lab.delay(office, 40)
    begin = datetime.now(UTC)
    pinged = stack.lab.run(office.host, "ping", "-nq", "-c", "40", "-i", "0.2", CENTRE).stdout
    found = re.search(r"rtt min/avg/max/mdev = ([0-9.]+)/", pinged)
    assert found, pinged
    least_s = float(found[1]) / 1000
    assert least_s >= 0.04
    reports = _after(stack, office, begin, 3)
    for probe in ("dc", "anchor"):
        told = [m.rtt_min_s for m in _runs(reports, probe) if m.rtt_min_s is not None]
        assert min(told) == pytest.approx(least_s, abs=0.01), probe
    assert min(m.rtt_min_s or 1 for m in _runs(reports, "router")) < 0.02
    told_by_prometheus = stack.ask(
        f'tabuah_probe_rtt_seconds{{site="{stack.codes[office]}",probe="dc",stat="min"}}'
    )
    assert told_by_prometheus[""] == pytest.approx(least_s, abs=0.02)


@dataclass(frozen=True)
class _Lossy:
    """What is set on a line: an office's number and percents lost each way."""

    number: int
    up: int
    down: int


LOSSY = (_Lossy(1, 20, 20), _Lossy(2, 10, 30), _Lossy(3, 0, 15))
"""Three lines at once, since enough packets take a minute."""


def test_loss_is_told_each_way_as_it_was_set(stack: Stack) -> None:
    for line in LOSSY:
        stack.lab.loss(stack.lab.offices[line.number - 1], line.up, line.down)
    try:
        # Once in 370 times chance alone leaves three sigmas. A line that leaves them is looked at
        # for another while, and only what is outside twice is wrong.
        wrong = _what_disagrees(stack, LOSSY, 60)
        if wrong:
            lines = [line for line in LOSSY if any(f"office {line.number} " in w for w in wrong)]
            wrong = _what_disagrees(stack, lines, 60)
    finally:
        for office in stack.lab.offices:
            stack.lab.restore(office)
    assert not wrong, wrong
    for office in stack.lab.offices:
        assert stack.state(office) == "up", "loss alone makes no office silent"


def _what_disagrees(stack: Stack, lines: Iterable[_Lossy], seconds: float) -> list[str]:
    time.sleep(2 * INTERVAL_S)  # runs that began before the loss was set
    begin = datetime.now(UTC)
    time.sleep(seconds)
    wrong: list[str] = []
    for line in lines:
        office = stack.lab.offices[line.number - 1]
        reports = _since(stack.reports(office), begin)
        up, down = line.up / 100, line.down / 100
        dc = _runs(reports, "dc")
        ping = _runs(reports, "anchor")
        forward = [run.forward for run in dc if run.forward]
        backward = [run.backward for run in dc if run.backward]
        round_trip = 1 - (1 - up) * (1 - down)
        counts = {
            "forward": (sum(w.sent for w in forward), sum(w.received for w in forward), up),
            "backward": (sum(w.sent for w in backward), sum(w.received for w in backward), down),
            "udp": (sum(r.sent for r in dc), sum(r.received for r in dc), round_trip),
            "ping": (sum(r.sent for r in ping), sum(r.received for r in ping), round_trip),
        }
        for what, (sent, received, p) in counts.items():
            assert sent > 0.6 * COUNT * seconds / INTERVAL_S * (0.5 if what == "backward" else 1)
            if _disagrees(sent - received, sent, p):
                wrong.append(f"office {line.number} {what}: {received} of {sent}, p {p:.3f}")
    return wrong


def _disagrees(lost: int, sent: int, p: float) -> bool:
    if p == 0:
        return lost > 0.01 * sent  # a loaded machine may be late for one packet
    return sigmas(lost, sent, p) > 3


def test_black_holed_targets_are_reported_on_time(stack: Stack, office: Office) -> None:
    stack.lab.blackhole_probes(office)
    time.sleep(3 * INTERVAL_S)  # a probe that began just before has its answer
    begin = datetime.now(UTC)
    states: set[str] = set()
    for _second in range(8 * INTERVAL_S):
        time.sleep(1)
        states.add(stack.state(office))
    reports = _since(stack.reports(office), begin)
    assert states == {"up"}
    assert len(reports) >= 6
    assert not any(report.late for report in reports)
    for report in reports:
        said = {m.probe: (m.status, m.received) for m in report.measurements}
        assert said == dict.fromkeys(("router", "dc", "anchor"), ("request_timed_out", 0))
    # A device is polled less often than a report leaves, and is given longer to answer.
    assert set(reports[-1].device_status.values()) == {"request_timed_out"}
    gaps = [
        (after.received - before.received).total_seconds() for before, after in pairwise(reports)
    ]
    assert all(after.seq - before.seq == 1 for before, after in pairwise(reports))
    assert max(abs(gap - INTERVAL_S) for gap in gaps) < 1, gaps
    told = stack.ask(f'tabuah_probe_success_ratio{{site="{stack.codes[office]}"}}', "probe")
    assert told == {"router": 0, "dc": 0, "anchor": 0}
    stack.lab.restore(office)
    stack.until(
        15,
        partial(_all_answer, stack, office),
        "all probes to answer again",
    )


def _all_answer(stack: Stack, office: Office) -> bool:
    newest = stack.reports(office)[-1]
    return all(m.status == "response_received" for m in newest.measurements)


def _since(reports: Iterable[ReportSaid], begin: datetime) -> list[ReportSaid]:
    return sorted((r for r in reports if r.time >= begin), key=lambda r: (r.epoch, r.seq))


def _after(stack: Stack, office: Office, begin: datetime, count: int) -> list[ReportSaid]:
    """Return `count` reports or more of runs that began after `begin`."""
    stack.until(
        30,
        lambda: len(_since(stack.reports(office), begin)) >= count + 2,
        "reports",
    )
    return _since(stack.reports(office), begin)[2:]


def _runs(reports: Iterable[ReportSaid], probe: str) -> list[MeasurementSaid]:
    """Return each finished run of a probe once, though two reports may tell of it."""
    by_run = {
        (report.epoch, each.run): each
        for report in reports
        for each in report.measurements
        if each.probe == probe
    }
    return list(by_run.values())
