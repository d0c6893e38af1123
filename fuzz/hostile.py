"""`python fuzz/hostile.py`: hostile datagrams by the million, at the running programs.

A real collector and a real agent on loopback, and between them one who hears everything and has
no key (`tap`, `forgery`). He sends the collector waves of what he can make, then keeps the
collector's answers from the agent and sends it his own. What must hold stands in `Verdict`;
figures go to stdout as JSON. Needs Linux, for /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent import config
from fuzz.forgery import Captured, Maker, Thief, lies, mutated, probe
from fuzz.seeds import inform, report
from fuzz.tap import Queue, Tap
from tabuah import block, notification
from tabuah.errors import DecodeError
from tabuah.snmp import message
from tabuah.snmp.usm import Auth, UsmUser
from tests.support.programs import SITE, Centre, centre, seconds_until

SOURCES = 256
"""Addresses of 127.1.0.0/16 that the collector is attacked from."""
BURST = 64
COLLECTOR_QUEUE = 256 << 10
AGENT_QUEUE = 48 << 10
"""Octets that may wait in the kernel, so that nothing is lost and all can be counted."""

THIEF = "13.02.99"
_TICKS = os.sysconf("SC_CLK_TCK")
_OUTCOMES = re.compile(r'^tabuah_reports_total\{outcome="(\w+)"\} (\S+)$', re.MULTILINE)
_USM = re.compile(r'^tabuah_usm_stats_total\{reason="(\w+)"\} (\S+)$', re.MULTILINE)


def warm_up(count: int) -> int:
    """Return how many of a wave come first; memory is compared with what it was after them.

    Enough to fill a group commit with replays, whatever the wave's size.
    """
    return max(count // 5, min(count, 500))


@dataclass(slots=True)
class Wave:
    """What one kind of hostile traffic did."""

    name: str
    sent: int = 0
    octets_in: int = 0
    octets_back: int = 0
    answers: int = 0
    lost: int = 0
    """Found no room in the kernel's queue."""
    seconds: float = 0.0
    cpu_us: float = 0.0
    """Of the attacked program, for each datagram that it took."""
    rss_growth_kib: int = 0
    counted: dict[str, int] = field(default_factory=dict)
    """By how much tabuah_reports_total grew, the good traffic's included."""
    good: int = 0
    """Reports of the good agent meanwhile, each time that it sent them."""


@dataclass(slots=True)
class Verdict:
    """What came of all waves."""

    waves: list[Wave] = field(default_factory=list)
    usm_stats: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    """What should have held and did not."""
    ack_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    """From an inform of the good agent to its answer, as seen on the line."""

    def demand(self, held: bool, what: str) -> None:
        """Note a failure unless it held."""
        if not held:
            self.failures.append(what)


