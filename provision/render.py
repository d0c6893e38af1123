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

import re
from collections.abc import Mapping
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
from provision.configuration import OF_LINUX, ManagedFile, Scope
from provision.filters import one_line
from provision.kits import Kit, kit
from provision.settings import Settings, Value
from tabuah.errors import ConfigError, Problem, did_you_mean
from tabuah.sandbox import sandbox

_HEAD = re.compile(r"\{#\s*(?P<said>.*?)\s*#\}\n?")
_SYSCTL = re.compile(r"^\s*([a-z0-9_.*/-]+)\s*=", re.MULTILINE)


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
    ours = kit(device.platform)
    names = settings.roles.get(device.role.value, ours.roles.get(device.role.value, ()))
    if not names:
        what = (
            f"no templates are known for the role '{device.role.value}' on {ours.platform}: name "
            "yours under 'roles' in provision/settings.yaml"
        )
        raise ConfigError([Problem(where, what)])
    sections: dict[str, list[str]] = {}
    fragments, managed = [], []
    for name in names:
        template = _template(ours, name, settings.folder, where)
        if any(_absent(values.get(word)) for word in template.when):
            continue
        try:
            text = _environment(ours.platform).from_string(template.text).render(values)
        except TemplateError as error:
            what = f"template {name}: {error.message or type(error).__name__}"
            raise ConfigError([Problem(where, what)]) from error
        except (ValueError, TypeError, ArithmeticError) as error:
            raise ConfigError([Problem(where, f"template {name}: {error}")]) from error
        sections.setdefault(template.section, []).append(text.strip("\n") + "\n")
        fragments.append(Fragment(name, template.section, template.risk))
        if template.section.startswith("/"):
            managed.append(ManagedFile(template.section, template.mode))
    texts = {section: "".join(parts) for section, parts in sections.items()}
    _refuse_short(secrets, where)
    scope = Scope(
        interfaces=device.interfaces if "ip" in texts else (),
        keys=tuple(_SYSCTL.findall(texts.get("sysctl", ""))),
        files=tuple(dict.fromkeys(managed)),
        nftables="nftables" in texts,
        frr="frr" in texts,
        sections=tuple(name for name in texts if name not in OF_LINUX and name[0] != "/"),
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


def _template(ours: Kit, name: str, folder: Path, where: str) -> _Template:
    text = _text(ours, name, folder, where)
    head = _HEAD.match(text)
    said = dict(re.findall(r"(\w+):\s*(\S+)", head["said"])) if head else {}
    if head is None or "section" not in said or said.get("risk") not in Risk.__members__:
        what = f"template {name}: begins with no line like {{# section: nftables  risk: A #}}"
        raise ConfigError([Problem(where, what)])
    section = said["section"]
    if ours.sections.fullmatch(section) is None:
        what = f"template {name}: section '{section}' is not {ours.what}"
        raise ConfigError([Problem(where, what)])
    return _Template(
        name,
        section,
        said.get("mode", "0600"),
        Risk(said["risk"]),
        tuple(said["when"].split(",")) if "when" in said else (),
        text[head.end() :],
    )


def _text(ours: Kit, name: str, folder: Path, where: str) -> str:
    """Return a template's text: the administrator's own, or ours."""
    shipped = files("provision").joinpath("templates")
    known = set()
    try:
        for place in (folder / "templates", shipped):
            for platform in ours.folders:
                here = place.joinpath(platform)
                if here.joinpath(f"{name}.j2").is_file():
                    return here.joinpath(f"{name}.j2").read_text(encoding="utf-8")
                if here.is_dir():
                    known |= {entry.name.removesuffix(".j2") for entry in here.iterdir()}
    except OSError as error:
        what = f"template {name} cannot be read: {error.strerror}"
        raise ConfigError([Problem(where, what)]) from error
    what = f"no template '{name}' for {ours.platform}{did_you_mean(name, sorted(known))}"
    raise ConfigError([Problem(where, what)])


@cache
def _environment(platform: str) -> ImmutableSandboxedEnvironment:
    made = sandbox(one_line)
    made.filters.update(kit(platform).filters)
    return made
