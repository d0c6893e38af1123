"""Histories: what each side could see, and what the centre must make of it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest

from collector.judgement.evidence import Confidence
from collector.judgement.ledger import Outage
from collector.judgement.tracking import Incident
from collector.sla_model import Share
from collector.stretches import Kind, kind_of_downtime
from inventory.model import Formula
from tests.support import histories
from tests.support.claims import months_of
from tests.support.histories import Told, Yaml, begin_of, ms

FOLDER = Path(__file__).parents[1] / "scenarios"
STORIES = sorted(FOLDER.glob("*.yaml"))
INTERVAL_MS = 10_000
_REST = {Share.UP, Share.AHEAD}
"""What is left of a month; all shares together are its hours."""


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_centre_reads_the_story(path: Path) -> None:
    story = histories.load(path)
    begin_ms = begin_of(story)
    told = histories.run(story)
    found = told.newest()
    expected = sorted(story["expect"], key=lambda e: (e["office"], ms(e["from"])))
    shown = "\n".join(_shown(o, begin_ms) for o in found) or "nothing"
    assert len(found) == len(expected), f"found:\n{shown}"
    for outage, wanted in zip(found, expected, strict=True):
        assert (outage.site, outage.cause.value) == (wanted["office"], wanted["cause"]), shown
        assert outage.kind is _kind(wanted), shown
        assert abs(outage.began_ms - begin_ms - ms(wanted["from"])) <= INTERVAL_MS, shown
        if wanted.get("to") is None:
            assert outage.ended_ms is None, shown
        else:
            assert outage.ended_ms is not None, shown
            assert abs(outage.ended_ms - begin_ms - ms(wanted["to"])) <= INTERVAL_MS, shown
        assert outage.circuit == wanted.get("circuit", "telkom")
        assert outage.evidence, "a verdict without evidence"
        confidence = Confidence(wanted.get("confidence", "final"))
        assert outage.confidence is confidence, shown
    for office, causes in story.get("versions", {}).items():
        first = next(o for o in told.versions if o.site == office)
        said = [o.cause.value for o in told.versions if o.id == first.id]
        assert said == causes, "\n".join(_shown(o, begin_ms) for o in told.versions)
    if "incidents" in story:
        _incidents(story["incidents"], told.last(), begin_ms)
    _holds_together(told.versions)
    _money(story, told)


def _incidents(wanted: list[Yaml], found: list[Incident], begin_ms: int) -> None:
    shown = "\n".join(
        f"{i.id} v{i.version} {i.alertname} {i.sites} {i.cause.value} "
        f"{(i.began_ms - begin_ms) / 1000:.0f}-"
        f"{'...' if i.ended_ms is None else (i.ended_ms - begin_ms) / 1000} {i.reason}"
        for i in found
    )
    assert [(i.alertname, sorted(i.sites), i.cause.value, i.ended_ms is None) for i in found] == [
        (w["alertname"], sorted(w["offices"]), w["cause"], w.get("open", False)) for w in wanted
    ], shown
    for incident in found:
        assert incident.evidence, "an incident without evidence"


def _money(story: Yaml, told: Told) -> None:
    months = months_of(story, told)
    for month in months.values():
        assert sum(month.times.values()) == month.hours_ms
        assert 0 <= month.due.low <= month.due.high <= 1
        assert all(piece.stretch.length_ms >= 0 for piece in month.pieces)
    for name, wanted in story.get("money", {}).items():
        office, _, circuit = name.partition("/")
        key = (office, circuit or "telkom")
        month = months[key]
        found = {share.value: took for share, took in month.times.items() if share not in _REST}
        assert found == {share: ms(wanted.get(share, "0s")) for share in found}, name
        low, high = (Fraction(str(bound)) for bound in wanted["availability"])
        assert (_cut(month.due.low), _cut(month.due.high)) == (low, high), name
        claims = wanted.get("claim", 0)
        if not isinstance(claims, Mapping):
            assert month.due.claim == claims, name
            assert month.due.potential == wanted.get("potential", claims), name
            assert month.due.with_open == wanted.get("with_open", claims), name
            assert month.lost_rupiah == wanted.get("lost", month.lost_rupiah), name
            continue
        for formula, claim in claims.items():
            assert months_of(story, told, Formula(formula))[key].due.claim == claim, formula


def _cut(share: Fraction) -> Fraction:
    """Return a share as reports print it: six decimals, never rounded up."""
    return Fraction(floor(share * 10**6), 10**6)


def _kind(wanted: Yaml) -> Kind:
    if "kind" in wanted:
        return Kind(wanted["kind"])
    return kind_of_downtime(wanted["cause"])


def _shown(outage: Outage, begin_ms: int) -> str:
    end = "..." if outage.ended_ms is None else f"{(outage.ended_ms - begin_ms) / 1000:.0f}"
    return (
        f"{outage.id} v{outage.version} {(outage.began_ms - begin_ms) / 1000:.0f}-{end} s "
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
