"""Platforms that are read and never pushed to, through netmiko's own prompt over real SSH."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from provision import shown, ssh
from provision.configuration import Scope
from provision.console import Console
from provision.platforms import DIALECTS, READERS
from provision.session import RefusedError
from provision.shown import SHOWS
from tabuah.main import main
from tests.support.cisco import CONFIG, Cisco
from tests.support.ssh_server import SshServer

pytestmark = pytest.mark.peer

INVENTORY = """\
organisation: Dinas Kominfo
sites:
  - code: "13.02.10"
    name: Kantor Camat Kubung
    devices:
      - {name: gw, host: 127.0.0.1, platform: cisco_ios, role: gateway,
         login: {user: admin, key: "file:id", port: PORT}}
"""
TEMPLATE = """\
{# section: running  risk: C #}
no ntp server 10.200.0.9
{% for server in ntp %}
ntp server {{ server | address }}
{% endfor %}
interface GigabitEthernet0/0
 description {{ "Telkom" | line }}
 ip address 10.201.1.2 255.255.255.0
"""


@pytest.fixture
def router(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path, Cisco())
    yield server
    server.close()


@pytest.fixture
def cisco(router: SshServer) -> Cisco:
    assert isinstance(router.played, Cisco)
    return router.played


class Terminal:
    """One who types commands."""

    def __init__(self, folder: Path, router: SshServer, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys
        (folder / "inventory.yaml").write_text(INVENTORY.replace("PORT", str(router.port)))
        templates = folder / "provision" / "templates" / "cisco_ios"
        templates.mkdir(parents=True)
        (templates / "ntp.j2").write_text(TEMPLATE)
        settings = "roles: {gateway: [ntp]}\nvars: {ntp: [10.200.0.1]}\n"
        (folder / "provision" / "settings.yaml").write_text(settings)
        own = folder / "data" / "provision"
        own.mkdir(parents=True)
        (own / "known_hosts").write_text(router.known_hosts.read_text())

    def types(self, verb: str, *words: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        where = ("--inventory", str(self._folder), "--data", str(self._folder / "data"))
        code = main(("config", verb, *where, *words))
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def terminal(tmp_path: Path, router: SshServer, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(tmp_path, router, capsys)


def test_it_is_planned_and_its_push_refused_with_the_reason_and_what_to_do(
    terminal: Terminal, cisco: Cisco, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    code, out, _err = terminal.types("plan", "--out", str(plan))
    assert code == 1
    assert "-ntp server 10.200.0.9\n" in out
    assert "+ntp server 10.200.0.1\n" in out
    assert "+ description Telkom\n" in out
    assert "hostname" not in out
    code, _out, err = terminal.types("push", "--plan", str(plan), "--yes")
    assert code == 1
    assert "platform 'cisco_ios' has no dead-man here" in err
    assert "by hand, with somebody at the office" in err
    assert not [line for line in cisco.asked if line.startswith(("configure", "ntp"))]


def test_what_it_runs_is_kept_without_its_secrets_and_drift_from_that_is_seen(
    terminal: Terminal, cisco: Cisco, tmp_path: Path
) -> None:
    assert terminal.types("drift")[0] == 3
    assert terminal.types("backup")[1] == "13.02.10/gw/running\n"
    kept = tmp_path / "data" / "provision" / "backup" / "13.02.10" / "gw" / "running"
    text = kept.read_text()
    assert "hostname kubung" in text
    assert "hx5rVt7rPNoS4wqbXKX7m0" not in text
    assert "s0l0k-baca" not in text
    cisco.config = CONFIG.replace("09:12:44", "11:00:00")
    assert terminal.types("drift") == (0, "", "")
    assert terminal.types("backup")[1] == ""
    cisco.config = CONFIG.replace("10.201.1.1\n", "10.201.1.9\n")
    code, out, _err = terminal.types("drift")
    assert code == 1
    assert "+ip route 0.0.0.0 0.0.0.0 10.201.1.9" in out


def test_a_command_that_is_refused_is_an_error_and_no_empty_configuration(
    router: SshServer,
) -> None:
    login = Console("cisco_ios").login
    with closing(ssh.connect(router.place, router.known_hosts, login=login)) as session:
        assert session.run("show running-config").out.startswith("Building")
        with pytest.raises(RefusedError, match="refuses 'display current-configuration': "):
            Console("huawei").read(session, Scope())
        with pytest.raises(RefusedError, match="is only read"):
            session.put("x", "y")


def test_every_platform_of_the_table_is_one_of_netmikos() -> None:
    from netmiko.ssh_dispatcher import CLASS_MAPPER_BASE

    assert set(SHOWS) <= set(CLASS_MAPPER_BASE)
    assert not set(SHOWS) & set(DIALECTS)
    assert set(READERS) == set(SHOWS) | set(DIALECTS)


def test_lines_of_a_template_stand_among_those_that_are_there() -> None:
    running = "set system host-name a\nset system ntp server 10.0.0.9\n"
    wanted = "delete system ntp server 10.0.0.9\nset system ntp server 10.0.0.1\n"
    made = shown.merged(running, wanted)
    assert made == "set system host-name a\nset system ntp server 10.0.0.1\n"
    assert json.dumps(shown.tidy("a \r\n!\r\n", SHOWS["cisco_ios"])) == '"a\\n"'
