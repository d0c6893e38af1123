"""The ledger: every verdict in every version, appended and chained, never overwritten.

The chain is `tabuah.chain`: a changed, removed or inserted entry shows. A verdict that proved wrong
is followed by a new version; one that proved empty (the line was good all the while) by a version
that says so.

Storage is `collector/ledger_store.py`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from collector.judgement.evidence import Cause, Confidence, Evidence, Source
from collector.judgement.outages import Finding
from collector.stretches import COUNTABLE_CAUSES, Kind, Stretch
from tabuah.chain import Link, canonical
from tabuah.speech import rfc3339

_COLUMNS: Final = (
    "number",
    "written",
    "outage",
    "version",
    "site",
    "circuit",
    "began",
    "ended",
    "kind",
    "cause",
    "countable",
    "confidence",
    "reason",
    "hash",
)

Json = dict[str, object]


class Subject(Enum):
    """What an entry says."""

    OUTAGE = "outage"
    """A version of the verdict on one outage."""
    WATCH = "watch"
    """From when on a circuit is watched: before that nothing is known of it."""
    INCIDENT = "incident"
    """A version of an incident."""
    PERSON = "person"
    """What a person decided or wrote: liability, ticket, note."""


Entry = Link[Subject]
"""One line of the ledger."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One version of the verdict on one outage."""

    id: str
    version: int
    site: str
    circuit: str
    began_ms: int
    ended_ms: int | None
    kind: Kind
    """What class of time it is; UP where it proved to be none."""
    cause: Cause
    confidence: Confidence
    reason: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def countable(self) -> bool:
        """Whether the provider answers for it, before contracts and persons are asked."""
        return self.kind is Kind.DOWN and self.cause.value in COUNTABLE_CAUSES

    @property
    def withdrawn(self) -> bool:
        """Whether the record showed that there was no outage."""
        return self.kind is Kind.UP

    def says_as(self, other: Outage) -> bool:
        """Return whether the two differ in nothing that a reader would act on."""
        return (
            (self.began_ms, self.ended_ms, self.kind, self.cause)
            == (other.began_ms, other.ended_ms, other.kind, other.cause)
            and self.confidence is other.confidence
            and self.reason == other.reason
        )


def outage_body(outage: Outage) -> Json:
    """Return an outage as the body of an entry."""
    return {
        "id": outage.id,
        "version": outage.version,
        "site": outage.site,
        "circuit": outage.circuit,
        "began_ms": outage.began_ms,
        "ended_ms": outage.ended_ms,
        "kind": outage.kind.value,
        "cause": outage.cause.value,
        "confidence": outage.confidence.value,
        "reason": outage.reason,
        "evidence": [
            {"source": e.source.value, "at_ms": e.at_ms, "says": e.says} for e in outage.evidence
        ],
    }


def read_outage(text: str) -> Outage:
    """Return the outage of an entry's body.

    Raises:
        ValueError: it is not one.
    """
    try:
        body = json.loads(text)
        evidence = tuple(
            Evidence(Source(e["source"]), int(e["at_ms"]), str(e["says"])) for e in body["evidence"]
        )
        ended = body["ended_ms"]
        return Outage(
            id=str(body["id"]),
            version=int(body["version"]),
            site=str(body["site"]),
            circuit=str(body["circuit"]),
            began_ms=int(body["began_ms"]),
            ended_ms=None if ended is None else int(ended),
            kind=Kind(body["kind"]),
            cause=Cause(body["cause"]),
            confidence=Confidence(body["confidence"]),
            reason=str(body["reason"]),
            evidence=evidence,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"an entry that is no outage: {text[:80]}") from error


def newest(outages: Iterable[Outage]) -> dict[str, Outage]:
    """Return the newest version of each outage, by its id, in the order of first writing."""
    found: dict[str, Outage] = {}
    for outage in outages:
        known = found.get(outage.id)
        if known is None or outage.version >= known.version:
            found[outage.id] = outage
    return found


