"""What Prometheus and Alertmanager need beside tabuah, as texts. Pure.

The rules in `alerts/rules/` are complete as they stand: what differs from office to office is in
the collector's metrics (objectives, bandwidths, service hours), so that no rule is made for a
site. What an export adds is where things are: the collector, the Alertmanagers, the runbooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from inventory.model import Inventory
from tabuah.errors import Problem
from tabuah.sandbox import sandbox

FASTEST_BURN: Final = Decimal("14.4")
"""The factor of `TabuahCircuitBudgetBurn` over an hour (alerts/rules/burn.yml)."""

LEAST_OBJECTIVE: Final = 1 - 1 / FASTEST_BURN
"""At this objective or below even a dead line burns too slowly for the fastest rule: 93.06 %."""

_RUNBOOK = re.compile(r"^( *runbook_url: )runbooks/(\w+)\.md$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is."""

    collector: str
    """HOST:PORT of its page."""
    scheme: str = "http"
    token_file: str = ""
    """On Prometheus' machine; empty = no token is asked for."""
    alertmanagers: tuple[str, ...] = ("127.0.0.1:9093",)
    runbooks: str = ""
    """A URL under which NAME is the runbook of the alert NAME; empty = beside the rules."""


def unreachable(inventory: Inventory) -> list[Problem]:
    """Return the objectives at which the fastest burn-rate rule can never fire.

    The rate at which a line that is down spends its allowance is 1 / (1 - objective).
    """
    found = []
    for site in inventory.sites:
        for circuit in site.circuits:
            if circuit.sla is not None and circuit.sla.availability <= LEAST_OBJECTIVE:
                named = f"sla.availability of circuit '{circuit.id}' of site {site.code}"
                found.append(_problem(site.where, named, circuit.sla.availability))
    for service in inventory.services.values():
        if service.objective is not None and service.objective <= LEAST_OBJECTIVE:
            named = f"the objective of service '{service.code}'"
            found.append(_problem(str(inventory.directory), named, service.objective))
    return found


def _problem(where: str, named: str, objective: Decimal) -> Problem:
    return Problem(
        where,
        f"{named} is {objective}: at {LEAST_OBJECTIVE:.4f} or less a burn rate of {FASTEST_BURN} "
        "can never be reached, so its alert would never fire; write a higher objective, "
        "or leave it out",
    )


def prometheus(template: str, places: Places) -> str:
    """Return prometheus.yml."""
    return _fill(
        template,
        {
            "collector": json.dumps(places.collector),
            "scheme": places.scheme,
            "token_file": json.dumps(places.token_file) if places.token_file else "",
            "alertmanagers": json.dumps(list(places.alertmanagers)),
        },
    )


def alertmanager(template: str) -> str:
    """Return alertmanager.yml."""
    return _fill(template, {})


def rules(text: str, places: Places) -> str:
    """Return a file of rules whose runbooks can be followed."""
    if not places.runbooks:
        return text
    base = places.runbooks.rstrip("/")
    return _RUNBOOK.sub(lambda found: f"{found[1]}{base}/{found[2]}", text)


def runbooks_named(text: str) -> set[str]:
    """Return the names of the runbooks that a file of rules refers to."""
    return {found[2] for found in _RUNBOOK.finditer(text)}


def _fill(template: str, values: Mapping[str, str]) -> str:
    return sandbox().from_string(template).render(values)
