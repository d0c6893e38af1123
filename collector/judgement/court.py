"""The whole of judging in one place: what is seen goes in, versions for ledger and alerts come out.

    observe, silent, centre_saw, collector_saw
        -> scene (how things stand)        -> troubles -> tracking -> incidents
        -> judge (what was, and why)       -> outages, which revise incidents

Pure: `now_ms` is an argument. The caller stores what `rule` returns and feeds it back at a start.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from collector.judgement.common import behind_each
from collector.judgement.judge import HOLD_MS, Judge, windows_of
from collector.judgement.resuming import resume
from collector.judgement.scene import GOODBYES, Scene
from collector.judgement.state import FLAP_CALM_MS, LIVE, Signal
from collector.judgement.tracking import LEAVE_MS, Incident, Tracker
from collector.judgement.troubles import troubles
from collector.live import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from collector.judgement.evidence import (
        CentreSeen,
        CollectorSeen,
        Observation,
        StuckSeen,
        Window,
    )
    from collector.judgement.ledger import Outage
    from collector.judgement.troubles import Trouble
    from inventory.model import Inventory

HELD_SHARE: Final = 0.5
"""Of the offices behind a fallen one's upstream that are not gone, so many must be heard before it
is told of without the others."""
TOLD_MS: Final = 1_000
"""Beyond an interval, for the last of them to be found silent."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What came of a look: new versions, oldest first."""

    outages: tuple[Outage, ...] = ()
    incidents: tuple[Incident, ...] = ()
    """That began, changed while they last, or ended."""
    revised: tuple[Incident, ...] = ()
    """Closed ones whose cause is known better now; nobody is told again."""


_NOTHING: Final = Ruling()


@dataclass(slots=True)
class _Fall:
    due_ms: int
    """When its missing report should have come."""
    told_by_ms: int
    """When it is told of, whatever its peers do."""
    unsure_ms: int = 0
    """Until then nobody is told of it: the collector was cut off, and has only just returned."""


