"""From an office of the inventory to the configuration of its agent, its key included.

The file is what `agent.config` reads. Secrets of its devices are resolved here, at the centre.
All addresses belong to this data folder's collector; an office that reports to a second one gets
that one's `[[collectors]]` entry from `tabuah enrol` there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tomli_w

from collector import enrolled
from collector.files import write_private
from collector.identity import Identity
from collector.keys import site_key, user_name
from inventory.model import (
    Circuit,
    Device,
    Endpoint,
    Inventory,
    Probe,
    Site,
    Snmp,
    SnmpSecurity,
    effective_probes,
)
from tabuah.cadence import too_long
from tabuah.errors import ConfigError, Problem, TabuahError
from tabuah.units import duration_text

Value = str | int | float | list[str]
Keys = dict[str, Value]

SHORTEST_KEY: Final = 8
"""Characters of a device's SNMPv3 password (RFC 3414 section 11.2)."""
AGENT_DATA = "/var/lib/tabuah"


@dataclass(frozen=True, slots=True)
class Office:
    """One office's configuration, but for what names the collector and the key."""

    site: Site
    head: Keys
    circuits: tuple[Keys, ...]
    probes: tuple[Keys, ...]
    devices: tuple[Keys, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made for one office."""

    site: str
    user: str
    path: Path


def file_name(site: str) -> str:
    """Return the usual name of an office's configuration."""
    return f"agent-{site}.toml"


def enrol(
    inventory: Inventory,
    paths: Mapping[str, Path],
    data: Path,
    collectors: Sequence[Endpoint],
    *,
    rotate: bool = False,
    force: bool = False,
) -> list[Made]:
    """Enrol offices and write their configurations, mode 0600.

    Nothing is changed before all that can be checked beforehand is found good. A file that is
    there is replaced only when it is the same office's, of this collector alone.

    Args:
        inventory: what the offices are.
        paths: the file to write for each office's code.
        data: the collector's data folder; made, with a new identity, if it is not there.
        collectors: the addresses at which offices reach this collector.
        rotate: give offices that are enrolled already a new key.
        force: replace any file.

    Raises:
        NothingMatchedError: the inventory has no such office.
        ConfigError: a device's secret is not to be had; holds all of these.
        TabuahError: a file would be lost, or cannot be written.
    """
    sites = [inventory.site(code) for code in paths]
    for site in sites:
        user_name(site.code, 1)
    offices = _offices(sites, inventory)
    identity = Identity.open(data)
    if not force:
        for code, path in paths.items():
            _refuse_to_lose(path, code, identity)
    generations = enrolled.enrol(data, list(paths), rotate=rotate)
    made = []
    for office in offices:
        code = office.site.code
        user = user_name(code, generations[code])
        ku = site_key(identity.master, code, generations[code])
        write_private(paths[code], _render(office, identity, user, ku, collectors).encode())
        made.append(Made(code, user, paths[code]))
    return made


def describe(site: Site, inventory: Inventory) -> Office:
    """Return what the agent of an office must know, its devices' secrets resolved.

    Raises:
        ConfigError: a secret is not to be had.
    """
    return Office(
        site,
        {
            "site": site.code,
            "data": AGENT_DATA,
            "interval": duration_text(site.interval_s),
            "language": inventory.language.value,
        },
        tuple(_circuit(circuit) for circuit in site.circuits),
        tuple(_probe(probe) for probe in effective_probes(site, inventory)),
        tuple(
            _device(device, device.snmp, inventory.directory)
            for device in site.devices
            if device.snmp is not None
        ),
    )


def _offices(sites: Iterable[Site], inventory: Inventory) -> list[Office]:
    offices: list[Office] = []
    problems: list[Problem] = []
    for site in sites:
        try:
            offices.append(describe(site, inventory))
            problems += _refused(site, inventory)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return offices


def _refused(site: Site, inventory: Inventory) -> list[Problem]:
    """Return what the office's agent would refuse: an older inventory may hold it unchecked."""
    return [
        Problem(f"site {site.code}: probe {probe.name}", overlaps)
        for probe in effective_probes(site, inventory)
        if (overlaps := too_long(probe.every_s, probe.count, probe.timeout_s)) is not None
    ]


def _refuse_to_lose(path: Path, code: str, identity: Identity) -> None:
    """Raise TabuahError unless `path` is free, or holds only what will be written again."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        engines = {entry["engine_id"] for entry in content["collectors"]}
        if content["site"] == code and engines == {identity.engine_id.hex()}:
            return
        reason = "it is of another office or collector, or was added to"
    except FileNotFoundError:
        return
    except OSError as error:
        reason = error.strerror or "it cannot be read"
    except (ValueError, TypeError, KeyError):
        reason = "it is no configuration of this office's agent"
    raise TabuahError(
        f"site {code}: {path} is not overwritten ({reason}); name another file with --out, or "
        "give --force"
    )


def _render(
    office: Office, identity: Identity, user: str, ku: bytes, collectors: Sequence[Endpoint]
) -> str:
    """Return the file; every table stands under its own header, as a person would write it."""
    parts = [
        f"# tabuah agent: {office.site.code}, {office.site.name}\n",
        "# Holds keys: keep it 0600. Memuat kunci rahasia: jaga izin 0600.\n\n",
        tomli_w.dumps(office.head),
    ]
    entries: tuple[Keys, ...] = tuple(
        {
            "address": str(address),
            "engine_id": identity.engine_id.hex(),
            "user": user,
            "ku": ku.hex(),
        }
        for address in dict.fromkeys(collectors)
    )
    for name, tables in (
        ("collectors", entries),
        ("circuits", office.circuits),
        ("probes", office.probes),
        ("devices", office.devices),
    ):
        parts.extend(f"\n[[{name}]]\n{tomli_w.dumps(table)}" for table in tables)
    return "".join(parts)


def _circuit(circuit: Circuit) -> Keys:
    uplink = circuit.bandwidth.up if circuit.bandwidth else None
    return _given({"id": circuit.id, "interface": circuit.interface, "uplink": uplink})


def _probe(probe: Probe) -> Keys:
    return _given(
        {
            "name": probe.name,
            "kind": probe.kind.value,
            "role": probe.role.value,
            "target": probe.target,
            "server": probe.server,
            "expect": probe.expect,
            "every": duration_text(probe.every_s),
            "count": probe.count,
            "timeout": duration_text(probe.timeout_s),
            "circuit": probe.circuit,
            "service": probe.service,
        }
    )


def _device(device: Device, snmp: Snmp, base: Path) -> Keys:
    keys = _given(
        {
            "name": device.name,
            "host": device.host,
            "role": device.role.value,
            "port": snmp.port,
            "interfaces": list(device.interfaces),
            "every": duration_text(device.every_s),
            "version": snmp.version,
            "community": snmp.community.resolve(base) if snmp.community else None,
            "user": snmp.user,
        }
    )
    return keys | _security("auth", snmp.auth, base) | _security("priv", snmp.priv, base)


def _security(name: str, security: SnmpSecurity | None, base: Path) -> Keys:
    if security is None:
        return {}
    key = security.key.resolve(base)
    if len(key) < SHORTEST_KEY:
        what = f"secret {security.key}: SNMPv3 needs {SHORTEST_KEY} characters or more (RFC 3414)"
        raise ConfigError([Problem(security.key.where or "inventory", what)])
    return {f"{name}_protocol": security.protocol, f"{name}_key": key}


def _given(keys: Mapping[str, Value | None]) -> Keys:
    """Return the keys that say something: absent and empty are the same to the agent."""
    return {key: value for key, value in keys.items() if value not in (None, "", [])}
