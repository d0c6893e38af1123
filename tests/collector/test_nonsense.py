"""An office that has a key and talks nonsense: it spoils its own figures, and nothing else."""

from __future__ import annotations

import asyncio

import httpx
from hypothesis import HealthCheck, given, settings

from collector.live import Received, SiteView, State
from collector.placing import Anchors
from collector.web import make_app
from tabuah import block
from tabuah.report import Report
from tests.support.offices import NOW_MS, FakeCentre
from tests.support.strategies import reports

KUBUNG = "13.02.10"
FACES = ("/", "/metrics", "/api/v1/sites", f"/api/v1/sites/{KUBUNG}/reports", "/readyz")


def centre_that_heard(*said: Report) -> FakeCentre:
    anchors, taken = Anchors(), []
    for number, report in enumerate(said):
        packed = block.pack(report)
        placed = anchors.place(KUBUNG, packed, NOW_MS - 4_000, 5.0 + number, live=True)
        read = block.read(KUBUNG, packed)
        taken.append(Received(read, NOW_MS - 4_000, placed.time_ms, placed.corrected, late=False))
    live = [SiteView(KUBUNG, State.UP, NOW_MS - 9_000, taken[-1])]
    return FakeCentre(live=live, stored=taken)


async def statuses(centre: FakeCentre) -> dict[str, int]:
    app = httpx.ASGITransport(make_app(centre))
    async with httpx.AsyncClient(transport=app, base_url="http://centre") as client:
        return {face: (await client.get(face)).status_code for face in FACES}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports, reports)
def test_whatever_a_report_says_every_face_of_the_collector_goes_on(
    first: Report, second: Report
) -> None:
    found = asyncio.run(statuses(centre_that_heard(first, second)))
    assert found == dict.fromkeys(FACES, 200)
