"""From templates and variables to a gateway's configuration: strict, quoted, and without leaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.load import load
from inventory.model import Inventory
from provision import framing, masking
from provision.configuration import Scope
from provision.lint import Needs, Severity, lint
from provision.render import Rendered, Risk, render
from provision.settings import load_settings
from tabuah.errors import ConfigError, DecodeError

KEY = b"k" * 32
SECRETS = {
    "ppp": "sandi-telkom-99",
    "wg": "cGtleS1vZi10aGUtb2ZmaWNl",
    "auth": "lima5lima",
    "priv": "enam6enam",
}

INVENTORY = """\
organisation: Dinas Kominfo
sites:
  - code: "13.02.10"
    name: Kantor Camat Kubung
    kind: kecamatan
    circuits: [{id: telkom, provider: Telkom}, {id: lte, role: backup, technology: lte}]
    devices:
      - {name: gw, host: 10.99.1.1, platform: linux, role: gateway, interfaces: [wan0, lan0],
         login: {user: root, key: "file:id"}}
"""
SETTINGS = """\
window: 5m
vars:
  wan: wan0
  lan: lan0
  guest: lan0.30
  lte: wwan0
  management: [10.200.0.0/24]
  ntp: [10.200.0.1]
  syslog: 10.200.0.1
  resolvers: [10.200.0.1]
  priority_networks: [10.50.0.0/16]
  banner: Hanya untuk yang berhak
  frr: true
  frr_routes: [{to: 10.50.0.0/16, via: wg0}]
sites:
  "13.02.10":
    vars:
      addresses: {lan0: [192.168.1.1/24]}
      pppoe: {interface: wan0, user: kubung@telkom, password: "file:ppp"}
      wireguard:
        {address: 10.99.1.1/32, private_key: "file:wg", peer_key: abc=,
         endpoint: "198.51.100.1:51820", networks: [10.50.0.0/16]}
      snmp: {listen: 10.99.1.1, user: noc, auth: "file:auth", priv: "file:priv"}
      dhcp: [{name: pegawai, interface: lan0, first: 192.168.1.100, last: 192.168.1.200}]
      vlans: [{parent: lan0, id: "30", address: 192.168.30.1/24, name: tamu}]
