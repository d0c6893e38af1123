"""The scene: every office, line and service as it stands now. Fed by live reports alone.

Late reports never come here: they change what was, in `judge`, and never what is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from collector.judgement.clock import Clock
from collector.judgement.faces import FAILING, Face, face, went_by
from collector.judgement.plain import follows, grown, sound
from collector.judgement.quality import WINDOW_MS, Quality
from collector.judgement.runs import WEAK_CYCLES
from collector.judgement.state import GONE, SERVICE_FAILS, Flap, Signal, Standing
from collector.live import State
from inventory.model import DEFAULT_BOUNDS, Technology
from tabuah.report import Occasion

if TYPE_CHECKING:
    from collector.judgement.evidence import Look, Observation
    from inventory.model import Bounds, Circuit, Inventory, Site

CORE_SHARE: Final = 0.5
"""Of the offices that ask; more than that must have lost the public addresses."""
CORE_SLACK_MS: Final = 150_000
"""A line is called degraded since the begin of its two minutes."""
_RESTING: Final = frozenset({State.UP, State.UNKNOWN})
"""Of a line or service that may be forgotten: good, or never asked."""
SELDOM: Final = 0.03
"""How improbable it must be that a line's loss alone made a check fail, to name its office."""
NEVER: Final = 1e-5
"""The same, for a service to be named: at one in a thousand, three offices with half their packets
lost named one in a quarter of an hour (`bench lossy`)."""
AWAY_INTERVALS: Final = 2
"""So long after the collector's absence a report may still tell of a run that met it."""
GOODBYES: Final = frozenset({Occasion.GOODBYE_AGENT, Occasion.GOODBYE_HOST})
DNS: Final = "dns"
"""Stands for the resolvers among the services."""


@dataclass(slots=True)
class LineNow:
    """One circuit as it stands."""

    quality: Quality
    standing: Standing = field(default_factory=Standing)
    flap: Flap = field(default_factory=Flap)
    failed: int = 0
    """Failing cycles in a row."""
    failing_ms: int = 0
    """When they began."""
    redials: int | None = None


@dataclass(slots=True)
class ServiceNow:
    """One service as it stands from one office."""

    standing: Standing = field(default_factory=Standing)
    failed: int = 0
    """Checks in a row."""
    failing_ms: int = 0
    stage: str = ""
    run: int | None = None
    chance: float = 1.0
    """Of so many failures in a row by the line's loss alone."""

    @property
    def touched(self) -> bool:
        """Whether it fails, and hardly by the line's loss."""
        return self.failed > 0 and self.chance <= SELDOM

    @property
    def told(self) -> bool:
        """Whether it fails, and surely not by the line's loss."""
        return self.failed > 0 and self.chance <= NEVER


@dataclass(slots=True)
class SiteNow:
    """One office as it stands."""

    site: Site
    lines: dict[str, LineNow]
    standing: Standing = field(default_factory=Standing)
    flap: Flap = field(default_factory=Flap)
    services: dict[str, ServiceNow] = field(default_factory=dict)
    battery_ms: int | None = None
    """Since when its UPS runs on battery."""
    clock: Clock = field(default_factory=Clock)
    last: Observation | None = None
    well: bool = False
    """Nothing of it is, or was lately, otherwise than on any good day."""
    primary: str = ""
    """Its primary circuit."""
    left: bool = False
    """Its last word was a goodbye, of host or agent: its silence is nobody's trouble."""

    @property
    def gone(self) -> bool:
        """Whether nothing is heard of it, or it is known to be down."""
        return self.standing.state in GONE


@dataclass(frozen=True, slots=True)
class CoreNow:
    """The loss of public addresses from most offices."""

    began_ms: int
    last_ms: int
    sites: frozenset[str]

    def explains(self, site: str, since_ms: int) -> bool:
        """Return whether what an office has been missing since then belongs to it."""
        around = self.began_ms - CORE_SLACK_MS <= since_ms <= self.last_ms + CORE_SLACK_MS
        return site in self.sites and around


