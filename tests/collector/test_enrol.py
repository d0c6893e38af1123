"""`tabuah enrol` makes what the agent reads, shows no secret, and overwrites nothing of others."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import Circuit, Collector, Config, Device, Probe, parse
from agent.config import load as load_agent
from collector import enrolled
from collector.enrol import describe, enrol
from collector.identity import Identity
from collector.keys import KeyRing, site_key
from inventory import model as inventory
from inventory.load import load
from tabuah.errors import ConfigError
from tabuah.main import main
from tabuah.measurement import Kind, Role
from tabuah.snmp.usm import Auth, UsmUser

INVENTORY = """
organisation: Dinas Kominfo Kabupaten Solok
language: en
services: {siak: {name: SIAK, http: "https://siak.example/health", expect: OK, every: 5m}}
sites:
  - code: "13.02.10"
    name: Kantor Camat "Kubung"
    interval: 20s
    circuits:
      - {id: telkom, role: primary, interface: eth0}
      - {id: lte, role: backup}
    probes:
      - {name: router, ping: 192.168.1.1, role: gateway}
      - {name: hop, ping: 10.201.0.5, role: first_hop, circuit: telkom, count: 3, timeout: 500ms}
      - {name: dc, udp: "10.200.0.1:10862", role: centre}
      - {name: resolver, dns: {server: 203.0.113.53, name: siak.example}, role: public, every: 1m}
    devices:
      - {name: router, host: 192.168.1.1, interfaces: [wan0, wan1], role: gateway,
         snmp: {version: 2c, community: "file:community"}}
      - {name: ups, host: 192.168.1.5, role: ups, snmp: {version: 3, user: mon,
         auth: {protocol: sha1, key: "env:UPS_AUTH"},
         priv: {protocol: aes128, key: "env:UPS_PRIV"}}}
      - {name: switch, host: 192.168.1.2, login: {user: admin}}
    services: [siak]
  - {code: nagari-1, name: Nagari Gantung Ciri}
