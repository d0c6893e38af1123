"""The office's configuration: TOML, made by `tabuah enrol`, read here without third-party code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tabuah.measurement import Kind, Role


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
