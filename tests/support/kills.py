"""A collector and agents that are killed with -9 at drawn moments, under load, time and again.

The programs are real; every promise that the collector makes is known: to the agents by the line
that they report over (`witness`), to the other offices by their own count (`burden`). After each
kill `wrong` compares the store with it.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random

from sqlalchemy import select

from agent.spool import Spool
from collector import enrolled
from collector.day import U64
from collector.identity import Identity
from collector.keys import site_key
from collector.ledger_store import LedgerStore
from collector.schema import days
from collector.store import Store
from tabuah.report import ReportId
from tabuah.snmp.usm import Auth, UsmUser
from tests.support.burden import Burden
from tests.support.programs import SITE, Centre, centre, seconds_until
from tests.support.witness import Witness

COLLECTOR = "collector"
MOST_S = 180.0
"""So long a program may take to serve again on a machine that has other work."""
DURING_START_S = 1.5
"""A start takes about so long."""
BURDENED = 10


class EndedError(Exception):
    """A program that was to serve has ended: waiting on would tell nothing."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Reports of which the store does not hold what was promised."""

    gone: tuple[ReportId, ...] = ()
    """Acknowledged, and not there."""
    twice: tuple[ReportId, ...] = ()
    invented: tuple[ReportId, ...] = ()
    """Never sent so."""


NOTHING = Wrong()


@dataclass(frozen=True, slots=True)
class Strike:
    """What was killed, and what came of it."""

    killed: tuple[str, ...]
    """The collector or an office's agent; one that was killed again while it started twice."""
    resumed_s: float
    """From the last start to the first acknowledged report."""
    wrong: Wrong


