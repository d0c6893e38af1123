"""Each incident is said once when it begins and once when it ends, in words that help."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest

from alerts import channels
from alerts.channels import Outbox, webhook
from alerts.incident import Incident
from alerts.message import Message, Status
from alerts.pipeline import Pipeline, Reason
from alerts.writing import Writer
from inventory.model import Inventory, Language, Site

SILENT = Incident(
    id="13.02.10-1",
    alertname="TabuahLinkDown",
    sites=("13.02.10",),
    circuits=(),
    cause="unknown",
    severity="critical",
    began_ms=1_795_500_000_000,
)
BACK = replace(SILENT, ended_ms=SILENT.began_ms + 192_000)


def _pipeline(language: str = "id") -> Pipeline:
    office = Site("13.02.10", "Kantor Camat Kubung")
    return Pipeline(Writer(Inventory("Dinas Uji", language=Language(language), sites=(office,))))


def test_an_incident_is_said_once_and_its_end_once() -> None:
    pipeline = _pipeline()
    reasons = [pipeline.decide(one).reason for one in (SILENT, SILENT, BACK, BACK)]
    assert reasons == [Reason.BEGAN, Reason.SAID, Reason.ENDED, Reason.NEVER_FIRED]


def test_an_end_that_nobody_waits_for_is_not_said() -> None:
    decision = _pipeline().decide(BACK)
    assert (decision.reason, decision.message) == (Reason.NEVER_FIRED, None)


def test_the_message_is_the_contracts_json() -> None:
    message = _pipeline("en").decide(SILENT).message
    assert message is not None
    said = message.json()
    assert list(said) == [
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
    pipeline = _pipeline()
    firing = pipeline.decide(SILENT).message
    resolved = pipeline.decide(BACK).message
    assert firing is not None
    assert resolved is not None
    assert firing.summary == (
        "Kantor Camat Kubung tidak melapor sejak 13.00 WIB; penyebab belum diketahui, "
        "telepon kantor"
    )
    assert resolved.summary == (
        "Pulih 13.03 WIB: Kantor Camat Kubung melapor lagi setelah 3 menit 12 detik"
    )


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
