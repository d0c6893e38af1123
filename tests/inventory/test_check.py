from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inventory.check import gaps, warnings
from inventory.load import load
from inventory.model import (
    Alerts,
    Channel,
    Circuit,
    CircuitRole,
    Inventory,
    Precision,
    Site,
    Technology,
    Ups,
)

CONTRACT = Path(__file__).parent / "contract"


def whats(inventory: Inventory) -> list[str]:
    return [gap.what for gap in gaps(inventory)]


def complete() -> Inventory:
    """The documentation's inventory, with the two things that it leaves open."""
    inventory = load(CONTRACT)
    site = inventory.sites[0]
    assert site.location is not None
    located = replace(site, location=replace(site.location, precision=Precision.EXACT))
    circuit = replace(site.circuits[0], sid="4700000001")
    return replace(inventory, sites=(replace(located, circuits=(circuit,)),))


def test_a_complete_inventory_lacks_nothing() -> None:
    assert gaps(complete()) == ()


def test_a_bare_office_lacks_everything_that_a_diagnosis_needs() -> None:
    bare = Inventory("Dinas", sites=(Site("kubung", "Kubung", where="inventory.yaml:3"),))
    lacking = [str(problem).partition(": ")[2] for problem in warnings(bare)]
    assert [what.partition(":")[0] for what in lacking if not what.startswith("site")] == [
        "no references",
        "no alert channels",
        "no heartbeat",
    ]
    of_site = [what.split(": ")[1] for what in lacking if what.startswith("site kubung: ")]
    assert of_site == [
        "no probe of role gateway",
        "no probe of role first_hop",
        "no probe of role centre",
        "no probe of role public",
        "no device of role gateway",
        "ups is unknown",
        "no location",
        "no contact",
        "no upstream",
        "no power_group",
        "no circuits",
    ]
    assert all(p.where in ("inventory.yaml", "inventory.yaml:3") for p in warnings(bare))


@pytest.mark.parametrize(
    ("circuits", "words"),
    [
        ((Circuit("t", technology=Technology.FIBRE, sid="1"),), "circuit t: no sla"),
        ((Circuit("t", technology=Technology.FIBRE),), "circuit t: no sid"),
        ((Circuit("t"),), "circuit t: no technology"),
        ((Circuit("t", role=CircuitRole.BACKUP),), "no primary circuit"),
        ((Circuit("telkom"), Circuit("lte")), "circuit lte: no probe leaves by it"),
        ((Circuit("t"), Circuit("u")), "circuits t and u share the default route"),
        (
            (Circuit("t", interface="eth0"), Circuit("u", interface="eth0")),
            "circuits t and u share interface eth0",
        ),
    ],
)
def test_what_a_line_lacks_is_told(circuits: tuple[Circuit, ...], words: str) -> None:
    inventory = complete()
    site = replace(inventory.sites[0], circuits=circuits)
    assert any(what.startswith(words) for what in whats(replace(inventory, sites=(site,))))


def test_a_ups_that_nobody_asks_is_told() -> None:
    inventory = complete()
    site = replace(inventory.sites[0], ups=Ups.ALL, devices=())
    assert any("no device of role ups" in w for w in whats(replace(inventory, sites=(site,))))


def test_a_service_number_of_two_offices_is_told_at_the_second() -> None:
    inventory = complete()
    second = replace(inventory.sites[0], code="13.02.11", where="inventory.yaml:90")
    (gap,) = gaps(replace(inventory, sites=(inventory.sites[0], second)))
    assert (gap.site, gap.where) == ("13.02.11", "inventory.yaml:90")
    assert gap.what == "sid '4700000001' is also that of 13.02.10: copied?"


def test_a_single_path_for_alerts_is_told() -> None:
    inventory = complete()
    two_hooks = Alerts((Channel("a", webhook="http://a/"), Channel("b", webhook="http://b/")))
    (what,) = whats(replace(inventory, alerts=two_hooks))
    assert what.startswith("a single path for alerts (webhook)")
    (what,) = whats(replace(inventory, alerts=Alerts()))
    assert what.startswith("no alert channels")


def test_an_empty_inventory_is_told_to_watch_nothing() -> None:
    assert "no sites: nothing is watched yet" in whats(Inventory("Dinas"))
