"""The demo's offices: the example's, with this machine's probes, and lines put in between last."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from demo.county import (
    Router,
    Targets,
    demo_inventory,
    example,
    offices,
    through_line,
    write_inventory,
)
from demo.relay import Address
from inventory.load import load
from inventory.model import effective_probes

REPORTS, REFLECTOR, RESOLVER, WEB = (
    Address("127.0.0.1", port) for port in (1001, 1002, 1003, 1004)
)
TARGETS = Targets(REPORTS, REFLECTOR, RESOLVER, WEB)


def written(folder: Path) -> Path:
    county = example()
    routers = {
        office.code: Router(Address("127.0.0.1", 2000 + number), ("wan0",))
        for number, office in enumerate(offices(county))
    }
    write_inventory(demo_inventory(county, TARGETS, routers), folder, "drum")
    return folder


def test_the_example_has_the_fourteen_kecamatan() -> None:
    found = offices(example())
    assert len(found) == 14
    assert len({office.code for office in found}) == 14
    assert any(office.kecamatan == "Kubung" and office.code == "13.02.10" for office in found)


def test_the_written_inventory_is_one_that_tabuah_reads(tmp_path: Path) -> None:
    inventory = load(written(tmp_path))
    assert len(inventory.sites) == 14
    kubung = inventory.site("13.02.10")
    assert {probe.name: probe.target for probe in effective_probes(kubung, inventory)} == {
        "telkom-hop": "127.0.0.1:1002",
        "dc": "127.0.0.1:1002",
        "resolver": "siak.example",
        "siak": "http://127.0.0.1:1004/siak/health",
        "lpse": "http://127.0.0.1:1004/lpse/health",
        "ppid": "http://127.0.0.1:1004/ppid/health",
        "sinawa": "http://127.0.0.1:1004/sinawa/health",
    }
    assert kubung.location is not None
    assert (
        len({site.devices[0].snmp.port for site in inventory.sites if site.devices[0].snmp}) == 14
    )
    assert inventory.alerts.channels[0].webhook == "http://127.0.0.1:1004/hook"


def test_the_community_is_written_for_our_eyes_only(tmp_path: Path) -> None:
    secret = written(tmp_path) / "secrets" / "community"
    assert secret.read_text() == "drum\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_the_line_is_put_between_an_office_and_each_real_address(tmp_path: Path) -> None:
    made = """
        site = "13.02.10"
        data = "/var/lib/tabuah"
        [[collectors]]
        address = "127.0.0.1:1001"
        [[probes]]
        target = "127.0.0.1:1002"
        [[probes]]
        target = "siak.example"
        server = "127.0.0.1:1003"
        [[probes]]
        target = "http://127.0.0.1:1004/siak/health"
        count = 1
        [[devices]]
        host = "127.0.0.1"
        port = 1001
    """
    relays = {
        real: Address("127.0.0.1", real.port + 4000) for real in (REPORTS, REFLECTOR, RESOLVER, WEB)
    }
    content = tomllib.loads(through_line(made, relays, tmp_path))
    assert content == {
        "site": "13.02.10",
        "data": str(tmp_path),
        "collectors": [{"address": "127.0.0.1:5001"}],
        "probes": [
            {"target": "127.0.0.1:5002"},
            {"target": "siak.example", "server": "127.0.0.1:5003"},
            {"target": "http://127.0.0.1:5004/siak/health", "count": 1},
        ],
        # The router stands in the office: no line is between.
        "devices": [{"host": "127.0.0.1", "port": 1001}],
    }


@pytest.mark.parametrize("target", ["http://127.0.0.1:10040/", "http://elsewhere.example"])
def test_an_address_that_only_looks_alike_is_left_alone(target: str, tmp_path: Path) -> None:
    made = f'[[probes]]\ntarget = "{target}"\n'
    content = tomllib.loads(through_line(made, {WEB: REPORTS}, tmp_path))
    assert content["probes"] == [{"target": target}]
