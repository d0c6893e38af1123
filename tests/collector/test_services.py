"""What citizens could use, as it is asked for over HTTP and shown on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from collector.api import BadRequestError
from collector.live import Received
from collector.services import lines
from collector.services_web import services_routes, window_of
from collector.sla_model import Account, Month
from collector.sla_source import Key
from collector.sla_versions import Version
from collector.stretches import Kind, Stretch
from inventory.model import Circuit, Inventory, Service, Site
from tabuah.measurement import Kind as ProbeKind
from tabuah.measurement import Measurement, Role, Status
from tabuah.report import Occasion, Report, ReportId
from tests.support.months import HOUR, NOVEMBER, at

KUBUNG = Site("13.02.10", "Kantor Camat Kubung", circuits=(Circuit("telkom"),), services=("siak",))
INVENTORY = Inventory(
    "Dinas Kominfo",
    services={"siak": Service("siak", "SIAK", "https://siak.example/", owner="Disdukcapil")},
    sites=(KUBUNG,),
)
MIDNIGHT = at("2026-11-24T00:00")
NOW = at("2026-11-24T06:30")
CUT = (MIDNIGHT + 2 * HOUR, MIDNIGHT + 4 * HOUR)
"""The line, from two to four."""


class Ledger:
    """A source of one office."""

    inventory = INVENTORY

    def accounts(self, month: Month, sites: Collection[str]) -> Iterable[Account]:
        assert (month, sites) == (NOVEMBER, [KUBUNG.code])
        cut = Stretch(KUBUNG.code, "telkom", *CUT, Kind.DOWN, "last_mile", "o1")
        return [Account(KUBUNG.code, "telkom", (cut,))]

    def versions(self, month: Month) -> Mapping[Key, Sequence[Version]]:
        return {}

    def keep(self, month: Month, made: Mapping[Key, Version]) -> None:
        raise AssertionError("nothing is kept")


def reports(site: str, from_ms: int, to_ms: int) -> Iterator[Received]:
    """A check each five minutes; SIAK fails from four to five, and nothing is seen after six."""
    for number, time_ms in enumerate(range(MIDNIGHT, MIDNIGHT + 6 * HOUR, 300_000)):
        if not from_ms <= time_ms < to_ms:
            continue
        good = not MIDNIGHT + 4 * HOUR <= time_ms < MIDNIGHT + 5 * HOUR
        seen = Measurement(
            "siak",
            ProbeKind.HTTP,
            Role.SERVICE,
            Status.RESPONSE_RECEIVED if good else Status.REQUEST_TIMED_OUT,
            service="siak",
            run=number,
        )
        report = Report(
            ReportId(site, 1, number + 1), time_ms, 0, bytes(16), 10_000, Occasion.CYCLE, "",
            measurements=(seen,),
        )  # fmt: skip
        yield Received(report, time_ms, time_ms, corrected=False, late=False)


def _refusal(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


def _app() -> Starlette:
    return Starlette(
        routes=services_routes(Ledger, reports, lambda: NOW),
        exception_handlers={BadRequestError: _refusal, HTTPException: _refusal},
    )


async def ask(**parameters: str) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(_app()), base_url="http://centre"
    ) as client:
        return await client.get(f"/api/v1/sites/{KUBUNG.code}/services", params=parameters)


async def test_a_day_is_told_hour_by_hour_up_to_the_present() -> None:
    rows = (await ask()).json()
    assert [row["use"] for row in rows] == ["up", "up", "down", "down", "down", "up", "unknown"]
    assert [row["cause"] for row in rows] == ["", "", "last_mile", "last_mile", "service", "", ""]
    first, last = rows[0], rows[-1]
    assert (first["begin"], first["wall_clock"]) == (
        "2026-11-23T17:00:00.000Z",
        "2026-11-24T00:00+07:00",
    )
    assert (first["name"], first["owner"]) == ("SIAK", "Disdukcapil")
    # The last hour goes on: half of it has passed, and its check spoke for five minutes more.
    assert last["end"] == "2026-11-23T23:30:00.000Z"
    assert last["up_seconds"] + last["unknown_seconds"] == 1800
    assert (await ask(day="2026-11-24")).json() == rows


async def test_hours_are_chosen_by_time_too() -> None:
    rows = (
        await ask(**{"from": "2026-11-24T03:20:00+07:00", "to": "2026-11-24T05:00:00+07:00"})
    ).json()
    assert [row["wall_clock"][11:16] for row in rows] == ["03:00", "04:00"]


async def test_what_cannot_be_understood_is_told_how() -> None:
    for asked, words in [
        ({"day": "yesterday"}, "2026-11-24"),
        ({"day": "2026-11-24", "to": "2026-11-24T00:00:00Z"}, "stands alone"),
        ({"from": "2026-09-01T00:00:00Z"}, "31 days"),
        ({"hours": "3"}, "unknown parameter"),
    ]:
        answer = await ask(**asked)
        assert answer.status_code == 400
        assert words in answer.json()["error"]


def test_a_day_that_has_not_come_has_no_hours() -> None:
    begin, end = window_of([("day", "2026-12-01")], INVENTORY, NOW)
    assert begin == end


async def test_a_terminal_shows_a_strip_of_hours_and_why() -> None:
    said = list(lines((await ask()).json()))
    assert said == [
        "      00 01 02 03 04 05 06   usable",
        "SIAK   +  +  x  x  x  +  .   50.7%",
        "",
        "+ usable   x not usable   . not known",
        "SIAK: 02:00 not usable for 60 min, mostly for: last_mile",
        "SIAK: 03:00 not usable for 60 min, mostly for: last_mile",
        "SIAK: 04:00 not usable for 60 min, mostly for: service",
    ]
    assert list(lines([])) == ["No hour of any service in that time."]
