"""Kills with -9 of collector and agents under load, and a cut in which the agent is killed.

No speed is measured but that of coming back: what counts are the zeros. BENCH_KILLS is how many
kills, BENCH_SEED draws the same moments again; what an agent had sent and was killed over before
it was acknowledged or kept is `agents_lost`, and is nobody's promise.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from pathlib import Path
from random import Random

from bench.measure import BenchError, Figures, say
from tests.support.kills import COLLECTOR, NOTHING, Strike, cut, drill, killed

KILLS = 200
AGENTS = 4
PER_SECOND = 60.0
CUT_S = 180.0
INTERVAL_S = 10


def run() -> Figures:
    """Return what the kills cost, and what the cut did."""
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as place:
        found: Figures = {"kills": _kills(Path(place), int(os.environ.get("BENCH_KILLS", KILLS)))}
        say(f"kills: a cut of {CUT_S:g} s")
        seen = cut(Path(place) / "cut", INTERVAL_S, CUT_S)
    found["cut"] = {
        "seconds": CUT_S,
        "interval_s": INTERVAL_S,
        "reports": seen.reports,
        "lost_over_the_kill": seen.missing,
        "missing_otherwise": seen.holes,
        "twice": seen.twice,
        "seconds_without_report": round(seen.gap_s, 1),
    }
    return found


def _kills(folder: Path, wanted: int) -> Figures:
    seed = int(os.environ.get("BENCH_SEED", secrets.randbits(32)))
    say(f"kills: drawn with BENCH_SEED={seed}")
    strikes: list[Strike] = []
    began = time.monotonic()
    with drill(folder, Random(seed), AGENTS, PER_SECOND) as centre:
        while killed(strikes).total() < wanted:
            strikes.append(centre.strike())
            if strikes[-1].wrong != NOTHING:
                raise BenchError(f"seed {seed}, kill {killed(strikes).total()}: {strikes[-1]}")
            if len(strikes) % 10 == 0:
                say(f"kills: {killed(strikes).total()}")
        damaged, wrong = centre.settle(), centre.wrong()
        if damaged or wrong != NOTHING:
            raise BenchError(f"seed {seed}, at the end: {damaged} {wrong}")
        counted = killed(strikes)
        resumed = sorted(each.resumed_s for each in strikes)
        return {
            "seed": seed,
            "of_the_collector": counted[COLLECTOR],
            "of_agents": counted["agent"],
            "minutes": round((time.monotonic() - began) / 60, 1),
            "acknowledged": len(centre.burden.acknowledged | centre.witness.acknowledged),
            "of_them_to_agents": len(centre.witness.acknowledged),
            "gone": len(wrong.gone),
            "twice": len(wrong.twice),
            "invented": len(wrong.invented),
            "agents_lost": centre.lost().total(),
            "agents_lost_most_at_once": max(centre.lost().values(), default=0),
            "serves_again_s_median": round(resumed[len(resumed) // 2], 1),
            "serves_again_s_most": round(resumed[-1], 1),
        }
