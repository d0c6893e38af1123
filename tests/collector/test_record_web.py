"""The record over HTTP and in the commands' words: what is listed, what is told, what is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from collector.incident_metrics import active
from collector.judgement.evidence import Cause, Confidence, Evidence, Source
from collector.judgement.ledger import Entry, Json, Outage, Subject, outage_body
from collector.judgement.record import Said, incident_body, said_body
from collector.judgement.tracking import Incident
from collector.ledger_file import read_export
from collector.record_web import record_routes
from collector.store import StoreError
from collector.story import story_lines
from collector.stretches import Kind
from collector.web import make_app
from tabuah.chain import append, verify
from tests.support.offices import NOW_MS, FakeCentre

KUBUNG = "13.02.10"
BEGAN_MS = NOW_MS - 3_600_000
SAID = (Evidence(Source.COLLECTOR, BEGAN_MS, "no report"),)
FELL = Incident(
    id="down-13.02.10-1",
    version=1,
    key=("down", KUBUNG),
    alertname="TabuahLinkDown",
    severity="critical",
    sites=(KUBUNG,),
    circuits=(),
    upstream=None,
    cause=Cause.UNKNOWN,
    confidence=Confidence.PROVISIONAL,
    reason="nothing is known of this time yet",
    evidence=SAID,
    began_ms=BEGAN_MS,
)
ENDED = replace(
    FELL,
    version=2,
    cause=Cause.LAST_MILE,
    confidence=Confidence.FINAL,
    ended_ms=BEGAN_MS + 600_000,
)
OUTAGE = Outage(
    id=f"{KUBUNG}/telkom/1",
    version=1,
    site=KUBUNG,
    circuit="telkom",
    began_ms=BEGAN_MS,
    ended_ms=BEGAN_MS + 600_000,
    kind=Kind.DOWN,
    cause=Cause.LAST_MILE,
    confidence=Confidence.FINAL,
    reason="lost between the office and the first hop",
    evidence=SAID,
)


@dataclass
class FakeRecord:
    """A ledger in memory."""

    bodies: list[tuple[Subject, Json]] = field(default_factory=list)
    spoken: list[Said] = field(default_factory=list)
    refusing: bool = False

    def incidents(self) -> list[Incident]:
        return [ENDED]

    def incident(self, incident_id: str) -> Incident | None:
        return ENDED if incident_id == ENDED.id else None

    def outages(self) -> list[Outage]:
        return [OUTAGE]

    def said(self) -> list[Said]:
        return self.spoken

    def entries(self) -> list[Entry]:
        made: list[Entry] = []
        told = [
            (Subject.INCIDENT, incident_body(FELL)),
            (Subject.INCIDENT, incident_body(ENDED)),
            (Subject.OUTAGE, outage_body(OUTAGE)),
            *((Subject.PERSON, said_body(one)) for one in self.spoken),
        ]
        for subject, body in told:
            made.append(append(made[-1] if made else None, NOW_MS, subject, body))
        return made

    async def say(self, said: Said) -> None:
        if self.refusing:
            raise StoreError("the disk is full")
        self.spoken.append(said)


@asynccontextmanager
async def browser(record: FakeRecord, *, writable: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    centre = FakeCentre()
    routes = record_routes(record, lambda: centre.inventory, centre.now_ms, writable=writable)
    app = httpx.ASGITransport(make_app(centre, more=routes), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=app, base_url="http://centre") as client:
        yield client


async def say(record: FakeRecord, **body: Any) -> httpx.Response:
    async with browser(record) as client:
        return await client.post("/api/v1/said", json=body)


async def get(record: FakeRecord, path: str) -> Any:
    async with browser(record) as client:
        return (await client.get(path)).json()


async def test_an_incident_is_listed_as_the_contract_says() -> None:
    (incident,) = await get(FakeRecord(), "/api/v1/incidents")
    contract = (
        "id status sites circuits upstream cause confidence severity began ended version evidence"
    )
    assert set(contract.split()) <= set(incident)
    assert (incident["status"], incident["version"]) == ("closed", 2)
    assert incident["evidence"][0]["says"] == "no report"


async def test_lists_are_chosen_from_by_office_state_and_time() -> None:
    record = FakeRecord()
    assert await get(record, "/api/v1/incidents?status=open") == []
    assert len(await get(record, f"/api/v1/incidents?site={KUBUNG}")) == 1
    assert await get(record, "/api/v1/incidents?site=13.02.18") == []
    assert len(await get(record, "/api/v1/outages?month=2026-11")) == 1
    assert await get(record, "/api/v1/outages?month=2026-10") == []
    (outage,) = await get(record, "/api/v1/outages?from=2026-11-23T17:00:00Z&site=13.02.10")
    contract = {"site", "circuit", "began", "ended", "cause", "countable", "version"}
    assert contract <= set(outage)
    async with browser(record) as client:
        assert (await client.get("/api/v1/outages?site=13.02.99")).status_code == 404
        assert (await client.get("/api/v1/incidents?status=shut")).status_code == 400
        assert (await client.get("/api/v1/outages?month=2026-13")).status_code == 400


async def test_the_story_has_versions_evidence_outages_and_what_people_did() -> None:
    record = FakeRecord()
    number = "INC12345678"
    assert (await say(record, act="ticket_opened", about=ENDED.id, text=number)).is_success
    assert (await say(record, act="note", about=ENDED.id, text="PIC: power is on")).is_success
    story = await get(record, f"/api/v1/incidents/{ENDED.id}")
    assert [one["version"] for one in story["versions"]] == [1, 2]
    assert [one["id"] for one in story["outages"]] == [OUTAGE.id]
    assert story["tickets"][0]["number"] == number
    told = "\n".join(story_lines(story))
    for words in ("no report", "version 2: last_mile, final", "PIC: power is on", number):
        assert words in told
    async with browser(record) as client:
        assert (await client.get("/api/v1/incidents/down-0")).status_code == 404


async def test_the_ledger_that_is_exported_proves_itself_elsewhere() -> None:
    async with browser(FakeRecord()) as client:
        text = (await client.get("/api/v1/ledger")).text
    assert verify(read_export(text)) is None
    changed = text.replace("last_mile", "power_cut", 1)
    fault = verify(read_export(changed))
    assert fault is not None
    assert fault.number == 2


async def test_the_draft_of_a_ticket_has_the_lines_that_the_help_desk_asks_for() -> None:
    async with browser(FakeRecord()) as client:
        draft = (await client.get(f"/api/v1/incidents/{ENDED.id}/ticket")).text
    assert draft.startswith("Nama lokasi: Kantor Camat Kubung\nNomor layanan (SID): (isi)\n")
    assert "Kendala: Terputus antara kantor dan perangkat penyedia" in draft


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"act": "applaud"}, 400, "'act' is one of"),
        ({"act": "note", "about": "down-0", "text": "x"}, 404, "no incident or outage"),
        ({"act": "note", "about": ENDED.id}, 400, "a note has a text"),
        ({"act": "liability", "about": ENDED.id, "text": "god"}, 400, "no liability"),
        ({"act": "ticket_opened", "about": ENDED.id, "text": "x y"}, 400, "no ticket number"),
        ({"act": "maintenance", "sites": ["13.02.99"], "lasts": "1h"}, 404, "no site"),
        ({"act": "maintenance", "sites": [], "lasts": "1h"}, 400, "name whom"),
        ({"act": "maintenance", "sites": [KUBUNG]}, 400, "has an end"),
        ({"act": "maintenance", "sites": [KUBUNG], "lasts": "1h", "every": "90m"}, 400, "days"),
        ({"act": "maintenance_ended", "about": "m7"}, 404, "no announced work"),
        ({"act": "note", "abuot": ENDED.id}, 400, "did you mean 'about'"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_what_to_write(
    body: dict[str, Any], status: int, why: str
) -> None:
    record = FakeRecord()
    answer = await say(record, **body)
    assert answer.status_code == status
    assert why in answer.json()["error"]
    assert record.spoken == []


async def test_work_at_all_offices_of_an_upstream_is_entered_and_ended() -> None:
    record = FakeRecord()
    made = await say(
        record, act="maintenance", sites=["all"], at="2026-12-01T22:00", lasts="4h", every="7d"
    )
    assert made.json()["about"] == "m1"
    (plan,) = await get(record, "/api/v1/maintenance")
    assert len(plan["sites"]) == 14
    # Without an offset it is the organisation's time: WIB.
    assert (plan["begins"], plan["every_days"]) == ("2026-12-01T15:00:00.000Z", 7)
    assert (await say(record, act="maintenance_ended", about="m1")).is_success
    (plan,) = await get(record, "/api/v1/maintenance")
    assert plan["over"] is True


async def test_only_the_owner_of_the_data_folder_may_speak_and_a_full_disk_is_said() -> None:
    async with browser(FakeRecord(), writable=False) as client:
        assert (await client.post("/api/v1/said", json={})).status_code in {404, 405}
    refused = await say(FakeRecord(refusing=True), act="acknowledged", about=ENDED.id, by="andi")
    assert (refused.status_code, refused.json()["error"]) == (
        503,
        "not written down: the disk is full",
    )


def test_each_site_of_an_open_incident_is_a_sample() -> None:
    open_one = replace(FELL, sites=(KUBUNG, "13.02.18"), upstream="sto")
    head, kind, *samples = active([open_one]).decode().splitlines()
    assert (head[:6], kind[:6], len(samples)) == ("# HELP", "# TYPE", 2)
    about = 'upstream="sto",cause="unknown",severity="critical"} 1'
    for sample, site in zip(samples, open_one.sites, strict=True):
        assert sample == (
            f'tabuah_incident_active{{incident="down-13.02.10-1",site="{site}",{about}'
        )
