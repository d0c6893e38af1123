"""What a transaction carries in the journal beside its state, as JSON and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from provision.dialect import Said
from provision.gate import Baseline, Before, Floor
from provision.journal import Transaction


def said_facts(said: Said) -> dict[str, object]:
    """Return what a device said, as the audit keeps it."""
    return {
        "marker": said.marker.value,
        "applied": said.applied,
        "restored": said.restored,
        "saved": said.saved,
        "words": said.words,
    }


def baseline_facts(before: Baseline) -> dict[str, object]:
    """Return a baseline as the journal keeps it."""
    return {
        "path": before.path,
        "probes": {name: asdict(was) for name, was in before.probes.items()},
        "reports": list(before.reports),
    }


def baseline_of(tx: Transaction) -> Baseline:
    """Return how the office was before the change."""
    facts: Any = tx.facts["baseline"]  # the journal's JSON
    return Baseline(
        path=str(facts["path"]),
        probes={
            str(name): Before(was["rtt_us"], float(was["loss"]))
            for name, was in facts["probes"].items()
        },
        reports=tuple(facts["reports"]),
    )


def floor_of(tx: Transaction) -> Floor | None:
    """Return what was known when the change was complete; None before that."""
    facts: Any = tx.facts.get("floor")
    return None if facts is None else Floor(facts["reports"], facts["runs"], facts["epoch"])


def undone_before(tx: Transaction) -> int:
    """Return how many offices had taken its plan back when a transaction began."""
    known = tx.facts.get("undone_before")
    return known if isinstance(known, int) else 0


def judged(tx: Transaction) -> bool:
    """Return whether its end says something of the change.

    It says nothing where a person interrupted it, or its pusher was gone.
    """
    return not tx.facts.get("unjudged")