class Attacker:
    """Many sockets that send to one port, and count what comes back."""

    def __init__(self, port: int, sources: int = SOURCES) -> None:
        self._target = ("127.0.0.1", port)
        self._queue = Queue(port)
        self._sockets: list[socket.socket] = []
        for number in range(sources):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((f"127.1.{number // 250}.{1 + number % 250}", 0))
            sock.setblocking(False)
            self._sockets.append(sock)

    def close(self) -> None:
        """Close all."""
        for sock in self._sockets:
            sock.close()

    def send(self, wave: Wave, made: Iterator[bytes], most_queued: int | None) -> None:
        """Send all that was made; with `most_queued` octets at most waiting in the kernel."""
        for number, datagram in enumerate(made, start=1):
            sock = self._sockets[number % len(self._sockets)]
            with contextlib.suppress(BlockingIOError):
                sock.sendto(datagram, self._target)
                wave.sent += 1
                wave.octets_in += len(datagram)
            if number % BURST == 0:
                while most_queued is not None and self._queue.look()[0] > most_queued:
                    time.sleep(0.001)
                self.collect(wave, (number // BURST) % len(self._sockets), BURST)

    def collect(self, wave: Wave, first: int = 0, count: int = SOURCES) -> None:
        """Take in what came back to some of the sockets."""
        for number in range(first, first + count):
            sock = self._sockets[number % len(self._sockets)]
            with contextlib.suppress(BlockingIOError):
                while True:
                    wave.octets_back += len(sock.recv(65_535))
                    wave.answers += 1


class Siege:
    """The programs, the line between them, and the waves that they are put to."""

    def __init__(self, made: Centre, dice: Random) -> None:
        self._centre = made
        self._dice = dice
        self.verdict = Verdict()
        self._agent: subprocess.Popen[bytes]
        self._config: config.Config
        self._ku: bytes
        self._bases: dict[bytes, bytes] = {}
        """All reports that passed, by the name that later ones rest on them by."""

    def run(self, datagrams: int, forged: int, lies_sent: int, overload_s: float) -> Verdict:
        """Put the programs to all waves, of so many datagrams each way."""
        made = self._centre
        self._ku = self._enrol_thief()
        made.start_collector()
        with Tap(made.reports) as tap:
            path = made.enrol()
            self._config = config.load(path)
            tap.weigh = self._reports_in
            path.write_text(path.read_text().replace(f":{made.reports}", f":{tap.port}"))
            self._agent = made.start_agent(path)
            seconds_until(lambda: len(made.said()) >= 3, 20)
            stale = self._single(tap, 2)
            # Another start, other engine boots: what was captured before is out of the window.
            made.collector.terminate()
            made.collector.wait(20)
            made.start_collector()
            tap.asked.clear()
            # What was answered may be of before the restart, while nothing was asked since.
            seconds_until(lambda: len(tap.answered) >= 8 and len(self._single(tap, 2)) == 2, 30)
            seconds_until(lambda: made.state() == "up", 30)
            self._waves_at_collector(tap, stale, datagrams, forged, overload_s)
            self._wave_at_agent(tap, lies_sent)
            self._aftermath()
        return self.verdict

    # --- the collector ---------------------------------------------------------------------

    def _waves_at_collector(
        self, tap: Tap, stale: Sequence[bytes], datagrams: int, forged: int, overload_s: float
    ) -> None:
        self.verdict.ack_ms["before"] = _quantiles(tap.took_s)
        seen = Captured(self._single(tap, 8), list(tap.answered))
        collector = self._config.collectors[0]
        thief = Thief(
            collector.engine_id, collector.user, self._ku, (inform(report(1)), inform(report(2)))
        )
        makers: list[tuple[str, Maker, int]] = [
            ("mutated", lambda dice: mutated(seen, dice), datagrams * 85 // 100),
            ("probes", probe, datagrams * 5 // 100),
            ("replayed, in window", lambda dice: dice.choice(seen.datagrams), datagrams // 20),
            ("replayed, out of window", lambda dice: dice.choice(stale), datagrams // 20),
            ("forged", lambda dice: thief.forge(seen, dice), forged),
        ]
        attacker = Attacker(self._centre.reports)
        before = len(tap.took_s)
        try:
            for name, make, count in makers:
                self._wave(tap, attacker, Wave(f"warm-up: {name}"), make, warm_up(count))
            rss = _rss_kib(self._centre.collector.pid)
            for name, make, count in makers:
                if "in window" in name:
                    # Fresh ones: the window is 150 s wide, and earlier waves may take longer.
                    seen = Captured(self._single(tap, 3), seen.others)
                self._wave(tap, attacker, Wave(name), make, count - warm_up(count))
            grown = _rss_kib(self._centre.collector.pid) - rss
            self.verdict.demand(grown < 2048, f"the collector grew by {grown} KiB")
            self.verdict.ack_ms["under paced waves"] = _quantiles(tap.took_s[before:])
            before = len(tap.took_s)
            if overload_s:
                self._overload(tap, attacker, seen, overload_s)
                self.verdict.ack_ms["under overload"] = _quantiles(tap.took_s[before:])
            self.verdict.usm_stats = _counted(self._centre, _USM)
        finally:
            attacker.close()
        self._judge_waves()

    def _wave(self, tap: Tap, attacker: Attacker, wave: Wave, make: Maker, count: int) -> None:
        made = (make(self._dice) for _ in range(count))
        self._send(tap, attacker, wave, made, COLLECTOR_QUEUE)

    def _overload(self, tap: Tap, attacker: Attacker, seen: Captured, seconds: float) -> None:
        """Send as fast as this machine can, which is faster than anyone could take it in."""
        stock = [mutated(seen, self._dice) for _ in range(5_000)]
        until = time.monotonic() + seconds

        def endless() -> Iterator[bytes]:
            while time.monotonic() < until:
                yield from stock[:500]
                self._dice.shuffle(stock)

        self._send(tap, attacker, Wave("overload"), endless(), None)

    def _send(
        self, tap: Tap, attacker: Attacker, wave: Wave, made: Iterator[bytes], most: int | None
    ) -> None:
        pid, queue = self._centre.collector.pid, Queue(self._centre.reports)
        self._settle(tap)
        counted, good, lost = _counted(self._centre, _OUTCOMES), tap.reports, queue.look()[1]
        cpu, rss, began = _cpu_s(pid), _rss_kib(pid), time.monotonic()
        attacker.send(wave, made, most)
        while queue.look()[0]:
            time.sleep(0.005)
        wave.seconds = round(time.monotonic() - began, 2)
        wave.lost = queue.look()[1] - lost
        wave.cpu_us = round((_cpu_s(pid) - cpu) / max(1, wave.sent - wave.lost) * 1e6, 1)
        wave.rss_growth_kib = _rss_kib(pid) - rss
        deadline = time.monotonic() + 10
        while True:  # the good agent goes on meanwhile: both sides of the sum grow
            now = _counted(self._centre, _OUTCOMES)
            wave.counted = {word: now[word] - counted[word] for word in now}
            wave.good = tap.reports - good
            total = sum(wave.counted.values())
            if total == wave.sent + wave.good - wave.lost or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        attacker.collect(wave)
        wave.counted = {word: count for word, count in wave.counted.items() if count}
        self.verdict.waves.append(wave)
        # Of a batch that was lost in an overload each report is missing, and it is one datagram.
        taken, more = wave.sent + wave.good - wave.lost, wave.good if most is None else 0
        self.verdict.demand(
            taken - more <= total <= taken,
            f"{wave.name}: counted {total} of {wave.sent} hostile and {wave.good} good reports, "
            f"{wave.lost} of them lost",
        )
        sys.stderr.write(f"{wave}\n")

    def _settle(self, tap: Tap) -> None:
        """Wait for a moment in which all that was sent has been counted."""
        quiet = tap.passed
        while True:
            time.sleep(0.15)
            if tap.passed == quiet:
                return
            quiet = tap.passed

    def _judge_waves(self) -> None:
        for wave in self.verdict.waves:
            good = wave.counted.get("accepted", 0) + wave.counted.get("late", 0)
            self.verdict.demand(good <= wave.good, f"{wave.name}: {good} accepted")
            self.verdict.demand(
                wave.octets_back <= 1.5 * wave.octets_in,
                f"{wave.name}: reflects more than half more",
            )
            if wave.sent > 5_000 and "replayed" not in wave.name:
                self.verdict.demand(
                    wave.octets_back < 0.5 * wave.octets_in,
                    f"{wave.name}: Reports are not rationed",
                )

    # --- the agent -------------------------------------------------------------------------

    def _wave_at_agent(self, tap: Tap, count: int) -> None:
        wave, pid = Wave("lies to the agent"), self._agent.pid
        seconds_until(lambda: self._backlog() == 0, 30)
        tap.withholding = True
        assert tap.agent is not None
        queue = Queue(tap.agent[1])
        asked, began = tap.passed, time.monotonic()
        engine_id, user = self._config.collectors[0].engine_id, self._config.collectors[0].user
        thief = Thief(engine_id, user, self._ku, lies())
        cpu, rss, warm = _cpu_s(pid), 0, warm_up(count)
        _, lost = queue.look()
        seen = Captured((), ())
        for number in range(count):
            if number % BURST == 0:
                seen = Captured(list(tap.answered)[-4:], list(tap.asked)[-4:])
                while queue.look()[0] > AGENT_QUEUE:
                    time.sleep(0.001)
            if number == warm:
                rss = _rss_kib(pid)
            lie = thief.forge(seen, self._dice) if number % 4 == 0 else mutated(seen, self._dice)
            tap.inject(lie)
            wave.sent += 1
            wave.octets_in += len(lie)
        while queue.look()[0]:
            time.sleep(0.005)
        # At least so long that unanswered reports are overtaken, and show as a backlog.
        time.sleep(max(0.0, 5 - (time.monotonic() - began)))
        wave.seconds = round(time.monotonic() - began, 2)
        wave.lost = queue.look()[1] - lost
        wave.cpu_us = round((_cpu_s(pid) - cpu) / max(1, wave.sent - wave.lost) * 1e6, 1)
        wave.rss_growth_kib = _rss_kib(pid) - rss
        wave.good = tap.passed - asked
        self.verdict.waves.append(wave)
        backlog = self._backlog()
        self.verdict.demand(
            backlog >= wave.seconds - 5, f"of {wave.seconds} reports {backlog} were not believed"
        )
        self.verdict.demand(
            wave.good <= wave.seconds / 0.5 + wave.seconds + 5,
            f"lies drew datagrams: {wave.good} in {wave.seconds} s",
        )
        self.verdict.demand(
            wave.rss_growth_kib < 2048, f"the agent grew by {wave.rss_growth_kib} KiB"
        )
        logged = self._centre.log("agent").count("not an answer")
        self.verdict.demand(logged < 40, f"the agent logged {logged} lines of lies")
        tap.withholding = False
        sys.stderr.write(f"{wave}\n")

    def _backlog(self) -> int:
        match = re.search(
            rf'tabuah_agent_backlog_reports{{site="{SITE}"}} (\d+)',
            self._centre.get("metrics").text,
        )
        return int(match[1]) if match else -1

    def _aftermath(self) -> None:
        made = self._centre
        seconds_until(lambda: self._backlog() == 0, 60)
        numbers = sorted(one["seq"] for one in made.said())
        self.verdict.demand(
            numbers == list(range(1, len(numbers) + 1)), "a report is missing, or there twice"
        )
        self.verdict.demand(made.state() == "up", f"the office is {made.state()}")
        self.verdict.demand(
            "silent" not in made.log("collector"), "the office was taken for silent"
        )
        self.verdict.demand("Traceback" not in made.log("collector"), "the collector raised")
        self.verdict.demand("Traceback" not in made.log("agent"), "the agent raised")
        self.verdict.demand(made.collector.poll() is None, "the collector ended")
        self.verdict.demand(self._agent.poll() is None, "the agent ended")

    def _single(self, tap: Tap, most: int) -> list[bytes]:
        """Return the agent's last informs that bring one report: each counts once."""
        return [one for one in tap.asked if self._reports_in(one) == 1][-most:]

    def _reports_in(self, datagram: bytes) -> int:
        """Return how many reports an inform of the agent's brings; we do hold its key."""
        known = self._config.collectors[0]
        user = UsmUser.from_ku(known.user, Auth.SHA256_192, known.ku, known.ku, known.engine_id)
        try:
            received = message.decode(datagram)
            scoped = message.decode_scoped(message.decrypt(received, user))
            brought = notification.read_block(scoped.pdu.varbinds, self._bases.get).reports
        except DecodeError:
            return 1
        self._bases |= {block.base_name(one.octets): one.octets for one in brought}
        return len(brought)

    def _enrol_thief(self) -> bytes:
        """Return the good key of another office, with which ours may not be played."""
        made = self._centre
        more = made.inventory / "sites"
        more.mkdir()
        (more / "thief.yaml").write_text(
            f'sites:\n  - {{code: "{THIEF}", name: Kantor Lain, circuits: [{{id: telkom}}]}}\n'
        )
        out = made.folder / "thief.toml"
        done = made.tabuah(
            *("enrol", THIEF, "--inventory", str(made.inventory), "--data", str(made.data)),
            *("--collector", f"127.0.0.1:{made.reports}", "--out", str(out)),
        )
        assert done.returncode == 0, done.stderr
        shutil.rmtree(more)
        return config.load(out).collectors[0].ku


def besiege(
    folder: Path,
    *,
    datagrams: int,
    forged: int,
    lies_sent: int,
    overload_s: float = 0.0,
    seed: int = 1,
) -> Verdict:
    """Put a collector and an agent to all waves; return what came of it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # the line shares this process with the attacker
    try:
        with centre(folder) as made:
            return Siege(made, Random(seed)).run(datagrams, forged, lies_sent, overload_s)
    finally:
        sys.setswitchinterval(before)


def _counted(made: Centre, pattern: re.Pattern[str]) -> dict[str, int]:
    return {word: round(float(value)) for word, value in pattern.findall(made.get("metrics").text)}


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def _rss_kib(pid: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1])


def _quantiles(took_s: Sequence[float]) -> dict[str, float]:
    ordered = sorted(took_s) or [0.0]
    return {
        "informs": len(took_s),
        **{
            f"p{share}": round(ordered[(len(ordered) - 1) * share // 100] * 1000, 1)
            for share in (50, 99, 100)
        },
    }


def main() -> int:
    """Do as the command line says; 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="fuzz/hostile.py", description=__doc__)
    parser.add_argument("--datagrams", type=int, default=20_000, help="at the collector")
    parser.add_argument("--forged", type=int, help="default: a hundredth of them")
    parser.add_argument("--lies", type=int, help="at the agent; default: as many as datagrams")
    parser.add_argument("--overload", type=float, default=20.0, help="seconds of an unpaced flood")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    forged = options.datagrams // 100 if options.forged is None else options.forged
    lies_sent = options.datagrams if options.lies is None else options.lies
    with tempfile.TemporaryDirectory(prefix="tabuah-hostile-") as folder:
        verdict = besiege(
            Path(folder),
            datagrams=options.datagrams,
            forged=forged,
            lies_sent=lies_sent,
            overload_s=options.overload,
            seed=options.seed,
        )
    json.dump(dataclasses.asdict(verdict), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 1 if verdict.failures else 0


if __name__ == "__main__":
    sys.exit(main())
