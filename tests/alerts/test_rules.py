"""The rules for Prometheus, judged by promtool: sound, and firing when they should."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.peer

RULES = Path(__file__).parents[2] / "alerts" / "rules" / "tabuah.yml"

STORY = """\
rule_files: [{rules}]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - {{series: 'up{{job="tabuah", instance="centre:8080"}}', values: "{up}"}}
    promql_expr_test:
      - expr: count(ALERTS{{alertname="TabuahCollectorAbsent", alertstate="firing"}})
        eval_time: 5m
        exp_samples: [{expected}]
"""


def test_the_rules_are_sound() -> None:
    argv = ("promtool", "check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("up", "fires"),
    [("1x20", False), ("1x10 0x10", True), ("_x20", True), ("1x18 0x2", False)],
    ids=["answers", "down", "not even scraped", "down for less than a minute"],
)
def test_an_absent_collector_is_announced_after_a_minute(
    tmp_path: Path, up: str, fires: bool
) -> None:
    expected = "{value: 1}" if fires else ""
    story = tmp_path / "story.yml"
    story.write_text(STORY.format(rules=RULES, up=up, expected=expected))
    argv = ("promtool", "test", "rules", str(story))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
