"""The starting set of a kecamatan's gateway in each dialect: whole, quoted, and understood."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from inventory.load import load
from provision import masking
from provision.kits import KITS
from provision.lint import Needs
from provision.platforms import DIALECTS
from provision.render import Rendered, Risk, render
from provision.routeros import menu
from provision.settings import load_settings
from tabuah.errors import ConfigError
from tests.provision.openwrt_rig import OpenWrtRig

KEY = b"k" * 32
SECRETS = {
    "ppp": "sandi-telkom's $x",
    "wg": "cGtleS1vZg==",
    "auth": "lima5lima",
    "priv": "enam6enam",
}
INVENTORY = """\
organisation: Dinas Kominfo
sites:
  - code: "13.02.10"
    name: Kantor Camat Kubung
    kind: kecamatan
    devices:
      - {name: gw, host: 10.99.1.1, platform: PLATFORM, role: gateway, interfaces: [wan0, lan0],
         login: {user: root, key: "file:id"}}
"""
SETTINGS = """\
vars:
  wan: wan0
  lan: lan
  guest: tamu
  lte: lte1
  management: [10.200.0.0/24]
  ntp: [10.200.0.1, 10.200.0.2]
  syslog: 10.200.0.1
  resolvers: [10.200.0.1, 10.200.0.2]
  priority_networks: [10.50.0.0/16]
  voice_networks: [10.60.0.0/16]
  banner: Hanya untuk yang berhak
  wan_device: wan0
sites:
  "13.02.10":
    vars:
      hostname: kubung
      addresses: {lan: [192.168.1.1/24], wan0: [10.201.1.2/24]}
      interfaces: {lan: {device: br-lan, address: 192.168.1.1/24},
                   wan0: {device: wan0, address: 10.201.1.2/24, gateway: 10.201.1.1}}
      bridges: {br-lan: [lan1, lan2]}
      routes: [{to: default, via: 10.201.1.1, dev: wan0}]
      pppoe: {interface: wan0, user: kubung@telkom, password: "file:ppp"}
      wireguard:
        {address: 10.99.1.1/32, private_key: "file:wg", peer_key: abc,
         endpoint: "198.51.100.1:51820", networks: [10.50.0.0/16]}
      l2tp: {server: 198.51.100.1, user: kubung, password: "file:ppp", psk: "file:priv"}
      snmp: {listen: 10.99.1.1, user: noc, auth: "file:auth", priv: "file:priv"}
      dhcp: [{name: pegawai, interface: lan, first: 192.168.1.100, last: 192.168.1.200,
              router: 192.168.1.1, network: 192.168.1.0/24}]
      vlans: [{parent: lan0, id: "30", address: 192.168.30.1/24, name: tamu}]
"""


def _made(folder: Path, platform: str, settings: str = SETTINGS) -> Rendered:
    (folder / "provision").mkdir(parents=True, exist_ok=True)
    (folder / "inventory.yaml").write_text(INVENTORY.replace("PLATFORM", platform))
    (folder / "provision" / "settings.yaml").write_text(settings)
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret)
    inventory = load(folder)
    site = inventory.site("13.02.10")
    return render(inventory, load_settings(folder), site, site.devices[0])


@pytest.mark.parametrize("platform", ["openwrt", "routeros", "routeros6"])
def test_a_kecamatans_gateway_has_all_of_the_starting_set(tmp_path: Path, platform: str) -> None:
    made = _made(tmp_path, platform)
    names = {fragment.name for fragment in made.fragments}
    assert names == set(KITS[platform].roles["gateway"])
    assert made.risk(frozenset(made.sections)) is Risk.A
    masked = "".join(masking.mask_sections(made.sections, made.secrets, KEY).values())
    for secret in SECRETS.values():
        assert secret not in masked
    assert "sandi-telkom" not in masked
    assert not DIALECTS[platform].lint({}, made.sections, Needs("10.99.1.1"))


@pytest.mark.parametrize("platform", ["routeros", "routeros6"])
def test_what_is_written_for_routeros_is_as_it_exports_it(tmp_path: Path, platform: str) -> None:
    made = _made(tmp_path, platform)
    assert ("ros/interface/wireguard" in made.sections) == (platform == "routeros")
    assert ("ros/interface/l2tp-client" in made.sections) == (platform == "routeros6")
    for section, text in made.sections.items():
        lines = menu.parse(text, section)
        assert lines, section
        assert all(line.values for line in lines)
        assert menu.normal(menu.as_text(lines), section) == menu.normal(text, section)
    (telkom,) = menu.parse(
        made.sections["ros/interface/pppoe-client"], "ros/interface/pppoe-client"
    )
    assert telkom.values["password"] == SECRETS["ppp"]


@pytest.mark.peer
@pytest.mark.lab
def test_what_is_written_for_openwrt_is_understood_by_its_uci(tmp_path: Path) -> None:
    made = _made(tmp_path / "inventory", "openwrt")
    rig = OpenWrtRig(tmp_path / "gateway")
    try:
        session = rig.connect()
        listed: Mapping[str, str] = rig.dialect.prepare(session, made.sections, rig.before)
        session.close()
    finally:
        rig.close()
    assert set(listed) == set(made.sections)
    assert "option password 'sandi-telkom'\\''s $x'" in listed["uci/network"]
    assert "option mtu '1492'" in listed["uci/network"]
    assert "config led 'led_wan'" in listed["uci/system"]
    assert "option set_dscp 'AF31'" in listed["uci/firewall"]


@pytest.mark.parametrize("platform", ["openwrt", "routeros"])
@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("hostname: kubung", 'hostname: "a b"', "is no name"),
        ("user: kubung@telkom", 'user: "a\\nb"', "line end"),
        ("10.201.1.2/24", "lima", "does not appear to be an IPv4"),
    ],
)
def test_a_value_cannot_smuggle_in_a_line_of_configuration(
    tmp_path: Path, platform: str, old: str, new: str, what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        _made(tmp_path, platform, SETTINGS.replace(old, new))
