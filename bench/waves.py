"""A change for 100 offices, five of which it harms: where it stops, and who was ever lost.

Root, namespaces: each office is a gateway with its own sshd, nftables and dead-man, and a host with
a real agent; one real collector. Which five are bad, and how, is drawn by a seed (BENCH_SEED). The
plan is pushed again after its pause, and once more after its stop; then the bad ones are mended and
what is left is planned anew. Every end in the journal is compared with what the gateway itself
runs. BENCH_SITES sets how many offices; with BENCH_MENDED=0 it ends with the stop.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.measure import BenchError, Figures, memory, say
from bench.provision import BAD
from tests.lab.machine import LabError, stop
from tests.lab.managed import AT_ONCE, Managed, Pace
from tests.lab.net import Lab, Office

PACE = Pace(interval_s=5, window_s=75, soak_s=15, frr=False)
_BAD_SHARE = 0.05
_NEW = "10.200.0.77"
"""In what every gateway is to run: another NTP server."""
_KINDS = (
    *("wrong uplink address", "firewall locks SSH out", "firewall drops the agent's port"),
    *("LAN address wrong, SSH stays", "DNS broken"),
)
_PUSH_S = 900


class Watched:
    """A push that is watched for what it takes of the machine."""

    def __init__(self, managed: Managed, plan: Path, turn: int) -> None:
        self.log = managed.folder / f"waves-{turn}.log"
        self.threads = 0
        self.resident_mib = 0.0
        self._process = managed.push(plan, self.log)
        self._began = time.monotonic()

    def wait(self) -> Figures:
        """Return how it ended."""
        try:
            while self._process.poll() is None:
                if time.monotonic() - self._began > _PUSH_S:
                    raise BenchError(f"a push takes too long: {self.log.read_text()[-2000:]}")
                self._look()
                time.sleep(0.2)
        finally:
            stop(self._process, signal.SIGKILL)
        lines = self.log.read_text().splitlines()
        last = [line for line in lines if line.startswith(("paused", "stopped"))]
        return {
            "exit_code": self._process.returncode,
            "seconds": round(time.monotonic() - self._began),
            "threads_most": self.threads,
            "resident_most_mib": self.resident_mib,
            "said": last[-1] if last else "",
        }

    def _look(self) -> None:
        try:
            self.resident_mib = max(self.resident_mib, memory(self._process.pid).rss_mib)
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except (OSError, ValueError, KeyError):
            return
        for line in status.splitlines():
            if line.startswith("Threads:"):
                self.threads = max(self.threads, int(line.split()[1]))


class Story:
    """One laboratory, and what is pushed in it."""

    def __init__(self, managed: Managed, seed: int) -> None:
        self.managed = managed
        drawn = random.Random(seed)
        offices = managed.lab.offices
        chosen = drawn.sample(offices, max(2, round(len(offices) * _BAD_SHARE)))
        self.bad = {office: _KINDS[i % len(_KINDS)] for i, office in enumerate(chosen)}
        self._turn = 0

    def mend(self) -> None:
        """Have no office be harmed any more."""
        self.bad = {}
        self.want()

    def want(self) -> None:
        """Have all offices want the new server; the bad ones get what harms them too."""
        bad = self.bad
        good = {"ntp": ["10.200.0.1", _NEW]}
        self.managed.want(
            {o: {**good, **(BAD[bad[o]](o) if o in bad else {})} for o in self.managed.lab.offices}
        )

    def plan(self) -> tuple[Path, float]:
        """Return a plan of all offices, and the seconds it took."""
        path = self.managed.folder / f"plan-all-{self._turn}.json"
        began = time.monotonic()
        done = self.managed.config("plan", "--out", str(path), check=False, timeout=400)
        if done.returncode:
            raise BenchError(f"plan: {done.stderr[-2000:]}")
        return path, round(time.monotonic() - began, 1)

    def push(self, plan: Path) -> Figures:
        """Return how a push ended, and whether every gateway runs what the journal says."""
        self._turn += 1
        before = self._running()
        found = Watched(self.managed, plan, self._turn).wait()
        ends = self._ends(plan)
        after = self._running()
        false = []
        for office, code in self.managed.codes.items():
            end = ends.get(code, "not pushed")
            new = _NEW in after[office]
            if end not in ("not pushed", "confirmed", "rolled_back", "aborted"):
                false.append(f"{code}: {end}")
            elif new != (end == "confirmed") or (not new and after[office] != before[office]):
                false.append(f"{code}: {end}, and the gateway runs {'new' if new else 'another'}")
        lost = self.managed.await_all_live(30)
        say(f"push {self._turn}: {found['said'] or 'done'}; {dict(Counter(ends.values()))}")
        return {
            **found,
            "ends": dict(Counter(ends.values())),
            "bad_undone": sum(
                1 for o in self.bad if ends.get(self.managed.codes[o]) == "rolled_back"
            ),
            "bad_confirmed": [
                kind
                for o, kind in self.bad.items()
                if ends.get(self.managed.codes[o]) == "confirmed"
            ],
            "journal_and_gateway_disagree": false,
            "offices_not_reporting_within_30_s": lost,
        }

    def _ends(self, plan: Path) -> dict[str, str]:
        """Return the states of the plan's transactions, by the office's code."""
        self.managed.config("resume", check=False, timeout=400)
        said = json.loads(self.managed.config("history", "-o", "json").stdout)
        return {one["site"]: one["state"] for one in reversed(said)}

    def _running(self) -> dict[Office, str]:
        """Return what each gateway runs, read on itself."""
        offices = self.managed.lab.offices
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda office: self.managed.gateways[office].config(), offices)
            return dict(zip(offices, found, strict=True))


def run() -> Figures:
    """Return how the plan went, turn by turn."""
    seed = int(os.environ.get("BENCH_SEED", str(random.SystemRandom().randrange(2**32))))
    sites = int(os.environ.get("BENCH_SITES", "100"))
    say(f"seed {seed}, {sites} offices")
    found: Figures = {"seed": seed, "offices": sites, "window_s": PACE.window_s}
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as name:
        folder = Path(name)
        began = time.monotonic()
        try:
            with Lab(sites, folder) as lab, Managed(lab, folder, PACE) as managed:
                silent = managed.await_all_live(240)
                if silent:
                    raise BenchError(f"never heard: {silent}")
                time.sleep(4 * PACE.interval_s)
                say(f"{sites} offices report after {time.monotonic() - began:.0f} s")
                found.update(_told(Story(managed, seed)))
        except (LabError, subprocess.SubprocessError) as error:
            raise BenchError(str(error)) from error
    return found


def _told(story: Story) -> Figures:
    story.want()
    plan, took_s = story.plan()
    found: Figures = {
        "bad": {story.managed.codes[o]: kind for o, kind in story.bad.items()},
        "plan_of_all_s": took_s,
    }
    found["first"] = story.push(plan)
    found["again_after_the_pause"] = story.push(plan)
    found["again_after_the_stop"] = story.push(plan)
    if os.environ.get("BENCH_MENDED", "1") == "1":
        story.mend()
        plan, _ = story.plan()
        found["mended_and_planned_anew"] = story.push(plan)
    wrong = [
        name
        for name, one in found.items()
        if isinstance(one, dict)
        and (one.get("journal_and_gateway_disagree") or one.get("bad_confirmed"))
    ]
    if wrong:
        raise BenchError(f"not as promised: {', '.join(wrong)}: {found}")
    return found
