"""From templates and variables to what a device is to run.

Jinja2 in its sandbox: a template can neither reach Python nor the disk. What is not defined is an
error, and so is a value with a line end or a control character, which could smuggle in a line of
configuration. The filters check a value for where it is put (`name`, `word`, `address`, ...).

A template begins with a line that says what it is for:

    {# section: nftables  risk: A #}
    {# section: /etc/chrony/conf.d/tabuah.conf  mode: 0644  risk: C  when: ntp #}

`when` names variables without which it is left out. Risk A can cut the office off, B is noticed
by users, C harms nobody.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from inventory.model import Device, Inventory, Site
from inventory.secret import SecretRef
from provision import masking
from provision.configuration import ManagedFile, Scope
from provision.settings import Settings, Value
from tabuah.errors import ConfigError, Problem, did_you_mean
from tabuah.sandbox import sandbox

FIXED = ("ip", "sysctl", "nftables", "frr")
_HEAD = re.compile(r"\{#\s*(?P<said>.*?)\s*#\}\n?")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_WORD = re.compile(r"[^\s\"'`$\\;{}|&<>]{1,256}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_SYSCTL = re.compile(r"^\s*([a-z0-9_.*/-]+)\s*=", re.MULTILINE)

ROLES: Mapping[str, tuple[str, ...]] = {
    "gateway": (
        *("addresses", "sysctl", "firewall", "nat", "qos", "frr", "pppoe", "lte", "wireguard"),
        *("dhcp", "dns", "vlans", "banner", "ntp", "syslog", "snmp"),
    )
}
"""What a device of a role is assembled from, where the settings say nothing else."""


class Risk(Enum):
    """What a change can do to an office."""

    A = "A"
    """Cut it off."""
    B = "B"
    """Be noticed by its users."""
    C = "C"
    """Harm nobody."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """One template that went into a configuration."""

    name: str
    section: str
    risk: Risk


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a device is to run; its sections hold secrets."""

    sections: Mapping[str, str] = field(repr=False)
    scope: Scope
    fragments: tuple[Fragment, ...]
    secrets: frozenset[str] = field(repr=False)

    def risk(self, changed: frozenset[str]) -> Risk | None:
        """Return the worst risk of the sections that change; None when none does."""
        found = [f.risk for f in self.fragments if f.section in changed]
        return min(found, key=lambda risk: risk.value) if found else None


@dataclass(frozen=True, slots=True)
class _Template:
    name: str
    section: str
    mode: str
    risk: Risk
    when: tuple[str, ...]
    text: str


def render(inventory: Inventory, settings: Settings, site: Site, device: Device) -> Rendered:
    """Return what a device is to run.

    Raises:
        ConfigError: a template or a variable is not as it must be; says which, and of whom.
    """
    where = f"site {site.code}: device {device.name}"
    secrets: set[str] = set()
    values = _values(inventory, settings, site, device, secrets)
    names = settings.roles.get(device.role.value, ROLES.get(device.role.value, ()))
    if not names:
        what = f"no templates are known for the role '{device.role.value}'"
        raise ConfigError([Problem(where, what)])
    sections: dict[str, list[str]] = {}
    fragments, managed = [], []
    for name in names:
        template = _template(device.platform or "linux", name, settings.folder, where)
        if any(_absent(values.get(word)) for word in template.when):
            continue
        try:
            text = _environment().from_string(template.text).render(values)
        except TemplateError as error:
            what = f"template {name}: {error.message or type(error).__name__}"
            raise ConfigError([Problem(where, what)]) from error
        except (ValueError, TypeError, ArithmeticError) as error:
            raise ConfigError([Problem(where, f"template {name}: {error}")]) from error
        sections.setdefault(template.section, []).append(text.strip("\n") + "\n")
        fragments.append(Fragment(name, template.section, template.risk))
        if template.section not in FIXED:
            managed.append(ManagedFile(template.section, template.mode))
    texts = {section: "".join(parts) for section, parts in sections.items()}
    _refuse_short(secrets, where)
    scope = Scope(
        interfaces=device.interfaces if "ip" in texts else (),
        keys=tuple(_SYSCTL.findall(texts.get("sysctl", ""))),
        files=tuple(dict.fromkeys(managed)),
        nftables="nftables" in texts,
        frr="frr" in texts,
    )
    if "ip" in texts and not device.interfaces:
        what = "name its interfaces in the inventory: addresses of others are not touched"
        raise ConfigError([Problem(where, what)])
    return Rendered(texts, scope, tuple(fragments), frozenset(secrets))


