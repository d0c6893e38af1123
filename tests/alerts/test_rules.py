"""The rules for Prometheus, judged by promtool: sound, firing when they should, and explained."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from alerts.monitoring import runbooks_named
from alerts.words import CAUSES
from inventory.model import Severity

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "alerts" / "rules").glob("*.yml"))
STORIES = sorted((Path(__file__).parent / "stories").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"

CONTRACT = {
    *("TabuahLinkDown", "TabuahUpstreamDown", "TabuahLinkDegraded", "TabuahLinkFlapping"),
    *("TabuahLinkSaturated", "TabuahPowerLost", "TabuahGatewayFault", "TabuahServiceDown"),
    *("TabuahAgentFault", "TabuahClockSkew", "TabuahCollectorIsolated", "TabuahChannelFailing"),
}
"""What the collector announces itself."""


def _run(*argv: str | Path) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _alerts(text: str) -> set[str]:
    return set(re.findall(r"^ *- alert: (\w+)$", text, re.MULTILINE))


def test_the_rules_are_sound() -> None:
    _run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.stem)
def test_each_rule_has_the_labels_and_annotations_of_the_contract(rules: Path) -> None:
    groups = yaml.safe_load(rules.read_text())["groups"]
    for rule in [rule for group in groups for rule in group["rules"] if "alert" in rule]:
        labels, told = rule["labels"], rule["annotations"]
        assert {"summary", "description", "runbook_url"} <= told.keys(), rule["alert"]
        # Static: by its summary an alert is known again, whatever its figures are.
        assert "{{" not in told["summary"]
        assert labels["severity"] in {severity.value for severity in Severity}
        assert labels["cause"] in CAUSES["en"]
        if "$labels.site" in told["description"]:
            # Without them an upstream's fall holds back none of its offices.
            joined = "* on (site) group_left (upstream, kecamatan) tabuah_site_info"
            assert joined in " ".join(rule["expr"].split()), rule["alert"]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_each_rule_fires_when_it_should_and_is_quiet_when_it_should(story: Path) -> None:
    _run("promtool", "test", "rules", story)


def test_no_rule_is_without_a_story() -> None:
    told = "".join(story.read_text() for story in STORIES)
    for rules in RULES:
        for alert in _alerts(rules.read_text()):
            assert alert in told, f"{alert} of {rules.name} fires in no story"


def test_every_alert_has_a_runbook_in_both_languages_and_no_runbook_is_left_over() -> None:
    named = set(CONTRACT)
    for rules in RULES:
        text = rules.read_text()
        assert runbooks_named(text) == _alerts(text)
        named |= _alerts(text)
    assert {book.stem for book in RUNBOOKS.glob("*.md")} == named
    for book in RUNBOOKS.glob("*.md"):
        text = book.read_text()
        assert text.startswith(f"# {book.stem}\n\n## Bahasa Indonesia\n\n**Arti.** ")
        assert "\n## English\n\n**Meaning.** " in text
        # As many steps in either language: a translation that lags behind misleads.
        indonesian, _, english = text.partition("\n## English\n")
        steps = [re.findall(r"^(\d)\.", part, re.MULTILINE) for part in (indonesian, english)]
        assert steps[0] == steps[1] != []
