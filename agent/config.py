"""The office's configuration: TOML, made by `tabuah enrol`, read here without third-party code.

Reading is strict: a key that is not known here, a value of the wrong type or a name that leads
nowhere is refused with its line, all of them at once, so that one look mends all.
"""

from __future__ import annotations

import logging
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agent.pacing import SHARE
from agent.toml_table import Problems, Table, scan
from tabuah import cadence
from tabuah.address import host_port
from tabuah.errors import ConfigError, Problem
from tabuah.measurement import Kind, Role

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Collector:
    """One collector: where it is, who it is, and the key we share with it."""

    host: str
    port: int
    engine_id: bytes
    user: str
    ku: bytes = field(repr=False)
    """32 octets; both the authentication and the privacy key are localised from it (RFC 3414)."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """A line of this office."""

    id: str
    interface: str | None = None
    """On this host; None = the default route."""
    uplink_bps: int | None = None
    """Bits per second towards the provider; None = nobody wrote it down."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask, how often, how long to wait."""

    name: str
    kind: Kind
    role: Role
    target: str
    """ping: a host; udp, tcp: HOST:PORT ([v6]:PORT); dns: the name asked for; http: a URL."""
    server: str = ""
    """dns: the resolver, HOST or HOST:PORT."""
    expect: str = ""
    """http: a text that the body must hold."""
    every_s: float = 10.0
    count: int = 1
    """Packets in a run (ping, udp)."""
    timeout_s: float = 2.0
    circuit: str | None = None
    interface: str | None = None
    """The circuit's interface, resolved."""
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the office that is polled over SNMP."""

    name: str
    host: str
    role: Role
    port: int = 161
    interfaces: tuple[str, ...] = ()
    """ifName of those to report; empty = all that are not loopback, at most 16."""
    every_s: float = 10.0
    version: str = "2c"
    community: str = field(default="", repr=False)
    user: str = ""
    auth_protocol: str = ""
    """sha1 | sha256"""
    auth_key: str = field(default="", repr=False)
    priv_protocol: str = ""
    """aes128"""
    priv_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """All that an office's agent needs to know."""

    site: str
    collectors: tuple[Collector, ...]
    data: Path = Path("/var/lib/tabuah")
    interval_s: float = 10.0
    language: str = "id"
    circuits: tuple[Circuit, ...] = ()
    probes: tuple[Probe, ...] = ()
    devices: tuple[Device, ...] = ()
    history_share: float = SHARE
    """Of a circuit's uplink: what reports of the past may take of it."""


# How often and how long where the file does not say: an HTTPS check is ~4 kB and, over a
# satellite, four round trips of 600 ms.
_EVERY_S = {Kind.DNS: 60.0, Kind.HTTP: 300.0}
_TIMEOUT_S = {Kind.HTTP: 10.0}
_MIN_PASSWORD = 8
"""RFC 3414 section 11.2."""


def load(path: Path) -> Config:
    """Return the configuration in `path`; logs a warning when others may read the keys in it.

    Raises:
        ConfigError: holding every problem found, each with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), "is not UTF-8 text")]) from error
    if mode & 0o077:
        log.warning("%s holds keys and others may read it; run: chmod 600 %s", path, path)
    return parse(text, str(path))


def parse(text: str, file: str) -> Config:
    """Return the configuration that `text` holds; `file` is its name in messages.

    Raises:
        ConfigError: holding every problem found.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        where = f"{file}:{at[1]}" if at else file
        what = str(error)[: at.start()] if at else str(error)
        raise ConfigError([Problem(where, f"is not TOML: {what}")]) from error
    except (ValueError, RecursionError) as error:
        # In these two tomllib lets Python's own errors through.
        what = "holds a number of thousands of digits, or lists nested a thousand deep"
        raise ConfigError([Problem(file, what)]) from error
    problems = Problems(file, scan(text))
    config = _config(Table(values, problems))
    if problems.found:
        raise ConfigError(problems.found)
    return config


def _config(top: Table) -> Config:
    site = top.text("site")
    data = Path(top.text("data", "/var/lib/tabuah"))
    interval_s = top.seconds("interval", 10.0, cadence.SHORTEST_INTERVAL_S)
    language = top.word("language", ("id", "en"), "id")
    collectors = _collectors(top.tables("collectors"))
    if not collectors:
        top.problem("lacks [[collectors]]: nobody to report to; run: tabuah enrol")
    history_share = top.number("history_share", SHARE, 0.01, 1.0)
    circuits = _circuits(top.tables("circuits"))
    probes = _probes(top.tables("probes"), {circuit.id: circuit for circuit in circuits})
    devices = _devices(top.tables("devices"))
    top.end()
    return Config(
        site, collectors, data, interval_s, language, circuits, probes, devices, history_share
    )


def _collectors(tables: list[Table]) -> tuple[Collector, ...]:
    collectors = []
    for table in tables:
        host, port = table.parsed("address", host_port, ("", 0))
        engine_id = table.parsed("engine_id", _engine_id, b"")
        user = table.text("user")
        ku = table.parsed("ku", _ku, b"")
        table.end()
        collectors.append(Collector(host, port, engine_id, user, ku))
    return tuple(collectors)


def _circuits(tables: list[Table]) -> tuple[Circuit, ...]:
    circuits = [
        Circuit(
            id=table.text("id"),
            interface=table.text("interface", "") or None,
            uplink_bps=round(table.number("uplink", 0.0, 0.001, 1e6) * 1e6) or None,
        )
        for table in tables
    ]
    _end(tables, "id", [circuit.id for circuit in circuits])
    return tuple(circuits)


