"""The demo's offices: the example county's, with probes of this machine instead of real ones.

The inventory names what really listens (the collector, its reflector, the stand-ins), and
`tabuah enrol` makes the offices' configurations from it as it would for real ones. Only then is
the line put in between: in each office's copy the real addresses become its own relays'. So the
centre and the configurations know nothing of the trick.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, cast

import tomli_w
import yaml

from demo.offices import Office
from demo.services import SERVICES, health_path
from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from demo.relay import Address

Json = dict[str, object]

EXAMPLE = ("examples", "kabupaten_solok")
COMMUNITY_FILE = "secrets/community"
KEPT = ("organisation", "timezone", "language", "upstreams", "power_groups", "bounds")
KEPT_OF_SITE = (
    *("code", "name", "kind", "kecamatan", "kabupaten", "location", "upstream", "power_group"),
    *("ups", "hours", "circuits"),
)
CONTRACT: Json = {
    "product": "Astinet",
    "technology": "fibre",
    "bandwidth": {"down": 1000, "up": 1000},
    "sla": {
        "availability": 0.995,
        "monthly_fee": 10_000_000,
        "formula": "prorata_excess",
        "min_outage": "300s",
        "clock_start": "measured",
        "exclusions": ["maintenance", "power"],
    },
}
"""Made up, so that the report of a demo has money in it: no one's contract.

So much bandwidth because snmpd counts this machine's loopback, on which all offices live.
"""
PROBE_COUNT = 5
"""Packets in a run of the `udp` probe: loss shows in steps of a fifth."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What really listens on this machine, and is reached over the lines."""

    reports: Address
    reflector: Address
    resolver: Address
    web: Address
    """The health pages; the webhook too, which the collector calls directly."""


@dataclass(frozen=True, slots=True)
class Router:
    """The SNMP device that stands in an office: on its side of the line."""

    address: Address
    interfaces: tuple[str, ...]


def example() -> Json:
    """Return the example inventory that tabuah ships, its sites merged, as plain data.

    Raises:
        TabuahError: it is not there or holds no offices: the installation is damaged.
    """
    folder: Traversable = files("inventory")
    for part in EXAMPLE:
        folder = folder / part
    try:
        head = _read(folder / "inventory.yaml")
        sites = list(_sites_of(head))
        more = folder / "sites"
        if more.is_dir():
            for entry in sorted(more.iterdir(), key=lambda entry: entry.name):
                document = _read(entry)
                sites += _sites_of(document) if "sites" in document else [document]
    except OSError as error:
        raise TabuahError(
            f"the example inventory is missing: {error}; install tabuah anew"
        ) from error
    if not sites:
        raise TabuahError(f"{folder} holds no offices; install tabuah anew")
    return head | {"sites": sites}


def offices(inventory: Json) -> tuple[Office, ...]:
    """Return the offices of an inventory."""
    return tuple(
        Office(str(site["code"]), str(site["name"]), str(site.get("kecamatan", "")))
        for site in _sites_of(inventory)
    )


def demo_inventory(county: Json, targets: Targets, routers: Mapping[str, Router]) -> Json:
    """Return the county with this machine's probes, services, devices and webhook."""
    inventory = {key: county[key] for key in KEPT if key in county}
    inventory["services"] = {
        code: {
            "name": name,
            "http": f"http://{targets.web}{health_path(code)}",
            "expect": "OK",
            "every": "30s",
        }
        for code, name in SERVICES.items()
    }
    inventory["alerts"] = {"channels": [{"name": "demo", "webhook": f"http://{targets.web}/hook"}]}
    inventory["sites"] = [
        {key: site[key] for key in KEPT_OF_SITE if key in site}
        | {
            "circuits": [CONTRACT | circuit for circuit in _circuits_of(site)],
            "interval": "10s",
            "probes": _probes(targets),
            "devices": [_device(routers[str(site["code"])])],
            "services": list(SERVICES),
        }
        for site in _sites_of(county)
    ]
    return inventory


def write_inventory(inventory: Json, folder: Path, community: str) -> None:
    """Write the inventory and the one secret it refers to."""
    secret = folder / COMMUNITY_FILE
    secret.parent.mkdir(mode=0o700, exist_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(community + "\n")
    text = yaml.safe_dump(inventory, sort_keys=False, allow_unicode=True)
    (folder / "inventory.yaml").write_text(
        "# Made by `tabuah demo` at each start: changes here are lost.\n" + text
    )


def through_line(configuration: str, relays: Mapping[Address, Address], data: Path) -> str:
    """Return an office's configuration (TOML) with each real address behind its relay.

    Its data goes to `data`: fourteen offices on one machine cannot share /var/lib/tabuah.
    """
    content = tomllib.loads(configuration)
    routed = _routed(content, {str(real): str(relay) for real, relay in relays.items()})
    assert isinstance(routed, dict)
    return tomli_w.dumps(routed | {"data": str(data)})


def _routed(value: object, relays: Mapping[str, str]) -> object:
    match value:
        case dict():
            return {key: _routed(inner, relays) for key, inner in value.items()}
        case list():
            return [_routed(inner, relays) for inner in value]
        case str() if value in relays:
            return relays[value]
        case str() if value.startswith("http://"):
            host, slash, path = value.removeprefix("http://").partition("/")
            return f"http://{relays.get(host, host)}{slash}{path}"
        case _:
            return value


def _probes(targets: Targets) -> list[Json]:
    resolver: Json = {"server": str(targets.resolver), "name": "siak.example"}
    # The far end of the line stands for the provider's first hop too: a cut takes both.
    hop: Json = {"name": "telkom-hop", "udp": str(targets.reflector), "role": "first_hop"}
    return [
        hop,
        {"name": "dc", "udp": str(targets.reflector), "role": "centre", "count": PROBE_COUNT},
        {"name": "resolver", "dns": resolver, "role": "public", "every": "10s"},
    ]


def _device(router: Router) -> Json:
    device: Json = {
        "name": "router",
        "host": router.address.host,
        "role": "gateway",
        "snmp": {
            "version": "2c",
            "community": f"file:{COMMUNITY_FILE}",
            "port": router.address.port,
        },
    }
    return device | ({"interfaces": list(router.interfaces)} if router.interfaces else {})


def _read(entry: Traversable) -> Json:
    document = yaml.safe_load(entry.read_text(encoding="utf-8"))
    return document if isinstance(document, dict) else {}


def _circuits_of(site: Json) -> Sequence[Json]:
    return cast("Sequence[Json]", site.get("circuits") or ())


def _sites_of(document: Json) -> Sequence[Json]:
    return cast("Sequence[Json]", document.get("sites") or ())
