"""Offices in memory behind a real inventory, journal and plan: for waves, queues and Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from inventory.model import Device, Site
from provision import driving, planfile
from provision.configuration import Scope, Sections, digest
from provision.dialect import Armed, Said
from provision.gate import Heard, Seen
from provision.journal import Journal
from provision.means import Means
from provision.render import Rendered, Risk
from provision.rolling import Going
from provision.run import Order, Target
from provision.session import OutOfReachError, Session
from provision.waves import Phase
from provision.workshop import Prepared, Workshop
from tabuah.wall import wall_ms
from tests.provision.fake import BEFORE, WANTED, Clock, FakeDevice, KilledError, NoSession

WINDOW_S = 600
"""Of the one clock, which every thread's pause moves on."""

_SITE = """\
  - code: "{code}"
    name: Kantor {code}
    hours: "{hours}"
    devices:
      - {{name: gw, host: 127.0.0.1, platform: linux, role: gateway, interfaces: [lo],
         login: {{user: root, key: "file:id", port: 9}}}}
"""


class SharedClock(Clock):
    """One clock for all threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()

    def sleep(self, seconds: float) -> None:
        with self._lock:
            super().sleep(seconds)


class Gateway(FakeDevice):
    """A gateway that counts what is done to it; the pusher may be killed when it asks."""

    def __init__(self, clock: Clock) -> None:
        self.times_armed = self.times_started = 0
        self.kills = False
        super().__init__(clock)

    def arm(
        self, session: Session, tx: str, window_s: int, scope: Scope, wanted: Sections
    ) -> Armed:
        self.times_armed += 1
        return super().arm(session, tx, window_s, scope, wanted)

    def apply(self, session: Session, tx: str) -> None:
        self.times_started += 1
        super().apply(session, tx)

    def ask(self, session: Session, tx: str) -> Said:
        if self.kills:
            raise KilledError
        return super().ask(session, tx)


class Office:
    """Reports once a second, good or bad, by what its gateway runs."""

    def __init__(self, clock: Clock, device: FakeDevice) -> None:
        self.good_after = True
        self.reports: list[Heard] = []
        self._device = device
        clock.ticks.append(self.tick)
        for _ in range(5):
            self.tick()

    def tick(self) -> None:
        seq = len(self.reports) + 1
        good = self._device.running == BEFORE or self.good_after
        seen = (Seen("dc", good, seq, 20_000 if good else None, 3, 3 if good else 0),)
        self.reports.append(Heard("e1", seq, wall_ms(), 1000, False, "telkom", seen))


class Offices:
    """What the collector would say of each."""

    def __init__(self) -> None:
        self.each: dict[str, Office] = {}

    def reports(self, site: str, now: datetime) -> list[Heard]:
        return list(self.each[site].reports)

    def announce(self, site: str, seconds: int, why: str, by: str) -> str:
        assert seconds <= WINDOW_S
        return site

    def ended(self, work: str, by: str) -> None:
        """Nothing waits for it here."""


@dataclass(frozen=True, slots=True)
class TownWorkshop(Workshop):
    """A workshop whose devices are in memory."""

    devices: dict[str, Gateway]
    away: set[str]

    def enter(
        self, site: Site, device: Device, tell: Callable[[str], None] | None = None
    ) -> Session:
        if site.code in self.away:
            raise OutOfReachError("cannot be reached: no route")
        return NoSession()

    def prepare(self, site: Site, device: Device, session: Session) -> Prepared:
        running = dict(self.devices[site.code].running)
        return Prepared(
            site=site,
            device=device,
            rendered=Rendered(WANTED, Scope(), (), frozenset()),
            order=Order(Scope(), running, WANTED, WINDOW_S),
            before_digest=digest(running, self.key),
            want_digest=digest(WANTED, self.key),
            before_masked=running,
            want_masked=WANTED,
            diff=(),
            findings=(),
        )

    def target(
        self, site: Site, device: Device, tx: str = "", hidden: frozenset[str] = frozenset()
    ) -> Target:
        return Target(
            site.code, device.name, self.devices[site.code], lambda: self.enter(site, device)
        )


class Town:
    """Offices `01`, `02`, ... whose gateways are to run WANTED instead of BEFORE."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, offices: int) -> None:
        self.codes = [f"{number:02}" for number in range(1, offices + 1)]
        self.hours = "Mon-Sun 00:00-24:00"
        self.clock = SharedClock()
        self.devices = {code: Gateway(self.clock) for code in self.codes}
        self.offices = Offices()
        for code, device in self.devices.items():
            self.offices.each[code] = Office(self.clock, device)
        self.away: set[str] = set()
        self.workshop = self._workshop(folder)
        patch.setattr(driving, "means", self._means)

    def bad(self, *codes: str) -> None:
        """Have these offices fail once their gateway runs what is wanted."""
        for code in codes:
            self.offices.each[code].good_after = False

    def entries(self, *codes: str, risk: Risk = Risk.C) -> list[planfile.Entry]:
        key = self.workshop.key
        before, want = digest(BEFORE, key), digest(WANTED, key)
        return [planfile.Entry(code, "gw", before, want, risk, ()) for code in codes or self.codes]

    def push(
        self,
        entries: list[planfile.Entry] | None = None,
        plan: str = "p1",
        stop: threading.Event | None = None,
        limit: int | None = None,
    ) -> tuple[Phase, Going]:
        """Push a plan as a command would; it is the same one as long as its name is."""
        going = Going(self.workshop, plan, {"author": "ani", "planned_by": "budi"}, limit=limit)
        if stop is not None:
            going.stop = stop
        return going.push(entries or self.entries()), going

    def settle(self) -> None:
        """Settle what a killed pusher left."""
        driving.settle(self.workshop)

    def running(self) -> list[str]:
        """Return the codes of the offices that run what is wanted."""
        return [code for code, device in self.devices.items() if device.running == WANTED]

    def journal(self) -> closing[Journal]:
        return closing(Journal(self.workshop.folder))

    def _means(
        self,
        workshop: Workshop,
        journal: Journal,
        hidden: frozenset[str] = frozenset(),
        stop: threading.Event | None = None,
    ) -> Means:
        return Means(
            journal,
            self.offices,
            workshop.key,
            stop=stop,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def _workshop(self, folder: Path) -> TownWorkshop:
        sites = "".join(_SITE.format(code=code, hours=self.hours) for code in self.codes)
        (folder / "inventory.yaml").write_text(f"organisation: Dinas\nsites:\n{sites}")
        opened = Workshop.open(folder, folder / "data")
        return TownWorkshop(
            opened.inventory,
            replace(opened.settings, window_s=WINDOW_S, soak_s=30.0, queue_s=3600.0),
            opened.folder,
            opened.key,
            opened.collector,
            self.devices,
            self.away,
        )


def fates(going: Going) -> dict[str, str]:
    """Return what became of each office, by its code."""
    return {one.entry.site: str(one.fate.value) for one in going.ends}