def _probes(tables: list[Table], circuits: dict[str, Circuit]) -> tuple[Probe, ...]:
    probes = [_probe(table, circuits) for table in tables]
    _end(tables, "name", [probe.name for probe in probes])
    return tuple(probes)


def _probe(table: Table, circuits: dict[str, Circuit]) -> Probe:
    name = table.text("name")
    kind_word = table.word("kind", [kind.value for kind in Kind])
    kind = Kind(kind_word or Kind.PING.value)
    role = Role(table.word("role", [role.value for role in Role]) or Role.OTHER.value)
    target = table.text("target")
    server = table.text("server", "")
    expect = table.text("expect", "")
    every_s = table.seconds("every", _EVERY_S.get(kind, 10.0), cadence.SHORTEST_INTERVAL_S)
    count = table.whole("count", 1, 1, cadence.MOST_PACKETS)
    timeout_s = table.seconds("timeout", _TIMEOUT_S.get(kind, 2.0), cadence.SHORTEST_TIMEOUT_S)
    circuit = table.text("circuit", "") or None
    service = table.text("service", "") or None
    if (overlaps := cadence.too_long(every_s, count, timeout_s)) is not None:
        table.problem(overlaps, "timeout")
    if circuit is not None and circuit not in circuits:
        table.problem(f"'circuit': no [[circuits]] has the id '{circuit}'", "circuit")
    interface = circuits[circuit].interface if circuit in circuits else None
    probe = Probe(
        name, kind, role, target, server, expect, every_s, count, timeout_s,
        circuit, interface, service,
    )  # fmt: skip
    if kind_word:
        _check_kind(table, probe)
    return probe


def _check_kind(table: Table, probe: Probe) -> None:
    try:
        _check_target(probe.kind, probe.target, probe.server)
    except ValueError as error:
        table.problem(f"'target': {error}", "target")
    if probe.kind is not Kind.HTTP and probe.expect:
        table.problem("'expect' is for http alone", "expect")
    if probe.kind is not Kind.DNS and probe.server:
        table.problem("'server' is for dns alone", "server")
    if probe.kind not in (Kind.PING, Kind.UDP) and probe.count > 1:
        table.problem("'count' is for ping and udp alone", "count")


def _check_target(kind: Kind, target: str, server: str) -> None:
    if not target:
        return
    if not target.isascii() or any(character.isspace() for character in target):
        raise ValueError(f"'{target}' must be ASCII without spaces")
    if kind in (Kind.UDP, Kind.TCP):
        host_port(target)
    elif kind is Kind.DNS:
        if not server:
            raise ValueError("a dns probe needs a 'server', the resolver to ask")
        host_port(server, 53)
    elif kind is Kind.HTTP:
        url = urlsplit(target)
        if url.scheme not in ("http", "https") or not url.hostname or url.port == 0:
            raise ValueError(f"'{target}' is no URL; write http://HOST/... or https://HOST/...")
        if url.username is not None:
            raise ValueError("a URL must not hold a user or password")


def _devices(tables: list[Table]) -> tuple[Device, ...]:
    devices = [_device(table) for table in tables]
    _end(tables, "name", [device.name for device in devices])
    return tuple(devices)


def _device(table: Table) -> Device:
    device = Device(
        name=table.text("name"),
        host=table.text("host"),
        role=Role(table.word("role", [role.value for role in Role]) or Role.OTHER.value),
        port=table.whole("port", 161, 1, 65535),
        interfaces=table.texts("interfaces"),
        every_s=table.seconds("every", 10.0, cadence.SHORTEST_INTERVAL_S),
        version=table.word("version", ("2c", "3"), "2c"),
        community=table.text("community", ""),
        user=table.text("user", ""),
        auth_protocol=table.word("auth_protocol", ("sha1", "sha256"), ""),
        auth_key=table.text("auth_key", ""),
        priv_protocol=table.word("priv_protocol", ("aes128",), ""),
        priv_key=table.text("priv_key", ""),
    )
    if device.version == "2c":
        if not device.community:
            table.problem("SNMP 2c needs a 'community'")
        return device
    if not device.user:
        table.problem("SNMP 3 needs a 'user'")
    if device.priv_protocol and not device.auth_protocol:
        table.problem("'priv_protocol' needs an 'auth_protocol' (RFC 3414)", "priv_protocol")
    for protocol, key in (("auth_protocol", "auth_key"), ("priv_protocol", "priv_key")):
        if getattr(device, protocol) and len(getattr(device, key)) < _MIN_PASSWORD:
            table.problem(f"'{key}' needs {_MIN_PASSWORD} characters or more (RFC 3414)", key)
        if getattr(device, key) and not getattr(device, protocol):
            table.problem(f"'{key}' needs '{protocol}'", key)
    return device


def _end(tables: list[Table], key: str, names: list[str]) -> None:
    """Note unknown keys, and names that are used twice."""
    for index, table in enumerate(tables):
        table.end()
        if names[index] and names[index] in names[:index]:
            table.problem(f"'{key}': '{names[index]}' is used twice", key)


def _engine_id(text: str) -> bytes:
    try:
        engine_id = bytes.fromhex(text)
    except ValueError:
        engine_id = b""
    if not 5 <= len(engine_id) <= 32:
        raise ValueError("an engine ID is 10 to 64 hex digits (RFC 3411)")
    return engine_id


def _ku(text: str) -> bytes:
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text) is None:
        raise ValueError("a key is 64 hex digits; run: tabuah enrol")
    return bytes.fromhex(text)
