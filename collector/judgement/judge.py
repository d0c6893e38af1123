"""The judge: keeps what may still change, reads it again when something new is known.

    observe, silent, cut_off -> judge(now) -> new versions for the ledger

Everything of an office stays in memory until it is settled: its line good for longer than any
tail, its spool empty. What is settled keeps its findings for a day, so that an area can still
gain or lose members when the last of them tells its story.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from collector.judgement import ledger
from collector.judgement.case import Case, Nature
from collector.judgement.common import behind_each, share
from collector.judgement.diagnosis import diagnose
from collector.judgement.evidence import (
    CentreSeen,
    CollectorSeen,
    Observation,
    Window,
)
from collector.judgement.faces import Face, face
from collector.judgement.outages import Context, Finding, in_order, judged, read
from collector.judgement.plain import (
    alike,
    condensed,
    follows,
    goes_on,
    grown,
    with_answers,
    with_last_held,
)
from collector.judgement.runs import TAIL_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from collector.judgement.ledger import Outage
    from inventory.model import Inventory, Site

KEEP: Final = 20
"""Reports kept of an office without trouble: enough to see what was before a fault."""
REMEMBER_MS: Final = 86_400_000
AT_ONCE: Final = 5_000
"""Reports read in one call of `judge`, or one office more: some 50 ms."""
EACH: Final = 40
"""An office takes as long as so many of its reports."""
HOLD_MS: Final = 60_000
"""How long a draining spool is waited for before an interim version is written."""


@dataclass(slots=True)
class _Docket:
    """What is open to change of one office."""

    primary: str
    """Its primary circuit; '' = it has none."""
    line: list[Observation] = field(default_factory=list)
    left_out: int = 0
    """Reports that the last of `line` stands for and does not count yet: each copy is dear."""
    settled: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    """Of `line`, as last read."""
    since_ms: int = 0
    silent: bool = False
    trouble: bool = False
    """Something in `line` is not plainly good."""
    newest: Observation | None = None
    deaf: bool = False
    """Its spool fills although it is heard: no answer reaches it."""
    returned_ms: int | None = None
    """Since when it has been emptying its spool."""

    @property
    def pending(self) -> bool:
        return self.newest is not None and self.newest.backlog > 0

    def add(self, seen: Observation, *, plain: bool = False) -> None:
        """Take a report; one like the two before it stands for the last of them, as if condensed.

        When a province returns, thousands of offices tell of their hours before all are read.

        Args:
            seen: the report.
            plain: it follows the last one, and both say that all is well.
        """
        if self._prolongs(seen, plain=plain):
            self.left_out = (self.left_out or self.line[-1].left_out) + 1
            self.line[-1] = seen
        else:
            self.counted().append(seen)

    def _prolongs(self, seen: Observation, *, plain: bool) -> bool:
        if len(self.line) < 2 or not (plain or seen.late):
            return False
        before, last = self.line[-2:]
        if not (goes_on(last, seen) if plain else alike(last, seen)):
            return False
        return self.left_out > 0 or last.left_out > 0 or alike(before, last)

    def counted(self) -> list[Observation]:
        """Return `line`, its last report with the number of those that it stands for."""
        if self.left_out:
            self.line[-1] = replace(self.line[-1], left_out=self.left_out)
            self.left_out = 0
        return self.line


class Judge:
    """Reads the records of all offices into outages. Times are ms since 1970 UTC."""

    def __init__(
        self,
        inventory: Inventory,
        windows: Iterable[Window] = (),
        known: Iterable[Outage] = (),
        behind: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Begin.

        Args:
            inventory: the offices.
            windows: announced work.
            known: the outages of the ledger.
            behind: the offices behind each upstream, if somebody knows them already.
        """
        self._inventory = inventory
        self._behind = behind_each(inventory) if behind is None else behind
        self._windows = tuple(windows)
        self._edges = _edges(self._windows)
        self._dockets: dict[str, _Docket] = {}
        """Of the offices that were called; the others are at rest, or were never heard."""
        self._dirty: set[str] = set()
        """Offices whose record must be read again."""
        self._known: dict[str, dict[str, Outage]] = {}
        self._longest_ms = _longest_ms(inventory)
        self._isolated: list[CollectorSeen] = []
        self._centre: dict[str, CentreSeen] = {}
        for outage in ledger.newest(known).values():
            self._known.setdefault(outage.site, {})[outage.id] = outage

    def observe(self, seen: Observation) -> None:
        """Take a report, live or late."""
        docket = self._call(seen.site)
        if docket is None:
            return
        before = docket.line[-1] if docket.line else None
        if docket.newest is None or seen.at_ms >= docket.newest.at_ms:
            docket.deaf = docket.newest is not None and grown(docket.newest, seen)
            docket.newest = seen
        if not docket.trouble and (before is None or not _plain(before, seen)):
            docket.trouble = before is not None or not _good(seen)
        docket.add(seen)
        if docket.trouble:
            self._dirty.add(seen.site)
        docket.since_ms = docket.since_ms or seen.at_ms
        if not docket.trouble and len(docket.line) > 2 * KEEP:
            self._settle(docket)

    def goes_on(self, seen: Observation) -> None:
        """Take a plain report (`Scene.goes_on`), at less cost."""
        docket = self._dockets[seen.site]
        if docket.trouble or not docket.line or len(docket.line) >= 2 * KEEP:
            self.observe(seen)
            return
        docket.add(seen, plain=seen.seq == docket.line[-1].seq + 1)
        docket.newest = seen

    def silent(self, site: str, *, silent: bool) -> None:
        """Note that an office has fallen silent, or reports again."""
        docket = self._call(site) if silent else self._dockets.get(site)
        if docket is not None and docket.silent is not silent:
            docket.silent = silent
            docket.trouble = True
            self._dirty.add(site)
            if not silent:
                self._centre.pop(site, None)

    def centre_saw(self, site: str, seen: CentreSeen) -> None:
        """Note what the centre saw of a silent office."""
        self._centre[site] = seen
        if site in self._dockets and self._dockets[site].silent:
            self._dirty.add(site)

    def cut_off(self, seen: CollectorSeen) -> None:
        """Note a moment at which no reference answered and no report came."""
        self._isolated.append(seen)
        self._dirty |= {code for code, docket in self._dockets.items() if docket.silent}

    def renew(
        self, inventory: Inventory, behind: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """Take up a changed inventory; what is open to change of its offices stays."""
        self._inventory = inventory
        self._behind = behind_each(inventory) if behind is None else behind
        self._longest_ms = _longest_ms(inventory)
        before, self._dockets = self._dockets, {}
        for code, docket in before.items():
            site = inventory.find(code)
            if site is not None:
                docket.primary = _primary(site)
                self._dockets[code] = docket
        self._known = {c: known for c, known in self._known.items() if inventory.find(c)}
        self._dirty &= self._dockets.keys()

    def dismiss(self, site: str) -> bool:
        """Let an office rest if nothing of it is open to change; return whether."""
        docket = self._dockets.get(site)
        if docket is None:
            return True
        busy = docket.trouble or docket.silent or docket.pending or site in self._dirty
        if busy or docket.settled or docket.findings or self._open(site):
            return False
        del self._dockets[site]
        return True

    def plan(self, windows: Iterable[Window]) -> None:
        """Take up another list of announced work."""
        self._windows = tuple(windows)
        self._edges = _edges(self._windows)
        self._read_troubled()

    def is_calm(self, now_ms: int) -> bool:
        """Return whether there is nothing to read."""
        return not self._dirty and not (self._edges and self._edges[0] < now_ms)

    def kept(self, site: str) -> tuple[Observation, ...]:
        """Return the reports of an office that its verdicts may still rest on."""
        docket = self._dockets.get(site)
        return () if docket is None else tuple(docket.counted())

    def findings(self) -> dict[str, list[Finding]]:
        """Return what is found of each office, settled or not, as last judged."""
        return {code: [*d.settled, *d.findings] for code, d in self._dockets.items()}

    def judge(self, now_ms: int) -> list[Outage]:
        """Return the versions by which the ledger comes to say what is known now."""
        if self._edges and self._edges[0] < now_ms:
            # Work has begun or ended: who is still down must explain itself.
            self._edges = [edge for edge in self._edges if edge >= now_ms]
            self._read_troubled()
        due = self._due(now_ms)
        if not due:
            return []
        for code in due:
            self._read(self._inventory.site(code), self._dockets[code], now_ms)
        self._forget(now_ms)
        self._share()
        written: list[Outage] = []
        for code, docket in self._dockets.items():
            findings = [*docket.settled, *docket.findings]
            known = self._known.setdefault(code, {})
            if not findings and not known:
                continue
            until_ms = max((seen.at_ms for seen in docket.line), default=0)
            new = ledger.revise(known.values(), findings, docket.since_ms, until_ms)
            new = [
                _withdrawn(outage, docket.line) if outage.withdrawn else outage for outage in new
            ]
            known.update((outage.id, outage) for outage in new)
            written += new
        for code in due:
            self._settle(self._dockets[code])
        return written

    # --- its steps ----------------------------------------------------------------------

    def _call(self, code: str) -> _Docket | None:
        """Return an office's docket, opened if need be; None if there is no such office."""
        docket = self._dockets.get(code)
        if docket is None and (site := self._inventory.find(code)) is not None:
            docket = self._dockets[code] = _Docket(_primary(site))
        return docket

    def _open(self, code: str) -> bool:
        known = self._known.get(code, {}).values()
        return any(outage.ended_ms is None and not outage.withdrawn for outage in known)

    def _due(self, now_ms: int) -> list[str]:
        """Return whom to read now: the silent first, and not more than is read in a moment.

        When a district comes back, all its offices tell of their hours at once, and whoever waits
        for the judge waits for all of them. The rest stays dirty, and comes next.
        """
        due, reports = [], 0
        for code in sorted(self._dirty, key=lambda code: (not self._dockets[code].silent, code)):
            docket = self._dockets[code]
            if reports >= AT_ONCE:
                break
            if self._is_due(docket, now_ms):
                due.append(code)
                reports += EACH + len(docket.line)
        return due

    def _read_troubled(self) -> None:
        self._dirty |= {code for code, docket in self._dockets.items() if docket.trouble}

    def _is_due(self, docket: _Docket, now_ms: int) -> bool:
        """Return whether to read now: a draining spool is waited for, but not for ever."""
        if not docket.pending or docket.silent or docket.deaf:
            docket.returned_ms = None
            return True
        if docket.returned_ms is None:
            docket.returned_ms = now_ms
        if now_ms - docket.returned_ms < HOLD_MS:
            return False
        docket.returned_ms = now_ms
        return True

    def _read(self, site: Site, docket: _Docket, now_ms: int) -> None:
        docket.line = condensed(with_answers(in_order(docket.counted())))
        docket.findings = read(
            site,
            with_last_held(docket.line),
            Context(
                now_ms=now_ms,
                windows=self._windows,
                isolated=tuple(self._isolated),
                centre=self._centre.get(site.code),
                silent=docket.silent,
            ),
        )
        self._dirty.discard(site.code)

    def _share(self) -> None:
        """Find areas among all that is remembered, and hand each office its own back."""
        everything: list[Finding] = []
        for docket in self._dockets.values():
            everything += docket.settled
            everything += docket.findings
        alone = [_alone(f) for f in everything]
        primaries = {code: docket.primary for code, docket in self._dockets.items()}
        found = share(alone, self._inventory, self._behind, primaries, self._longest_ms)
        shared = iter(found)
        for docket in self._dockets.values():
            docket.settled = [next(shared) for _ in docket.settled]
            docket.findings = [next(shared) for _ in docket.findings]

    def _forget(self, now_ms: int) -> None:
        for code, docket in self._dockets.items():
            gone = [f for f in docket.settled if (f.ended_ms or now_ms) <= now_ms - REMEMBER_MS]
            if not gone:
                continue
            docket.settled = [f for f in docket.settled if f not in gone]
            docket.since_ms = max(docket.since_ms, *(f.ended_ms or 0 for f in gone))
            self._known[code] = {
                key: o
                for key, o in self._known.get(code, {}).items()
                if o.ended_ms is None or o.ended_ms > docket.since_ms
            }
        self._isolated = [s for s in self._isolated if s.at_ms > now_ms - REMEMBER_MS]

    def _settle(self, docket: _Docket) -> None:
        """Let go of the reports before a good stretch that is longer than any tail."""
        if not docket.trouble:
            docket.line = docket.counted()[-KEEP:]
            return
        if docket.silent or docket.pending or not docket.line:
            return
        last = docket.line[-1]
        if any(f.ended_ms is None for f in docket.findings):
            return
        ends = (f.ended_ms or 0 for f in docket.findings)
        # A failing cycle that counts for nothing by itself may yet begin something, for a while.
        bad = (seen.at_ms for seen in docket.line if not _good(seen))
        quiet_ms = max(*ends, *bad, 0, 0)
        if last.at_ms - quiet_ms <= TAIL_MS:
            return
        quiet = [seen for seen in docket.counted() if seen.at_ms >= quiet_ms and _good(seen)]
        docket.settled += docket.findings
        docket.findings = []
        docket.line = quiet[-KEEP:]
        docket.trouble = False


def _primary(site: Site) -> str:
    return "" if site.primary is None else site.primary.id


def _alone(finding: Finding) -> Finding:
    """Return the finding as it was before others were asked."""
    if finding.case.group is None:
        return finding
    return judged(finding, replace(finding.case, group=None))


def _withdrawn(outage: Outage, line: list[Observation]) -> Outage:
    """Return a withdrawn outage with the cause of the silence: the centre, or the agent."""
    first = next((seen for seen in line if seen.late and seen.at_ms > outage.began_ms), None)
    if first is None:
        return outage
    case = Case(
        outage.site,
        outage.circuit,
        Nature.GAP,
        outage.began_ms,
        outage.ended_ms,
        face=Face.GOOD,
        first=first,
    )
    verdict = diagnose(case)
    return replace(outage, cause=verdict.cause, reason=verdict.reason, evidence=verdict.evidence)


def _good(seen: Observation) -> bool:
    # A line that carried nothing but the report may yet prove to have kept its answer back.
    return all(
        look.carried is not False and face(seen, look) in {Face.GOOD, Face.NOT_ASKED}
        for look in seen.circuits
    )


def _plain(before: Observation, seen: Observation) -> bool:
    """Return whether a report follows its forerunner as on any good day."""
    return not seen.late and follows(before, seen) and _good(seen)


def _edges(windows: Iterable[Window]) -> list[int]:
    """Return when announced work begins or ends, in order."""
    return sorted({edge for window in windows for edge in (window.begins_ms, window.ends_ms)})


def _longest_ms(inventory: Inventory) -> int:
    return round(max((site.interval_s for site in inventory.outlines), default=10.0) * 1000)


def windows_of(inventory: Inventory) -> list[Window]:
    """Return the announced work that the inventory lists."""
    return [
        Window(
            frozenset(one.sites),
            round(one.begins.timestamp() * 1000),
            round(one.ends.timestamp() * 1000),
            one.why,
        )
        for one in inventory.maintenance
        if one.announced
    ]
