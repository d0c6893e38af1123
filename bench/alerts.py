"""From a cut to the message on a telephone, by the real Alertmanager; beside its usual sources.

`--only NAME,NAME` runs some scenarios; BENCH_SEED draws the same moments again. Needs root, and
Debian's prometheus, prometheus-alertmanager and prometheus-blackbox-exporter.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench import alert_cuts, alert_day, alert_failures
from bench.alert_ground import Ground, Scenario, note
from bench.alert_peers import PROGRAMS, Peers
from bench.measure import NOT_INSTALLED, BenchError, Figures, program
from tests.lab.alerted import AlertedStack
from tests.lab.machine import LabError
from tests.lab.town import Town

INTERVAL_S = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A laboratory and what happens in it."""

    plain: int
    grouped: int
    scenarios: dict[str, Scenario]
    members: int = 1
    """Alertmanagers of ours."""
    upstreams: int = 0
    """That share the plain offices."""
    peers: bool = True
    at_once: bool = False


PLACES = (
    Place(alert_cuts.CUTS, 0, {"cuts": alert_cuts.cuts}, upstreams=alert_cuts.UPSTREAMS),
    Place(
        alert_day.PLAIN,
        alert_day.GROUPED,
        {"loss": alert_day.loss, "router": alert_day.router, "flapping": alert_day.flapping},
        at_once=True,
    ),
    Place(
        alert_failures.PLAIN,
        0,
        {
            "stopped": alert_failures.stopped,
            "killed": alert_failures.killed,
            "deaf": alert_failures.deaf,
            "pair": alert_failures.pair,
            "backlog": alert_failures.backlog,
        },
        members=2,
        peers=False,
    ),
)
SCENARIOS = tuple(name for place in PLACES for name in place.scenarios)


def run() -> Figures:
    """Return what each scenario found.

    Raises:
        BenchError: a scenario has no such name, or the laboratory cannot be built.
    """
    only = os.environ.get("BENCH_ONLY", "")
    names = only.split(",") if only else SCENARIOS
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        raise BenchError(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    seed = int(os.environ.get("BENCH_SEED", secrets.randbits(32)))
    note(f"drawn with BENCH_SEED={seed}")
    found: Figures = {"seed": seed}
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        found["peers"] = f"{NOT_INSTALLED}: {', '.join(missing)}"
    for place in PLACES:
        wanted = [name for name in place.scenarios if name in names]
        if wanted:
            found |= _at(place, wanted, seed, peers=place.peers and not missing)
    return found


def _at(place: Place, wanted: Collection[str], seed: int, *, peers: bool) -> Figures:
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tabuah-bench-") as name,
            Town(Path(name), plain=place.plain, grouped=place.grouped) as town,
            AlertedStack(town, Path(name), interval_s=INTERVAL_S, members=place.members) as stack,
        ):
            beside = Peers(stack) if peers else None
            if beside is not None:
                beside.start()
            grounds = {each: Ground(stack, beside, Random(f"{seed} {each}")) for each in wanted}
            with ThreadPoolExecutor(len(wanted) if place.at_once else 1) as pool:
                running = {
                    each: pool.submit(place.scenarios[each], grounds[each]) for each in wanted
                }
                return {each: future.result() for each, future in running.items()}
    except (AssertionError, LabError) as error:
        raise BenchError(str(error)) from error
