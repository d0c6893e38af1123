"""A report's octets: what goes in comes out, and nothing else gets past."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabuah import block, varint
from tabuah.errors import DecodeError
from tabuah.report import Report
from tests.support.reports import packed, report
from tests.support.strategies import reports

SITE = "13.02.10"


@given(reports)
def test_a_report_comes_out_as_it_went_in(said: Report) -> None:
    assert block.read(SITE, block.pack(said)) == said


@given(st.lists(reports, min_size=1, max_size=4), st.booleans())
def test_a_block_holds_its_reports_in_order(said: list[Report], history: bool) -> None:
    found = block.decode(block.encode([block.pack(one) for one in said], history=history))
    assert [block.read(SITE, one) for one in found.reports] == said
    assert found.history is history


@given(st.binary(max_size=300))
def test_random_octets_are_a_block_or_a_decode_error(octets: bytes) -> None:
    try:
        for one in block.decode(octets).reports:
            if one.readable:
                block.read(SITE, one)
    except DecodeError:
        pass


@given(reports, st.data())
def test_a_damaged_report_is_readable_or_a_decode_error(said: Report, data: st.DataObject) -> None:
    octets = bytearray(block.pack(said).octets)
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    try:
        one = block.unpack(bytes(octets))
        if one.readable:
            block.read(SITE, one)
    except DecodeError:
        pass


def test_a_cut_off_block_is_refused_wherever_it_is_cut() -> None:
    whole = block.encode([packed(1), packed(2)])
    for length in range(2, len(whole)):
        with pytest.raises(DecodeError):
            block.decode(whole[:length])


def test_a_bomb_does_not_inflate() -> None:
    bomb = zlib.compress(bytes(block.MAX_INFLATED + 1), 9, wbits=-15)
    with pytest.raises(DecodeError, match="without end"):
        block.decode(bytes((block.VERSION, block.DEFLATE)) + bomb)


def test_a_small_bomb_does_not_inflate_either() -> None:
    """Heads of nothing but zeros: a thousand reports in the octets of two."""
    heads = (b"\x31" + bytes(49)) * 1000
    bomb = zlib.compress(heads, 9, wbits=-15)
    assert len(heads) < block.MAX_INFLATED
    assert len(heads) > block.MAX_RATIO * len(bomb)
    with pytest.raises(DecodeError, match="without end"):
        block.decode(bytes((block.VERSION, block.DEFLATE)) + bomb)


def test_a_week_of_cycles_that_differ_only_in_their_numbers_is_no_bomb() -> None:
    quiet = [packed(seq) for seq in range(1, 500)]
    assert block.decode(block.encode(quiet)).reports == tuple(quiet)


def test_a_report_of_a_newer_version_is_named_and_kept_but_not_read() -> None:
    octets = bytearray(block.encode([packed(7)]))
    octets[0] = block.VERSION + 1
    (one,) = block.decode(bytes(octets)).reports
    assert one.seq == 7
    assert not one.readable
    with pytest.raises(DecodeError, match="version 2; 1 to 1 are read here"):
        block.read(SITE, one)
    assert block.unpack(one.octets) == one


def test_an_older_agents_report_is_read_by_whoever_knows_a_newer_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = report(7)
    old = block.pack(said)
    monkeypatch.setattr(block, "VERSION", block.VERSION + 1)
    assert block.read(SITE, old) == said
    assert block.pack(said).octets[0] == old.octets[0] + 1


def test_there_never_was_a_version_0() -> None:
    with pytest.raises(DecodeError, match="version 0"):
        block.read(SITE, block.unpack(b"\0" + packed(7).octets[1:]))


def test_a_section_of_an_unknown_type_is_passed_over() -> None:
    said = report(3)
    octets = bytearray(block.pack(said).octets)
    octets += b"\x63\x02hi"
    assert block.read(SITE, block.unpack(bytes(octets))) == said


def test_a_section_that_grew_at_its_end_is_still_read() -> None:
    said = report(3)
    octets = bytearray(block.pack(said).octets)
    # The agent's section comes last: type, length, body. A newer agent adds a field to it.
    at = len(octets) - 1
    while not (octets[at] == 5 and octets[at + 1] == len(octets) - at - 2):
        at -= 1
    octets[at + 1] += 1
    octets.append(99)
    assert block.read(SITE, block.unpack(bytes(octets))) == said


@given(st.integers(-(2**63), 2**63 - 1))
def test_zigzag_is_undone_by_unzigzag(number: int) -> None:
    assert varint.unzigzag(varint.zigzag(number)) == number


def test_a_number_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(DecodeError, match="64 bits"):
        varint.Reader(b"\xff" * 9 + b"\x7f").number()


@given(reports, reports)
def test_a_report_upon_another_comes_out_as_it_went_in(said: Report, before: Report) -> None:
    base = block.pack(before)
    octets = block.encode([block.pack(said)], base=base)
    held = {block.base_name(base.octets): base.octets}
    (one,) = block.decode(octets, held.get).reports
    assert block.read(SITE, one) == said


def test_a_report_like_the_one_before_costs_a_fraction() -> None:
    alone = block.encode([packed(2)])
    upon = block.encode([packed(2)], base=packed(1))
    assert len(upon) < 0.6 * len(alone)


def test_a_report_upon_one_that_is_not_held_is_asked_for_whole() -> None:
    octets = block.encode([packed(2)], base=packed(1))
    other = {block.base_name(packed(9).octets): packed(9).octets}
    for held in ({}, other):
        with pytest.raises(block.UnknownBaseError):
            block.decode(octets, held.get)
