"""Incidents: a trouble from its begin to its end, in versions, and what became of it later.

An incident keeps its id, its alertname and its begin. Its offices, cause and evidence follow the
trouble while it lasts; once the record has come, a closed one is revised by the ledger's verdict.
An office that fell is told of at once, unless its upstream's peers may be falling with it: then
it is waited, at most one interval, until all of them are silent too, or half of the others heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from collector.judgement.evidence import Cause, Confidence, Evidence
from collector.judgement.troubles import Key, Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from collector.judgement.ledger import Outage

KEEP_MS: Final = 7 * 86_400_000
"""How long a closed incident may still be revised: an agent's spool holds seven days."""
LEAVE_MS: Final = 60_000
"""How long an office that recovers is still named in its common incident."""
WITH_OTHERS: Final = "it is told of with the others"
"""Why an office's own incident ends where a common one takes it in."""
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})
_FALLS: Final = frozenset({"down", "area"})
_REVISABLE: Final = _FALLS | {"circuit"}


@dataclass(frozen=True, slots=True)
class Incident:
    """One version of one incident."""

    id: str
    version: int
    key: Key
    alertname: str
    severity: str
    sites: tuple[str, ...]
    circuits: tuple[str, ...]
    upstream: str | None
    cause: Cause
    confidence: Confidence
    reason: str
    evidence: tuple[Evidence, ...]
    began_ms: int
    ended_ms: int | None = None

    @property
    def open(self) -> bool:
        """Whether it lasts."""
        return self.ended_ms is None