@dataclass(slots=True)
class Court:
    """Judges everything that is seen."""

    inventory: Inventory
    windows: tuple[Window, ...] = ()
    """Announced work beside the inventory's own."""
    announced: tuple[Window, ...] = field(init=False, default=())
    """All announced work, the inventory's too."""
    scene: Scene = field(init=False)
    judge: Judge = field(init=False)
    tracker: Tracker = field(init=False, default_factory=Tracker)
    heard_ms: Callable[[str], int | None] = lambda _: None
    """When an office at rest was last heard; None if it is not at rest."""
    _falls: dict[str, _Fall] = field(init=False, default_factory=dict)
    _isolated: CollectorSeen | None = field(init=False, default=None)
    _stuck: Sequence[StuckSeen] = field(init=False, default=())
    _doubtful: bool = field(init=False, default=False)
    """No reference answers: who falls now may fall with the collector's own line."""
    _stirred: bool = field(init=False, default=True)
    """Something came in since the last look that was not plainly good."""
    _calm_ms: int = field(init=False, default=0)
    """When nothing can change any more by time alone."""
    _settles_ms: int = field(init=False)
    _behind: dict[str, tuple[str, ...]] = field(init=False)
    """The offices behind each upstream."""
    _shared: dict[str, str] = field(init=False)
    """By office: the lowest upstream that it shares with another."""

    def __post_init__(self) -> None:
        self._learn_peers()
        self._learn_times()
        self.scene = Scene(self.inventory)
        self.judge = Judge(self.inventory, self._all_windows(), behind=self._behind)

    def restore(
        self,
        outages: Sequence[Outage],
        incidents: Iterable[Incident],
        seen: Iterable[Observation],
        now_ms: int = 0,
    ) -> None:
        """Take up what the ledger and the store hold, after a start.

        Args:
            outages: all versions, or the newest of each.
            incidents: the same.
            seen: reports since the begin of the earliest open outage.
            now_ms: when.
        """
        self._stirred = True
        self.judge = Judge(self.inventory, self._all_windows(), outages, self._behind)
        self.tracker.restore(incidents)
        self._isolated = resume(self.scene, self.tracker.open.values(), now_ms)
        self.was_away(now_ms)
        for one in seen:
            self.judge.observe(one)
            now = None if one.late else self.scene.call(one.site)
            if now is not None:
                now.left = one.occasion in GOODBYES

    def renew(self, inventory: Inventory) -> None:
        """Take up a changed inventory."""
        self.inventory = inventory
        self._stirred = True
        self._learn_peers()
        self._learn_times()
        self.scene.renew(inventory)
        self._falls = {code: fall for code, fall in self._falls.items() if inventory.find(code)}
        self.judge.renew(inventory, self._behind)
        self.judge.plan(self._all_windows())

    def plan(self, windows: Iterable[Window]) -> None:
        """Take up another list of announced work beside the inventory's."""
        self.windows = tuple(windows)
        self._stirred = True
        self.judge.plan(self._all_windows())

    def observe(self, seen: Observation) -> None:
        """Take a report, live or late."""
        if self.scene.goes_on(seen):
            self.judge.goes_on(seen)
            return
        self._stirred = True
        self.judge.observe(seen)
        if seen.late:
            return
        self._falls.pop(seen.site, None)
        self.judge.silent(seen.site, silent=False)
        self.scene.observe(seen)

    def silent(self, site: str, since_ms: int, now_ms: int) -> None:
        """Note that an office's report is overdue since `since_ms`."""
        now = self.scene.call(site)
        if now is None:
            return
        self._stirred = True
        interval_ms = round(now.site.interval_s * 1000)
        self._falls[site] = _Fall(since_ms + interval_ms, now_ms + interval_ms + TOLD_MS)
        self.judge.silent(site, silent=True)
        self.scene.silent(site, since_ms, now_ms, shadowed=self._isolated is not None)

    def centre_saw(self, site: str, seen: CentreSeen) -> None:
        """Note what the centre saw of a silent office: its address, its failed authentications."""
        self._stirred = True
        self.judge.centre_saw(site, seen)
        if seen.address is False:
            self.scene.unreachable(site, seen.at_ms)

    def was_away(self, until_ms: int) -> None:
        """Note that the collector stood still until then."""
        self.scene.away_until_ms = until_ms

    def collector_saw(self, seen: CollectorSeen) -> None:
        """Note how the collector's own line is.

        It is isolated if its references fail AND nobody is heard. While they fail, falls are held
        for an interval, in which that shows; and after it, until the offices had time to report.
        """
        self._stirred |= self._doubtful or self._isolated is not None
        self._doubtful = seen.references is False
        self._stirred |= self._doubtful
        if seen.references is False and not seen.hearing:
            if self._isolated is None:
                self._isolated = seen
                for code, now in self.scene.sites.items():
                    if now.gone and code in self._falls:
                        now.standing = now.standing.signal(Signal.SHADOWED, seen.at_ms)
            self.judge.cut_off(seen)
        elif self._isolated is not None:
            self._isolated = None
            for code, now in self.scene.sites.items():
                if now.standing.state is State.UNKNOWN and code in self._falls:
                    now.standing = now.standing.signal(Signal.OVERDUE, now.standing.since_ms)
            for code, fall in self._falls.items():
                interval_ms = round(self.scene.sites[code].site.interval_s * 1000)
                fall.unsure_ms = seen.at_ms + interval_ms

    def stuck(self, seen: Sequence[StuckSeen]) -> None:
        """Note all the gateways that could not take a push back; those of before are mended."""
        self._stirred = True
        self._stuck = seen

    def dismiss(self, site: str) -> bool:
        """Let an office rest if nothing of it is open; return whether it rests now."""
        named = any(site in one.sites for one in self.tracker.open.values())
        if named or site in self._falls or not self.judge.dismiss(site):
            return False
        return self.scene.dismiss(site)

    def rule(self, now_ms: int, resting: int = 0) -> Ruling:
        """Return what is new since the last look; to be called each second.

        On a calm day this is nearly nothing: nobody looks again where nothing can have changed.

        Args:
            now_ms: when.
            resting: so many offices at rest could tell a loss of the core (`Scene.tick`).
        """
        if self._stirred or not self.judge.is_calm(now_ms):
            self._stirred, self._calm_ms = False, now_ms + self._settles_ms
        elif now_ms >= self._calm_ms:
            return _NOTHING
        self.scene.tick(now_ms, resting)
        outages = self.judge.judge(now_ms)
        stuck = [one for one in self._stuck if self.inventory.find(one.site) is not None]
        wrong = troubles(self.scene, self.judge.findings(), now_ms, self._isolated, stuck)
        unsure = self._unsure(now_ms)
        wrong = [t for t in wrong if t.key in self.tracker.open or not _all_in(t, unsure)]
        incidents = self.tracker.follow(
            wrong,
            now_ms,
            isolated=self._isolated is not None,
            held=self._held(now_ms),
            unjudged={
                code
                for code, now in self.scene.sites.items()
                if now.standing.state is State.UNKNOWN
            },
            since={
                code: now.standing.since_ms
                for code, now in self.scene.sites.items()
                if now.standing.state in LIVE
            },
        )
        revised = self.tracker.revise(outages, now_ms) if outages else []
        return Ruling(tuple(outages), tuple(incidents), tuple(revised))

    # --- its steps ----------------------------------------------------------------------

    def _all_windows(self) -> tuple[Window, ...]:
        self.announced = (*windows_of(self.inventory), *self.windows)
        return self.announced

    def _unsure(self, now_ms: int) -> set[str]:
        """Return the fallen offices of whom the collector's own line may be the reason."""
        return {
            code
            for code, fall in self._falls.items()
            if now_ms < fall.unsure_ms or (self._doubtful and now_ms < fall.told_by_ms)
        }

    def _held(self, now_ms: int) -> set[str]:
        """Return the fallen offices whose peers may be falling with them.

        Until each peer is gone too, or half of those that are not were heard since the fallen
        one's report was due. Whoever was never heard is not waited for.
        """
        held: set[str] = set()
        looked: dict[str, list[int]] = {}
        for code, fall in self._falls.items():
            upstream = self._shared.get(code)
            if upstream is None or now_ms >= fall.told_by_ms:
                continue
            if upstream not in looked:
                looked[upstream] = self._heard_behind(upstream)
            heard = looked[upstream]
            since = len(heard) - bisect_left(heard, fall.due_ms)
            if since < HELD_SHARE * len(heard):
                held.add(code)
        return held

    def _heard_behind(self, upstream: str) -> list[int]:
        """Return when the offices behind an upstream that are not gone were heard, in order."""
        heard = []
        for code in self._behind[upstream]:
            peer = self.scene.sites.get(code)
            if peer is None:
                at_ms = self.heard_ms(code)
            else:
                at_ms = None if peer.gone or peer.last is None else peer.last.received_ms
            if at_ms is not None:
                heard.append(at_ms)
        return sorted(heard)

    def _learn_times(self) -> None:
        """Note for how long after the last thing that happened time alone may change a verdict."""
        longest_s = max((site.interval_s for site in self.inventory.outlines), default=0.0)
        self._settles_ms = max(FLAP_CALM_MS, HOLD_MS, LEAVE_MS) + round(2000 * longest_s)

    def _learn_peers(self) -> None:
        """Note for each office the lowest upstream that any other hangs on."""
        self._behind = behind_each(self.inventory)
        self._shared = {}
        for site in self.inventory.outlines:
            for upstream in self.inventory.upstream_chain(site):
                if len(self._behind[upstream.code]) > 1:
                    self._shared[site.code] = upstream.code
                    break


def _all_in(trouble: Trouble, sites: set[str]) -> bool:
    """Return whether a trouble is the fall of these offices, and of no other."""
    return trouble.key[0] in {"down", "area"} and sites.issuperset(trouble.sites)