def _values(
    inventory: Inventory, settings: Settings, site: Site, device: Device, secrets: set[str]
) -> dict[str, object]:
    said = settings.of(site.code)

    def secret(reference: str) -> str:
        ref = SecretRef.parse(reference, f"site {site.code}: device {device.name}")
        found = ref.resolve(inventory.directory)
        secrets.add(found)
        return found

    circuits = [
        {
            "id": circuit.id,
            "role": circuit.role.value,
            "provider": circuit.provider,
            "technology": "" if circuit.technology is None else circuit.technology.value,
            "interface": circuit.interface or "",
            **said.circuits.get(circuit.id, {}),
        }
        for circuit in site.circuits
    ]
    merged: dict[str, Value] = {
        **settings.vars,
        **said.vars,
        **said.devices.get(device.name, {}),
    }
    return {
        **merged,
        "site": {
            "code": site.code,
            "name": site.name,
            "kind": site.kind.value,
            "kecamatan": site.kecamatan,
        },
        "device": {"name": device.name, "host": device.host, "interfaces": device.interfaces},
        "circuits": circuits,
        "organisation": inventory.organisation,
        "secret": secret,
    }


def _absent(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})


def _refuse_short(secrets: set[str], where: str) -> None:
    if any(masking.too_short(secret) for secret in secrets):
        what = "a secret of under 4 characters protects nothing, and cannot be masked"
        raise ConfigError([Problem(where, what)])


def _template(platform: str, name: str, folder: Path, where: str) -> _Template:
    own = folder / "templates" / platform / f"{name}.j2"
    ours = files("provision").joinpath("templates", platform, f"{name}.j2")
    try:
        if own.is_file():
            text = own.read_text(encoding="utf-8")
        elif ours.is_file():
            text = ours.read_text(encoding="utf-8")
        else:
            known = sorted(
                entry.name.removesuffix(".j2")
                for entry in files("provision").joinpath("templates", platform).iterdir()
            )
            what = f"no template '{name}' for {platform}{did_you_mean(name, known)}"
            raise ConfigError([Problem(where, what)])
    except OSError as error:
        what = f"no templates for the platform '{platform}': {error.strerror}"
        raise ConfigError([Problem(where, what)]) from error
    head = _HEAD.match(text)
    said = dict(re.findall(r"(\w+):\s*(\S+)", head["said"])) if head else {}
    if head is None or "section" not in said or said.get("risk") not in Risk.__members__:
        what = f"template {name}: begins with no line like {{# section: nftables  risk: A #}}"
        raise ConfigError([Problem(where, what)])
    section = said["section"]
    if section not in FIXED and not section.startswith("/etc/"):
        what = f"template {name}: section '{section}' is neither one of ours nor a file in /etc"
        raise ConfigError([Problem(where, what)])
    return _Template(
        name,
        section,
        said.get("mode", "0600"),
        Risk(said["risk"]),
        tuple(said["when"].split(",")) if "when" in said else (),
        text[head.end() :],
    )


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    made = sandbox(_one_line)
    made.filters.update(_FILTERS)
    return made


def _one_line(value: object) -> object:
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError("a value holds a line end or a control character")
    return value


def _checked(pattern: re.Pattern[str], what: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = str(value)
        if pattern.fullmatch(text) is None:
            raise ValueError(f"'{text}' is no {what}")
        return text

    return check


def _interface(value: object) -> str:
    text = str(value)
    if not 1 <= len(text) <= 15 or _NAME.fullmatch(text) is None:
        raise ValueError(f"'{text}' is no interface of Linux (15 letters, digits, _ . : -)")
    return text


def _address(value: object) -> str:
    return str(ipaddress.ip_address(str(value)))


def _interface_address(value: object) -> str:
    return str(ipaddress.ip_interface(str(value)))


def _network(value: object) -> str:
    return str(ipaddress.ip_network(str(value), strict=False))


def _host(value: object) -> str:
    """Return the address without its prefix length."""
    return str(ipaddress.ip_interface(str(value)).ip)


def _port(value: object) -> str:
    number = int(str(value))
    if not 1 <= number <= 65535:
        raise ValueError(f"'{value}' is no port")
    return str(number)


def _quoted(value: object) -> str:
    text = str(value)
    if '"' in text or "\\" in text:
        raise ValueError("a value between quotes holds a quote or a backslash itself")
    return f'"{text}"'


_FILTERS: Mapping[str, Callable[[object], str]] = {
    "name": _checked(_NAME, "name (letters, digits, _ . : -)"),
    "word": _checked(_WORD, "single word"),
    "interface": _interface,
    "address": _address,
    "interface_address": _interface_address,
    "network": _network,
    "host": _host,
    "port": _port,
    "quoted": _quoted,
}
