"""Bad pushes, kills, cuts, reboots, wrong clocks and a full disk on real gateways: how each ended.

Root, namespaces; three offices at a time. BENCH_PARTS names parts (bad, kills, cuts, more, two,
full), all without it. Every run says whether the journal's end equals what the device runs:
CONFIRMED with the new configuration, ROLLED_BACK or ABORTED with the old one, read on the device
itself. The moments of kills and cuts are drawn by a seed (BENCH_SEED), which is in the figures.
"""

from __future__ import annotations

import difflib
import itertools
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.measure import BenchError, Figures, say
from tests.lab.machine import LabError, stop
from tests.lab.managed import WINDOW_S, Managed
from tests.lab.net import Lab, Office
from tests.support.clock_off import build, wrong_clock

STATES = ("arming", "armed", "pushing", "verifying", "confirming", "rolling_back")
_RANDOM = 6
_SETTLED = {"confirmed", "rolled_back", "aborted"}

Change = Callable[[Office], Mapping[str, object]]


_numbers = itertools.count(2)


def _good(_office: Office) -> Mapping[str, object]:
    return {"ntp": ["10.200.0.1", f"10.200.0.{next(_numbers)}"]}


def _addresses(wan: str, lan: str) -> Mapping[str, object]:
    return {"addresses": {"wan0": [wan], "lan0": [lan]}}


BAD: Mapping[str, Change] = {
    "wrong uplink address": lambda o: _addresses(f"10.201.{o.number}.9/24", "192.168.1.1/24"),
    "default route to nowhere": lambda _o: {
        "routes": [{"to": "default", "via": "192.168.1.2", "dev": "lan0"}]
    },
    "firewall locks SSH out": lambda _o: {
        "extra_input": ["ip saddr 10.200.0.0/16 tcp dport 22 drop"]
    },
    "firewall drops the agent's port": lambda _o: {"extra_forward": ["udp dport 10162 drop"]},
    "LAN address wrong, SSH stays": lambda o: _addresses(f"{o.wan}/24", "192.168.1.3/24"),
    "DNS broken": lambda _o: {"extra_forward": ["udp dport 53 drop"]},
    "MTU black hole": lambda _o: {"forward_first": ["meta length > 1000 drop"]},
    "refused half-way": lambda _o: {
        "sysctl": {"net.ipv4.tcp_fin_timeout": "40"},
        "routes": [{"to": "default", "via": "10.99.99.99", "dev": "wan0"}],
    },
}


@dataclass(frozen=True, slots=True)
class Run:
    """One push, and what happens to it."""

    name: str
    change: Change
    happens: Callable[[Drill, Office, Push], None]
    slowed: bool = False
    """Whether every answer takes 600 ms longer."""
    clock: tuple[int, int] = (0, 0)
    """How far the pusher's wall clock is off, and after how many seconds."""
    device_clock: int = 0
    """How far the device's is."""


class Push:
    """A push under way."""

    def __init__(
        self, drill: Drill, office: Office, plan: Path, clock: tuple[int, int] = (0, 0)
    ) -> None:
        self.log = drill.managed.folder / f"push-{office.number}-{time.monotonic_ns()}.log"
        env = wrong_clock(drill.library, *clock) if clock[0] else None
        self.process = drill.managed.push(plan, self.log, env)

    def await_state(self, state: str) -> bool:
        """Wait for a state; False when the push ended without it."""
        while f": {state}" not in self.log.read_text():
            if self.process.poll() is not None:
                return False
            time.sleep(0.005)
        return True

    def kill(self) -> None:
        """Kill the pusher."""
        stop(self.process, signal.SIGKILL)


