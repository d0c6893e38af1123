"""RouterOS: what its texts mean, and the traps that its documentation and its users tell of."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.configuration import Scope, Sections, same
from provision.dialect import Armed
from provision.filters import ros_quoted
from provision.lint import Needs, Severity
from provision.routeros import menu
from provision.routeros.gateway import RouterOs as Dialect
from provision.routeros.lint import lint
from provision.session import RefusedError
from provision.states import Marker
from tabuah.errors import DecodeError
from tabuah.main import main
from tests.provision.rigs import Direct, RouterOsRig
from tests.support.routeros import RouterOs
from tests.support.ssh_server import SshServer

ADDRESS, FILTER, DNS = "ros/ip/address", "ros/ip/firewall/filter", "ros/ip/dns"


class Desk:
    """One router, and a session on it without a line."""

    def __init__(self, folder: Path, version: str = "7.15.3") -> None:
        self.rig = RouterOsRig(folder, version, over_ssh=False)
        self.router = self.rig.router
        self.clock = self.rig.clock
        self.dialect = Dialect(self.router.major)
        self.session = Direct(self.router)
        self.was = self.rig.runs()

    def arm(self, wanted: Sections | None = None, tx: str = "a1", window_s: int = 60) -> Armed:
        return self.dialect.arm(self.session, tx, window_s, self.rig.scope, wanted or self.rig.good)

    def apply(self, tx: str = "a1") -> None:
        self.dialect.apply(self.session, tx)
        for _ in range(5):
            self.clock.sleep(1)

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.sleep(1)


@pytest.fixture(params=["6.49.10 (long-term)", "7.18.2 (stable)"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, request.param)


BAD: dict[str, Callable[[Sections], Sections]] = {
    "wrong uplink address": lambda now: {ADDRESS: now[ADDRESS].replace("10.0.0.2", "10.0.0.66")},
    "LAN address wrong while SSH stays": lambda now: {
        ADDRESS: now[ADDRESS].replace("192.168.1.1", "192.168.9.1")
    },
    "default route lost": lambda _now: {"ros/ip/route": ""},
    "firewall locks SSH out": lambda now: {
        FILTER: now[FILTER].replace("dst-port=22", "dst-port=23")
    },
    "firewall drops what is forwarded": lambda now: {
        FILTER: now[FILTER] + "add action=drop chain=forward\n"
    },
    "DNS broken": lambda _now: {DNS: "set allow-remote-requests=yes servers=192.0.2.1\n"},
    "refused half-way": lambda now: {
        DNS: "set servers=192.0.2.1\n",
        FILTER: now[FILTER] + "add action=drop chain=forward in-interface=wan9\n",
    },
    "not understood half-way": lambda now: {
        DNS: "set servers=192.0.2.1\n",
        "ros/ip/fasttrack": "add chain=forward\n",
        FILTER: now[FILTER],
    },
}


@pytest.mark.parametrize("kind", BAD)
def test_with_nobody_left_at_the_centre_each_bad_change_undoes_itself(
    desk: Desk, kind: str
) -> None:
    scope = Scope(sections=(*desk.rig.scope.sections, "ros/ip/route"))
    now = desk.dialect.read(desk.session, scope)
    wanted = {**now, **BAD[kind](now)}
    desk.dialect.arm(desk.session, "a1", 60, scope, wanted)
    desk.apply()
    assert not desk.rig.well() or not desk.rig.reachable() or not desk.router.up
    desk.wait(100)
    assert desk.rig.runs() == desk.was
    assert desk.rig.well()
    assert desk.router.reboots == 1
    assert desk.dialect.ask(desk.session, "a1").marker is Marker.NONE
    assert same(desk.dialect.read(desk.session, scope), now)


def test_a_backup_brings_back_no_scheduler_of_its_own(desk: Desk) -> None:
    """One that was taken after arming would fire at each boot, for ever."""
    desk.arm(desk.rig.bad)
    desk.apply()
    desk.wait(600)
    assert desk.router.reboots == 1
    assert not desk.router.kept["system scheduler"]
    assert not desk.router.kept["system script"]


def test_a_clock_that_jumps_neither_fires_early_nor_late(desk: Desk) -> None:
    for jump in (3600.0, -3600.0):
        desk.arm(desk.rig.bad, window_s=60)
        desk.apply()
        desk.router.wall_offset_s += jump
        desk.wait(40)
        assert desk.router.up
        assert desk.dialect.ask(desk.session, "a1").marker is Marker.ARMED
        desk.wait(50)
        assert desk.rig.runs() == desk.was
        desk.dialect.release(desk.session, "a1")


def test_a_job_that_was_killed_leaves_the_scheduler_and_a_scheduler_that_is_gone_the_job(
    desk: Desk,
) -> None:
    for lost in ("jobs", "schedulers"):
        desk.arm(desk.rig.bad)
        desk.apply()
        if lost == "jobs":
            desk.router._jobs.clear()
        else:
            desk.router.kept["system scheduler"].clear()
        desk.wait(100)
        assert desk.rig.runs() == desk.was
        desk.dialect.release(desk.session, "a1")


def test_what_is_kept_in_memory_does_not_outlive_a_reboot_so_the_backup_lies_on_flash(
    desk: Desk,
) -> None:
    desk.arm(desk.rig.bad)
    assert set(desk.router.files) == {
        "flash/tabuah-a1.backup",
        "flash/tabuah-a1.rsc",
        "flash/tabuah-a1-arm.rsc",
    }
    desk.apply()
    desk.router.reboot()
    desk.wait(60)
    assert desk.rig.runs() == desk.was
    assert desk.router.reboots == 2
    desk.dialect.release(desk.session, "a1")
    assert not desk.router.files


def test_of_two_who_decide_one_wins_whoever_is_first(desk: Desk) -> None:
    desk.arm()
    desk.apply()
    desk.dialect.roll_back(desk.session, "a1")
    desk.router.tick()
    assert not desk.router.up
    desk.wait(40)
    with pytest.raises(RefusedError, match="not applied"):
        desk.dialect.confirm(desk.session, "a1")
    assert desk.rig.runs() == desk.was
    desk.dialect.release(desk.session, "a1")
    desk.arm(tx="a2")
    desk.apply("a2")
    assert desk.dialect.confirm(desk.session, "a2").marker is Marker.CONFIRMED
    kept = desk.rig.runs()
    desk.dialect.roll_back(desk.session, "a2")
    desk.wait(120)
    desk.router.reboot()
    desk.wait(120)
    assert desk.rig.runs() == kept
    said = desk.dialect.ask(desk.session, "a2")
    assert (said.marker, said.saved) == (Marker.CONFIRMED, True)


def test_a_confirmed_one_is_remembered_after_it_was_released(desk: Desk) -> None:
    for number in range(3):
        tx = f"a{number}"
        desk.arm(desk.rig.good if number % 2 == 0 else desk.rig.before, tx=tx)
        desk.apply(tx)
        desk.dialect.confirm(desk.session, tx)
        desk.dialect.release(desk.session, tx)
    assert desk.dialect.ask(desk.session, "a0").marker is Marker.CONFIRMED
    assert [item["name"] for item in desk.router.kept["system script"]] == ["tabuah-settled"]


def test_one_transaction_at_a_time_and_a_settled_one_makes_room(desk: Desk) -> None:
    desk.arm(tx="a1")
    with pytest.raises(RefusedError, match="busy with transaction a1"):
        desk.arm(tx="b1")
    with pytest.raises(RefusedError, match="a1 is not settled"):
        desk.dialect.release(desk.session, "a1")
    desk.apply("a1")
    desk.dialect.confirm(desk.session, "a1")
    desk.arm(desk.rig.before, tx="b1")
    assert desk.dialect.ask(desk.session, "b1").open == "b1"


def test_nothing_changed_needs_no_reboot_to_be_undone(desk: Desk) -> None:
    desk.arm()
    desk.dialect.roll_back(desk.session, "a1")
    desk.wait(2)
    said = desk.dialect.ask(desk.session, "a1")
    assert (said.marker, said.restored) == (Marker.FIRED, True)
    desk.wait(100)
    assert desk.router.reboots == 0
    desk.dialect.apply(desk.session, "a1")  # too late
    desk.wait(5)
    assert desk.rig.runs() == desk.was
    with pytest.raises(RefusedError, match="already have such name"):
        desk.dialect.apply(desk.session, "a1")


@pytest.mark.parametrize(
    ("trouble", "what"),
    [
        (lambda router: setattr(router, "policy", "ssh,read,write,test"), "not enough permissions"),
        (lambda router: setattr(router, "flash_room", 100), "not enough space"),
    ],
)
def test_a_device_that_cannot_be_armed_says_why_and_nothing_is_left_on_it(
    desk: Desk, trouble: Callable[[RouterOs], None], what: str
) -> None:
    trouble(desk.router)
    with pytest.raises(RefusedError, match=f"refuses to be armed: .*{what}"):
        desk.arm()
    assert not desk.router.kept.get("system script")
    assert not desk.router.kept.get("system scheduler")
    assert not desk.router.files
    assert desk.dialect.ask(desk.session, "a1").marker is Marker.NONE


def test_a_device_mode_without_schedulers_is_told_and_only_the_job_is_left(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, "7.18.2 (stable)")
    assert desk.dialect.lacks(desk.session) == ""
    desk.router.schedulers = False
    assert "device-mode forbids schedulers" in desk.dialect.lacks(desk.session)
    assert desk.arm(desk.rig.bad).said.timer
    desk.apply()
    desk.wait(100)
    assert desk.rig.runs() == desk.was


def test_the_version_must_be_the_one_of_the_inventory(tmp_path: Path) -> None:
    old = Desk(tmp_path / "a", "6.49.10")
    with pytest.raises(RefusedError, match="platform in the inventory is routeros6"):
        Dialect(7).read(old.session, old.rig.scope)
    old.router.version = "6.40.9"
    with pytest.raises(RefusedError, match="too old to be pushed to"):
        old.dialect.read(old.session, old.rig.scope)


def test_secrets_are_read_by_either_version_or_a_changed_one_would_not_be_seen(
    desk: Desk,
) -> None:
    desk.router.kept["interface pppoe-client"] = [
        {".id": "*99", "name": "telkom", "password": "sandi", "user": "kubung"}
    ]
    scope = Scope(sections=("ros/interface/pppoe-client",))
    assert "password=sandi" in desk.dialect.read(desk.session, scope)[scope.sections[0]]


def test_an_error_on_a_channel_without_exit_codes_is_an_error(tmp_path: Path) -> None:
    for kind, folder in (("6.49.10", tmp_path / "a"), ("7.15.3", tmp_path / "b")):
        folder.mkdir()
        rig = RouterOsRig(folder, kind)
        with closing(rig.connect()) as session, closing(rig):
            with pytest.raises(RefusedError, match="bad command name fasttrack"):
                rig.dialect.read(session, Scope(sections=("ros/ip/fasttrack",)))
            assert same(rig.dialect.read(session, rig.scope), rig.before)


# ---- texts --------------------------------------------------------------------------------------


@given(st.text(max_size=30))
def test_what_is_quoted_is_read_back(value: str) -> None:
    line = f"add comment={ros_quoted(value)} name=x"
    (parsed,) = menu.parse(line.replace("\n", "\\n"), ADDRESS)
    assert parsed.values["comment"] == value


def test_the_order_of_words_and_of_entries_means_nothing_but_where_it_does() -> None:
    one = "add interface=lan0 address=192.168.1.1/24\nadd address=10.0.0.2/24 interface=wan0\n"
    other = 'add address=10.0.0.2/24 interface="wan0"\nadd address=192.168.1.1/24 interface=lan0\n'
    assert same({ADDRESS: one}, {ADDRESS: other})
    assert not same(
        {FILTER: "add action=drop chain=input\nadd action=accept chain=input\n"},
        {FILTER: "add action=accept chain=input\nadd action=drop chain=input\n"},
    )


def test_an_export_is_read_wrapped_or_not_and_without_its_sub_menus() -> None:
    wrapped = (
        "# nov/24/2026 09:00:00 by RouterOS 6.49.10\n/ip dns\nset allow-remote-requests=yes \\\n"
        "    servers=10.200.0.53,10.20\\\n    0.0.54\n/ip dns static\nadd address=10.0.0.1 name=a\n"
    )
    assert menu.from_export(wrapped, DNS) == (
        "set allow-remote-requests=yes servers=10.200.0.53,10.200.0.54\n"
    )
    with pytest.raises(DecodeError, match="no export"):
        menu.from_export("expected end of command (line 1 column 5)\n", DNS)


def test_an_entry_that_others_name_is_changed_in_its_place() -> None:
    section = "ros/ip/pool"
    was = "add name=lan ranges=192.168.1.9-192.168.1.99\n"
    made = menu.program(section, was, was.replace("192.168", "10.1"))
    assert made[1:] == ["/ip pool set [:pick [/ip pool find] 0] ranges=10.1.1.9-10.1.1.99"]


def test_settings_that_no_template_names_stay() -> None:
    made = menu.completed("ros/ip/service", "set www port=8080\n", "set telnet disabled=yes\n")
    assert made == "set telnet disabled=yes\nset www port=8080\n"


def test_lint_asks_for_a_way_in_the_agents_way_out_and_a_default_route() -> None:
    before = {
        ADDRESS: "add address=10.99.1.1/24 interface=wan0\n",
        "ros/ip/route": "add dst-address=0.0.0.0/0 gateway=10.99.1.254\n",
    }
    closed = "add action=drop chain=input\nadd action=drop chain=forward\n"
    wanted = {
        ADDRESS: "add address=10.98.1.1/24 interface=wan0\n",
        "ros/ip/route": "add dst-address=10.0.0.0/8 gateway=10.99.1.254\n",
        FILTER: closed,
        "ros/ip/service": "set ssh disabled=yes\n",
    }
    found = list(lint(before, wanted, Needs("10.99.1.1")))
    assert [one.severity for one in found] == [Severity.ERROR] * 5
    opened = (
        "add action=accept chain=input dst-port=20-22 protocol=tcp src-address=10.0.0.0/8\n"
        "add action=accept chain=forward in-interface=lan0\n" + closed
    )
    assert not list(lint(before, {**before, FILTER: opened}, Needs("10.99.1.1")))


def test_the_played_router_knows_the_language_as_far_as_it_is_used(tmp_path: Path) -> None:
    router = Desk(tmp_path, "7.15.3").router
    assert router.execute(':put ("a" . [:len [/ip address find]])')[1] == "a2\r\n"
    assert router.execute(':do { :error "x" } on-error={ :put "caught" }')[1] == "caught\r\n"
    assert "bad command name nosuch" in router.execute("/ip nosuch add x=1")[1]
    assert router.execute(":if (1 = 1) do={ :put yes } else={ :put no }")[1] == "yes\r\n"


# ---- at the terminal ----------------------------------------------------------------------------

INVENTORY = """\
organisation: Dinas Kominfo
sites:
  - code: "13.02.10"
    name: Kantor Camat Kubung
    devices:
      - {name: gw, host: 127.0.0.1, platform: routeros, role: gateway,
         login: {user: admin, key: "file:id", port: PORT}}
