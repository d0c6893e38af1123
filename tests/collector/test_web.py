"""The collector over HTTP: the contract of its API, health, guard and metrics page."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from collector.api import BadRequestError, report_json, selection
from collector.live import Received, SiteView, State
from collector.view import Readiness
from collector.web import make_app
from inventory.model import Inventory, Site
from tabuah.errors import TabuahError
from tests.support.offices import NOW_MS, FakeCentre, received, report, view

KUBUNG = "13.02.10"
REPORTS = f"/api/v1/sites/{KUBUNG}/reports"


@asynccontextmanager
async def browser(centre: FakeCentre, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    app = httpx.ASGITransport(make_app(centre, token), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=app, base_url="http://centre") as client:
        yield client


async def get(centre: FakeCentre, path: str, **headers: str) -> httpx.Response:
    async with browser(centre) as client:
        return await client.get(path, headers=headers)


def history(*times_ms: int) -> list[Received]:
    """Return reports of Kubung measured at these times."""
    return [
        received(report(KUBUNG, seq=seq, wall_ms=time_ms), time_ms + 40)
        for seq, time_ms in enumerate(times_ms, 1)
    ]


async def test_every_site_of_the_inventory_is_listed_with_its_state() -> None:
    centre = FakeCentre(live=[view(KUBUNG), view("13.02.18", State.SILENT, since_ms=NOW_MS - 5)])
    answer = await get(centre, "/api/v1/sites")
    assert answer.headers["content-type"] == "application/json"
    sites = {site["code"]: site for site in answer.json()}
    assert len(sites) == 14
    assert sites[KUBUNG] == {
        "code": KUBUNG,
        "name": "Kantor Camat Kubung",
        "state": "up",
        "since": "2026-11-23T15:35:12.345Z",
        "last_report": "2026-11-23T18:05:08.365Z",
        "circuits": [{"id": "telkom", "state": "up"}],
        "cause": None,
        "incident": None,
        "cloned": None,
    }
    silent = sites["13.02.18"]
    assert (silent["state"], silent["since"]) == ("silent", "2026-11-23T18:05:12.340Z")
    assert {circuit["state"] for circuit in silent["circuits"]} == {"unknown"}
    never = sites["13.02.03"]
    assert (never["state"], never["since"], never["last_report"]) == ("unknown", None, None)


async def test_a_cloned_site_says_when_the_second_agent_last_showed() -> None:
    cloned = view(KUBUNG)
    cloned.cloned_ms = NOW_MS - 600_000
    centre = FakeCentre(live=[cloned])

    async def said() -> object:
        sites = (await get(centre, "/api/v1/sites")).json()
        return {site["code"]: site["cloned"] for site in sites}[KUBUNG]

    assert await said() == "2026-11-23T17:55:12.345Z"
    cloned.cloned_ms -= 1
    assert await said() is None


async def test_a_report_comes_back_whole_with_units_in_its_keys() -> None:
    centre = FakeCentre(stored=history(NOW_MS))
    (found,) = (await get(centre, REPORTS)).json()
    assert {key: found[key] for key in list(found)[:10]} == {
        "epoch": "fedcba9876543210",
        "seq": 1,
        "time": "2026-11-23T18:05:12.345Z",
        "received": "2026-11-23T18:05:12.385Z",
        "late": False,
        "corrected": False,
        "unread": False,
        "occasion": "cycle",
        "interval_ms": 10_000,
        "path": "telkom",
    }
    seen = {one["probe"]: one for one in found["measurements"]}
    dc = seen["dc"]
    assert dc["rtt"] == {"min_us": 40_000, "mean_us": 41_000, "max_us": 43_500, "jitter_us": 800}
    assert dc["forward"] == {"sent": 5, "received": 4, "jitter_us": 400}
    assert (dc["kind"], dc["role"], dc["status"]) == ("udp", "centre", "response_received")
    assert seen["siak"]["phases"]["tls_us"] == 70_000
    assert seen["anchor"]["forward"] is None
    (device,) = found["devices"]
    assert device["interfaces"][0]["in_octets"] == 9_000_000_000
    assert device["readings"] == [
        {"kind": "temperature", "name": "cpu", "value": 41.5, "unit": "celsius"},
        {"kind": "optical_rx_power", "name": "wan0", "value": -18.765, "unit": "dBm"},
    ]
    assert found["host"]["clock"] == "synchronised"
    assert found["agent"] == {
        "version": "0.1.0",
        "resident_kib": 18_432,
        "backlog": 2,
        "dropped": 1,
        "srtt_ms": 40,
        "written_kib": 96,
    }


async def test_from_is_inclusive_and_to_exclusive_to_the_millisecond() -> None:
    begin = 1_795_457_110_000  # 18:05:10 UTC
    centre = FakeCentre(stored=history(begin - 1, begin, begin + 9_999, begin + 10_000))
    query = "?from=2026-11-23T18:05:10Z&to=2026-11-23T18:05:20.000Z"
    found = (await get(centre, REPORTS + query)).json()
    assert [one["seq"] for one in found] == [2, 3]
    local = "?from=2026-11-24T01:05:10%2B07:00&to=2026-11-24T01:05:20+07:00"
    assert [one["seq"] for one in (await get(centre, REPORTS + local)).json()] == [2, 3]


async def test_a_limit_shortens_the_list_and_its_absence_does_not() -> None:
    centre = FakeCentre(stored=history(*range(NOW_MS, NOW_MS + 500)))
    assert len((await get(centre, REPORTS)).json()) == 500
    assert [one["seq"] for one in (await get(centre, REPORTS + "?limit=2")).json()] == [1, 2]


def test_part_of_a_millisecond_rounds_up_on_both_ends() -> None:
    asked = selection([("from", "1970-01-01T00:00:00.0001Z"), ("to", "1970-01-01T00:00:00.002Z")])
    assert (asked.from_ms, asked.to_ms) == (1, 2)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("from=yesterday", "'from' is 'yesterday'; write an RFC 3339 time with its zone"),
        ("from=2026-11-23T18:05:10", "write an RFC 3339 time with its zone"),
        ("to=2026-02-30T00:00:00Z", "'to' is '2026-02-30T00:00:00Z'"),
        ("to=2026-11-23", "write an RFC 3339 time with its zone"),
        ("from=", "'from' is ''"),
        ("from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z", "'from' is after 'to'"),
        ("limit=0", "'limit' is '0'; write a whole number from 1"),
        ("limit=-1", "'limit' is '-1'"),
        ("limit=ten", "'limit' is 'ten'"),
        ("limit=1&limit=2", "'limit' is given twice"),
        ("form=x", "unknown parameter 'form' (known: from, to, limit); did you mean 'from'?"),
    ],
)
async def test_a_bad_parameter_is_refused_with_words(query: str, error: str) -> None:
    answer = await get(FakeCentre(), f"{REPORTS}?{query}")
    assert answer.status_code == 400
    assert error in answer.json()["error"]


def test_a_time_at_the_edge_of_the_calendar_is_no_crash() -> None:
    assert selection([("from", "0001-01-01T00:00:00+23:59")]).from_ms is not None
    with pytest.raises(BadRequestError):
        selection([("from", "0000-01-01T00:00:00Z")])
    with pytest.raises(BadRequestError):
        selection([("from", "2026-01-01T00:00:00+99:00")])


async def test_an_unknown_site_is_404_in_json() -> None:
    answer = await get(FakeCentre(), "/api/v1/sites/13.02.99/reports")
    assert answer.status_code == 404
    assert answer.json() == {"error": "no site '13.02.99' in the inventory"}
    assert (await get(FakeCentre(), "/api/v1/nothing")).json() == {"error": "Not Found"}


async def test_a_code_with_odd_characters_is_found_by_its_escaped_form() -> None:
    odd = 'a b"<é'
    centre = FakeCentre(Inventory("x", sites=(Site(odd, "odd"),)))
    async with browser(centre) as client:
        answer = await client.get("/api/v1/sites/a%20b%22%3C%C3%A9/reports")
    assert (answer.status_code, answer.json()) == (200, [])


async def test_a_simulated_site_has_reports_though_no_place_in_the_inventory() -> None:
    centre = FakeCentre(live=[view("sim-00001")])
    assert (await get(centre, "/api/v1/sites/sim-00001/reports")).status_code == 200


async def test_alive_is_not_ready() -> None:
    deaf = FakeCentre(ready=Readiness(storing=True, hearing=False, detail="socket closed"))
    assert (await get(deaf, "/healthz")).status_code == 200
    answer = await get(deaf, "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"storing": True, "hearing": False, "detail": "socket closed"}
    assert (await get(FakeCentre(), "/readyz")).status_code == 200


async def test_the_metrics_page_is_text_of_the_version_that_prometheus_knows() -> None:
    answer = await get(FakeCentre(live=[view(KUBUNG)]), "/metrics", **{"accept-encoding": "br"})
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "content-encoding" not in answer.headers
    assert f'tabuah_site_up{{site="{KUBUNG}"}} 1\n' in answer.text
    assert 'tabuah_reports_total{outcome="accepted"} 0.0\n' in answer.text


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=1.0", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("", False),
    ],
)
async def test_the_metrics_page_is_packed_when_that_is_accepted(
    accepts: str, *, packed: bool
) -> None:
    async with (
        browser(FakeCentre(live=[view(KUBUNG)])) as client,
        client.stream("GET", "/metrics", headers={"accept-encoding": accepts}) as answer,
    ):
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["vary"] == "accept-encoding"
    assert ("content-encoding" in answer.headers) == packed
    assert b"tabuah_site_state" in (gzip.decompress(raw) if packed else raw)


async def test_the_loop_goes_on_while_thousands_of_sites_are_rendered() -> None:
    """An office's answer must not wait for a scrape."""
    sites = tuple(Site(f"s{number}", "x") for number in range(3000))
    centre = FakeCentre(Inventory("x", sites=sites), [view(site.code) for site in sites])
    turns = 0
    async with browser(centre) as client:
        scrape = asyncio.create_task(client.get("/metrics"))
        while not scrape.done():
            await asyncio.sleep(0.001)
            turns += 1
    answer = await scrape
    assert answer.text.count("tabuah_site_state{") == 15_000
    # Rendered in the loop there would be one turn for all of it; beside it there are many.
    assert turns > 10


