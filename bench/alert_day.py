"""What a bad day brings: loss without an outage, a router that falls, a line that flaps.

Three scenarios for one town, which may run at once: each has offices of its own.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial

from bench import lossy
from bench.alert_ground import OURS, Ground, at, note, told_shown
from bench.alert_peers import SETTINGS
from bench.measure import Figures
from tests.lab.alerted import PACKETS
from tests.lab.told import FIRING, RESOLVED, Told, of

LOSSY = 3
ELSEWHERE, FLAPPING = LOSSY, LOSSY + 1
"""Which of the plain offices each scenario has."""
PLAIN, GROUPED = LOSSY + 2, 6

LOSS_PERCENT = 30
LOSS_S = 1800.0
TRUE_OF_LOSS = frozenset({"TabuahLinkDegraded"})
DAY_S = 86_400

FALLS = 3
FALL_S = 60.0
BETWEEN_S = 480.0
"""A third fall within a quarter of an hour is flapping."""

FLAP_S = 20.0
FLAPS_FOR_S = 600.0
CALM_S = 330.0
"""Five minutes without a change end it."""


def loss(ground: Ground) -> Figures:
    """Return what is told of three offices that lose 30 % each way, and what would be expected."""
    offices = ground.town.plain[:LOSSY]
    seconds = float(os.environ.get("BENCH_SECONDS", LOSS_S))
    began = time.monotonic()
    for office in offices:
        ground.town.loss(office, LOSS_PERCENT, LOSS_PERCENT)
    note(f"loss: {LOSS_PERCENT} % each way at {len(offices)} offices for {seconds:g} s")
    time.sleep(seconds)
    codes = [ground.code(office) for office in offices]
    told = {
        name: [m for m in messages if m.at >= began and set(m.sites) & set(codes)]
        for name, messages in ground.told().items()
    }
    for office in offices:
        ground.town.loss(office, 0, 0)
    ours = [m for m in told[OURS] if m.status == FIRING]
    wrong = [m for m in ours if not TRUE_OF_LOSS.issuperset(m.names)]
    return {
        "seconds": seconds,
        "expected_false_per_office_day": _expected(LOSS_PERCENT / 100, ground.stack.interval_s),
        "false": {
            name: len(wrong) if name == OURS else sum(m.status == FIRING for m in messages)
            for name, messages in told.items()
        },
        "messages": {name: len(messages) for name, messages in told.items()},
        "told": told_shown(told[OURS], began),
        "met": not wrong,
    }


def _expected(loss: float, interval_s: float) -> Figures:
    """Return how often a day an office that only loses packets would be told to be down.

    Ours is that of `bench lossy`. A peer's ping is lost on either way; as many in a row as `for`
    spans must fail, and one before them have come back.
    """
    found: Figures = {OURS: lossy.expected(loss, interval_s, PACKETS)["silent"]}
    lost = 1 - (1 - loss) ** 2
    for name, each in SETTINGS.items():
        scrape_s, lasts_s = _seconds(each.scrape), _seconds(each.lasts)
        row = lasts_s / scrape_s + 1
        found[name] = float(f"{lost**row * (1 - lost) * DAY_S / scrape_s:.2g}")
    return found


def _seconds(text: str) -> float:
    return float(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


def router(ground: Ground) -> Figures:
    """Return the messages of six offices whose router falls, and a seventh cut that moment."""
    elsewhere = ground.town.plain[ELSEWHERE]
    codes = [ground.code(office) for office in ground.town.grouped]
    falls = []
    for number in range(FALLS):
        if number:
            time.sleep(BETWEEN_S)
        time.sleep(ground.draw.uniform(0, ground.stack.interval_s))
        note(f"router: fall {number + 1} of {FALLS}")
        began = time.monotonic()
        ground.town.no_group(ground.town.grouped[0], True)
        ground.town.black_hole(elsewhere, True)
        time.sleep(FALL_S)
        restored = time.monotonic()
        ground.town.no_group(ground.town.grouped[0], False)
        ground.town.black_hole(elsewhere, False)
        time.sleep(30)
        falls.append(_fall(ground, codes, ground.code(elsewhere), began, restored))
    return {"falls": falls, "met": all(bool(fall["met"]) for fall in falls)}


def _fall(
    ground: Ground, codes: list[str], elsewhere: str, began: float, restored: float
) -> Figures:
    stacks = ground.told()
    ours = _naming([*codes, elsewhere], stacks[OURS], began)
    firing = [m for m in ours if m.status == FIRING]
    ended = [m for m in ours if m.status == RESOLVED]
    whole = [set(codes), {elsewhere}]
    return {
        "restored_s": round(restored - began, 1),
        "messages": {
            name: dict(Counter(m.status for m in _naming([*codes, elsewhere], messages, began)))
            for name, messages in stacks.items()
        },
        "told": told_shown(ours, began),
        "met": _same([set(m.sites) for m in firing], whole)
        and _same([set(m.sites) for m in ended], whole),
    }


def _same(sites: list[set[str]], wanted: list[set[str]]) -> bool:
    return sorted(map(sorted, sites)) == sorted(map(sorted, wanted))


def _naming(codes: Iterable[str], messages: Iterable[Told], since: float) -> list[Told]:
    wanted = set(codes)
    return [m for m in messages if m.at >= since and wanted & set(m.sites)]


def flapping(ground: Ground) -> Figures:
    """Return what is told of a line that goes and comes every 20 s for ten minutes."""
    office = ground.town.plain[FLAPPING]
    began = time.monotonic()
    count = round(FLAPS_FOR_S / FLAP_S)
    note(f"flapping: {FLAP_S:g} s down, {FLAP_S:g} s up, for {FLAPS_FOR_S:g} s")
    moments = [
        (number * FLAP_S, partial(ground.town.black_hole, office, number % 2 == 0))
        for number in range(count)
    ]
    at([*moments, (FLAPS_FOR_S + CALM_S, lambda: None)], began)
    code = ground.code(office)
    stacks = {name: of(code, messages, began) for name, messages in ground.told().items()}
    kinds = Counter((m.names, m.status) for m in stacks[OURS])
    flap = ("TabuahLinkFlapping",)
    others = {names for names, _ in kinds} - {flap}
    pairs = [sum(kinds[names, status] for names in others) for status in (FIRING, RESOLVED)]
    return {
        "falls": (count + 1) // 2,
        "messages": {
            name: dict(Counter(m.status for m in messages)) for name, messages in stacks.items()
        },
        "told": told_shown(stacks[OURS], began),
        "met": max(pairs) <= 2 and kinds[flap, FIRING] == kinds[flap, RESOLVED] == 1,
    }
