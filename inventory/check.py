"""What a valid inventory still lacks: each gap costs a diagnosis, a claim or an alert.

Pure: an inventory in, gaps out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from inventory.model import (
    HEAD,
    Circuit,
    CircuitRole,
    Inventory,
    Precision,
    Site,
    Ups,
    effective_probes,
)
from inventory.ways import lacking_ways
from tabuah.errors import Problem
from tabuah.measurement import Role

# What cannot be told apart without the probe (docs/inventory.md, 'What an office needs').
_PROBES = {
    Role.GATEWAY: "a fault inside the office looks like one of the line",
    Role.FIRST_HOP: "a cut last mile looks like a fault further in",
    Role.CENTRE: "a fault of the centre looks like one of the line",
    Role.PUBLIC: "a fault of the way to the centre looks like one of the internet",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is lacking."""

    where: str
    """FILE:LINE of the site, inventory.yaml for the inventory as a whole."""
    what: str
    site: str | None = None

    def problem(self) -> Problem:
        """Return the gap as a line of a report."""
        return Problem(self.where, f"site {self.site}: {self.what}" if self.site else self.what)


def gaps(inventory: Inventory) -> tuple[Gap, ...]:
    """Return all that is lacking: of the whole first, then site by site."""
    head = str(inventory.directory / HEAD)
    whole = (Gap(head, what) for what in _of_the_whole(inventory))
    sites = (
        Gap(site.where, what, site.code)
        for site in inventory.sites
        for what in chain(_of_probes(site, inventory), _of_site(site), _of_circuits(site))
    )
    return (*whole, *_of_doubled_sids(inventory), *sites)


def warnings(inventory: Inventory) -> tuple[Problem, ...]:
    """Return the gaps as lines."""
    return tuple(gap.problem() for gap in gaps(inventory))


def _of_the_whole(inventory: Inventory) -> Iterator[str]:
    if not inventory.sites:
        yield "no sites: nothing is watched yet"
    if len(inventory.references) < 2:
        count = "one reference" if inventory.references else "no references"
        yield (
            f"{count}: the collector needs two hosts of others to tell its own fault "
            "from the offices'"
        )
    yield from lacking_ways(inventory.alerts.channels)
    if inventory.heartbeat is None:
        yield "no heartbeat: if the collector stops, nobody is told"


def _of_probes(site: Site, inventory: Inventory) -> Iterator[str]:
    asked = {probe.role for probe in effective_probes(site, inventory)}
    for role, cost in _PROBES.items():
        if role not in asked:
            yield f"no probe of role {role.value}: {cost}"


def _of_site(site: Site) -> Iterator[str]:
    roles = {device.role for device in site.devices}
    if Role.GATEWAY not in roles:
        yield "no device of role gateway: its uptime and ports are the best evidence of the cause"
    if site.ups is Ups.UNKNOWN:
        yield "ups is unknown: a power cut cannot be told from a fault of the line"
    elif site.ups is not Ups.NONE and Role.UPS not in roles:
        yield "no device of role ups: nobody sees when it runs on battery"
    if site.location is None:
        yield "no location: it is not on the map"
    elif site.location.precision is Precision.CENTROID:
        yield "location is only a centroid: ask for the office's own"
    if not site.contacts:
        yield "no contact: a ticket needs a person on site (PIC)"
    if site.upstream is None:
        yield "no upstream: an area fault cannot be told from its own"
    if site.power_group is None:
        yield "no power_group: a power cut of the area cannot be told from its own"


def _of_circuits(site: Site) -> Iterator[str]:
    if not site.circuits:
        yield "no circuits: there is no line to hold a provider to"
    elif not any(circuit.role is CircuitRole.PRIMARY for circuit in site.circuits):
        yield "no primary circuit: all its lines are backups"
    for circuit in site.circuits:
        for what in _of_circuit(circuit):
            yield f"circuit {circuit.id}: {what}"
    probed = {probe.circuit for probe in site.probes}
    for circuit in site.circuits if len(site.circuits) > 1 else ():
        if circuit.id not in probed:
            yield f"circuit {circuit.id}: no probe leaves by it: whether it works is not known"
    by_interface: dict[str | None, list[str]] = defaultdict(list)
    for circuit in site.circuits:
        by_interface[circuit.interface].append(circuit.id)
    for interface, ids in by_interface.items():
        if len(ids) > 1:
            way = f"interface {interface}" if interface else "the default route"
            yield f"circuits {' and '.join(ids)} share {way}: they cannot be measured apart"


def _of_circuit(circuit: Circuit) -> Iterator[str]:
    if not circuit.sid:
        yield "no sid: a ticket needs the service number"
    if circuit.sla is None:
        yield "no sla: downtime is measured, but nothing can be claimed"
    if circuit.technology is None:
        yield "no technology: what is normal for it is not known"


def _of_doubled_sids(inventory: Inventory) -> Iterator[Gap]:
    users: dict[tuple[str, str], list[Site]] = defaultdict(list)
    for site in inventory.sites:
        for circuit in site.circuits:
            if circuit.sid:
                users[circuit.provider.casefold(), circuit.sid].append(site)
    for (_, sid), sites in users.items():
        if len(sites) > 1:
            others = ", ".join(site.code for site in sites[:-1])
            last = sites[-1]
            yield Gap(last.where, f"sid '{sid}' is also that of {others}: copied?", last.code)
