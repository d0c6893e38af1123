"""Hostile datagrams at the running programs; `fuzz/hostile.py` sends a million."""

from __future__ import annotations

from pathlib import Path

from fuzz.hostile import besiege


def test_nothing_hostile_is_believed_and_the_good_office_does_not_notice(tmp_path: Path) -> None:
    """Counted one by one, at the collector and at the agent; memory flat, Reports rationed."""
    verdict = besiege(tmp_path, datagrams=20_000, forged=1_000, lies_sent=20_000)
    assert verdict.failures == []
    assert sum(wave.sent for wave in verdict.waves) == 41_000
    assert all(wave.lost == 0 for wave in verdict.waves[:-1])
    assert verdict.usm_stats["wrong_digest"] > 1_000
