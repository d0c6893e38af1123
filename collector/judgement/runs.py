"""A circuit's record cut into runs: stretches that look alike, and the gaps between them.

This is where small things are made to belong to great ones, so that one fault is one run:

- a cycle or two of 'first hop lost' beside a plainer finding is that finding, seen a poll early;
- a restart of under 5 min between failing probes belongs to the fault (people pull the plug);
- a line that is good again within 5 min of power, gateway or port, or fails for them again, adds
  that tail to them: terminals take their time to start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from collector.judgement.case import Gap
from collector.judgement.evidence import Observation
from collector.judgement.faces import FAILING, Face, began_ms, face, proves_itself
from collector.judgement.plain import MISSED
from tabuah.report import Occasion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TAIL_MS: Final = 300_000
"""How long a line may take to come back after power or gateway, and a restart may take."""
WEAK_CYCLES: Final = 3
"""Failing cycles in a row that are needed where reports leave by another circuit."""
SHORT_CYCLES: Final = 3
_VAGUE: Final = frozenset({Face.NO_HOP, Face.DARK, Face.NO_CORE})
"""What a plainer fault shows for a cycle, until the gateway is next polled."""
_LOCAL: Final = frozenset({Face.NO_POWER, Face.NO_GATEWAY, Face.NO_PORT})
"""Faults of the office's own; what they leave behind for a few minutes is theirs."""
_RESTARTS: Final = frozenset({Gap.REBOOTED, Gap.RESTARTED})


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch that looks alike from its begin until the next run's."""

    face: Face | None
    """None where nothing was recorded."""
    gap: Gap | None
    begin_ms: int
    end_ms: int | None
    cycles: int = 0
    first: Observation | None = None
    before: Observation | None = None
    """The last report before it."""
    after: Observation | None = None
    """The first report after it."""

    @property
    def failing(self) -> bool:
        """Whether it was recorded, and as failing."""
        return self.face in FAILING

    @property
    def length_ms(self) -> int:
        """How long it lasted; one that lasts still counts as endless."""
        return 2**62 if self.end_ms is None else self.end_ms - self.begin_ms


@dataclass(frozen=True, slots=True)
class _Cell:
    seen: Observation
    face: Face
    alone: bool
    """Whether this cycle is enough to call it failing."""
    began_ms: int
    """Since when the circuit has looked so."""


def runs(timeline: Sequence[Observation], circuit: str, *, silent: bool) -> list[Run]:
    """Return a circuit's record as runs, in order and without holes.

    Args:
        timeline: the office's reports in order of measuring.
        circuit: which.
        silent: the office does not report now: what follows the last report is an open gap.
    """
    cells = _confirmed([*_cells(timeline, circuit)])
    found = _cut(cells)
    if found and silent:
        last = found[-1]
        end_ms = cells[-1].seen.at_ms
        off = cells[-1].seen.occasion is Occasion.GOODBYE_HOST
        stopped = cells[-1].seen.occasion is Occasion.GOODBYE_AGENT
        gap = Gap.OFF if off else Gap.STOPPED if stopped else Gap.OPEN
        found[-1] = replace(last, end_ms=end_ms)
        found.append(Run(None, gap, end_ms, None, before=cells[-1].seen))
    return _tails(_joined(_restarts(_joined(_plain(_joined(found))))))


def _cells(timeline: Sequence[Observation], circuit: str) -> Iterator[_Cell]:
    redials: int | None = None
    before = Face.GOOD
    # Nothing is known of what was before the first report.
    reached_ms = timeline[0].at_ms if timeline else 0
    for seen in timeline:
        look = seen.look(circuit)
        found = face(seen, look, redials)
        if found is Face.GOOD and look is not None:
            redials = look.redials
        if found is Face.NOT_ASKED and before is not Face.NOT_ASKED and look is not None:
            # Its probes are slower than its reports: what was last seen stands.
            found = before
        before = found
        reached_ms = max(reached_ms, began_ms(seen, look, found))
        yield _Cell(seen, found, look is not None and proves_itself(seen, look), reached_ms)


def _confirmed(cells: list[_Cell]) -> list[_Cell]:
    """Return the cells with failing ones of too little weight taken for good."""
    confirmed: list[_Cell] = []
    pile: list[_Cell] = []
    for cell in [*cells, None]:
        if cell is not None and cell.face in FAILING:
            pile.append(cell)
            continue
        cycles = sum(1 + c.seen.left_out for c in pile)
        enough = cycles >= WEAK_CYCLES or any(c.alone for c in pile)
        confirmed += pile if enough else [replace(c, face=Face.GOOD) for c in pile]
        pile = []
        if cell is not None:
            confirmed.append(cell)
    return confirmed


