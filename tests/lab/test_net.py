"""The laboratory itself: what it says it does to a line, it does."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.chance import sigmas
from tests.lab.machine import LabError, namespaces, sweep
from tests.lab.net import ANCHOR, CENTRE, COMMUNITY, GATEWAY_LAN, Lab, Office

pytestmark = pytest.mark.lab

IF_NAME = ".1.3.6.1.2.1.31.1.1.1.1"
IF_HC_IN_OCTETS = ".1.3.6.1.2.1.31.1.1.1.6"
IF_HC_OUT_OCTETS = ".1.3.6.1.2.1.31.1.1.1.10"


@pytest.fixture
def office(lab: Lab) -> Iterator[Office]:
    yield lab.offices[0]
    lab.restore(lab.offices[0])


def _answers(lab: Lab, office: Office, target: str) -> int:
    return _ping(lab, office, target, 3, 0.05)


def _ping(lab: Lab, office: Office, target: str, count: int, interval: float) -> int:
    argv = ("ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-W", "1", target)
    done = lab.run(office.host, *argv, check=False)
    found = re.search(r"(\d+) received", done.stdout)
    assert found, done
    return int(found[1])


def _min_ms(said_by_ping: str) -> float:
    found = re.search(r"rtt min/avg/max/mdev = ([0-9.]+)/", said_by_ping)
    assert found, said_by_ping
    return float(found[1])


def _sigmas_of_pings(lab: Lab, office: Office, p: float) -> float:
    return sigmas(1000 - _ping(lab, office, CENTRE, 1000, 0.002), 1000, p)


def _snmp(lab: Lab, office: Office, oid: str) -> int:
    argv = ("snmpget", "-v2c", "-c", COMMUNITY, "-t2", "-r0", "-Oqv", GATEWAY_LAN, oid)
    return int(lab.run(office.host, *argv).stdout)


def test_a_host_reaches_the_centre_through_nat(lab: Lab) -> None:
    for office in lab.offices:
        assert _answers(lab, office, CENTRE) == 3
        assert _answers(lab, office, ANCHOR) == 3
        assert _answers(lab, office, GATEWAY_LAN) == 3


def test_the_centre_sees_the_gateways_address_not_the_hosts(lab: Lab, office: Office) -> None:
    listen = (
        "import socket;s=socket.socket(type=socket.SOCK_DGRAM);s.bind(('',5000));s.settimeout(10);"
        "print('ready',flush=True);print(s.recvfrom(9)[1][0])"
    )
    log = lab.folder / "nat"
    process = lab.popen(lab.centre, [sys.executable, "-c", listen], log)
    while "ready" not in log.read_text():
        time.sleep(0.02)
    send = f"import socket;socket.socket(type=socket.SOCK_DGRAM).sendto(b'x',('{CENTRE}',5000))"
    lab.run(office.host, sys.executable, "-c", send)
    assert process.wait(10) == 0
    assert log.read_text().split() == ["ready", office.wan]


def test_a_cut_line_passes_nothing_and_keeps_its_carrier(lab: Lab, office: Office) -> None:
    lab.cut(office)
    assert _answers(lab, office, CENTRE) == 0
    assert _answers(lab, office, office.first_hop) == 0
    assert _answers(lab, office, GATEWAY_LAN) == 3
    assert _answers(lab, lab.offices[1], CENTRE) == 3
    assert lab.operstate(office.gateway, "wan0") == "UP"
    lab.restore(office)
    assert _answers(lab, office, CENTRE) == 3


def test_twenty_percent_each_way_lose_thirty_six_percent_of_pings(lab: Lab, office: Office) -> None:
    lab.loss(office, 20, 20)
    # Once in 370 times chance alone leaves three sigmas; twice running, something is wrong.
    assert any(_sigmas_of_pings(lab, office, 1 - 0.8**2) < 3 for _twice in range(2))


def test_loss_of_one_direction_leaves_the_other_whole(lab: Lab, office: Office) -> None:
    lab.loss(office, 0, 50)
    before = lab.counters(lab.router, office.line).rx_packets
    received = _ping(lab, office, CENTRE, 300, 0.005)
    assert lab.counters(lab.router, office.line).rx_packets - before >= 300
    assert sigmas(received, 300, 0.5) < 5


def test_a_lost_carrier_shows_at_the_gateway(lab: Lab, office: Office) -> None:
    lab.carrier(office, up=False)
    assert lab.operstate(office.gateway, "wan0") in {"DOWN", "LOWERLAYERDOWN"}
    assert _answers(lab, office, CENTRE) == 0
    lab.carrier(office, up=True)
    assert _answers(lab, office, CENTRE) > 0


def test_black_holed_probes_leave_the_report_port_open(lab: Lab, office: Office) -> None:
    lab.blackhole_probes(office)
    assert _answers(lab, office, CENTRE) == 0
    assert _answers(lab, office, ANCHOR) == 0
    assert _answers(lab, office, GATEWAY_LAN) == 0
    with pytest.raises(LabError, match="Timeout"):
        _snmp(lab, office, f"{IF_HC_IN_OCTETS}.2")
    assert _udp_echo(lab, office, 10162)
    assert not _udp_echo(lab, office, 10862)


def test_a_limited_line_passes_no_more_than_its_rate(lab: Lab, office: Office) -> None:
    lab.rate(office, 256)
    before = lab.counters(office.gateway, "wan0")
    began = time.monotonic()
    argv = ("ping", "-n", "-q", "-f", "-c", "200", "-s", "1000", "-w", "2", CENTRE)
    lab.run(office.host, *argv, check=False)
    seconds = time.monotonic() - began
    sent = lab.counters(office.gateway, "wan0").tx_bytes - before.tx_bytes
    assert 0.5 * 32_000 < sent / seconds < 1.5 * 32_000


def test_a_delayed_line_delays_by_what_was_said(lab: Lab, office: Office) -> None:
    lab.delay(office, 40)
    quick = lab.run(lab.offices[1].host, "ping", "-n", "-c5", "-i0.1", CENTRE).stdout
    slow = lab.run(office.host, "ping", "-n", "-c5", "-i0.1", CENTRE).stdout
    assert _min_ms(quick) < 10
    assert 40 <= _min_ms(slow) < 50
    lab.restore(office)
    assert _min_ms(lab.run(office.host, "ping", "-n", "-c5", "-i0.1", CENTRE).stdout) < 10


def test_snmpd_counts_what_the_kernel_counts(lab: Lab, office: Office) -> None:
    index = {}
    walk = ("snmpwalk", "-v2c", "-c", COMMUNITY, "-OqnU", GATEWAY_LAN, IF_NAME)
    for line in lab.run(office.host, *walk).stdout.splitlines():
        oid, name = line.split()
        index[name.strip('"')] = oid.rsplit(".", 1)[1]
    assert {"wan0", "lan0"} <= set(index)
    assert _ping(lab, office, CENTRE, 200, 0.005) == 200
    time.sleep(2.2)  # the age that IF-MIB's cache may have
    kernel = lab.counters(office.gateway, "wan0")
    assert kernel.rx_bytes > 200 * 84
    assert _snmp(lab, office, f"{IF_HC_IN_OCTETS}.{index['wan0']}") == kernel.rx_bytes
    assert _snmp(lab, office, f"{IF_HC_OUT_OCTETS}.{index['wan0']}") == kernel.tx_bytes


def test_what_a_killed_run_left_is_swept_and_what_a_living_run_owns_stays(
    lab: Lab, tmp_path: Path
) -> None:
    crash = (
        "import os,pathlib,sys;from tests.lab.net import Lab;"
        "lab=Lab(1,pathlib.Path(sys.argv[1]));lab.__enter__();"
        "print(lab.centre,flush=True);os._exit(1)"
    )
    argv = [sys.executable, "-c", crash, str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=root)
    left = done.stdout.strip()
    assert left in namespaces(), done
    sweep()
    assert left not in namespaces()
    assert lab.centre in namespaces()


def test_a_laboratory_cleans_up_after_an_error(tmp_path: Path) -> None:
    started = []

    def interrupted() -> None:
        with Lab(1, tmp_path) as doomed:
            log = tmp_path / "log"
            started.append((doomed.centre, doomed.popen(doomed.centre, ["sleep", "100"], log)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    ((namespace, process),) = started
    assert process.poll() is not None
    assert namespace not in namespaces()


def _udp_echo(lab: Lab, office: Office, port: int) -> bool:
    echo = (
        f"import socket;s=socket.socket(type=socket.SOCK_DGRAM);s.bind(('',{port}));"
        "s.settimeout(4);print('ready',flush=True);d,a=s.recvfrom(9);s.sendto(d,a)"
    )
    log = lab.folder / f"echo{port}-{time.monotonic_ns()}"
    server = lab.popen(lab.centre, [sys.executable, "-c", echo], log)
    while "ready" not in log.read_text():
        time.sleep(0.02)
    ask = (
        "import socket;s=socket.socket(type=socket.SOCK_DGRAM);s.settimeout(1);"
        f"s.sendto(b'x',('{CENTRE}',{port}));s.recv(9)"
    )
    done = lab.run(office.host, sys.executable, "-c", ask, check=False)
    server.kill()
    server.wait()
    return done.returncode == 0
