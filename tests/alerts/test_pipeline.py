"""Each incident is said once when it begins and once when it ends; each step says why."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

import httpx
import pytest

from alerts import channels
from alerts.channels import Outbox, webhook
from alerts.grouping import MANY
from alerts.incident import Ending, Incident
from alerts.maintenance import Work
from alerts.message import Message, Status
from alerts.pipeline import Pipeline
from alerts.steps import Step
from alerts.writing import Writer
from inventory.hours import parse_hours
from inventory.model import (
    Alerts,
    Channel,
    Escalation,
    Inventory,
    Language,
    QuietHours,
    Severity,
    Site,
)
from tests.support.listening import HOOK, ONE, Listener

WIB = ZoneInfo("Asia/Jakarta")
SILENT = Incident(
    id="down-13.02.10-1",
    alertname="TabuahLinkDown",
    sites=("13.02.10",),
    circuits=(),
    cause="unknown",
    severity="critical",
    began_ms=1_795_500_000_000,  # 2026-11-24 13:00 WIB, a Tuesday
)
BEGAN_MS = SILENT.began_ms
BACK = replace(SILENT, ended_ms=BEGAN_MS + 192_000)
SLOW = replace(SILENT, id="slow-13.02.10-1", alertname="TabuahLinkDegraded", severity="warning")
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def _listener(
    alerts: Alerts = ONE,
    language: str = "id",
    works: tuple[Work, ...] = (),
    acknowledged: set[str] | None = None,
) -> Listener:
    office = Site("13.02.10", "Kantor Camat Kubung")
    known = Inventory("Dinas Uji", language=Language(language), sites=(office,))
    looked_after = acknowledged or set()
    return Listener(
        Pipeline(
            Writer(known), alerts, language, WIB, lambda: works, lambda id_: id_ in looked_after
        )
    )


def test_an_incident_is_said_once_and_its_end_once() -> None:
    hook = _listener()
    for one in (SILENT, SILENT, BACK, BACK, SILENT):
        hook.look(BEGAN_MS, one)
    assert hook.told() == [
        ("hook", Status.FIRING, SILENT.id),
        ("hook", Status.RESOLVED, SILENT.id),
    ]
    assert [one.reason for one in hook.why(SILENT.id, Step.REPEAT)] == [
        "it began, and nobody was told yet",
        "it was said already",
        "it ended, and those who were told are told so",
    ]


def test_an_end_that_nobody_waits_for_is_not_said() -> None:
    hook = _listener()
    assert hook.look(BEGAN_MS, BACK) == []
    (why,) = hook.why(SILENT.id, Step.REPEAT)
    assert why.reason == "it ended before anybody was told"


def test_the_message_is_the_contracts_json() -> None:
    (message,) = _listener(language="en").look(BEGAN_MS, SILENT)
    said = message.json()
    assert list(said)[:11] == [
        "status",
        "alertname",
        "incident",
        "sites",
        "circuits",
        "cause",
        "severity",
        "began",
        "ended",
        "summary",
        "description",
    ]
    assert said["status"] == "firing"
    assert said["began"] == "2026-11-24T06:00:00.000Z"
    assert said["ended"] is None


def test_an_admin_reads_it_in_bahasa_indonesia_with_local_time() -> None:
    hook = _listener()
    (firing,) = hook.look(BEGAN_MS, SILENT)
    (resolved,) = hook.look(BEGAN_MS, BACK)
    assert firing.summary == (
        "Kantor Camat Kubung tidak melapor sejak 13.00 WIB; penyebab belum diketahui, "
        "telepon kantor"
    )
    assert resolved.summary == (
        "Pulih 13.03 WIB: Kantor Camat Kubung melapor lagi setelah 3 menit 12 detik"
    )


# --- announced work -----------------------------------------------------------------------

WORK = Work(frozenset({"13.02.10"}), BEGAN_MS - HOUR_MS, BEGAN_MS + HOUR_MS, "Telkom")


def test_what_is_over_before_announced_work_is_over_is_never_sent() -> None:
    hook = _listener(works=(WORK,))
    assert hook.look(BEGAN_MS, SILENT) == []
    (why,) = hook.why(SILENT.id, Step.MAINTENANCE)
    assert (why.decided, why.reason) == (
        "not sent",
        "inside announced work: Telkom; told if it outlasts that",
    )
    assert hook.look(BEGAN_MS + 5 * MINUTE_MS, replace(BACK)) == []
    assert hook.look(BEGAN_MS + 2 * HOUR_MS) == []


def test_what_outlasts_announced_work_is_sent_at_its_end() -> None:
    hook = _listener(works=(WORK,))
    hook.look(BEGAN_MS, SILENT)
    assert hook.look(BEGAN_MS + HOUR_MS - 1) == []
    (message,) = hook.look(BEGAN_MS + HOUR_MS)
    assert message.status is Status.FIRING


def test_what_touches_an_office_without_work_too_is_sent() -> None:
    hook = _listener(works=(WORK,))
    both = replace(SILENT, sites=("13.02.07", "13.02.10"))
    assert len(hook.look(BEGAN_MS, both)) == 1
    (why,) = hook.why(SILENT.id, Step.MAINTENANCE)
    assert why.reason == "announced work touches only some of it"


def test_work_on_one_line_keeps_no_other_from_being_told() -> None:
    hook = _listener(works=(replace(WORK, circuits=frozenset({"telkom"})),))
    told = [
        replace(SILENT, id="circuit-13.02.10-telkom-1", circuits=("telkom",)),
        replace(SILENT, id="circuit-13.02.10-lte-1", circuits=("lte",)),
        SILENT,
    ]
    hook.look(BEGAN_MS, *told)
    assert [id_ for _, _, id_ in hook.told()] == [told[1].id, told[2].id]


def test_what_a_person_must_look_at_now_is_told_despite_work_and_at_any_hour() -> None:
    quiet = QuietHours(parse_hours("Mon-Sun 00:00-24:00"))
    hook = _listener(replace(ONE, quiet_hours=quiet), works=(WORK,))
    assert len(hook.look(BEGAN_MS, replace(SLOW, pages=True))) == 1
    (why,) = hook.why(SLOW.id, Step.MAINTENANCE)
    assert "a person must look now" in why.reason


# --- severity, audience, quiet hours ------------------------------------------------------

CHOOSY = Alerts(
    (
        HOOK,
        Channel("grave", webhook="http://127.0.0.1/", severities=(Severity.CRITICAL,)),
        Channel("lines", webhook="http://127.0.0.1/", only=("TabuahLinkDegraded",)),
    )
)


def test_each_channel_hears_what_it_wants_and_the_end_of_that() -> None:
    hook = _listener(CHOOSY)
    hook.look(BEGAN_MS, SILENT, SLOW)
    hook.look(BEGAN_MS + 1, BACK, replace(SLOW, ended_ms=BEGAN_MS + 1))
    heard = [(channel, status.value, id_.split("-")[0]) for channel, status, id_ in hook.told()]
    for channel, kinds in (("hook", ["down", "slow"]), ("grave", ["down"]), ("lines", ["slow"])):
        for status in ("firing", "resolved"):
            assert [k for c, s, k in heard if (c, s) == (channel, status)] == kinds
    assert {why.reason for why in hook.why(SLOW.id, Step.AUDIENCE) if why.channel} == {
        "it wants critical; this is warning"
    }


NIGHT = replace(
    ONE, quiet_hours=QuietHours(parse_hours("Mon-Sun 00:00-06:00, Mon-Sun 21:00-24:00"))
)
AT_22 = BEGAN_MS + 9 * HOUR_MS
AT_6 = AT_22 + 8 * HOUR_MS


def test_what_begins_in_quiet_hours_and_lasts_is_told_when_they_end() -> None:
    hook = _listener(NIGHT)
    assert hook.look(AT_22, SLOW) == []
    (why,) = hook.why(SLOW.id, Step.AUDIENCE)
    assert why.decided == "waits"
    assert hook.look(AT_6 - 1) == []
    (message,) = hook.look(AT_6)
    assert message.status is Status.FIRING


def test_what_begins_and_ends_in_quiet_hours_is_never_told() -> None:
    hook = _listener(NIGHT)
    hook.look(AT_22, SLOW)
    hook.look(AT_22 + HOUR_MS, replace(SLOW, ended_ms=AT_22 + HOUR_MS))
    hook.look(AT_6)
    assert hook.told() == []


def test_grave_things_are_told_at_night_and_ends_too() -> None:
    hook = _listener(NIGHT)
    assert len(hook.look(AT_22, SILENT)) == 1
    assert len(hook.look(AT_22 + HOUR_MS, BACK)) == 1


# --- escalation ---------------------------------------------------------------------------


def test_what_nobody_acknowledged_is_told_again_once_and_marked() -> None:
    hook = _listener(language="en")
    hook.look(BEGAN_MS, SILENT)
    assert hook.look(BEGAN_MS + 30 * MINUTE_MS - 1) == []
    (message,) = hook.look(BEGAN_MS + 30 * MINUTE_MS + 5_000)
    assert message.status is Status.ESCALATED
    assert message.summary.startswith("ESCALATED, 30 min without acknowledgement: Kantor")
    assert hook.look(BEGAN_MS + 3 * HOUR_MS) == []
    assert [one.status for one in hook.look(BEGAN_MS + 4 * HOUR_MS, BACK)] == [Status.RESOLVED]


def test_what_somebody_looks_after_is_not_escalated() -> None:
    hook = _listener(acknowledged={SILENT.id})
    hook.look(BEGAN_MS, SILENT)
    assert hook.look(BEGAN_MS + HOUR_MS) == []


def test_who_is_called_when_others_do_not_answer_hears_that_and_the_end() -> None:
    chief = Channel("chief", webhook="http://127.0.0.1/", escalate=Escalation.ONLY)
    hook = _listener(Alerts((HOOK, chief)))
    for at_ms, one in ((0, SILENT), (HOUR_MS, SILENT), (2 * HOUR_MS, BACK)):
        hook.look(BEGAN_MS + at_ms, one)
    assert [(channel, status.value) for channel, status, _ in hook.told()] == [
        ("hook", "firing"),
        ("chief", "escalated"),
        ("hook", "resolved"),
        ("chief", "resolved"),
    ]


def test_an_alertmanager_is_not_told_again_and_information_is_never_escalated() -> None:
    manager = Channel("am", alertmanager=("http://127.0.0.1:9093",))
    hook = _listener(Alerts((manager,)))
    hook.look(BEGAN_MS, SILENT)
    assert hook.look(BEGAN_MS + HOUR_MS) == []
    hook = _listener()
    hook.look(BEGAN_MS, replace(SILENT, severity="info"))
    assert hook.look(BEGAN_MS + HOUR_MS) == []


# --- many at once -------------------------------------------------------------------------


def _falls(count: int) -> list[Incident]:
    return [replace(SILENT, id=f"down-{number}-1", sites=(f"{number}",)) for number in range(count)]


def test_a_province_that_falls_at_once_is_a_dozen_messages() -> None:
    hook = _listener(language="en")
    falls = _falls(7_285)
    for first in range(0, len(falls), 400):  # each half second, as their reports are missed
        hook.look(BEGAN_MS + first, *falls[first : first + 400])
    assert len(hook.heard) == MANY + 1
    storm = hook.heard[-1][1]
    assert len(hook.revised[-1].incident.sites) == 7_285 - MANY
    assert len(storm.summary) < 1_000
    (why,) = hook.why("down-7000-1", Step.GROUP)
    assert why.decided == f"told as {storm.incident.id}"
    back_ms = BEGAN_MS + HOUR_MS // 4
    for first in range(0, len(falls), 400):
        back = [replace(fall, ended_ms=back_ms) for fall in falls[first : first + 400]]
        hook.look(back_ms + first, *back)
    assert [s for _, s, id_ in hook.told() if id_ == storm.incident.id] == [
        Status.FIRING,
        Status.RESOLVED,
    ]
    assert len(hook.heard) == 2 * (MANY + 1)


def test_a_few_in_a_minute_and_many_in_a_day_are_told_one_by_one() -> None:
    hook = _listener()
    for number, fall in enumerate(_falls(40)):
        hook.look(BEGAN_MS + number * 7_000, fall)
    assert len(hook.heard) == 40


def test_who_joins_a_told_group_is_named_and_nobody_is_told_again() -> None:
    hook = _listener()
    area = replace(SILENT, id="area-sto-1", sites=("1", "2"), upstream="sto", about="STO")
    assert len(hook.look(BEGAN_MS, area)) == 1
    assert hook.look(BEGAN_MS + 1, replace(area, sites=("1", "2", "3"))) == []
    assert hook.revised[-1].incident.sites == ("1", "2", "3")
    (why,) = hook.why(area.id, Step.GROUP)
    assert why.reason == "2 offices behind sto are one incident"


def test_an_office_taken_into_a_common_incident_is_told_to_go_on_there() -> None:
    hook = _listener(language="en")
    hook.look(BEGAN_MS, SILENT)
    (last,) = hook.look(BEGAN_MS + 1, replace(BACK, ending=Ending.JOINED))
    assert last.status is Status.RESOLVED


async def test_a_webhook_that_fails_is_tried_again_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channels, "PAUSES_S", (0.01,))
    heard: list[str] = []
    both = asyncio.Event()
    tries = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        if tries <= 2:
            writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        else:
            heard.append(body.decode())
            if len(heard) == 2:
                both.set()
            writer.write(b"HTTP/1.1 204 Ok\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient() as client:
        outbox = Outbox("hook", webhook(f"http://127.0.0.1:{port}/hook", client))
        running = asyncio.create_task(outbox.run())
        outbox.put(Message(Status.FIRING, SILENT, "first", ""))
        outbox.put(Message(Status.RESOLVED, BACK, "second", ""))
        async with asyncio.timeout(5):
            await both.wait()
        running.cancel()
    server.close()
    assert ["first" in heard[0], "second" in heard[1]] == [True, True]