class Drill:
    """What the runs share."""

    def __init__(self, managed: Managed, seed: int) -> None:
        self.managed = managed
        self.drawn = random.Random(seed)
        self.planning = threading.Lock()
        self.applied_s = 0.0
        self.library = build(managed.folder)

    def once(self, office: Office, run: Run) -> Figures:
        """Return how one run ended."""
        managed, gateway = self.managed, self.managed.gateways[office]
        if run.slowed:
            managed.lab.delay(office, 600)
        if run.device_clock:
            gateway.set_clock(self.library, run.device_clock)
        managed.await_live(office, 60)
        time.sleep(7)  # three reports, all of them good: a baseline
        before = gateway.config()
        with self.planning:
            plan = managed.plan(office, run.change(office))
        push = Push(self, office, plan, run.clock)
        push.await_state("arming")
        began = time.monotonic()
        run.happens(self, office, push)
        try:
            push.process.wait(WINDOW_S + 120)
        finally:
            push.kill()
        state = managed.states().get(managed.codes[office], "none")
        alone = None
        if state not in _SETTLED:
            # Its pusher is gone: the device is read before anybody asks it.
            time.sleep(self._left(office))
            alone = gateway.config() == before
            managed.config("resume", check=False)
            state = managed.states()[managed.codes[office]]
        undone = gateway.config() == before
        truth = undone == (state != "confirmed")
        back = managed.await_live(office, 60)
        said: Figures = {
            "end": state,
            "device_agrees": truth,
            "undone_alone_in_time": alone,
            "seconds": round(time.monotonic() - began, 1),
            "reports_again_after": round(back, 1),
        }
        if not truth or alone is False or state not in _SETTLED:
            said["changed"] = "\n".join(
                difflib.unified_diff(
                    before.splitlines(), gateway.config().splitlines(), lineterm="", n=0
                )
            )
            said["log"] = push.log.read_text()[-2000:]
        say(f"{office.number}: {run.name}: {state}{'' if truth else ', AND THE DEVICE DISAGREES'}")
        return said

    def _left(self, office: Office) -> float:
        """Return the seconds until ten after the device's deadline, by its own word."""
        place = self.managed.folder / f"gateway{office.number}" / "lib" / "tabuah-deadman"
        deadlines = [int(path.read_text()) for path in place.glob("tx-*/deadline")]
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, max(deadlines, default=0) + 10 - uptime)


def _nothing(_drill: Drill, _office: Office, _push: Push) -> None:
    """Let it be."""


def _kill_at(state: str) -> Callable[[Drill, Office, Push], None]:
    def happens(_drill: Drill, _office: Office, push: Push) -> None:
        push.await_state(state)
        push.kill()

    return happens


def _interrupt_at(state: str) -> Callable[[Drill, Office, Push], None]:
    def happens(_drill: Drill, _office: Office, push: Push) -> None:
        push.await_state(state)
        push.process.send_signal(signal.SIGINT)
        push.process.wait(WINDOW_S + 60)
        if "stopping: what is not confirmed" not in push.log.read_text():
            raise BenchError(f"Ctrl-C was not heard: {push.log.read_text()}")

    return happens


def _kill_after(seconds: float) -> Callable[[Drill, Office, Push], None]:
    def happens(_drill: Drill, _office: Office, push: Push) -> None:
        push.await_state("arming")
        time.sleep(seconds)
        push.kill()

    return happens


def _cut(state: str = "arming", seconds: float = 0.0) -> Callable[[Drill, Office, Push], None]:
    def happens(drill: Drill, office: Office, push: Push) -> None:
        push.await_state(state)
        time.sleep(seconds)
        drill.managed.lab.cut(office)
        time.sleep(WINDOW_S + 5)
        drill.managed.lab.loss(office, 0, 0)

    return happens


def _disk_full_at(state: str) -> Callable[[Drill, Office, Push], None]:
    """Fill the centre's disk when the push of one office is there, until its device has settled."""

    def happens(drill: Drill, office: Office, push: Push) -> None:
        push.await_state(state)
        fill = drill.managed.data / "provision" / f"fill{office.number}"
        with suppress(OSError), fill.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        push.process.wait(WINDOW_S + 60)
        time.sleep(WINDOW_S + 5)
        fill.unlink()

    return happens


def _thirty_lines(_office: Office) -> Mapping[str, object]:
    routes = [{"to": f"10.{n}.0.0/16", "via": "Null0"} for n in range(130, 160)]
    return {"frr_routes": [{"to": "10.77.0.0/24", "via": "Null0"}, *routes]}


def _until_applied(drill: Drill, office: Office, push: Push) -> None:
    """Say how long it takes from armed to applied, by the device's own marks."""
    push.await_state("arming")
    began = time.monotonic()
    place = drill.managed.folder / f"gateway{office.number}" / "lib" / "tabuah-deadman"
    while not list(place.glob("tx-*/applied")):
        if push.process.poll() is not None:
            return
        time.sleep(0.02)
    drill.applied_s = round(time.monotonic() - began, 1)


def _reboot(drill: Drill, office: Office, push: Push) -> None:
    push.await_state("verifying")
    time.sleep(3)
    drill.managed.gateways[office].reboot()


