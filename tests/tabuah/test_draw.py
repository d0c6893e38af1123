"""Draws from the kernel: within their bounds, and all of them come."""

from __future__ import annotations

from tabuah import draw


def test_a_draw_below_a_bound_gives_each_number_and_none_beyond() -> None:
    for bound in (1, 2, 3, 8):
        assert {draw.below(bound) for _ in range(400)} == set(range(bound))


def test_bits_fill_their_width_and_no_more() -> None:
    assert {draw.bits(3) for _ in range(400)} == set(range(8))
    assert max(draw.bits(64) for _ in range(100)) >= 1 << 62
    assert all(draw.bits(31) < 1 << 31 for _ in range(100))


def test_a_fraction_is_below_one_and_they_spread() -> None:
    drawn = [draw.fraction() for _ in range(400)]
    assert 0 <= min(drawn) < 0.1
    assert 0.9 < max(drawn) < 1
