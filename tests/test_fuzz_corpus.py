"""The fuzzers' corpus, replayed: what a campaign has grown stays refused, fast and small."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

import fuzz
from fuzz import seeds, trees
from fuzz.replay import cpu_s, excess
from fuzz.targets import TARGETS
from tabuah import block, varint
from tabuah.snmp import ber

CORPUS = Path(fuzz.__file__).with_name("corpus")
MUTATIONS = 20
"""Of each input."""

each_target = pytest.mark.parametrize("name", TARGETS)


def corpus(name: str) -> list[bytes]:
    """Return the inputs of a target: grown ones, and well-formed ones."""
    grown = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    assert grown, "a target without a corpus"
    return [*grown, *seeds.seeds()[name]]


@each_target
def test_the_corpus_raises_nothing_and_costs_what_its_size_allows(name: str) -> None:
    for data in corpus(name):
        assert excess(TARGETS[name], data) == "", data.hex()


@each_target
def test_one_mutation_away_from_the_corpus_nothing_is_raised_either(name: str) -> None:
    target, dice = TARGETS[name], Random(name)
    for data in corpus(name):
        head = data[:1] if target.modes else b""
        for _ in range(MUTATIONS):
            rest = data[len(head) :]
            changed = trees.mutate(rest, dice, 4096) if target.elements else trees.flip(rest, dice)
            target.run(head + changed)


def many_bindings(octets: int) -> bytes:
    """Return a scoped inform of empty bindings."""
    bindings = bytes.fromhex("300406000500") * (octets // 6)
    numbers = ber.integer(1) + ber.integer(0) + ber.integer(0)
    pdu = ber.tlv(0xA6, numbers + ber.tlv(ber.SEQUENCE, bindings))
    return ber.tlv(ber.SEQUENCE, ber.octets(b"") + ber.octets(b"") + pdu)


def long_names(octets: int) -> bytes:
    """Return a scoped inform of names as long as may be, each another."""
    bindings = b"".join(
        ber.tlv(ber.SEQUENCE, ber.tlv(6, number.to_bytes(2, "big") + b"\x01" * 125) + b"\x05\0")
        for number in range(256, 256 + octets // 135)
        if number & 0x80 == 0
    )
    numbers = ber.integer(1) + ber.integer(0) + ber.integer(0)
    pdu = ber.tlv(0xA6, numbers + ber.tlv(ber.SEQUENCE, bindings))
    return ber.tlv(ber.SEQUENCE, ber.octets(b"") + ber.octets(b"") + pdu)


def nested(octets: int) -> bytes:
    """Return sequences within sequences."""
    heads: list[bytes] = []
    size = 0
    while size < octets:
        heads.append(ber.tlv(ber.SEQUENCE, bytes(size))[:-size] if size else b"\x30\0")
        size += len(heads[-1])
    return b"".join(reversed(heads))


def _report(sections: bytes) -> bytes:
    body = bytearray()
    varint.put(body, 49 + len(sections))
    return bytes((block.VERSION, 0)) + bytes(body) + bytes(49) + sections


def many_interfaces(octets: int) -> bytes:
    """Return a report of one device with interfaces that have a name and a state only."""
    device = b"\x02\x05\x01d\0\0\0"
    return _report(device + b"\x03\x02\0\x01" * (octets // 4))


def many_reports(octets: int) -> bytes:
    """Return a block of reports that are heads alone."""
    return bytes((block.VERSION, 0)) + (b"\x31" + bytes(49)) * (octets // 50)


def number_without_end(octets: int) -> bytes:
    """Return a report whose first section has a length of so many octets."""
    return _report(b"\x01" + b"\xff" * octets)


def _deflated(made: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def bomb(octets: int) -> bytes:
        plain = made(60 * octets)
        packed = zlib.compress(plain[2:], 9, wbits=-15)
        return bytes((plain[0], block.DEFLATE)) + packed

    return bomb


WORST: dict[str, tuple[str, bytes, Callable[[int], bytes]]] = {
    "bindings in a message": ("message", b"", many_bindings),
    "bindings, authentic": ("receiver", b"\2", many_bindings),
    "names in a message": ("message", b"", long_names),
    "names, authentic": ("receiver", b"\2", long_names),
    "nested": ("ber", b"", nested),
    "nested, authentic": ("client", b"\2", nested),
    "interfaces": ("block", b"\0", many_interfaces),
    "interfaces, deflated": ("block", b"\0", _deflated(many_interfaces)),
    "a number": ("block", b"\0", number_without_end),
    "reports": ("block", b"\0", many_reports),
    "reports, deflated": ("block", b"\0", _deflated(many_reports)),
}


@pytest.mark.parametrize("case", WORST)
def test_the_worst_that_we_could_think_of_costs_what_its_size_allows(case: str) -> None:
    name, head, make = WORST[case]
    for octets in (1_000, 8_000, 60_000):
        data = head + make(octets)
        assert excess(TARGETS[name], data) == ""


@pytest.mark.parametrize("case", [case for case in WORST if "deflated" not in case])
def test_eight_times_the_octets_take_eight_times_as_long_and_not_sixty(case: str) -> None:
    name, head, make = WORST[case]
    target, data = TARGETS[name], [head + make(octets) for octets in (4_000, 32_000)]
    small, large = (min(cpu_s(target, one) for _ in range(3)) for one in data)
    assert large < 8 * 2.5 * max(small, 0.001)
