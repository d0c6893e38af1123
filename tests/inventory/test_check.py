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
from inventory.secret import SecretRef

CONTRACT = Path(__file__).parent / "contract"
TOKEN = SecretRef.parse("env:TABUAH_TELEGRAM")


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


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ((), "no alert channels: nobody is told"),
        ((Channel("a", webhook="http://10.0.0.5/"),), "a single alert channel (webhook)"),
        (
            (Channel("a", apprise=TOKEN), Channel("b", webhook="https://hook.example/x")),
            "all alert channels go over the Internet: when the centre's own line is down",
        ),
        (
            (Channel("a", alertmanager=("https://am.example/",)), Channel("b", webhook=TOKEN)),
            "all alert channels go over the Internet",
        ),
        (
            (Channel("a", webhook="http://10.0.0.5/a"), Channel("b", webhook="http://10.0.0.5/b")),
            "all alert channels end at 10.0.0.5",
        ),
        ((Channel("a", apprise=TOKEN), Channel("b", command=("/usr/local/bin/sms",))), ""),
        ((Channel("a", apprise=TOKEN), Channel("b", alertmanager=("http://127.0.0.1:9093",))), ""),
        ((Channel("a", webhook="http://one/"), Channel("b", webhook="http://two/")), ""),
    ],
)
def test_an_alert_must_not_need_the_line_that_it_tells_of(
    channels: tuple[Channel, ...], words: str
) -> None:
    lacking = whats(replace(complete(), alerts=Alerts(channels)))
    assert [what.startswith(words) for what in lacking] == ([True] if words else [])


def test_an_empty_inventory_is_told_to_watch_nothing() -> None:
    assert "no sites: nothing is watched yet" in whats(Inventory("Dinas"))