def _two_at_once(drill: Drill, office: Office, push: Push) -> None:
    plan = drill.managed.folder / f"plan-{drill.managed.codes[office]}.json"
    other = Push(drill, office, plan)
    other.process.wait(WINDOW_S + 120)
    push.process.wait(WINDOW_S + 120)
    log = other.log.read_text() + push.log.read_text()
    barred = ("another process is at it", "settle it first", "runs something else")
    if not any(words in log for words in barred):
        raise BenchError(f"two pushers were at it: {log}")


def _runs(drawn: random.Random) -> Mapping[str, list[Run]]:
    """Return the runs of each part."""

    def change(state: str) -> Change:
        return BAD["refused half-way"] if state == "rolling_back" else _good

    moments = [drawn.uniform(0, 20) for _ in range(_RANDOM)]
    return {
        "bad": [
            *(Run(name, bad, _nothing) for name, bad in BAD.items()),
            Run("good", _good, _nothing),
        ],
        "kills": [
            *(Run(f"killed at {s}", change(s), _kill_at(s)) for s in STATES),
            *(Run(f"killed after {s:.2f} s", _good, _kill_after(s)) for s in moments[:3]),
        ],
        "cuts": [
            *(Run(f"line cut at {s}", change(s), _cut(s)) for s in STATES),
            *(Run(f"line cut after {s:.2f} s", _good, _cut(seconds=s)) for s in moments[3:]),
        ],
        "more": [
            Run("pusher's clock an hour ahead", _good, _nothing, clock=(3600, 0)),
            Run("pusher's clock an hour behind", _good, _nothing, clock=(-3600, 0)),
            Run("device's clock an hour ahead", _good, _nothing, device_clock=3600),
            Run("pusher's clock set an hour ahead", BAD["DNS broken"], _nothing, clock=(3600, 12)),
            Run("pusher's clock set an hour back", BAD["DNS broken"], _nothing, clock=(-3600, 12)),
            Run("device's clock an hour behind", BAD["DNS broken"], _nothing, device_clock=-3600),
            *(Run(f"Ctrl-C at {s}", _good, _interrupt_at(s)) for s in ("arming", "verifying")),
            Run("gateway rebooted", BAD["DNS broken"], _reboot),
        ],
        "two": [
            Run("two pushers", _good, _two_at_once),
            Run("30 lines over 600 ms", _thirty_lines, _until_applied, slowed=True),
        ],
        "full": [Run(f"disk full at {s}", change(s), _disk_full_at(s)) for s in STATES],
    }


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """Have the folder of provisioning on a disk of its own, so small that it can be filled."""
    place = folder / "collector" / "provision"
    place.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(place)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def run() -> Figures:
    """Return how every run ended."""
    seed = int(os.environ.get("BENCH_SEED", str(random.SystemRandom().randrange(2**32))))
    say(f"seed {seed}")
    found: Figures = {"seed": seed, "window_s": WINDOW_S}
    parts = os.environ.get("BENCH_PARTS", "").split(",")
    with tempfile.TemporaryDirectory(prefix="tabuah-bench-") as name:
        folder = Path(name)
        try:
            with Lab(3, folder) as lab, _small_disk(folder), Managed(lab, folder) as managed:
                drill = Drill(managed, seed)
                for part, waiting in _runs(drill.drawn).items():
                    if parts != [""] and part not in parts:
                        continue
                    # One disk for all: no office is spared what another's full disk does.
                    at_once = 1 if part == "full" else 3
                    found.update(_part(drill, waiting, at_once))
                found["arming_to_applied_over_600_ms_s"] = drill.applied_s
        except LabError as error:
            raise BenchError(str(error)) from error
    wrong = [n for n, end in found.items() if isinstance(end, dict) and not end["device_agrees"]]
    confirmed = [n for n in BAD if isinstance(f := found.get(n), dict) and f["end"] == "confirmed"]
    if wrong or confirmed:
        raise BenchError(f"not the truth: {wrong}; bad and confirmed: {confirmed}: {found}")
    return found


def _part(drill: Drill, waiting: list[Run], at_once: int) -> Figures:
    found: Figures = {}
    while waiting:
        now, waiting = waiting[:at_once], waiting[at_once:]
        with ThreadPoolExecutor(at_once) as pool:
            ends = pool.map(drill.once, drill.managed.lab.offices, now)
            found.update({each.name: end for each, end in zip(now, ends, strict=False)})
    return found