"""
SETTINGS = """\
roles: {gateway: [addresses]}
sites:
  "13.02.10":
    vars: {addresses: {lan0: [192.168.1.1/24], wan0: [10.0.0.2/24, 10.0.0.3/24]}}
"""


@pytest.mark.peer
def test_a_device_without_a_whole_dead_man_takes_class_a_only_with_someone_at_the_office(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    router = RouterOs(time.monotonic, "7.18.2 (stable)", schedulers=False)
    with closing(SshServer(tmp_path, router)) as server:
        (tmp_path / "inventory.yaml").write_text(INVENTORY.replace("PORT", str(server.port)))
        own = tmp_path / "data" / "provision"
        own.mkdir(parents=True)
        (own / "known_hosts").write_text(server.known_hosts.read_text())
        (tmp_path / "provision").mkdir()
        (tmp_path / "provision" / "settings.yaml").write_text(SETTINGS)
        where = ("--inventory", str(tmp_path), "--data", str(tmp_path / "data"))
        plan = str(tmp_path / "plan.json")
        assert main(("config", "plan", *where, "--out", plan)) == 0
        said = capsys.readouterr().out
        assert "risk A" in said
        assert "+add address=10.0.0.3/24 interface=wan0" in said
        assert "warning: it cannot undo a change for sure: its device-mode forbids" in said
        assert main(("config", "push", *where, "--plan", plan, "--yes")) == 1
        assert "push it with --at-site when someone stands there" in capsys.readouterr().err
        assert main(("config", "push", *where, "--plan", plan, "--yes", "--at-site")) == 1
        # As far as the gate: no collector runs here.
        assert "--at-site" not in capsys.readouterr().err
        assert not router.files
        assert main(("config", "backup", *where)) == 0
        assert capsys.readouterr().out == "13.02.10/gw/ros_ip_address\n"