@dataclass(slots=True)
class Tracker:
    """The incidents, open ones by key."""

    open: dict[Key, Incident] = field(default_factory=dict)
    closed: dict[str, Incident] = field(default_factory=dict)
    _left: dict[tuple[Key, str], int] = field(default_factory=dict)
    """Since when an office has been missing from an incident that it is still named in."""

    def restore(self, incidents: Iterable[Incident]) -> None:
        """Take up what was known before a restart; newest versions win."""
        for incident in incidents:
            self.closed.pop(incident.id, None)
            if incident.open:
                self.open[incident.key] = incident
                continue
            if self.open.get(incident.key, incident).id == incident.id:
                self.open.pop(incident.key, None)
            self.closed[incident.id] = incident

    def follow(
        self,
        troubles: Sequence[Trouble],
        now_ms: int,
        *,
        isolated: bool = False,
        held: Collection[str] = (),
        unjudged: Collection[str] = (),
        since: Mapping[str, int] = _NOTHING,
    ) -> list[Incident]:
        """Return the incidents that began, changed or ended.

        Args:
            troubles: all that is wrong now.
            now_ms: when.
            isolated: the collector is cut off: nothing is said to begin or end at the offices.
            held: offices whose fall is not told yet, since their peers may be falling too.
            unjudged: offices of which nothing can be said yet; theirs neither begin nor end.
            since: since when each office that is heard has been so: an office's fall ends then.
        """
        changed = []
        said = {trouble.key for trouble in troubles}
        present = {self._known_key(trouble, said): trouble for trouble in troubles}
        swallowed = {site for t in troubles if t.key[0] in {"area", "flap"} for site in t.sites}
        for key, trouble in present.items():
            known = self.open.get(key)
            if known is None:
                if key[0] in _FALLS and all(site in held for site in trouble.sites):
                    continue
                changed.append(self._begin(trouble))
            else:
                changed += self._change(known, self._members(known, trouble, now_ms))
        for key, known in list(self.open.items()):
            if key in present or isolated or any(site in unjudged for site in known.sites):
                continue
            swallow = key[0] == "down" and key[1] in swallowed
            reason = WITH_OTHERS if swallow else known.reason
            ended_ms = now_ms
            if key[0] == "down" and not swallow:
                ended_ms = max(known.began_ms, min(now_ms, since.get(key[1], now_ms)))
            ended = replace(known, version=known.version + 1, ended_ms=ended_ms, reason=reason)
            del self.open[key]
            self._left = {(k, s): ms for (k, s), ms in self._left.items() if k != key}
            self.closed[ended.id] = ended
            changed.append(ended)
        return changed

    def revise(self, outages: Iterable[Outage], now_ms: int) -> list[Incident]:
        """Return the closed incidents whose cause the ledger now knows better."""
        written = [o for o in outages if o.ended_ms is not None]
        changed = []
        for incident in list(self.closed.values()):
            ended_ms = incident.ended_ms or now_ms
            if now_ms - ended_ms > KEEP_MS:
                del self.closed[incident.id]
                continue
            if incident.key[0] not in _REVISABLE:
                continue
            best = _longest(incident, ended_ms, written)
            if best is None or (best.cause, best.confidence) == (
                incident.cause,
                incident.confidence,
            ):
                continue
            new = replace(
                incident,
                version=incident.version + 1,
                cause=best.cause,
                confidence=best.confidence,
                reason=WITH_OTHERS if incident.reason == WITH_OTHERS else best.reason,
                evidence=best.evidence,
            )
            self.closed[incident.id] = new
            changed.append(new)
        return changed

    def _known_key(self, trouble: Trouble, said: Collection[Key]) -> Key:
        """Return the key under which a trouble is known.

        When one more office proves to have fallen, or the record says exactly when, an area's begin
        moves: it is the same area still.
        """
        key = trouble.key
        if key[0] != "area" or key in self.open:
            return key
        moved = (
            known
            for known, incident in self.open.items()
            if known[:2] == key[:2] and known not in said and set(trouble.sites) & {*incident.sites}
        )
        return next(moved, key)

    def _new_id(self, trouble: Trouble) -> str:
        """Return an id that no other incident has.

        Two lines of an office may begin to be bad at once; and an office that a common incident
        took in may be the last that is still down, since when it was before: told anew, it is new.
        """
        stem = "-".join((trouble.key[0], *trouble.key[1:2], str(trouble.began_ms)))
        taken: set[str] = set()
        if len(trouble.key) > 2 and trouble.key[0] != "area":
            taken = {one.id for one in self.open.values() if one.key[:2] == trouble.key[:2]}
        found, again = stem, 1
        while found in taken or found in self.closed:
            again += 1
            found = f"{stem}-{again}"
        return found

    def _begin(self, trouble: Trouble) -> Incident:
        incident = Incident(
            id=self._new_id(trouble),
            version=1,
            key=trouble.key,
            alertname=trouble.alertname,
            severity=trouble.severity,
            sites=trouble.sites,
            circuits=trouble.circuits,
            upstream=trouble.upstream,
            cause=trouble.verdict.cause,
            confidence=trouble.verdict.confidence,
            reason=trouble.verdict.reason,
            evidence=trouble.verdict.evidence,
            began_ms=trouble.began_ms,
        )
        self.open[incident.key] = incident
        return incident

    def _members(self, known: Incident, trouble: Trouble, now_ms: int) -> Trouble:
        """Return the trouble with those added that left it only just now.

        When a common fault ends its offices return within a minute: it ends naming them all. One
        that recovered alone has left it.
        """
        for site in trouble.sites:
            self._left.pop((known.key, site), None)
        missing = [site for site in known.sites if site not in trouble.sites]
        lately = [
            site
            for site in missing
            if now_ms - self._left.setdefault((known.key, site), now_ms) < LEAVE_MS
        ]
        return replace(trouble, sites=tuple(sorted({*trouble.sites, *lately})))

    def _change(self, known: Incident, trouble: Trouble) -> list[Incident]:
        verdict = trouble.verdict
        # What is shown beside a cause may grow as anyone likes; that there is more of it is a
        # version, how much is not.
        if (known.sites, known.cause, known.confidence, len(known.evidence)) == (
            trouble.sites,
            verdict.cause,
            verdict.confidence,
            len(verdict.evidence),
        ):
            return []
        new = replace(
            known,
            version=known.version + 1,
            sites=trouble.sites,
            cause=verdict.cause,
            confidence=verdict.confidence,
            reason=verdict.reason,
            evidence=verdict.evidence,
        )
        self.open[known.key] = new
        return [new]


def _longest(incident: Incident, ended_ms: int, outages: Sequence[Outage]) -> Outage | None:
    """Return the outage that most of the incident's time belongs to."""
    best, length = None, 0
    for outage in outages:
        if outage.site not in incident.sites:
            continue
        if incident.circuits and outage.circuit not in incident.circuits:
            continue
        until_ms = ended_ms if outage.ended_ms is None else outage.ended_ms
        shared = min(until_ms, ended_ms) - max(outage.began_ms, incident.began_ms)
        if outage.withdrawn and outage.began_ms <= incident.began_ms:
            shared = max(shared, 1)
        if shared > length:
            best, length = outage, shared
    return best