"""
KUBUNG = "13.02.10"
SECRETS = ('komunitas "rahasia"', "kunci-auth-ups", "kunci-priv-ups")

COLLECTOR = {
    "address": "192.0.2.9:10162",
    "engine_id": "80" * 12,
    "user": "kubung#1",
    "ku": "00" * 32,
}

Run = Callable[..., int]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "inventory"
    directory.mkdir()
    (directory / "inventory.yaml").write_text(INVENTORY)
    (directory / "community").write_text(SECRETS[0] + "\n")
    monkeypatch.setenv("UPS_AUTH", SECRETS[1])
    monkeypatch.setenv("UPS_PRIV", SECRETS[2])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    def enrol(*argv: str, collector: str = "10.200.0.1:10162", data: str = "data") -> int:
        return main(
            ["enrol", "--inventory", "inventory", "--data", data, "--collector", collector, *argv]
        )

    assert folder.is_dir()
    return enrol


def test_the_agent_reads_what_the_inventory_says(folder: Path, run: Run) -> None:
    assert run(KUBUNG, "--collector", "[2001:db8::1]:10162") == 0
    identity = Identity.open(folder / "data")
    ku = site_key(identity.master, KUBUNG, 1)
    user = f"{KUBUNG}#1"
    assert load_agent(folder / f"agent-{KUBUNG}.toml") == Config(
        site=KUBUNG,
        collectors=(
            Collector("10.200.0.1", 10162, identity.engine_id, user, ku),
            Collector("2001:db8::1", 10162, identity.engine_id, user, ku),
        ),
        data=Path("/var/lib/tabuah"),
        interval_s=20.0,
        language="en",
        circuits=(Circuit("telkom", "eth0"), Circuit("lte")),
        probes=(
            Probe("router", Kind.PING, Role.GATEWAY, "192.168.1.1"),
            Probe(
                "hop", Kind.PING, Role.FIRST_HOP, "10.201.0.5",
                count=3, timeout_s=0.5, circuit="telkom", interface="eth0",
            ),
            Probe("dc", Kind.UDP, Role.CENTRE, "10.200.0.1:10862"),
            Probe(
                "resolver", Kind.DNS, Role.PUBLIC, "siak.example",
                server="203.0.113.53", every_s=60.0,
            ),
            Probe(
                "siak", Kind.HTTP, Role.SERVICE, "https://siak.example/health",
                expect="OK", every_s=300.0, timeout_s=10.0, service="siak",
            ),
        ),
        devices=(
            Device(
                "router", "192.168.1.1", Role.GATEWAY,
                interfaces=("wan0", "wan1"), community=SECRETS[0],
            ),
            Device(
                "ups", "192.168.1.5", Role.UPS, version="3", user="mon",
                auth_protocol="sha1", auth_key=SECRETS[1],
                priv_protocol="aes128", priv_key=SECRETS[2],
            ),
        ),
    )  # fmt: skip


def test_the_running_collector_accepts_the_key_in_the_file(folder: Path, run: Run) -> None:
    data = folder / "data"
    ring = KeyRing(data, Identity.open(data), clock=iter((0.0, 5.0)).__next__)
    assert run(KUBUNG) == 0
    told = load_agent(folder / f"agent-{KUBUNG}.toml").collectors[0]
    assert ring.lookup(told.user) == UsmUser.from_ku(
        told.user, Auth.SHA256_192, told.ku, told.ku, told.engine_id
    )


def test_no_secret_is_printed_or_logged_and_the_file_is_private(
    folder: Path, run: Run, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert run("--all") == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (f"agent-{KUBUNG}.toml: {KUBUNG}#1\nagent-nagari-1.toml: nagari-1#1\n")
    identity = Identity.open(folder / "data")
    config = load_agent(folder / f"agent-{KUBUNG}.toml")
    hidden = (*SECRETS, identity.master.hex(), config.collectors[0].ku.hex())
    for secret in (*hidden, repr(identity.master), repr(config.collectors[0].ku)):
        assert secret not in err + caplog.text + repr(config)
    assert (folder / f"agent-{KUBUNG}.toml").stat().st_mode & 0o777 == 0o600


def test_the_data_key_stands_once_at_a_line_of_its_own(folder: Path, run: Run) -> None:
    assert run(KUBUNG) == 0
    text = (folder / f"agent-{KUBUNG}.toml").read_text()
    assert re.findall(r"^data *=.*$", text, flags=re.MULTILINE) == ['data = "/var/lib/tabuah"']
    assert text.count("[[collectors]]") == 1
    assert text.count("[[circuits]]") == 2


def test_an_office_that_is_not_there_is_suggested_and_nothing_is_made(
    folder: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(KUBUNG, "13.02.1") == 3
    assert "no site '13.02.1' in the inventory; did you mean '13.02.10'?" in capsys.readouterr().err
    assert not (folder / "data").exists()
    assert not list(folder.glob("agent-*"))


def test_every_missing_secret_is_told_and_nothing_is_made(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("UPS_PRIV")
    assert run("--all") == 2
    assert re.search(
        r"inventory\.yaml:\d+: site 13\.02\.10: device ups: .*UPS_PRIV is not set",
        capsys.readouterr().err,
    )
    assert not (folder / "data").exists()


def test_a_device_password_that_the_agent_would_refuse_is_refused_before(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UPS_AUTH", "pendek")
    assert run(KUBUNG) == 2
    said = capsys.readouterr().err
    assert re.search(r"inventory\.yaml:\d+: site 13\.02\.10: device ups: .*8 characters", said)
    assert "pendek" not in said
    assert not (folder / "data").exists()


def test_an_older_inventory_whose_runs_overlap_is_refused(tmp_path: Path) -> None:
    """It was compiled before that was checked."""
    probe = inventory.Probe("hop", Kind.PING, "192.0.2.1", every_s=3, count=12)
    site = inventory.Site(KUBUNG, "Kubung", probes=(probe,))
    with pytest.raises(ConfigError, match=f"site {KUBUNG}: probe hop: a run may last 3100ms"):
        enrol(
            inventory.Inventory("Dinas", sites=(site,)),
            {KUBUNG: tmp_path / "agent.toml"},
            tmp_path / "data",
            [inventory.Endpoint("192.0.2.9", 10162)],
        )
    assert list(tmp_path.iterdir()) == []


DURATIONS = st.sampled_from(["100ms", "500ms", "900ms", "1s", "1100ms", "2s", "3s", "3.1s", "10s"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["ping", "udp", "tcp"]),
    given_=st.fixed_dictionaries(
        {}, optional={"every": DURATIONS, "timeout": DURATIONS, "count": st.integers(0, 30)}
    ),
)
def test_what_the_inventory_lets_pass_the_agent_takes(
    tmp_path: Path, kind: str, given_: dict[str, object]
) -> None:
    target = "192.0.2.1" if kind == "ping" else "192.0.2.1:862"
    probe = json.dumps({"name": "one", kind: target, **given_})
    (tmp_path / "inventory.yaml").write_text(
        f"organisation: Dinas\nsites: [{{code: kubung, name: Kubung, probes: [{probe}]}}]\n"
    )
    try:
        office = describe(load(tmp_path).site("kubung"), load(tmp_path))
    except ConfigError:
        return
    head = {**office.head, "collectors": [COLLECTOR], "probes": list(office.probes)}
    assert parse(tomli_w.dumps(head), "agent.toml").probes[0].name == "one"


def test_a_rotation_writes_a_new_key_over_the_old_file(folder: Path, run: Run) -> None:
    assert run(KUBUNG) == 0
    file = folder / f"agent-{KUBUNG}.toml"
    before = file.read_bytes()
    assert run(KUBUNG) == 0
    assert file.read_bytes() == before
    assert run(KUBUNG, "--rotate") == 0
    told = load_agent(file).collectors[0]
    assert told.user == f"{KUBUNG}#2"
    assert told.ku.hex().encode() not in before


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "something else\n",
        lambda text: text.replace(f'site = "{KUBUNG}"', 'site = "nagari-1"'),
        lambda text: text + '\n[[collectors]]\naddress = "b:1"\nengine_id = "8000000001"\n',
    ],
    ids=["other file", "other office", "a second collector was added"],
)
def test_a_file_that_would_be_lost_is_kept(
    folder: Path,
    run: Run,
    change: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(KUBUNG) == 0
    file = folder / f"agent-{KUBUNG}.toml"
    file.write_text(change(file.read_text()))
    kept = file.read_bytes()
    assert run(KUBUNG, "--rotate") == 1
    assert "is not overwritten" in capsys.readouterr().err
    assert file.read_bytes() == kept
    assert enrolled.read(folder / "data")[KUBUNG].generation == 1
    assert run(KUBUNG, "--force") == 0
    assert load_agent(file).site == KUBUNG


def test_a_file_of_another_collector_is_kept(folder: Path, run: Run) -> None:
    assert run(KUBUNG) == 0
    kept = (folder / f"agent-{KUBUNG}.toml").read_bytes()
    assert run(KUBUNG, data="other") == 1
    assert (folder / f"agent-{KUBUNG}.toml").read_bytes() == kept


def test_out_is_a_file_a_folder_or_a_folder_to_be(folder: Path, run: Run) -> None:
    (folder / "there").mkdir()
    assert run(KUBUNG, "--out", "kubung.toml") == 0
    assert run(KUBUNG, "--out", "there") == 0
    assert run(KUBUNG, "--out", "new/") == 0
    assert run("--all", "--out", "all") == 0
    name = f"agent-{KUBUNG}.toml"
    paths = (
        "kubung.toml",
        f"there/{name}",
        f"new/{name}",
        f"all/{name}",
        "all/agent-nagari-1.toml",
    )
    assert {path: (folder / path).stat().st_mode & 0o777 for path in paths} == dict.fromkeys(
        paths, 0o600
    )
    assert (folder / "all").stat().st_mode & 0o777 == 0o700
    assert run("--all", "--out", "kubung.toml") == 2


@pytest.mark.parametrize(
    "argv",
    [
        [],
        [KUBUNG, "--all"],
        [KUBUNG, "--collector", "10.200.0.1"],
        [KUBUNG, "--collector", "10.200.0.1:0"],
        [KUBUNG, "--collector", "2001:db8::1:10162"],
    ],
)
def test_what_makes_no_sense_is_a_matter_of_usage(folder: Path, run: Run, argv: list[str]) -> None:
    assert run(*argv) == 2
    assert not (folder / "data").exists()


def test_a_folder_that_cannot_be_written_is_named(
    folder: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(KUBUNG, "--out", "nowhere/kubung.toml") == 1
    assert "nowhere/kubung.toml: cannot be written: No such file" in capsys.readouterr().err
    (folder / "file").touch()
    assert run(KUBUNG, data="file") == 1
    assert "file: cannot be used as data folder" in capsys.readouterr().err


def test_revoking_takes_no_inventory_writes_no_file_and_says_what_it_did(
    folder: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(KUBUNG) == 0
    office = folder / f"agent-{KUBUNG}.toml"
    before = office.read_bytes()
    capsys.readouterr()
    assert main(["enrol", KUBUNG, "--revoke", "--data", "data"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{KUBUNG}: revoked, all keys up to {KUBUNG}#1" in said.err
    assert office.read_bytes() == before
    assert main(["enrol", "nagari-1", "--revoke", "--data", "data"]) == 3
    assert "not enrolled there: nagari-1" in capsys.readouterr().err
    assert run(KUBUNG) == 0
    assert f'user = "{KUBUNG}#2"' in office.read_text()


@pytest.mark.parametrize(
    "more", [["--rotate"], ["--all"], ["--force"], ["--collector", "10.0.0.1:10162"]]
)
def test_revoking_beside_enrolling_is_refused(folder: Path, more: list[str]) -> None:
    assert folder.is_dir()
    assert main(["enrol", KUBUNG, "--revoke", "--data", ".", *more]) == 2
    assert main(["enrol", "--revoke", "--data", "."]) == 2
    assert main(["enrol", KUBUNG, "--revoke", "--data", "nowhere"]) == 2


def test_enrolling_still_asks_for_an_inventory_and_a_collector(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert folder.is_dir()
    assert main(["enrol", KUBUNG, "--data", "data", "--collector", "10.0.0.1:10162"]) == 2
    assert "Missing option '--inventory'" in capsys.readouterr().err
    assert main(["enrol", KUBUNG, "--data", "data", "--inventory", "inventory"]) == 2
    assert "Missing option '--collector'" in capsys.readouterr().err
