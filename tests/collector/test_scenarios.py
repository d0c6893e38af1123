"""Histories: what each side could see, and what the centre must make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.judgement.evidence import Confidence
from collector.judgement.ledger import Outage
from collector.judgement.tracking import Incident
from collector.stretches import Kind, kind_of_downtime
from tests.support import histories
from tests.support.histories import BEGIN_MS, Yaml, ms

FOLDER = Path(__file__).parents[1] / "scenarios"
STORIES = sorted(FOLDER.glob("*.yaml"))
INTERVAL_MS = 10_000


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_centre_reads_the_story(path: Path) -> None:
    story = histories.load(path)
    told = histories.run(story)
    found = told.newest()
    expected = sorted(story["expect"], key=lambda e: (e["office"], ms(e["from"])))
    shown = "\n".join(_shown(o) for o in found) or "nothing"
    assert len(found) == len(expected), f"found:\n{shown}"
    for outage, wanted in zip(found, expected, strict=True):
        assert (outage.site, outage.cause.value) == (wanted["office"], wanted["cause"]), shown
        assert outage.kind is _kind(wanted), shown
        assert abs(outage.began_ms - BEGIN_MS - ms(wanted["from"])) <= INTERVAL_MS, shown
        if wanted.get("to") is None:
            assert outage.ended_ms is None, shown
        else:
            assert outage.ended_ms is not None, shown
            assert abs(outage.ended_ms - BEGIN_MS - ms(wanted["to"])) <= INTERVAL_MS, shown
        assert outage.circuit == wanted.get("circuit", "telkom")
        assert outage.evidence, "a verdict without evidence"
        confidence = Confidence(wanted.get("confidence", "final"))
        assert outage.confidence is confidence, shown
    for office, causes in story.get("versions", {}).items():
        first = next(o for o in told.versions if o.site == office)
        said = [o.cause.value for o in told.versions if o.id == first.id]
        assert said == causes, "\n".join(_shown(o) for o in told.versions)
    if "incidents" in story:
        _incidents(story["incidents"], told.last())
    _holds_together(told.versions)


def _incidents(wanted: list[Yaml], found: list[Incident]) -> None:
    shown = "\n".join(
        f"{i.id} v{i.version} {i.alertname} {i.sites} {i.cause.value} "
        f"{(i.began_ms - BEGIN_MS) / 1000:.0f}-"
        f"{'...' if i.ended_ms is None else (i.ended_ms - BEGIN_MS) / 1000} {i.reason}"
        for i in found
    )
    assert [(i.alertname, sorted(i.sites), i.cause.value, i.ended_ms is None) for i in found] == [
        (w["alertname"], sorted(w["offices"]), w["cause"], w.get("open", False)) for w in wanted
    ], shown
    for incident in found:
        assert incident.evidence, "an incident without evidence"


def _kind(wanted: Yaml) -> Kind:
    if "kind" in wanted:
        return Kind(wanted["kind"])
    return kind_of_downtime(wanted["cause"])


def _shown(outage: Outage) -> str:
    end = "..." if outage.ended_ms is None else f"{(outage.ended_ms - BEGIN_MS) / 1000:.0f}"
    return (
        f"{outage.id} v{outage.version} {(outage.began_ms - BEGIN_MS) / 1000:.0f}-{end} s "
        f"{outage.kind.value} {outage.cause.value} {outage.confidence.value}: {outage.reason}"
    )


def _holds_together(versions: list[Outage]) -> None:
    """Nothing lasts less than no time, and nothing is counted twice."""
    newest = {o.id: o for o in versions}
    by_circuit: dict[tuple[str, str], list[Outage]] = {}
    for outage in newest.values():
        if not outage.withdrawn:
            by_circuit.setdefault((outage.site, outage.circuit), []).append(outage)
    for outages in by_circuit.values():
        reached = 0
        for outage in sorted(outages, key=lambda o: o.began_ms):
            assert outage.began_ms >= reached, "two outages overlap"
            reached = 2**62 if outage.ended_ms is None else outage.ended_ms
            assert reached >= outage.began_ms