class Scene:
    """All offices as they stand. Times are ms since 1970 UTC."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.sites: dict[str, SiteNow] = {}
        """Those that were called; all others are at rest, or were never heard."""
        self.core: CoreNow | None = None
        """The last loss of the provider's core, over or not."""
        self.core_lost = False
        self.away_until_ms = 0
        """Until then the collector stood still, and its reflector with it: what was lost on the way
        to it was not lost by the line."""

    def renew(self, inventory: Inventory) -> None:
        """Take up another inventory; offices that did not change keep their standing."""
        self.inventory = inventory
        before, self.sites = self.sites, {}
        for code, old in before.items():
            site = inventory.find(code)
            if site is not None:
                self.sites[code] = old if old.site == site else self._site(site)

    def call(self, code: str) -> SiteNow | None:
        """Return an office, at rest or not; None if the inventory has none of that code."""
        now = self.sites.get(code)
        if now is None:
            site = self.inventory.find(code)
            if site is not None:
                now = self.sites[code] = self._site(site)
        return now

    def dismiss(self, code: str) -> bool:
        """Let an office rest if it, its lines and its services are plainly good; return whether."""
        now = self.sites.get(code)
        if now is None:
            return True
        lines, services = now.lines.values(), now.services.values()
        standings = [*(one.standing for one in lines), *(one.standing for one in services)]
        if (
            now.standing.state is not State.UP
            or any(standing.state not in _RESTING for standing in standings)
            or any(line.failed or line.quality.slow or line.flap.falls for line in lines)
            or any(service.failed for service in services)
            or now.flap.falls
            or now.battery_ms is not None
            or not now.clock.right
        ):
            return False
        del self.sites[code]
        return True

    def goes_on(self, seen: Observation) -> bool:
        """Take a plain report of an office that is well, at less cost.

        Returns:
            Whether it is one; nothing was taken otherwise.
        """
        now = self.sites.get(seen.site)
        if now is None or not now.well or now.last is None or not _plain(now.last, seen):
            return False
        for look in seen.circuits:
            line = now.lines.get(look.circuit)
            if line is None or not sound(look) or (look.resolver and DNS not in now.services):
                return False
            if look.redials != line.redials or not line.quality.is_calm(seen.at_ms, look):
                return False
        for one in seen.services:
            if not one.good or one.service not in now.services:
                return False
        for look in seen.circuits:
            now.lines[look.circuit].quality.take(seen.at_ms, look)
            if look.resolver and look.circuit == now.primary:
                now.services[DNS].run = look.resolver_run
        for one in seen.services:
            now.services[one.service].run = one.run
        now.last = seen
        return True

    def observe(self, seen: Observation) -> None:
        """Take a live report."""
        if seen.late:
            return
        now = self.call(seen.site)
        if now is None:
            return
        if now.gone:
            now.flap = now.flap.rise(seen.received_ms)
            for line in now.lines.values():
                line.quality.forget()
        if now.last is not None and grown(now.last, seen):
            # The one before stayed unanswered: this one is taken to, until the next says not.
            seen = replace(seen, held=True)
        now.last = seen
        now.left = seen.occasion in GOODBYES
        slow = False
        for look in seen.circuits:
            line_now = now.lines.get(look.circuit)
            if line_now is not None:
                self._line(line_now, seen, look)
                slow = slow or line_now.standing.state is State.DEGRADED
        now.standing = now.standing.signal(Signal.SLOW if slow else Signal.GOOD, seen.received_ms)
        self._services(now, seen)
        now.clock.add(seen.received_ms, seen.skew_ms)
        if not seen.on_battery:
            now.battery_ms = None
        elif now.battery_ms is None:
            now.battery_ms = seen.at_ms
        now.well = _is_well(now)

    def silent(self, site: str, since_ms: int, now_ms: int, *, shadowed: bool = False) -> None:
        """Note that an office's report is overdue; `shadowed`: nothing can be heard of anyone."""
        now = self.call(site)
        if now is None:
            return
        before = now.gone
        now.well = False
        signal = Signal.SHADOWED if shadowed else Signal.OVERDUE
        now.standing = now.standing.signal(signal, since_ms)
        for line in now.lines.values():
            line.standing = line.standing.signal(Signal.SHADOWED, since_ms)
        if now.gone and not before:
            now.flap = now.flap.fall(now_ms)

    def unreachable(self, site: str, at_ms: int) -> None:
        """Note that a silent office's address, pinged from the centre, does not answer either."""
        now = self.sites.get(site)
        if now is not None and now.standing.state is State.SILENT:
            now.standing = now.standing.signal(Signal.DEAD, at_ms)

    def tick(self, now_ms: int, resting: int = 0) -> None:
        """Let flapping end, and see whether the provider's core is lost.

        Args:
            now_ms: when.
            resting: so many offices at rest could tell that, and have not lost it.
        """
        lost, asking = self._without_public()
        asking += resting
        self.core_lost = len(lost) >= 2 and len(lost) > CORE_SHARE * asking
        if self.core_lost:
            known = self.core
            if known is None or now_ms - known.last_ms > CORE_SLACK_MS:
                known = CoreNow(now_ms, now_ms, frozenset())
            self.core = replace(known, last_ms=now_ms, sites=known.sites | lost)
        for now in self.sites.values():
            now.flap = now.flap.tick(now_ms)
            for line in now.lines.values():
                line.flap = line.flap.tick(now_ms)

    # --- its steps ----------------------------------------------------------------------

    def _line(self, line: LineNow, seen: Observation, look: Look) -> None:
        found = face(seen, look, line.redials)
        if found in FAILING:
            line.failing_ms = line.failing_ms if line.failed else seen.at_ms
            line.failed += 1
            # A report that came this way was carried: what its gateway says of the port is old.
            sure = look.port is False and not went_by(seen, look)
            if line.failed < WEAK_CYCLES and not sure:
                return
            if line.standing.state is not State.DOWN:
                line.flap = line.flap.fall(seen.received_ms)
            line.quality.fell()
            line.standing = line.standing.signal(Signal.DEAD, line.failing_ms)
            return
        line.failed = 0
        if found is Face.NOT_ASKED:
            return
        line.redials = look.redials
        if line.standing.state is State.DOWN:
            line.flap = line.flap.rise(seen.received_ms)
            line.quality.forget()
        if look.lost and seen.at_ms <= self.away_until_ms + AWAY_INTERVALS * seen.interval_ms:
            return
        slow = line.quality.add(seen.at_ms, look)
        since_ms = line.quality.since_ms or seen.at_ms
        signal = Signal.GOOD if slow is None else Signal.SLOW
        line.standing = line.standing.signal(signal, since_ms)

    def _services(self, now: SiteNow, seen: Observation) -> None:
        """Judge services only over a good line: one that is down explains them all."""
        primary = now.site.primary
        look = None if primary is None else seen.look(primary.id)
        if primary is None or look is None or not look.beyond:
            return
        quality = now.lines[primary.id].quality
        if quality.settling:
            return
        loss = quality.loss()
        said = [(one.service, one.good, one.stage.name.lower(), one.run) for one in seen.services]
        if look.resolver is not None:
            said.append((DNS, look.resolver, "resolve", look.resolver_run))
        for service, good, stage, run in said:
            one = now.services.setdefault(service, ServiceNow())
            if one.run == run:
                continue
            one.run = run
            if good:
                one.failed = 0
                one.standing = one.standing.signal(Signal.GOOD, seen.at_ms)
                continue
            one.failing_ms = one.failing_ms if one.failed else seen.at_ms
            one.failed += 1
            one.stage = stage
            one.chance = loss**one.failed
            if one.failed >= SERVICE_FAILS and one.chance <= NEVER:
                one.standing = one.standing.signal(Signal.DEAD, one.failing_ms)

    def _without_public(self) -> tuple[frozenset[str], int]:
        """Return the offices that lost the public addresses alone, and how many could tell."""
        lost, asking = set(), 0
        for code, now in self.sites.items():
            if now.last is None or now.gone or now.site.primary is None:
                continue
            look = now.last.look(now.site.primary.id)
            if look is None or look.public is None or look.first_hop is None or not look.centre:
                continue
            asking += 1
            if look.public is False and look.first_hop:
                lost.add(code)
        return frozenset(lost), asking

    def _site(self, site: Site) -> SiteNow:
        interval_ms = round(site.interval_s * 1000)
        return SiteNow(
            site,
            {
                circuit.id: LineNow(Quality(self._bounds(circuit), max(WINDOW_MS, 3 * interval_ms)))
                for circuit in site.circuits
            },
            primary="" if site.primary is None else site.primary.id,
        )

    def _bounds(self, circuit: Circuit) -> Bounds:
        # Of a line whose technology nobody wrote down, only what is bad on any is bad.
        technology = circuit.technology or Technology.VSAT
        return self.inventory.bounds.get(technology, DEFAULT_BOUNDS[technology])


def _plain(before: Observation, seen: Observation) -> bool:
    """Return whether a report says nothing of the office itself, but that it is well."""
    return (
        not seen.late
        and seen.occasion is Occasion.CYCLE
        and not seen.on_battery
        and not seen.skew_ms
        and not seen.backlog
        and seen.gateway is not False
        and follows(before, seen)
    )


def _is_well(now: SiteNow) -> bool:
    return (
        now.standing.state is State.UP
        and now.battery_ms is None
        and now.clock.calm
        and all(line.standing.state is State.UP and not line.failed for line in now.lines.values())
        and all(one.standing.state is State.UP and not one.failed for one in now.services.values())
    )
