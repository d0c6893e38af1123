"""Which circuit a report leaves by: told by the route's own address, or bound to."""

from __future__ import annotations

from agent.circuits import addresses, circuit_of
from agent.config import Circuit
from agent.sender import ways

LO = Circuit("loop", "lo")
GONE = Circuit("gone", "wan9")
DEFAULT = Circuit("telkom")


def test_an_interface_has_its_addresses_and_a_missing_one_none() -> None:
    assert "127.0.0.1" in addresses("lo")
    assert addresses("wan9") == set()


def test_the_circuit_whose_interface_has_the_address_is_named() -> None:
    assert circuit_of("127.0.0.1", [DEFAULT, GONE, LO]) == "loop"


def test_any_other_address_is_the_default_routes_circuits() -> None:
    assert circuit_of("192.0.2.7", [GONE, LO, DEFAULT]) == "telkom"
    assert circuit_of("192.0.2.7", [GONE, LO]) == ""


def test_an_office_whose_circuits_all_have_interfaces_is_never_left_to_the_routes() -> None:
    assert ways((LO, GONE)) == [LO, GONE]
    assert ways((DEFAULT, GONE)) == [None, GONE]
    assert ways((DEFAULT, Circuit("second"))) == [None]
    assert ways(()) == [None]
