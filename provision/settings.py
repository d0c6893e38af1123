"""What is said for provisioning beside the inventory: `DIR/provision/settings.yaml`.

    window: 5m                     # of the dead-man
    soak: 5m                       # how long a wave's offices are watched before the next
    queue: 24h                     # how long a push waits for an office that is away
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
DEFAULT_SOAK_S = 300.0
DEFAULT_QUEUE_S = 86_400.0
SHORTEST_WINDOW_S = 15.0

Value = str | bool | list["Value"] | dict[str, "Value"] | None
Vars = Map[str, Value]

_KEYS = ("window", "soak", "queue", "roles", "vars", "sites")
_SITE_KEYS = ("vars", "circuits", "devices")


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """What is said of one office."""

    vars: Vars = field(default_factory=dict)
    circuits: Map[str, Vars] = field(default_factory=dict)
    devices: Map[str, Vars] = field(default_factory=dict)
    where: str = ""
    """File and line."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is said."""

    folder: Path
    """Where templates of one's own are."""
    window_s: float = DEFAULT_WINDOW_S
    soak_s: float = DEFAULT_SOAK_S
    queue_s: float = DEFAULT_QUEUE_S
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
    said = _mapping(root, _KEYS, path)
    return Settings(
        folder,
        window_s=_window_s(said, path),
        soak_s=_seconds(said, "soak", DEFAULT_SOAK_S, path),
        queue_s=_seconds(said, "queue", DEFAULT_QUEUE_S, path),
        roles={
            role: tuple(str(name) for name in names) if isinstance(names, list) else (str(names),)
            for role, names in _dict(said.get("roles")).items()
        },
        vars=_dict(said.get("vars")),
        sites=_sites(said["sites"], path) if "sites" in said else {},
    )


def _sites(node: Node, path: Path) -> dict[str, SiteSettings]:
    sites = {}
    for code, one in _mapping(node, None, path, "sites").items():
        said = _mapping(one, _SITE_KEYS, path, f"sites.{code}")
        sites[code] = SiteSettings(
            _dict(said.get("vars")),
            _each(said.get("circuits")),
            _each(said.get("devices")),
            f"{path}:{one.line}",
        )
    return sites


def _window_s(said: Map[str, Node], path: Path) -> float:
    window_s = _seconds(said, "window", DEFAULT_WINDOW_S, path)
    if window_s < SHORTEST_WINDOW_S:
        node = said["window"]
        what = f"window: {_value(node)} is too short to hear three reports of an office; write 5m"
        raise ConfigError([Problem(f"{path}:{node.line}", what)])
    return window_s


def _seconds(said: Map[str, Node], key: str, otherwise: float, path: Path) -> float:
    if key not in said:
        return otherwise
    try:
        return duration_seconds(str(_value(said[key])))
    except ValueError as error:
        raise ConfigError([Problem(f"{path}:{said[key].line}", f"{key}: {error}")]) from error


def _mapping(
    node: Node, known: tuple[str, ...] | None, path: Path, where: str = ""
) -> dict[str, Node]:
    """Return a mapping's values by their keys; `known` are those that may be there, None = any."""
    if isinstance(node, Scalar) and node.is_null:
        return {}
    if not isinstance(node, Mapping):
        raise ConfigError([Problem(f"{path}:{node.line}", f"{where or 'it'} is no mapping")])
    found = {}
    for key, value in node.entries:
        text = key.text if isinstance(key, Scalar) else ""
        if known is not None and text not in known:
            what = f"{where and f'{where}: '}unknown key '{text}'{did_you_mean(text, known)}"
            raise ConfigError([Problem(f"{path}:{key.line}", what)])
        found[text] = value
    return found


def _dict(node: Node | None) -> dict[str, Value]:
    value = None if node is None else _value(node)
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


def _each(node: Node | None) -> dict[str, Vars]:
    return {name: one if isinstance(one, dict) else {} for name, one in _dict(node).items()}