def _cut(cells: list[_Cell]) -> list[Run]:
    if not cells:
        return []
    found = [_run(cells[0], None, cells[0].began_ms)]
    for earlier, later in pairwise(cells):
        gap = _gap(earlier.seen, later.seen)
        if gap is not None:
            begin_ms, end_ms = earlier.seen.at_ms, max(earlier.seen.at_ms, later.began_ms)
            found[-1] = replace(found[-1], end_ms=begin_ms, after=later.seen)
            found.append(Run(None, gap, begin_ms, end_ms, before=earlier.seen, after=later.seen))
            found.append(_run(later, earlier.seen, end_ms))
        elif earlier.face is later.face:
            found[-1] = replace(found[-1], cycles=found[-1].cycles + 1 + later.seen.left_out)
        else:
            found[-1] = replace(found[-1], end_ms=later.began_ms, after=later.seen)
            found.append(_run(later, earlier.seen, later.began_ms))
    return found


def _run(cell: _Cell, before: Observation | None, begin_ms: int) -> Run:
    return Run(cell.face, None, begin_ms, None, cycles=1, first=cell.seen, before=before)


def _gap(earlier: Observation, later: Observation) -> Gap | None:
    """Return what kind of hole lies between two reports; None where there is none."""
    if later.left_out:
        return None
    if earlier.occasion is Occasion.GOODBYE_HOST:
        return Gap.OFF
    missed = later.at_ms - earlier.at_ms > MISSED * earlier.interval_ms
    if earlier.boot_id != later.boot_id:
        return Gap.REBOOTED
    if earlier.occasion is Occasion.GOODBYE_AGENT:
        return Gap.STOPPED if missed else None
    if not missed:
        return None
    if earlier.epoch != later.epoch:
        return Gap.RESTARTED
    return Gap.STOOD_STILL if later.seq == earlier.seq + 1 else Gap.MISSING


def _joined(found: list[Run]) -> list[Run]:
    """Return the runs with neighbours of one face made one."""
    line: list[Run] = []
    for run in found:
        last = line[-1] if line else None
        if last is not None and run.face is not None and last.face is run.face:
            line[-1] = _absorb(last, run)
        else:
            line.append(run)
    return line


def _absorb(run: Run, later: Run) -> Run:
    return replace(run, end_ms=later.end_ms, after=later.after, cycles=run.cycles + later.cycles)


def _plain(found: list[Run]) -> list[Run]:
    """Give a short vague run the face of the plainer fault beside it."""
    line = list(found)
    for index, run in enumerate(line):
        if run.face not in _VAGUE or run.cycles >= SHORT_CYCLES:
            continue
        beside = [line[i] for i in (index + 1, index - 1) if 0 <= i < len(line)]
        for other in beside:
            plainer = other.failing and other.cycles > run.cycles
            if plainer and other.face is not run.face and other.face is not None:
                # The plainer fault's own first cycle is the evidence.
                first = other.first if other.begin_ms > run.begin_ms else run.first
                line[index] = replace(run, face=other.face, first=first)
                break
    return line


def _restarts(found: list[Run]) -> list[Run]:
    """Let a short restart between failing probes belong to the fault before it."""
    line: list[Run] = []
    for index, run in enumerate(found):
        later = found[index + 1] if index + 1 < len(found) else None
        restart = run.gap in _RESTARTS or run.face is Face.NO_GATEWAY
        if (
            restart
            and line
            and line[-1].failing
            and later is not None
            and later.failing
            and run.length_ms < TAIL_MS
        ):
            line[-1] = replace(line[-1], end_ms=run.end_ms, after=run.after)
        else:
            line.append(run)
    return line


def _tails(found: list[Run]) -> list[Run]:
    """Add what is left failing for a few minutes after power, gateway or port to them."""
    line: list[Run] = []
    for index, run in enumerate(found):
        later = found[index + 1] if index + 1 < len(found) else None
        last = line[-1] if line else None
        if (
            last is not None
            and (last.face in _LOCAL or last.gap in {Gap.REBOOTED, Gap.OFF})
            and run.failing
            and run.face not in _LOCAL
            and later is not None
            and (later.face is Face.GOOD or later.face in _LOCAL)
            and run.length_ms <= TAIL_MS
        ):
            line[-1] = replace(last, end_ms=run.end_ms)
        else:
            line.append(run)
    return line
