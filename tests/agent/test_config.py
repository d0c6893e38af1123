from __future__ import annotations

import logging
from pathlib import Path

import pytest

from agent.config import Circuit, Collector, Device, Probe, load, parse
from tabuah.errors import ConfigError
from tabuah.measurement import Kind, Role

KU = "ab" * 32
HEAD = f"""site = "13.02.10"

[[collectors]]
address = "10.200.0.1:10162"
engine_id = "80007ed904746162756168"
user = "13.02.10#2"
ku = "{KU}"
"""
FULL = (
    'site = "13.02.10"\ninterval = "30s"\ndata = "/srv/tabuah"\nlanguage = "en"\n'
    + HEAD.split("\n", 1)[1]
    + """
[[circuits]]
id = "telkom"
interface = "eth0"

[[circuits]]
id = "lte"

[[probes]]
name = "dc"
kind = "udp"
role = "centre"
target = "10.200.0.1:10862"
circuit = "telkom"
count = 3
timeout = "1.5s"

[[probes]]
name = "resolver"
kind = "dns"
role = "public"
target = "siak.example"
server = "203.0.113.53"

[[probes]]
name = "siak"
kind = "http"
role = "service"
target = "https://siak.example/health"
expect = "OK"
service = "siak"

[[devices]]
name = "router"
host = "192.168.1.1"
role = "gateway"
community = "rahasia"
interfaces = ["wan0"]

[[devices]]
name = "ups"
host = "192.168.1.5"
role = "ups"
every = "1m"
version = "3"
user = "mon"
auth_protocol = "sha1"
auth_key = "12345678"
priv_protocol = "aes128"
priv_key = "87654321"
"""
)


def test_a_full_configuration_is_read_as_dataclasses() -> None:
    config = parse(FULL, "agent.toml")
    assert (config.site, config.interval_s, config.data, config.language) == (
        "13.02.10",
        30.0,
        Path("/srv/tabuah"),
        "en",
    )
    engine_id = bytes.fromhex("80007ed904746162756168")
    assert config.collectors == (
        Collector("10.200.0.1", 10162, engine_id, "13.02.10#2", bytes.fromhex(KU)),
    )
    assert config.circuits == (Circuit("telkom", "eth0"), Circuit("lte"))
    assert config.probes == (
        Probe(
            "dc", Kind.UDP, Role.CENTRE, "10.200.0.1:10862",
            count=3, timeout_s=1.5, circuit="telkom", interface="eth0",
        ),
        Probe(
            "resolver", Kind.DNS, Role.PUBLIC, "siak.example",
            server="203.0.113.53", every_s=60.0,
        ),
        Probe(
            "siak", Kind.HTTP, Role.SERVICE, "https://siak.example/health",
            expect="OK", every_s=300.0, timeout_s=10.0, service="siak",
        ),
    )  # fmt: skip
    assert config.devices == (
        Device(
            "router", "192.168.1.1", Role.GATEWAY, interfaces=("wan0",), community="rahasia"
        ),
        Device(
            "ups", "192.168.1.5", Role.UPS, every_s=60.0, version="3", user="mon",
            auth_protocol="sha1", auth_key="12345678",
            priv_protocol="aes128", priv_key="87654321",
        ),
    )  # fmt: skip


def test_the_least_configuration_is_a_site_and_a_collector() -> None:
    config = parse(HEAD, "agent.toml")
    assert (config.interval_s, config.probes, config.data) == (10.0, (), Path("/var/lib/tabuah"))


def test_keys_are_never_shown() -> None:
    assert KU not in repr(parse(FULL, "agent.toml"))
    assert "ab" * 8 not in repr(parse(FULL, "agent.toml")).replace("\\x", "")
    assert "rahasia" not in repr(parse(FULL, "agent.toml"))


PING = '\n[[probes]]\nname = "a"\nkind = "ping"\nrole = "public"\ntarget = "203.0.113.10"\n'
ROUTER = '\n[[devices]]\nname = "r"\nhost = "192.168.1.1"\nrole = "gateway"\n'