class Drill:
    """The programs and what they were promised."""

    def __init__(
        self,
        made: Centre,
        *,
        dice: Random,
        agents: Sequence[str],
        witness: Witness,
        burden: Burden,
        environment: Mapping[str, str] | None,
    ) -> None:
        """Prepare; see `drill`."""
        self.made = made
        self._dice = dice
        self._environment = environment
        self.witness = witness
        self.burden = burden
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._configs = {site: made.folder / f"agent-{site}.toml" for site in agents}

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start the collector, or an office's agent, and return it."""
        self._programs[name] = (
            self.made.start(*self.made.collector_words, environment=self._environment)
            if name == COLLECTOR
            else self.made.start_agent(self._configs[name])
        )
        return self._programs[name]

    def start_all(self) -> None:
        """Start all, and wait until all are served."""
        for name in (COLLECTOR, *self._configs):
            self.start(name)
        for name in (COLLECTOR, *self._configs):
            self._await_service(name, set())

    def strike(self) -> Strike:
        """Kill one or two programs at a drawn moment, start them again, and look."""
        dice = self._dice
        names = dice.choice(([COLLECTOR], [dice.choice(list(self._configs))]))
        if dice.random() < 0.2:
            names = [COLLECTOR, dice.choice(list(self._configs))]
        self.witness.cut = dice.random() < 0.3  # so that agents die with reports in their spools
        time.sleep(dice.uniform(0, 3 if self.witness.cut else 1))
        killed = [self.kill(name) for name in names]
        before = self._epochs()
        for name in names:
            self.start(name)
        if dice.random() < 0.3:
            time.sleep(dice.uniform(0, DURING_START_S))
            killed += [self.kill(name) for name in names]
            before = self._epochs()
            for name in names:
                self.start(name)
        self.witness.cut = False
        began = time.monotonic()
        for name in names:
            self._await_service(name, before)
        resumed_s = time.monotonic() - began
        return Strike(tuple(killed), resumed_s, self.wrong())

    def settle(self) -> list[str]:
        """Let all that is under way and in spools arrive, and stop; say what is damaged then."""
        self.burden.resting = True
        seconds_until(lambda: self.burden.under_way == 0, MOST_S)
        # What the collector knows of a backlog may be from before its last start.
        known = set(self.witness.sent)
        for site in self._configs:
            seconds_until(partial(self._is_heard, site, known), MOST_S)
        seconds_until(lambda: not self._backlogs(), MOST_S)
        for name in (*self._configs, COLLECTOR):
            self._programs[name].terminate()
            assert self._programs[name].wait(20) == 0
        return list(self._not_whole())

    def lost(self) -> Counter[int]:
        """Return how many reports agents sent that are nowhere, by the epoch: that is, by kill."""
        found = self._kept().keys() | set(self._spooled())
        return Counter(one.epoch for one in self.witness.sent.keys() - found)

    def wrong(self) -> Wrong:
        """Compare the store with what was promised."""
        promised = self.burden.acknowledged | self.witness.acknowledged
        kept = self._kept()
        sent = self.burden.sent | self.witness.sent
        return Wrong(
            gone=tuple(promised - kept.keys()),
            twice=tuple(one for one, found in kept.items() if found[1:]),
            invented=tuple(one for one, found in kept.items() if sent.get(one) != found[0]),
        )

    def _epochs(self) -> set[int]:
        return {one.epoch for one in set(self.witness.sent)}

    def _kept(self) -> dict[ReportId, list[bytes]]:
        kept: dict[ReportId, list[bytes]] = {}
        with Store.open(self.made.data, read_only=True) as store, store.reading() as connection:
            for day in connection.scalars(select(days.c.day)).all():
                table = store.table(day)
                wanted = select(table.c.site, table.c.epoch, table.c.seq, table.c.block)
                for site, epoch, seq, octets in connection.execute(wanted):
                    kept.setdefault(ReportId(site, epoch & U64, seq), []).append(octets)
        return kept

    def _not_whole(self) -> Iterator[str]:
        with Store.open(self.made.data, read_only=True) as store, store.reading() as connection:
            said = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            if said != ["ok"]:
                yield f"the database: {said}"
            if fault := LedgerStore(store).verify():
                yield f"the ledger: {fault}"

    def _spooled(self) -> Iterator[ReportId]:
        """Yield what the agents, which have ended, keep still: an unanswered goodbye, mostly."""
        for site in self._configs:
            with Spool(self.made.folder / site / "spool.sqlite", site) as spool:
                known: set[tuple[int, int]] = set()
                while batch := spool.oldest(1 << 16, known):
                    known |= {(packed.epoch, packed.seq) for packed in batch}
                yield from (ReportId(site, *each) for each in known)

    def _is_heard(self, site: str, known: set[ReportId]) -> bool:
        """Whether a report of an office was acknowledged that is not among those known."""
        return any(one.site == site for one in self.witness.acknowledged - known)

    def _backlogs(self) -> bool:
        """Whether an agent still has reports to deliver."""
        said = re.findall(
            r'^tabuah_agent_backlog_reports\{site="([^"]+)"\} (\S+)$',
            self.made.get("metrics").text,
            re.MULTILINE,
        )
        told = {site: float(value) for site, value in said}
        return any(told.get(site, 1) > 0 for site in self._configs)

    def kill(self, name: str) -> str:
        """Kill a program, and return its name."""
        self._programs[name].kill()
        self._programs[name].wait()
        return name

    def _await_service(self, name: str, before: set[int]) -> None:
        """Wait until the collector answers, or an agent's new reports, whose epoch is a new one."""
        began = time.monotonic()

        def served() -> bool:
            if (status := self._programs[name].poll()) is not None:
                raise EndedError(f"{name} has ended with {status}")
            if name == COLLECTOR:
                return self.burden.answer_at > began
            acknowledged = set(self.witness.acknowledged)
            return any(one.site == name and one.epoch not in before for one in acknowledged)

        try:
            seconds_until(served, MOST_S)
        except (AssertionError, EndedError) as error:
            program = COLLECTOR if name == COLLECTOR else "agent"
            error.add_note(f"{name} does not serve: {self.made.log(program)[-2000:]}")
            raise