"""


def _made(folder: Path, settings: str = SETTINGS) -> tuple[Inventory, Rendered]:
    (folder / "provision").mkdir(exist_ok=True)
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "provision" / "settings.yaml").write_text(settings)
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret)
    inventory = load(folder)
    site = inventory.site("13.02.10")
    return inventory, render(inventory, load_settings(folder), site, site.devices[0])


def test_a_kecamatan_gateway_has_all_of_the_starting_set(tmp_path: Path) -> None:
    _inventory, made = _made(tmp_path)
    assert {fragment.name for fragment in made.fragments} == {
        *("addresses", "sysctl", "firewall", "nat", "qos", "frr", "pppoe", "lte", "wireguard"),
        *("dhcp", "dns", "vlans", "banner", "ntp", "syslog", "snmp"),
    }
    assert "mtu 1492" in made.sections["/etc/ppp/peers/telkom"]
    assert "rt mtu" in made.sections["nftables"]
    assert made.risk(frozenset({"nftables"})) is Risk.A
    assert made.risk(frozenset({"/etc/chrony/conf.d/tabuah.conf"})) is Risk.C
    assert made.risk(frozenset()) is None
    modes = {file.path: file.mode for file in made.scope.files}
    assert modes["/etc/wireguard/wg0.conf"] == modes["/etc/ppp/peers/telkom"] == "0600"
    assert made.secrets == frozenset(SECRETS.values())


def test_masked_texts_hold_no_secret_and_still_show_that_one_changed(tmp_path: Path) -> None:
    _inventory, made = _made(tmp_path)
    masked = masking.mask_sections(made.sections, made.secrets, KEY)
    whole = "".join(masked.values())
    assert not [secret for secret in SECRETS.values() if secret in whole]
    assert whole.count("‹rahasia:") == len(SECRETS)
    (tmp_path / "ppp").write_text("another-one")
    site = _inventory.site("13.02.10")
    again = render(_inventory, load_settings(tmp_path), site, site.devices[0])
    assert masking.mask_sections(again.sections, again.secrets, KEY) != masked
    assert "sandi" not in repr(made)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rocommunity solok1 10.0.0.0/8", "solok1"),
        ("PrivateKey = aGVsbG8=", "aGVsbG8="),
        (" neighbor 10.0.0.1 password 7 s3cr3t", "s3cr3t"),
        ('createUser noc SHA "authpw" AES "privpw"', "authpw"),
    ],
)
def test_secrets_that_others_wrote_on_a_device_are_masked_too(text: str, shown: str) -> None:
    assert shown not in masking.mask(text, (), KEY)


def test_a_secret_has_the_same_name_whether_it_is_known_or_only_looks_like_one() -> None:
    for text in ('password "sandi-telkom"', "PrivateKey = sandi-telkom", "psk sandi-telkom"):
        known = masking.mask(text, ("sandi-telkom",), KEY)
        assert known == masking.mask(text, (), KEY)
        assert known == masking.mask(known, (), KEY)


def test_what_is_not_defined_is_an_error_that_names_office_and_template(tmp_path: Path) -> None:
    without = SETTINGS.replace("  management: [10.200.0.0/24]\n", "")
    with pytest.raises(
        ConfigError, match=r"13\.02\.10: device gw: template firewall: 'management'"
    ):
        _made(tmp_path, without)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("lan: lan0", 'lan: "lan0\\n\\t\\taccept"', "is no interface"),
        ("ntp: [10.200.0.1]", 'ntp: ["a b"]', "is no name"),
        ("banner: Hanya untuk yang berhak", 'banner: "a\\nb"', "line end"),
        ("resolvers: [10.200.0.1]", "resolvers: [lima]", "does not appear to be an IPv4"),
        ("user: kubung@telkom", "user: 'a\"b'", "holds a quote"),
    ],
)
def test_a_value_cannot_smuggle_in_a_line_of_configuration(
    tmp_path: Path, old: str, new: str, what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        _made(tmp_path, SETTINGS.replace(old, new))


def test_a_template_reaches_neither_python_nor_the_disk(tmp_path: Path) -> None:
    (tmp_path / "provision" / "templates" / "linux").mkdir(parents=True)
    own = tmp_path / "provision" / "templates" / "linux" / "ntp.j2"
    head = "{# section: /etc/chrony/conf.d/tabuah.conf  risk: C #}\n"
    own.write_text(head + "{{ site.__class__.__mro__ }}")
    with pytest.raises(ConfigError, match=r"template ntp: .*unsafe"):
        _made(tmp_path)
    own.write_text(head + "{% include '/etc/passwd' %}")
    with pytest.raises(ConfigError, match="template ntp"):
        _made(tmp_path)
    own.write_text("no head")
    with pytest.raises(ConfigError, match="begins with no line like"):
        _made(tmp_path)


def test_settings_refuse_what_they_do_not_know(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"settings\.yaml:1: unknown key 'windw'; did you mean"):
        _made(tmp_path, SETTINGS.replace("window:", "windw:"))
    with pytest.raises(ConfigError, match="too short to hear three reports"):
        _made(tmp_path, SETTINGS.replace("window: 5m", "window: 5s"))


def test_lint_asks_for_a_way_in_the_agents_way_out_and_a_default_route() -> None:
    before = {"ip": "address wan0 10.99.1.1/24\nroute default via 10.99.1.254 dev wan0\n"}
    needs = Needs("10.99.1.1")
    closed = (
        "table inet f {\n\tchain in {\n\t\ttype filter hook input priority filter; policy drop;\n"
        "\t\tct state established accept\n\t}\n\tchain fwd {\n"
        "\t\ttype filter hook forward priority filter; policy drop;\n"
        "\t\ttcp dport 80 accept\n\t}\n}\n"
    )
    found = lint(before, {"ip": "mtu wan0 1500\n", "nftables": closed}, needs)
    assert [finding.severity for finding in found] == [Severity.ERROR] * 4
    said = " ".join(finding.what for finding in found)
    for word in ("default route", "10.99.1.1", "accepts SSH", "reports pass"):
        assert word in said
    opened = closed.replace("tcp dport 80 accept", 'iifname "lan0" accept').replace(
        "ct state established accept", "ip saddr 10.0.0.0/8 tcp dport { 22, 443 } accept"
    )
    assert lint(before, {**before, "nftables": opened}, needs) == []


def test_what_was_framed_comes_back_and_what_is_cut_off_is_known() -> None:
    frames = {"ip": "a\n#b\n\n c\n", "want/files/0": ""}
    text = framing.encode(frames)
    assert framing.decode(text) == frames
    with pytest.raises(DecodeError, match="cut off"):
        framing.decode(text.removesuffix("#end\n"))
    assert framing.scope_frames(Scope(("wan0",), frr=True))["frr"] == ""