# HEAD has 7 lines; PING's begin at line 9, so do ROUTER's.
BROKEN = {
    "an unknown key, misspelt": (
        'intervall = "10s"\n' + HEAD,
        "agent.toml:1: unknown key 'intervall'; did you mean 'interval'?",
    ),
    "an unknown key in a probe": (
        HEAD + PING + 'timeuot = "1s"\n',
        "agent.toml:14: unknown key 'timeuot' in [[probes]]; did you mean 'timeout'?",
    ),
    "a number for a text": (
        HEAD.replace('"13.02.10"\n', "13.02\n", 1),
        "agent.toml:1: 'site' must be a text in quotes, not a number",
    ),
    "no site": (HEAD.split("\n", 1)[1], "agent.toml: lacks 'site'"),
    "an empty site": ('site = ""\n' + HEAD[18:], "agent.toml:1: 'site' must not be empty"),
    "no collector": (
        'site = "a"\n',
        "agent.toml: lacks [[collectors]]: nobody to report to; run: tabuah enrol",
    ),
    "a duration without a unit": (
        "interval = 10\n" + HEAD,
        "agent.toml:1: 'interval' must be a duration in quotes, like \"10s\", not a number",
    ),
    "a duration in words": (
        'interval = "ten"\n' + HEAD,
        (
            "agent.toml:1: 'interval': 'ten' is no duration; "
            "write a number and a unit, like 10s, 500ms or 5m"
        ),
    ),
    "too short an interval": (
        'interval = "10ms"\n' + HEAD,
        "agent.toml:1: 'interval' must be at least 1s, not 10ms",
    ),
    "another language": (
        'language = "en_GB"\n' + HEAD,
        "agent.toml:1: 'language' must be one of id, en, not 'en_GB'",
    ),
    "an address without a port": (
        HEAD.replace(":10162", ""),
        "agent.toml:4: 'address': '10.200.0.1' is no address; write HOST:PORT or [IPV6]:PORT",
    ),
    "an engine ID too short": (
        HEAD.replace("80007ed904746162756168", "8000"),
        "agent.toml:5: 'engine_id': an engine ID is 10 to 64 hex digits (RFC 3411)",
    ),
    "a key that is none": (
        HEAD.replace(KU, "secret"),
        "agent.toml:7: 'ku': a key is 64 hex digits; run: tabuah enrol",
    ),
    "collectors that are no tables": (
        'site = "a"\ncollectors = ["10.0.0.1:10162"]\n',
        (
            "agent.toml:2: 'collectors' must be a list of tables, "
            "each under a line [[collectors]], not a list\n"
            "agent.toml: lacks [[collectors]]: nobody to report to; run: tabuah enrol"
        ),
    ),
    "a probe of an unknown kind": (
        HEAD + PING.replace('"ping"', '"pign"'),
        (
            "agent.toml:11: 'kind' must be one of ping, udp, dns, tcp, http, not 'pign'; "
            "did you mean 'ping'?"
        ),
    ),
    "a probe of an unknown role": (
        HEAD + PING.replace('"public"', '"publik"'),
        (
            "agent.toml:12: 'role' must be one of gateway, first_hop, centre, public, service, "
            "ups, other, not 'publik'; did you mean 'public'?"
        ),
    ),
    "a probe without a target": (
        HEAD + '\n[[probes]]\nname = "a"\nkind = "tcp"\nrole = "public"\n',
        "agent.toml:9: [[probes]] lacks 'target'",
    ),
    "a udp probe without a port": (
        HEAD + PING.replace('"ping"', '"udp"'),
        "agent.toml:13: 'target': '203.0.113.10' is no address; write HOST:PORT or [IPV6]:PORT",
    ),
    "a dns probe without a server": (
        HEAD + PING.replace('"ping"', '"dns"'),
        "agent.toml:13: 'target': a dns probe needs a 'server', the resolver to ask",
    ),
    "an http probe without a URL": (
        HEAD + PING.replace('"ping"', '"http"'),
        (
            "agent.toml:13: 'target': '203.0.113.10' is no URL; "
            "write http://HOST/... or https://HOST/..."
        ),
    ),
    "a port beyond all ports in a URL": (
        HEAD + PING.replace('"ping"', '"http"').replace("203.0.113.10", "http://siak:99999/"),
        "agent.toml:13: 'target': Port out of range 0-65535",
    ),
    "a password in a URL": (
        HEAD + PING.replace('"ping"', '"http"').replace("203", "https://u:p@203"),
        "agent.toml:13: 'target': a URL must not hold a user or password",
    ),
    "expect without http": (
        HEAD + PING + 'expect = "OK"\n',
        "agent.toml:14: 'expect' is for http alone",
    ),
    "a server without dns": (
        HEAD + PING + 'server = "203.0.113.53"\n',
        "agent.toml:14: 'server' is for dns alone",
    ),
    "a count for tcp": (
        HEAD + PING.replace('"ping"', '"tcp"').replace("113.10", "113.10:443") + "count = 3\n",
        "agent.toml:14: 'count' is for ping and udp alone",
    ),
    "too many packets": (
        HEAD + PING + "count = 1000\n",
        "agent.toml:14: 'count' must be from 1 to 20, not 1000",
    ),
    "a boolean for a number": (
        HEAD + PING + "count = true\n",
        "agent.toml:14: 'count' must be a whole number, not a boolean",
    ),
    "a run longer than its period": (
        HEAD + PING + 'timeout = "12s"\n',
        "agent.toml:14: a run may last 12s, longer than 'every' (10s); lower 'timeout' or 'count'",
    ),
    "a circuit that is not there": (
        HEAD + PING + 'circuit = "telkom"\n',
        "agent.toml:14: 'circuit': no [[circuits]] has the id 'telkom'",
    ),
    "two probes of one name": (
        HEAD + PING + PING,
        "agent.toml:16: 'name': 'a' is used twice",
    ),
    "SNMP 2c without a community": (
        HEAD + ROUTER,
        "agent.toml:9: SNMP 2c needs a 'community'",
    ),
    "SNMP 3 without a user": (
        HEAD + ROUTER + 'version = "3"\n',
        "agent.toml:9: SNMP 3 needs a 'user'",
    ),
    "SNMP 1": (
        HEAD + ROUTER + 'version = "1"\ncommunity = "public"\n',
        "agent.toml:13: 'version' must be one of 2c, 3, not '1'",
    ),
    "privacy without authentication": (
        HEAD + ROUTER + 'version = "3"\nuser = "m"\npriv_protocol = "aes128"\n'
        'priv_key = "12345678"\n',
        "agent.toml:15: 'priv_protocol' needs an 'auth_protocol' (RFC 3414)",
    ),
    "too short a password": (
        HEAD + ROUTER + 'version = "3"\nuser = "m"\nauth_protocol = "sha1"\nauth_key = "short"\n',
        "agent.toml:16: 'auth_key' needs 8 characters or more (RFC 3414)",
    ),
    "a key without its protocol": (
        HEAD + ROUTER + 'version = "3"\nuser = "m"\nauth_key = "long enough"\n',
        "agent.toml:15: 'auth_key' needs 'auth_protocol'",
    ),
    "names that are no texts": (
        HEAD + ROUTER + 'community = "public"\ninterfaces = [1]\n',
        "agent.toml:14: 'interfaces' must be a list of texts in quotes",
    ),
    "a port that is none": (
        HEAD + ROUTER + 'community = "public"\nport = 70000\n',
        "agent.toml:14: 'port' must be from 1 to 65535, not 70000",
    ),
    "no TOML": (
        HEAD + "what is this\n",
        "agent.toml:8: is not TOML: Expected '=' after a key in a key/value pair",
    ),
    "a number without end": (
        HEAD + "interval = " + "1" * 5_000,
        "agent.toml: holds a number of thousands of digits, or lists nested a thousand deep",
    ),
    "lists without end": (
        HEAD + "interval = " + "[" * 5_000,
        "agent.toml: holds a number of thousands of digits, or lists nested a thousand deep",
    ),
    "two faults at once": (
        'language = "fr"\n' + HEAD.replace(KU, "no"),
        (
            "agent.toml:1: 'language' must be one of id, en, not 'fr'\n"
            "agent.toml:8: 'ku': a key is 64 hex digits; run: tabuah enrol"
        ),
    ),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "agent.toml")
    assert str(caught.value) == words
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}: is not UTF-8 text"


def test_keys_that_others_may_read_are_warned_of_and_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(FULL)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert load(path).site == "13.02.10"
    assert caplog.messages == [f"{path} holds keys and others may read it; run: chmod 600 {path}"]
    caplog.clear()
    path.chmod(0o600)
    load(path)
    assert caplog.messages == []