async def test_a_failure_inside_is_a_500_with_the_headers_and_without_the_details() -> None:
    class Broken(FakeCentre):
        def reports(self, *_: object) -> Iterator[Received]:
            raise OSError("/var/lib/tabuah: input/output error")

    answer = await get(Broken(), REPORTS)
    assert answer.status_code == 500
    assert "/var/lib" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    ["/", "/metrics", "/healthz", "/api/v1/sites", "/nothing", "/static/page.css", REPORTS],
)
async def test_every_answer_forbids_what_it_does_not_need(path: str) -> None:
    answer = await get(FakeCentre(), path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' data:; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == (
        "no-cache" if path.startswith("/static/") else "no-store"
    )


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        ("Bearer rahasia:é", 200),
        ("bearer rahasia:é", 200),
        (basic("admin", "rahasia:é"), 200),
        (basic("", "rahasia:é"), 200),
        (basic("rahasia:é", ""), 401),
        ("Basic !!!", 401),
        ("Digest rahasia:é", 401),
    ],
)
async def test_only_the_token_opens_the_pages(header: str | None, status: int) -> None:
    # As octets: curl sends UTF-8, and httpx would refuse the accent.
    headers = {b"authorization": header.encode()} if header is not None else {}
    async with browser(FakeCentre(), token="rahasia:é") as client:
        for path in ("/", "/metrics", "/api/v1/sites", "/static/page.css"):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == status, path
            assert "content-security-policy" in answer.headers
            if status == 401:
                assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_health_needs_no_token() -> None:
    async with browser(FakeCentre(), token="rahasia") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/healthz/../metrics")).status_code == 401


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_refused_rather_than_open_to_all(token: str) -> None:
    with pytest.raises(ValueError, match="token of the pages is empty"):
        make_app(FakeCentre(), token)


