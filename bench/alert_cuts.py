"""From the cut to the message, and from the mended line to its end: twenty lines, each cut once.

Half lose all packets and half their carrier; some have a round trip of 250 ms. The moments are
drawn, one in each nine seconds: more falls in a minute would be told as one. Four lines share an
upstream, as real ones do, and fall at different times. A cut is timed before the kernel is told of
it, so that what is measured errs upwards.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

from bench.alert_ground import OURS, Ground, after, at, note, spread
from bench.alert_peers import settings_shown
from bench.measure import Figures
from tests.lab.net import Office
from tests.lab.told import FIRING, RESOLVED, Told, first, of

CUTS = 20
SLOW_MS = 250
SLOW = 4
"""Lines with such a round trip."""
APART_S = 9.0
UPSTREAMS = 5
LASTS_S = 150.0
"""The usual settings tell of it after two minutes."""
SETTLES_S = 330.0
"""And of its end with the next group, five minutes after the last."""
KINDS = ("black hole", "carrier")
PROMISED = {"median_s": 14.0, "most_s": 20.0, "resolved_s": 10.0}


@dataclass(slots=True)
class _Cut:
    office: Office
    kind: str
    rtt_ms: int
    begin_s: float
    lasts_s: float
    cut_at: float = 0.0
    restored_at: float = 0.0


def cuts(ground: Ground) -> Figures:
    """Return how long each cut took to be told, and its end, by each stack."""
    planned = _planned(ground)
    for cut in planned:
        if cut.rtt_ms:
            ground.town.delay(cut.office, cut.rtt_ms)
    time.sleep(40)  # the round trip is smoothed over some reports
    began = time.monotonic()
    moments = [(cut.begin_s, partial(_make, ground, cut)) for cut in planned]
    moments += [(cut.begin_s + cut.lasts_s, partial(_mend, ground, cut)) for cut in planned]
    note(f"cuts: {len(planned)} lines, {APART_S:g} s apart, for {LASTS_S:g} s each")
    at(moments, began)
    note(f"cuts: mended; the slowest may tell of it for {SETTLES_S:g} s")
    until = time.monotonic() + SETTLES_S
    while time.monotonic() < until and not _all_ended(ground, planned):
        time.sleep(1)
    return _figures(ground, planned)


def _planned(ground: Ground) -> list[_Cut]:
    found = []
    for number, office in enumerate(ground.town.plain):
        slow = number >= CUTS - SLOW
        begin_s = APART_S * (number + ground.draw.random())
        lasts_s = LASTS_S + ground.draw.uniform(0, 10)
        kind = KINDS[number % len(KINDS)]
        found.append(_Cut(office, kind, SLOW_MS if slow else 0, begin_s, lasts_s))
    return found


def _make(ground: Ground, cut: _Cut) -> None:
    cut.cut_at = time.monotonic()
    _break(ground, cut, broken=True)


def _mend(ground: Ground, cut: _Cut) -> None:
    cut.restored_at = time.monotonic()
    _break(ground, cut, broken=False)


def _break(ground: Ground, cut: _Cut, *, broken: bool) -> None:
    if cut.kind == "carrier":
        ground.town.no_carrier(cut.office, broken)
    else:
        ground.town.black_hole(cut.office, broken)


def _all_ended(ground: Ground, planned: list[_Cut]) -> bool:
    return all(
        _ended(ground, cut, messages) is not None
        for messages in ground.told().values()
        for cut in planned
    )


def _began(ground: Ground, cut: _Cut, messages: list[Told]) -> float | None:
    told = of(ground.code(cut.office), messages, cut.cut_at)
    return after(first(told, FIRING), cut.cut_at)


def _ended(ground: Ground, cut: _Cut, messages: list[Told]) -> float | None:
    told = of(ground.code(cut.office), messages, cut.restored_at)
    return after(first(told, RESOLVED), cut.restored_at)


def _figures(ground: Ground, planned: list[_Cut]) -> Figures:
    stacks = ground.told()
    # The collector's own word, before Alertmanager: where the seconds go.
    said = ground.stack.said()
    rows: list[Figures] = []
    for cut in planned:
        told = of(ground.code(cut.office), stacks[OURS], cut.cut_at)
        rows.append(
            {
                "office": ground.code(cut.office),
                "kind": cut.kind,
                "rtt_ms": cut.rtt_ms,
                "cut_to_firing_s": {s: _began(ground, cut, stacks[s]) for s in stacks},
                "restore_to_resolved_s": {s: _ended(ground, cut, stacks[s]) for s in stacks},
                "collector_said_s": [_began(ground, cut, said), _ended(ground, cut, said)],
                "told": [f"{each.status} {'+'.join(each.names)}" for each in told],
            }
        )
    summary = {
        name: {
            "cut_to_firing": spread(_began(ground, cut, messages) for cut in planned),
            "restore_to_resolved": spread(_ended(ground, cut, messages) for cut in planned),
        }
        for name, messages in stacks.items()
    }
    firing = [_began(ground, cut, stacks[OURS]) for cut in planned]
    ending = [_ended(ground, cut, stacks[OURS]) for cut in planned]
    return {
        "settings": settings_shown() if ground.peers is not None else {},
        "promised": dict(PROMISED),
        "summary": summary,
        "each_told_once": all(
            [each.status for each in of(ground.code(cut.office), stacks[OURS], cut.cut_at)]
            == [FIRING, RESOLVED]
            for cut in planned
        ),
        "met": _met(firing, ending),
        "cuts": rows,
    }


def _met(firing: list[float | None], ending: list[float | None]) -> bool:
    began = sorted(value for value in firing if value is not None)
    ended = [value for value in ending if value is not None]
    if len(began) < len(firing) or len(ended) < len(ending):
        return False
    middle = (began[(len(began) - 1) // 2] + began[len(began) // 2]) / 2
    return (
        middle <= PROMISED["median_s"]
        and began[-1] <= PROMISED["most_s"]
        and max(ended) <= PROMISED["resolved_s"]
    )
