"""What is said for provisioning beside the inventory: `DIR/provision/settings.yaml`.

    window: 5m                     # of the dead-man
    roles: {gateway: [firewall]}   # which templates, where ours are not wanted all
    vars: {ntp: [10.200.0.1]}      # for every office
    sites:
      "13.02.10":
        vars: {lan: 192.168.1.1/24}
        circuits: {telkom: {mtu: 1492}}
        devices: {gateway: {hostname: kubung}}

Variables are words, lists and mappings; `true` and `false` are what they say. Secrets stand in
none of them: a template asks `secret("file:secrets/psk")`.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path

from inventory.yaml_nodes import Mapping, Node, Scalar, Sequence, read_yaml
from tabuah.errors import ConfigError, Problem, did_you_mean
from tabuah.units import duration_seconds

FOLDER = "provision"
FILE = "settings.yaml"
DEFAULT_WINDOW_S = 300.0
SHORTEST_WINDOW_S = 15.0

Value = str | bool | list["Value"] | dict[str, "Value"] | None
Vars = Map[str, Value]

_KEYS = ("window", "roles", "vars", "sites")
_SITE_KEYS = ("vars", "circuits", "devices")


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """What is said of one office."""

    vars: Vars = field(default_factory=dict)
    circuits: Map[str, Vars] = field(default_factory=dict)
    devices: Map[str, Vars] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is said."""

    folder: Path
    """Where templates of one's own are."""
    window_s: float = DEFAULT_WINDOW_S
    roles: Map[str, tuple[str, ...]] = field(default_factory=dict)
    vars: Vars = field(default_factory=dict)
    sites: Map[str, SiteSettings] = field(default_factory=dict)

    def of(self, site: str) -> SiteSettings:
        """Return what is said of an office."""
        return self.sites.get(site, SiteSettings())


def load_settings(inventory: Path) -> Settings:
    """Return the settings beside the inventory in `inventory`; ours where there are none.

    Raises:
        ConfigError: they cannot be understood.
    """
    folder = inventory / FOLDER
    path = folder / FILE
    if not path.exists():
        return Settings(folder)
    root = read_yaml(path)
    if root is None:
        return Settings(folder)
    said = _mapping(root, _KEYS, path, "")
    window_s = DEFAULT_WINDOW_S
    if "window" in said:
        window_s = _window(said["window"], root, path)
    roles = {
        role: tuple(str(name) for name in names) if isinstance(names, list) else (str(names),)
        for role, names in _dict(said.get("roles")).items()
    }
    sites = {}
    for code, value in _dict(said.get("sites")).items():
        inner = _dict(value)
        for key in inner:
            if key not in _SITE_KEYS:
                what = f"sites.{code}: unknown key '{key}'{did_you_mean(key, _SITE_KEYS)}"
                raise ConfigError([Problem(f"{path}:{root.line}", what)])
        sites[code] = SiteSettings(
            _dict(inner.get("vars")),
            _each(inner.get("circuits")),
            _each(inner.get("devices")),
        )
    return Settings(folder, window_s, roles, _dict(said.get("vars")), sites)


def _window(value: Value, root: Node, path: Path) -> float:
    try:
        window_s = duration_seconds(str(value))
    except ValueError as error:
        raise ConfigError([Problem(f"{path}:{root.line}", f"window: {error}")]) from error
    if window_s < SHORTEST_WINDOW_S:
        what = f"window: {value} is too short to hear three reports of an office; write 5m"
        raise ConfigError([Problem(f"{path}:{root.line}", what)])
    return window_s


def _mapping(node: Node, known: tuple[str, ...], path: Path, where: str) -> dict[str, Value]:
    if not isinstance(node, Mapping):
        raise ConfigError([Problem(f"{path}:{node.line}", f"{where or 'it'} is no mapping")])
    for key, _ in node.entries:
        text = key.text if isinstance(key, Scalar) else ""
        if text not in known:
            what = f"unknown key '{text}'{did_you_mean(text, known)}"
            raise ConfigError([Problem(f"{path}:{key.line}", what)])
    made = _value(node)
    assert isinstance(made, dict)
    return made


def _dict(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}


def _value(node: Node) -> Value:
    if isinstance(node, Scalar):
        if node.is_null:
            return None
        if node.plain and node.text in {"true", "false"}:
            return node.text == "true"
        return node.text
    if isinstance(node, Sequence):
        return [_value(item) for item in node.items]
    return {key.text: _value(value) for key, value in node.entries if isinstance(key, Scalar)}


def _each(value: Value) -> dict[str, Vars]:
    return {name: _dict(one) for name, one in _dict(value).items()}
