"""The pages of an office and of an incident, their charts, and the events that renew them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.evidence import Cause, Confidence, Evidence, Source
from collector.judgement.ledger import Entry, Outage
from collector.judgement.record import Said
from collector.judgement.tracking import Incident
from collector.live import Received, State
from collector.pages import live
from collector.pages.chart import HEIGHT, WIDTH, Point, chart, nice_step
from collector.pages.live import Pulse
from collector.pages.map import drawn
from collector.pages.routes import page_routes
from collector.pages.sampling import COARSE_MS, FINE_MS, Samples, grid
from collector.pages.words import CATALOGUE
from collector.rollup import Hour, ProbeHour
from collector.stretches import Kind as TimeKind
from collector.web import make_app
from inventory.model import Language, Location, Precision, Probe, Site
from tabuah.measurement import Kind, Role
from tests.collector.test_page import Reader, all_up, with_states
from tests.support.offices import NOW_MS, FakeCentre, offices, received, report

KUBUNG = "13.02.10"
WIB = ZoneInfo("Asia/Jakarta")
HOUR_MS = 3_600_000


def incident() -> Incident:
    return Incident(
        id="down-1",
        version=1,
        key=("down", KUBUNG),
        alertname="TabuahLinkDown",
        severity="critical",
        sites=(KUBUNG,),
        circuits=("telkom",),
        upstream=None,
        cause=Cause.LAST_MILE,
        confidence=Confidence.PROVISIONAL,
        reason="the first hop does not answer",
        evidence=(Evidence(Source.COLLECTOR, NOW_MS - 60_000, "no report"),),
        began_ms=NOW_MS - 60_000,
    )


OUTAGE = Outage(
    "o1",
    1,
    KUBUNG,
    "telkom",
    NOW_MS - 2 * HOUR_MS,
    NOW_MS - HOUR_MS,
    TimeKind.DOWN,
    Cause.POWER,
    Confidence.FINAL,
    "the boot id changed",
)


@dataclass
class FakeRecord:
    """A record of plain fields."""

    listed: list[Incident] = field(default_factory=list)
    kept: list[Outage] = field(default_factory=list)

    def incidents(self) -> list[Incident]:
        return self.listed

    def incident(self, incident_id: str) -> Incident | None:
        return next((one for one in self.listed if one.id == incident_id), None)

    def outages(self) -> list[Outage]:
        return self.kept

    def said(self) -> list[Said]:
        return []

    def entries(self) -> list[Entry]:
        return []

    async def say(self, said: Said) -> None:
        raise AssertionError(said)


HOURS = [
    Hour(
        NOW_MS // HOUR_MS * HOUR_MS - back * HOUR_MS,
        360,
        0,
        HOUR_MS,
        0,
        0,
        0,
        (ProbeHour("dc", 360, 359, 1800, 1790, 20_000, 23_000, 40_000, 0, 0, 0, 0),),
        (),
    )
    for back in range(60, 24, -1)
]


async def _get(centre: FakeCentre, record: FakeRecord, path: str) -> httpx.Response:
    routes = page_routes(centre, record, lambda *_: HOURS)
    app = httpx.ASGITransport(make_app(centre, more=routes))
    async with httpx.AsyncClient(transport=app, base_url="http://centre") as client:
        return await client.get(path)


async def _page(centre: FakeCentre, record: FakeRecord, path: str) -> Reader:
    answer = await _get(centre, record, path)
    assert answer.status_code == 200, answer.text
    return Reader(answer.text)


async def test_the_overview_leads_to_each_office() -> None:
    shown = await _page(FakeCentre(live=all_up()), FakeRecord(), "/?lang=en")
    links = [attrs["href"] for tag, attrs in shown.tags if tag == "a"]
    assert f"sites/{KUBUNG}?lang=en" in links


async def test_an_office_shows_its_now_by_role_and_its_past_with_outages_upon_the_line() -> None:
    reports = [
        received(report(seq=n, wall_ms=NOW_MS - n * 60_000), NOW_MS - n * 60_000) for n in range(50)
    ]
    centre = FakeCentre(live=all_up(), stored=sorted(reports, key=lambda one: one.time_ms))
    shown = await _page(centre, FakeRecord([incident()], [OUTAGE]), f"/sites/{KUBUNG}")
    for text in (
        *("Kantor Camat Kubung", "Terhubung sejak", "pusat", "siak", "wan0"),
        *("listrik padam", "1 jam", "24 jam"),
    ):
        assert text in shown.text
    assert any(attrs.get("class") == "outage" for _, attrs in shown.tags)
    assert sum(attrs.get("class") == "line" for _, attrs in shown.tags) == 2
    assert ("a", {"href": "../incidents/down-1"}) in shown.tags


async def test_an_office_that_is_silent_shows_no_old_numbers() -> None:
    centre = FakeCentre(live=with_states({KUBUNG: State.SILENT}))
    shown = await _page(centre, FakeRecord(), f"/sites/{KUBUNG}")
    assert "angka yang lama tidak ditampilkan" in shown.text
    assert "wan0" not in shown.text


async def test_a_month_is_shown_by_its_hours() -> None:
    inventory = offices()
    dc = Probe("dc", Kind.UDP, "203.0.113.1:10862", Role.CENTRE)
    sites = tuple(replace(site, probes=(dc,)) for site in inventory.sites)
    centre = FakeCentre(replace(inventory, sites=sites), all_up())
    shown = await _page(centre, FakeRecord(), f"/sites/{KUBUNG}?range=month")
    labels = [attrs["aria-label"] for tag, attrs in shown.tags if attrs.get("role") == "img"]
    assert labels[0] is not None
    assert "terendah 23,0" in labels[0]


@pytest.mark.parametrize("path", ["/sites/99.99.99", "/incidents/none"])
async def test_what_is_not_there_is_404(path: str) -> None:
    answer = await _get(FakeCentre(live=all_up()), FakeRecord(), path)
    assert answer.status_code == 404


def test_both_languages_have_the_same_words_with_the_same_values() -> None:
    indonesian, english = CATALOGUE[Language.INDONESIAN], CATALOGUE[Language.ENGLISH]
    assert indonesian.keys() == english.keys()
    for key, text in indonesian.items():
        names = re.findall(r"\{(\w+)\}", text)
        assert sorted(names) == sorted(re.findall(r"\{(\w+)\}", english[key])), key


# --- charts -----------------------------------------------------------------------------------


values = st.lists(
    st.tuples(st.integers(0, 86_400_000), st.none() | st.floats(0, 1e6)), min_size=1, max_size=60
)


@given(values, st.lists(st.tuples(st.integers(-1000, 90_000_000), st.integers(0, 90_000_000))))
def test_a_chart_stays_within_its_box(
    drawn: list[tuple[int, float | None]], outages: list[tuple[int, int]]
) -> None:
    points = [Point(at, value) for at, value in sorted(drawn, key=lambda pair: pair[0])]
    spans = [(begin, begin + lasted) for begin, lasted in outages]
    made = chart(points, spans, (0, 86_400_000), COARSE_MS, WIB)
    if made is None:
        assert all(point.value is None for point in points)
        return
    for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", made.path):
        assert made.left <= float(x) <= WIDTH
        assert made.top <= float(y) <= HEIGHT
    for area in made.areas:
        assert made.left <= area.x <= made.right
    assert all(made.top <= mark.at <= made.bottom for mark in made.ys)


def test_what_lies_far_apart_is_not_joined() -> None:
    points = [Point(0, 1.0), Point(60_000, 2.0), Point(7_200_000, 1.0), Point(7_260_000, None)]
    made = chart(points, [], (0, 86_400_000), COARSE_MS, WIB)
    assert made is not None
    assert (made.path.count("M"), made.path.count("L")) == (2, 1)


@pytest.mark.parametrize(("most", "step"), [(0, 1), (0.4, 0.1), (23, 10), (100, 50), (7, 2)])
def test_lines_stand_at_round_numbers(most: float, step: float) -> None:
    assert nice_step(most) == pytest.approx(step)


# --- the map ----------------------------------------------------------------------------------


def _square(west: float, south: float) -> dict[str, object]:
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south]]
    return {"type": "MultiPolygon", "coordinates": [[ring]]}


async def test_the_map_has_an_area_where_the_user_gave_one_and_a_point_for_each_office(
    tmp_path: Path,
) -> None:
    file = tmp_path / "areas.geojson"
    feature = {"type": "Feature", "id": KUBUNG, "properties": {}, "geometry": _square(100.1, -1.4)}
    other = {"type": "Feature", "properties": {"code": "99.99"}, "geometry": _square(0, 0)}
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature, other]}))
    inventory = replace(offices(), boundaries=file)
    centre = FakeCentre(inventory, with_states({KUBUNG: State.SILENT}), incidents=[incident()])
    shown = await _page(centre, FakeRecord(), "/")
    classes = [attrs.get("class") for _, attrs in shown.tags]
    assert classes.count("area silent") == 1
    assert (classes.count("spot up"), classes.count("spot silent")) == (13, 1)
    assert ("a", {"href": f"sites/{KUBUNG}"}) in shown.tags
    assert "Insiden yang berlangsung saluran penyedia ke kantor : Kantor Camat Kubung" in shown.text


@pytest.mark.parametrize(
    "text", ["", "[]", '{"features": [1]}', '{"features": [{"id": "a", "geometry": 1}]}']
)
async def test_boundaries_that_cannot_be_read_leave_points(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "areas.geojson"
    file.write_text(text)
    centre = FakeCentre(replace(offices(), boundaries=file), all_up())
    shown = await _page(centre, FakeRecord(), "/")
    assert sum(attrs.get("class") == "spot up" for _, attrs in shown.tags) == 14
    assert "the map shows points" in caplog.text


spots = st.lists(st.tuples(st.floats(-11, 6), st.floats(95, 141)), min_size=1, max_size=30)


@given(spots)
def test_every_office_lies_within_the_map(places: list[tuple[float, float]]) -> None:
    sites = [
        (Site(str(n), str(n), location=Location(lat, lon, Precision.CENTROID)), State.UP)
        for n, (lat, lon) in enumerate(places)
    ]
    made = drawn(sites, {})
    assert made is not None
    for spot in made.spots:
        assert 0 <= spot.x <= made.width
        assert 0 <= spot.y <= made.height


# --- samples ----------------------------------------------------------------------------------


def test_the_last_hour_is_looked_at_closely_and_no_point_twice() -> None:
    times = list(grid(NOW_MS))
    assert times == sorted(set(times))
    assert times[0] > NOW_MS - 86_400_000
    assert times[-1] < NOW_MS <= times[-1] + FINE_MS
    assert sum(at >= NOW_MS - HOUR_MS for at in times) >= 60


def test_what_was_found_is_not_read_again_and_what_came_late_is() -> None:
    asked: list[int] = []
    there = {at for at in grid(NOW_MS) if at % (2 * COARSE_MS) == 0}

    def reports(code: str, from_ms: int, to_ms: int, limit: int) -> Iterator[Received]:
        assert limit == 1
        asked.append(from_ms)
        found = sorted(at for at in there if from_ms <= at < to_ms)[:1]
        return iter(received(report(code, wall_ms=at), at) for at in found)

    samples = Samples(reports)
    assert len(samples.last_day(KUBUNG, 10, NOW_MS)) == len(there)
    asked.clear()
    late = next(at for at in grid(NOW_MS) if at not in there)
    there.add(late)
    assert len(samples.last_day(KUBUNG, 10, NOW_MS)) == len(there)
    assert late in asked
    assert not (there - {late}) & set(asked)


def test_a_day_of_silence_takes_few_questions() -> None:
    asked: list[int] = []

    def reports(_: str, from_ms: int, to_ms: int, limit: int) -> Iterator[Received]:
        asked.append(from_ms)
        assert (to_ms - from_ms, limit) == (HOUR_MS, 1)
        return iter(())

    assert not Samples(reports).last_day(KUBUNG, 10, NOW_MS)
    assert len(asked) < 30


# --- events -----------------------------------------------------------------------------------


async def test_a_listener_hears_of_a_change_and_the_look_ends_with_the_last_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "EVERY_S", 0.01)
    centre = FakeCentre(live=all_up())
    pulse = Pulse(centre)
    stream = pulse._stream()
    assert await anext(stream) == b"retry: 2000\n\n"
    heard = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    assert not heard.done()
    centre.live[0].state = State.SILENT
    assert b"changed" in await asyncio.wait_for(heard, 5)
    pulse.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 5)
    await asyncio.sleep(0.05)
    assert pulse._looking is None


async def test_listeners_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    centre = FakeCentre(live=all_up())
    pulse = Pulse(centre)
    stream = pulse._stream()
    await anext(stream)
    app = httpx.ASGITransport(make_app(centre, more=[pulse.route]))
    async with httpx.AsyncClient(transport=app, base_url="http://centre") as client:
        assert (await client.get("/events")).status_code == 503
    await stream.aclose()
