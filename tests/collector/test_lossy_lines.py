"""Lines that lose much: they are told as lossy, and what they lose accuses nobody else."""

from __future__ import annotations

import random
from itertools import count

from collector.judgement.evidence import Look, Observation
from collector.judgement.scene import Scene
from collector.judgement.troubles import SERVICE_DOWN, Trouble, troubles
from inventory.model import Circuit, Inventory, Site, Technology

INTERVAL_MS = 3_000
PACKETS = 10
LOST = 0.51
"""Of round trips, where three packets in ten are lost each way."""
OFFICES = ("kubung", "sundi", "talang")


class _Lossy:
    """Three offices, all of whose packets fare alike."""

    def __init__(self, seed: int) -> None:
        line = (Circuit("telkom", technology=Technology.FIBRE),)
        self.scene = Scene(
            Inventory("test", sites=tuple(Site(c, c, circuits=line) for c in OFFICES))
        )
        self.rng = random.Random(seed)
        self.cycles = count(1)

    def fall(self) -> None:
        """Let all fall silent for a minute."""
        at_ms = self._at_ms(next(self.cycles))
        for code in OFFICES:
            self.scene.silent(code, at_ms, at_ms + 10_000)
        self.cycles = count(next(self.cycles) + 20)

    def hear(self, *, lost: float, resolver: bool = True) -> list[Trouble]:
        """Let each report once, of lines that lose so much; return what is wrong then."""
        number = next(self.cycles)
        at_ms = self._at_ms(number)
        for code in OFFICES:
            self.scene.observe(
                Observation(
                    code,
                    at_ms,
                    at_ms + 40,
                    late=False,
                    interval_ms=INTERVAL_MS,
                    epoch=1,
                    seq=number,
                    boot_id=b"b",
                    uptime_ms=at_ms,
                    path="telkom",
                    gateway=True,
                    circuits=(self._look(number, lost, resolver),),
                )
            )
        self.scene.tick(at_ms + 100)
        return troubles(self.scene, {}, at_ms + 100)

    def _at_ms(self, number: int) -> int:
        return 1_795_500_000_000 + number * INTERVAL_MS

    def _look(self, number: int, lost: float, resolver: bool) -> Look:
        hop, public = (
            sum(self.rng.random() < lost for _ in range(PACKETS)) for _ in ("hop", "public")
        )
        return Look(
            "telkom",
            first_hop=hop < PACKETS,
            public=public < PACKETS,
            resolver=resolver and self.rng.random() >= lost,
            resolver_run=number,
            first_hop_sent=PACKETS,
            first_hop_lost=hop,
            sent=PACKETS,
            lost=public,
        )


def test_three_lines_that_lose_half_their_queries_name_no_service_in_three_hours() -> None:
    """Two of them fail several times in a row, at once, every quarter of an hour."""
    lossy = _Lossy(seed=20261124)
    together = 0
    for _ in range(3 * 1200):
        told = lossy.hear(lost=LOST)
        assert SERVICE_DOWN not in {one.alertname for one in told}
        failing = [site.services["dns"].touched for site in lossy.scene.sites.values()]
        together += sum(failing) >= 2
    assert together > 3, "which would have named one, had two such offices been enough"


def test_a_resolver_that_dies_behind_lossy_lines_is_told_of_all_the_same() -> None:
    lossy = _Lossy(seed=1)
    for _ in range(60):
        lossy.hear(lost=LOST)
    told = [lossy.hear(lost=LOST, resolver=False) for _ in range(20)]
    (dead,) = (one for one in told[-1] if one.alertname == SERVICE_DOWN)
    assert dead.sites == OFFICES


def test_a_resolver_that_dies_behind_good_lines_is_told_of_at_once() -> None:
    lossy = _Lossy(seed=2)
    for _ in range(60):
        assert lossy.hear(lost=0.0) == []
    (dead,) = lossy.hear(lost=0.0, resolver=False)
    assert (dead.alertname, dead.sites) == (SERVICE_DOWN, OFFICES)


def test_queries_sent_before_the_lines_were_back_accuse_no_resolver() -> None:
    mended = _Lossy(seed=3)
    for _ in range(60):
        assert mended.hear(lost=0.0) == []
    mended.fall()
    assert mended.hear(lost=0.4, resolver=False) == []
    assert mended.hear(lost=0.0) == []
