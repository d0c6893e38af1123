"""OpenWrt: what its texts mean, and the traps of a small device with a full or foreign flash."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from provision.configuration import Sections, same
from provision.lint import Needs, Severity
from provision.openwrt import uci
from provision.openwrt.gateway import OpenWrtGateway
from provision.openwrt.lint import lint
from provision.session import RefusedError, Session
from provision.states import Marker
from tests.provision.openwrt_rig import OpenWrtRig

pytestmark = [pytest.mark.peer, pytest.mark.lab]


class Desk:
    """One gateway, and a session on it."""

    def __init__(self, folder: Path, shell: str = "dash") -> None:
        self.rig = OpenWrtRig(folder, shell)
        self.gateway = self.rig.gateway
        self.dialect = self.rig.dialect
        self.session: Session = self.rig.connect()
        self.was = self.rig.runs()

    def arm(self, wanted: Sections, tx: str = "a1") -> None:
        self.dialect.arm(self.session, tx, self.rig.window_s, self.rig.scope, wanted)

    def wait_until_it_is_as_before(self) -> None:
        for _ in range(60):
            if self.rig.runs() == self.was:
                break
            self.rig.clock.sleep(1)
        assert self.rig.runs() == self.was
        for _ in range(5):
            self.rig.clock.sleep(1)

    def apply(self) -> None:
        self.dialect.apply(self.session, "a1")
        for _ in range(40):
            if self.rig.changed():
                return
            self.rig.clock.sleep(1)
        raise AssertionError("the change does not end")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    with closing(made.rig), closing(made.session):
        yield made


def test_at_boot_what_was_not_confirmed_is_put_back_before_any_service_reads_it(
    desk: Desk,
) -> None:
    desk.arm(desk.rig.bad)
    desk.apply()
    assert "10.0.0.66" in desk.gateway.live("network")
    desk.gateway.reboot()
    assert "10.0.0.66" not in desk.gateway.run("cat /etc/came-up")
    desk.wait_until_it_is_as_before()
    with closing(desk.rig.connect()) as session:
        said = desk.dialect.ask(session, "a1")
        assert (said.marker, said.restored) == (Marker.FIRED, True)
        desk.dialect.release(session, "a1")
        assert desk.gateway.run("ls /etc/config").split() == ["firewall", "network", "system"]


def test_a_flash_that_fills_up_does_not_hinder_the_undoing_and_a_full_one_is_not_armed(
    desk: Desk,
) -> None:
    desk.arm(desk.rig.bad)
    desk.apply()
    fill = "dd if=/dev/zero of=/etc/fill bs=1k 2>/dev/null; true"
    desk.gateway.run(fill)
    for _ in range(desk.rig.window_s):
        desk.rig.clock.sleep(1)
    desk.wait_until_it_is_as_before()
    with closing(desk.rig.connect()) as session:
        desk.dialect.release(session, "a1")
        desk.gateway.run(fill)
        with pytest.raises(RefusedError, match="refuses 'arm'"):
            desk.dialect.arm(session, "a2", 20, desk.rig.scope, desk.rig.good)
        desk.gateway.run("rm /etc/fill")
        assert desk.dialect.ask(session, "a2").marker is Marker.NONE
    assert desk.rig.runs() == desk.was


def test_what_another_hand_has_staged_is_neither_read_nor_committed_and_bars_the_arming(
    desk: Desk,
) -> None:
    desk.gateway.run("mkdir -p /tmp/.uci && echo config staged >/tmp/.uci/system")
    now = desk.dialect.read(desk.session, desk.rig.scope)
    assert same(now, desk.rig.before)
    with pytest.raises(RefusedError, match="another hand changes system and has not committed"):
        desk.arm(desk.rig.good)
    desk.gateway.run("rm -r /tmp/.uci && mkdir -p /var/run/rpcd/snapshot-files")
    desk.gateway.run("touch /var/run/rpcd/snapshot-files/network")
    with pytest.raises(RefusedError, match="a change by LuCI waits to be kept or rolled back"):
        desk.arm(desk.rig.good)
    desk.gateway.run("rm -r /var/run/rpcd")
    desk.arm(desk.rig.good)


def test_a_package_that_its_uci_does_not_understand_is_refused_when_it_is_planned(
    desk: Desk,
) -> None:
    wrong = {"uci/system": "config system\n\toption hostname 'a\n\tnonsense\n"}
    with pytest.raises(RefusedError, match="package system: uci: Parse error"):
        desk.dialect.prepare(desk.session, wrong, desk.rig.before)
    made = desk.dialect.prepare(
        desk.session, {"uci/system": 'config system\n  option hostname "a b"\n'}, desk.rig.before
    )
    assert made["uci/system"].startswith("package system\n\nconfig led 'led_wan'\n")
    assert "\toption hostname 'a b'\n" in made["uci/system"]


def test_in_a_busybox_that_has_every_applet_it_goes_as_well(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "ash")
    with closing(desk.rig), closing(desk.session):
        assert desk.gateway.run("type setsid").endswith("setsid\n")
        desk.arm(desk.rig.bad)
        desk.apply()
        desk.gateway.uptime_s += 100
        desk.rig.clock.now += 100
        desk.wait_until_it_is_as_before()


def test_no_command_is_longer_than_dropbear_takes() -> None:
    longest = OpenWrtGateway()._command(("arm", "20261124130000-abcdef", "300"), "x")[0]
    assert len(longest) < 1000


# ---- texts --------------------------------------------------------------------------------------

NETWORK = """\
package network

config interface 'lan'
	option device 'br-lan'
	option proto 'static'
	list ipaddr '192.168.1.1/24'
	list ipaddr '10.99.1.1/32'

config interface 'wan'
	option proto 'pppoe'
	option username 'it'\\''s'
"""


def test_sections_are_read_and_the_boards_own_are_kept() -> None:
    lan, wan = uci.sections(NETWORK)
    assert (lan.kind, lan.name, lan.many("ipaddr")) == (
        "interface",
        "lan",
        ("192.168.1.1/24", "10.99.1.1/32"),
    )
    assert wan.one("username") == "it's"
    running = "config switch\n\toption name 'sw0'\n\nconfig interface 'old'\n"
    assert uci.completed("network", running, NETWORK).startswith("config switch\n")
    assert "old" not in uci.completed("network", running, NETWORK)
    assert uci.completed("network", running, "config switch\n") == "config switch\n"


def test_lint_asks_for_a_way_in_the_agents_way_out_and_a_default_route() -> None:
    before = {"uci/network": NETWORK}
    wanted = {
        "uci/network": "config interface 'lan'\n\toption ipaddr '192.168.1.1'\n",
        "uci/firewall": "config zone\n\toption input 'REJECT'\n",
        "uci/dropbear": "config dropbear\n\toption Port '2222'\n",
    }
    found = list(lint(before, wanted, Needs("10.99.1.1")))
    assert [one.severity for one in found] == [Severity.ERROR] * 5
    opened = {
        "uci/firewall": (
            "config rule\n\toption src 'wan'\n\toption proto 'tcp'\n\toption dest_port '22'\n"
            "\toption target 'ACCEPT'\n\nconfig forwarding\n\toption src 'lan'\n"
        ),
        "uci/dropbear": "config dropbear\n\toption Port '22'\n",
    }
    assert not list(lint(before, {**before, **opened}, Needs("10.99.1.1")))
