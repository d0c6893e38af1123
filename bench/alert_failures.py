"""What fails on our own side: the collector killed or stopped, Alertmanagers away, reports late.

They disturb each other, so they run one after the other, on one laboratory.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench.alert_ground import Ground, after, note, told_shown
from bench.measure import Figures
from tests.lab.net import Office
from tests.lab.told import FIRING, RESOLVED

PLAIN = 4
TOLD_WITHIN_S = 30.0
KILLS = 3
STOPPED_S = 30.0
DEAF_S = 300.0
BACK_WITHIN_S = 90.0
"""What waits for Alertmanagers that are back is tried once a minute at least."""
WATCHED_S = 40.0
"""After something that nobody is to notice: longer than any threshold."""
PAST_S = 45.0
LEDGER_WITHIN_S = 150.0
"""The court waits a minute for what may still come."""


def killed(ground: Ground) -> Figures:
    """Kill the collector in outages; return what was told of each, and when."""
    rounds = []
    for number in range(KILLS):
        office = ground.town.plain[number]
        note(f"killed: {number + 1} of {KILLS}")
        began = time.monotonic()
        ground.town.black_hole(office, True)
        fired = ground.await_told(office, FIRING, began, TOLD_WITHIN_S)
        time.sleep(ground.draw.uniform(1, 10))
        ground.stack.signal_collector(signal.SIGKILL)
        away_s = ground.draw.uniform(0, 20)
        time.sleep(away_s)
        ground.stack.start_collector()
        time.sleep(WATCHED_S)
        restored = time.monotonic()
        ground.town.black_hole(office, False)
        ended = ground.await_told(office, RESOLVED, restored, TOLD_WITHIN_S)
        time.sleep(10)
        rounds.append(
            {
                "away_s": round(away_s, 1),
                "cut_to_firing_s": after(fired, began),
                "restore_to_resolved_s": after(ended, restored),
                "told": _shown(ground, office, began),
                "met": _once(ground, office, began),
            }
        )
    return {"rounds": rounds, "met": all(bool(each["met"]) for each in rounds)}


def stopped(ground: Ground) -> Figures:
    """Stop the collector for 30 s and let it go on; return what was told, which is nothing."""
    note(f"stopped: for {STOPPED_S:g} s")
    return _unnoticed(ground, lambda: _stop(ground))


def _stop(ground: Ground) -> None:
    ground.stack.signal_collector(signal.SIGSTOP)
    time.sleep(STOPPED_S)
    ground.stack.signal_collector(signal.SIGCONT)


def _unnoticed(ground: Ground, happens: Callable[[], None]) -> Figures:
    began = time.monotonic()
    happens()
    time.sleep(WATCHED_S)
    told = [each for each in ground.stack.told() if each.at >= began]
    return {"told": told_shown(told, began), "met": not told}


def deaf(ground: Ground) -> Figures:
    """Take both Alertmanagers away for five minutes, in which one line returns and others fall.

    The first is told of before and returns meanwhile; the second falls; the third falls and
    returns, so that all of it lies in the time when nobody could be told. That one must be in the
    ledger; people hear both its begin and its end or, since it is over, neither.
    """
    returns, falls, both = ground.town.plain[:3]
    note(f"deaf: no Alertmanager for {DEAF_S:g} s")
    began = time.monotonic()
    ground.town.black_hole(returns, True)
    ground.await_told(returns, FIRING, began, TOLD_WITHIN_S)
    time.sleep(5)
    for member in ground.stack.members:
        member.stop()
    deaf_at = time.monotonic()
    time.sleep(20)
    ground.town.black_hole(returns, False)
    time.sleep(20)
    ground.town.black_hole(falls, True)
    cut = datetime.now(UTC)
    ground.town.black_hole(both, True)
    time.sleep(60)
    ground.town.black_hole(both, False)
    time.sleep(max(0.0, deaf_at + DEAF_S - time.monotonic()))
    back_at = time.monotonic()
    for member in ground.stack.members:
        ground.stack.start_member(member)
    heard = {
        "end of the first": ground.await_told(returns, RESOLVED, back_at, BACK_WITHIN_S),
        "begin of the second": ground.await_told(falls, FIRING, back_at, BACK_WITHIN_S),
    }
    time.sleep(WATCHED_S)
    restored = time.monotonic()
    ground.town.black_hole(falls, False)
    ended = ground.await_told(falls, RESOLVED, restored, TOLD_WITHIN_S)
    time.sleep(WATCHED_S)
    return {
        "seconds": DEAF_S,
        "told_after_back_s": {what: after(when, back_at) for what, when in heard.items()},
        "restore_to_resolved_s": after(ended, restored),
        "told": [
            told
            for office in (returns, falls, both)
            for told in _shown(ground, office, began, back_at)
        ],
        "third_in_ledger": len(_ended_outages(ground, both, cut)),
        "third_told": [each.status for each in ground.about(both, began)],
        "met": all(_once(ground, office, began) for office in (returns, falls))
        and [each.status for each in ground.about(both, began)] in ([], [FIRING, RESOLVED])
        and len(_ended_outages(ground, both, cut)) == 1,
    }


def pair(ground: Ground) -> Figures:
    """Kill one Alertmanager, then the other; return what was told of a cut meanwhile."""
    rounds = []
    for number, member in enumerate(ground.stack.members):
        office = ground.town.plain[number]
        note(f"pair: without {member.url}")
        began = time.monotonic()
        member.stop(signal.SIGKILL)
        ground.town.black_hole(office, True)
        fired = ground.await_told(office, FIRING, began, TOLD_WITHIN_S)
        time.sleep(10)
        ground.stack.start_member(member)
        ground.stack.until(90, member.ready, f"{member.url} to be back")
        time.sleep(WATCHED_S)
        restored = time.monotonic()
        ground.town.black_hole(office, False)
        ended = ground.await_told(office, RESOLVED, restored, TOLD_WITHIN_S)
        time.sleep(20)
        rounds.append(
            {
                "cut_to_firing_s": after(fired, began),
                "restore_to_resolved_s": after(ended, restored),
                "told": _shown(ground, office, began),
                "met": _once(ground, office, began),
            }
        )
    return {"rounds": rounds, "met": all(bool(each["met"]) for each in rounds)}


def backlog(ground: Ground) -> Figures:
    """Cut an office while the collector is away; return what the ledger and people know of it."""
    office = ground.town.plain[-1]
    note("backlog: an outage that the collector only reads of")
    began = time.monotonic()
    ground.stack.signal_collector(signal.SIGKILL)
    time.sleep(15)
    cut = datetime.now(UTC)
    ground.town.black_hole(office, True)
    time.sleep(PAST_S)
    mended = datetime.now(UTC)
    ground.town.black_hole(office, False)
    time.sleep(15)
    ground.stack.start_collector()
    until = time.monotonic() + LEDGER_WITHIN_S
    found = _ended_outages(ground, office, cut)
    while not found and time.monotonic() < until:
        time.sleep(1)
        found = _ended_outages(ground, office, cut)
    time.sleep(WATCHED_S)
    told = [each for each in ground.stack.told() if each.at >= began]
    outages = [
        {
            "cause": one["cause"],
            "began_after_cut_s": _apart(one["began"], cut),
            "ended_after_mended_s": _apart(one["ended"], mended),
        }
        for one in found
    ]
    return {
        "cut_s": PAST_S,
        "outages": outages,
        "told": told_shown(told, began),
        "met": len(outages) == 1 and not told,
    }


def _ended_outages(ground: Ground, office: Office, since: datetime) -> list[dict[str, str]]:
    found = json.loads(ground.stack.fetch(f"/api/v1/outages?site={ground.code(office)}"))
    return [
        one
        for one in found
        if one["ended"] is not None and datetime.fromisoformat(one["ended"]) > since
    ]


def _apart(said: str, at: datetime) -> float:
    return round((datetime.fromisoformat(said) - at).total_seconds(), 1)


def _once(ground: Ground, office: Office, since: float) -> bool:
    """Return whether people were told once that a line fell, and once that it is back."""
    return [each.status for each in ground.about(office, since)] == [FIRING, RESOLVED]


def _shown(
    ground: Ground, office: Office, since: float, zero: float | None = None
) -> list[Figures]:
    return told_shown(ground.about(office, since), since if zero is None else zero)
