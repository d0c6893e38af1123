"""What a transaction carries in the journal beside its state, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from provision.configuration import ManagedFile, Scope
from provision.dialect import Said
from provision.gate import Baseline, Before, Floor
from provision.journal import Transaction


def scope_facts(scope: Scope) -> dict[str, object]:
    """Return a scope as the journal keeps it."""
    return {
        "interfaces": list(scope.interfaces),
        "keys": list(scope.keys),
        "files": [[file.path, file.mode] for file in scope.files],
        "nftables": scope.nftables,
        "frr": scope.frr,
        "sections": list(scope.sections),
    }


def scope_of(facts: Mapping[str, object]) -> Scope:
    """Return the scope that the journal kept."""
    said = facts["scope"]
    assert isinstance(said, dict)
    return replace(
        Scope(nftables=bool(said["nftables"]), frr=bool(said["frr"])),
        interfaces=tuple(said["interfaces"]),
        keys=tuple(said["keys"]),
        files=tuple(ManagedFile(path, mode) for path, mode in said["files"]),
        sections=tuple(said.get("sections", ())),
    )


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