@contextlib.contextmanager
def drill(
    folder: Path,
    dice: Random,
    agents: int,
    per_second: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Drill]:
    """Give a collector, so many agents at an interval of 1 s, and a burden; all are served.

    Args:
        folder: for everything, the collector's data in `centre`.
        dice: draw the moments of kills.
        agents: how many.
        per_second: reports of the burden.
        environment: of the collector, added to ours.
    """
    sites = [f"{SITE[:-2]}{number:02}" for number in range(10, 10 + agents)]
    burdened = [f"load-{number}" for number in range(BURDENED)]
    with centre(folder) as made:
        made.add_sites([*sites[1:], *burdened])
        identity = Identity.open(made.data)
        enrolled.enrol(made.data, [*sites, *burdened])
        keys = {site: site_key(identity.master, site, 1) for site in (*sites, *burdened)}
        users = {
            f"{site}#1": UsmUser.from_ku(
                f"{site}#1", Auth.SHA256_192, keys[site], keys[site], identity.engine_id
            )
            for site in sites
        }
        loads = {site: keys[site] for site in burdened}
        with (
            Witness(made.reports, users) as witness,
            Burden(made.reports, identity.engine_id, loads, per_second) as burden,
        ):
            for site in sites:
                made.enrol_at(site, f"127.0.0.1:{witness.port}")
            found = Drill(
                made,
                dice=dice,
                agents=sites,
                witness=witness,
                burden=burden,
                environment=environment,
            )
            found.start_all()
            yield found


def killed(strikes: Sequence[Strike]) -> Counter[str]:
    """Return how often what was killed: the collector, or an agent."""
    return Counter(
        COLLECTOR if name == COLLECTOR else "agent" for each in strikes for name in each.killed
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a cut in the middle of which the agent was killed."""

    reports: int
    missing: int
    """Intervals before the kill without a report."""
    holes: int
    """Reports missing from the middle of what an agent counted."""
    twice: int
    gap_s: float
    """The longest time without a report, the restart in it."""


def cut(folder: Path, interval_s: int, seconds: float) -> Seen:
    """Cut the line of an agent for so long, kill it in the middle, and return what is missing."""
    folder.mkdir()
    with centre(folder, interval=f"{interval_s}s") as made:
        identity = Identity.open(made.data)
        enrolled.enrol(made.data, [SITE])
        ku = site_key(identity.master, SITE, 1)
        user = UsmUser.from_ku(f"{SITE}#1", Auth.SHA256_192, ku, ku, identity.engine_id)
        with Witness(made.reports, {user.name: user}) as witness:
            config = made.enrol_at(SITE, f"127.0.0.1:{witness.port}")
            made.start_collector()
            agent = made.start_agent(config)
            seconds_until(lambda: len(witness.acknowledged) > 2, MOST_S)
            witness.cut = True
            time.sleep(seconds / 2)
            agent.kill()
            agent.wait()
            killed_ms = time.time_ns() // 1_000_000
            first = {one.epoch for one in witness.sent}
            made.start_agent(config)
            time.sleep(seconds / 2)
            witness.cut = False
            # The live report is acknowledged before those of the spool, and tells how many wait.
            seconds_until(
                lambda: any(one.epoch not in first for one in set(witness.acknowledged)),
                MOST_S + interval_s,
            )
            seconds_until(
                lambda: made.metric("tabuah_agent_backlog_reports") == 0, MOST_S + 2 * interval_s
            )
        with Store.open(made.data, read_only=True) as store:
            rows = store.reports(SITE, 0, 2**62)
    numbers = Counter((row.epoch, row.seq) for row in rows)
    counted = {epoch: max(s for e, s in numbers if e == epoch) for epoch, _ in numbers}
    times = sorted(row.time_ms for row in rows)
    last_ms = max(at for at in times if at < killed_ms)
    return Seen(
        reports=len(numbers),
        missing=(killed_ms - last_ms) // (interval_s * 1000),
        holes=sum(counted.values()) - len(numbers),
        twice=numbers.total() - len(numbers),
        gap_s=max(after - before for before, after in pairwise(times)) / 1000,
    )