def revise(
    known: Iterable[Outage], findings: Sequence[Finding], since_ms: int, until_ms: int
) -> list[Outage]:
    """Return the new versions by which the ledger comes to say what was found.

    A finding takes up the known outage of its circuit that it overlaps, the earliest first;
    what has none is new. A known outage that nothing overlaps any more is withdrawn.

    Args:
        known: newest versions of one office.
        findings: all that was found of the same office since `since_ms`.
        since_ms: from when on the record was read; what ended before stands.
        until_ms: up to when: what began later, or then, is not refuted by it. After a start an
            open outage stands until the office is heard again, or found silent again.
    """
    open_to_change = sorted(
        (o for o in known if o.ended_ms is None or o.ended_ms > since_ms),
        key=lambda o: (o.withdrawn, o.began_ms),
    )
    taken: set[str] = set()
    written = []
    for finding in sorted(findings, key=lambda f: f.began_ms):
        old = next((o for o in open_to_change if o.id not in taken and _overlaps(o, finding)), None)
        if old is None:
            written.append(_outage(finding, _new_id(finding), 1))
            continue
        taken.add(old.id)
        new = _outage(finding, old.id, old.version + 1)
        if old.began_ms < since_ms:
            # Only its end was read again.
            new = replace(new, began_ms=old.began_ms)
        if not new.says_as(old):
            written.append(new)
    written += [
        replace(
            o,
            version=o.version + 1,
            kind=Kind.UP,
            ended_ms=o.began_ms if o.ended_ms is None else o.ended_ms,
            confidence=Confidence.FINAL,
            reason="the record shows that the line was good",
            evidence=(),
        )
        for o in open_to_change
        if o.id not in taken and not o.withdrawn and since_ms <= o.began_ms < until_ms
    ]
    return written


def stretches(
    outages: Iterable[Outage], watched: Mapping[tuple[str, str], int], until_ms: int
) -> list[Stretch]:
    """Return each circuit's time as stretches: up since it is watched, but for its outages.

    Args:
        outages: any versions; the newest of each counts.
        watched: since when, by site and circuit.
        until_ms: up to when the record was judged.
    """
    line = [
        Stretch(site, circuit, since_ms, max(until_ms, since_ms), Kind.UP)
        for (site, circuit), since_ms in watched.items()
    ]
    for outage in newest(outages).values():
        if outage.withdrawn:
            continue
        end_ms = until_ms if outage.ended_ms is None else outage.ended_ms
        if end_ms > outage.began_ms:
            line.append(
                Stretch(
                    outage.site,
                    outage.circuit,
                    outage.began_ms,
                    end_ms,
                    outage.kind,
                    outage.cause.value,
                    outage.id,
                )
            )
    return line


def export_json(entries: Iterable[Entry]) -> str:
    """Return the ledger, one JSON object a line: enough to verify it anywhere."""
    return "".join(
        canonical(
            {
                "number": e.number,
                "written_ms": e.written_ms,
                "subject": e.subject.value,
                "body": e.body,
                "previous": e.previous,
                "hash": e.hash,
            }
        )
        + "\n"
        for e in entries
    )


def export_csv(entries: Iterable[Entry]) -> str:
    """Return every version of every outage as a table for a spreadsheet; times RFC 3339 in UTC."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_COLUMNS)
    for entry in entries:
        if entry.subject is not Subject.OUTAGE:
            continue
        o = read_outage(entry.body)
        table.writerow(
            [
                entry.number,
                rfc3339(entry.written_ms),
                o.id,
                o.version,
                o.site,
                o.circuit,
                rfc3339(o.began_ms),
                "" if o.ended_ms is None else rfc3339(o.ended_ms),
                o.kind.value,
                o.cause.value,
                "yes" if o.countable else "no",
                o.confidence.value,
                o.reason,
                entry.hash,
            ]
        )
    return out.getvalue()


def _outage(finding: Finding, outage_id: str, version: int) -> Outage:
    verdict = finding.verdict
    return Outage(
        id=outage_id,
        version=version,
        site=finding.site,
        circuit=finding.circuit,
        began_ms=finding.began_ms,
        ended_ms=finding.ended_ms,
        kind=finding.kind,
        cause=verdict.cause,
        confidence=verdict.confidence,
        reason=verdict.reason,
        evidence=verdict.evidence,
    )


def _new_id(finding: Finding) -> str:
    return f"{finding.site}/{finding.circuit}/{finding.began_ms}"


def _overlaps(outage: Outage, finding: Finding) -> bool:
    if outage.circuit != finding.circuit:
        return False
    far = 2**62
    begins = max(outage.began_ms, finding.began_ms)
    ends = min(
        far if outage.ended_ms is None else outage.ended_ms,
        far if finding.ended_ms is None else finding.ended_ms,
    )
    return begins < ends or outage.began_ms == finding.began_ms