async def test_json_keeps_names_as_they_are() -> None:
    name = 'Kantor "Camat" </script> Alahan Panjang é'
    sites = (replace(Site("a", name)),)
    answer = await get(FakeCentre(Inventory("x", sites=sites)), "/api/v1/sites")
    assert json.loads(answer.content)[0]["name"] == name


async def test_a_stale_view_has_circuits_unknown() -> None:
    stale = SiteView(KUBUNG, State.UP, 0, received(report(KUBUNG), NOW_MS - 120_000))
    sites = (await get(FakeCentre(live=[stale]), "/api/v1/sites")).json()
    (kubung,) = (site for site in sites if site["code"] == KUBUNG)
    assert kubung["circuits"] == [{"id": "telkom", "state": "unknown"}]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("127.8.9.10", 200),
        ("localhost:8080", 200),
        ("LOCALHOST", 200),
        ("localhost.", 200),
        ("[::1]:8080", 200),
        ("pantau.solok.example", 200),
        ("Pantau.Solok.Example:443", 200),
        ("evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
async def test_without_a_token_only_a_name_of_our_own_is_answered(host: str, status: int) -> None:
    app = httpx.ASGITransport(make_app(FakeCentre(), None, ["pantau.solok.example"]))
    async with httpx.AsyncClient(transport=app, base_url="http://centre") as client:
        for path in ("/", "/metrics", "/api/v1/sites", "/static/page.css"):
            answer = await client.get(path, headers={"host": host})
            assert (answer.status_code == 421) is (status == 421)
        assert (await client.get("/healthz", headers={"host": host})).status_code == 200


async def test_with_a_token_and_on_the_socket_any_name_will_do() -> None:
    for app in (make_app(FakeCentre()), make_app(FakeCentre(), "a" * 16, [])):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://any") as client:
            answer = await client.get("/", headers={"authorization": f"Bearer {'a' * 16}"})
            assert answer.status_code == 200


class Endless(FakeCentre):
    """A store of very many reports, which counts those that were read."""

    read = 0

    def reports(
        self, site: str, from_ms: int | None, to_ms: int | None, limit: int | None
    ) -> Iterator[Received]:
        one = received(report(site))
        while limit is None or self.read < limit:
            self.read += 1
            yield one


async def test_a_list_of_reports_is_read_as_it_is_sent() -> None:
    centre = Endless()
    sent = 0
    done = asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if sent > 2_000_000:
            done.set()
            await asyncio.sleep(60)  # a reader that takes no more

    async def receive() -> dict[str, str]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": REPORTS,
        "query_string": b"",
        "headers": [(b"host", b"centre")],
    }
    answering = asyncio.create_task(make_app(centre)(scope, receive, send))
    async with asyncio.timeout(20):
        await done.wait()
    await asyncio.sleep(0.2)
    read = centre.read
    assert read * len(json.dumps(report_json(received(report(KUBUNG))))) < 5_000_000
    await asyncio.sleep(0.2)
    assert centre.read == read
    answering.cancel()
    with suppress(asyncio.CancelledError):
        await answering


async def test_a_long_list_is_whole_and_is_json() -> None:
    centre = FakeCentre(stored=history(*range(NOW_MS, NOW_MS + 1_001)))
    found = (await get(centre, REPORTS)).json()
    assert [one["seq"] for one in found] == list(range(1, 1_002))
    assert (await get(FakeCentre(), REPORTS)).json() == []


async def test_a_store_that_cannot_be_read_is_an_error_and_not_half_a_list() -> None:
    class Broken(FakeCentre):
        def reports(
            self, site: str, from_ms: int | None, to_ms: int | None, limit: int | None
        ) -> Iterator[Received]:
            raise TabuahError("the database is damaged")

    assert (await get(Broken(), REPORTS)).status_code == 500
