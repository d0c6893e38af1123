"""A channel that fails is tried again, and the others tell of it: once, and of its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest

from alerts import channels, condition
from alerts.alertmanager import Alertmanagers
from alerts.channels import ChannelError, Outbox, Outcome, webhook
from alerts.condition import APART_S, LASTING_S, Condition, Turn
from alerts.failing import Failing
from alerts.incident import Incident
from alerts.message import Message, Status
from alerts.writing import Writer
from tests.support.centre import until
from tests.support.sink import Sink, sink
from tests.support.solok import BEGAN_MS, solok

SAID = Message(
    Status.FIRING,
    Incident("down-a-1", "TabuahLinkDown", ("a",), (), "unknown", "critical", BEGAN_MS),
    "a",
    "b",
)


def test_a_try_that_fails_now_and_then_is_no_news() -> None:
    one = Condition()
    turns = [
        one.tried(trouble, float(now))
        for now, trouble in enumerate(["", "x", "", "x", "x", "", "x", "x", "x", ""])
    ]
    assert turns == [None] * 10


def test_it_is_told_once_that_nothing_is_taken_any_more_and_once_that_it_is() -> None:
    one = Condition()
    times = [0.0, 10.0, LASTING_S - 1, LASTING_S, LASTING_S + 1, 500.0]
    assert [one.tried("x", now) for now in times] == [None, None, None, Turn.FAILS, None, None]
    assert one.lasted_s(500.0) == 500.0
    assert [one.tried("", now) for now in (501.0, 502.0)] == [Turn.WORKS, None]


def test_a_channel_that_comes_and_goes_is_told_once_an_hour() -> None:
    one = Condition()
    told = []
    for minute in range(120):  # fails for forty seconds of each minute
        for second in (0, 20, 40):
            turn = one.tried("x", minute * 60.0 + second)
            told += [(minute, turn)] if turn else []
        turn = one.tried("", minute * 60.0 + 50)
        told += [(minute, turn)] if turn else []
    assert told == [(0, Turn.FAILS), (0, Turn.WORKS), (60, Turn.FAILS), (60, Turn.WORKS)]
    assert APART_S == 3_600


@pytest.fixture
def good() -> Iterator[Sink]:
    with sink() as kept:
        yield kept


@pytest.fixture
def bad() -> Iterator[Sink]:
    with sink() as kept:
        kept.refusing = True
        yield kept


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "PAUSES_S", (0.01, 0.05))
    monkeypatch.setattr(condition, "LASTING_S", 0.1)


@asynccontextmanager
async def _two(good: Sink, bad: Sink) -> AsyncIterator[list[Outbox]]:
    """Run two channels that tell of each other, as the collector has them do."""
    failing, writer = Failing(), Writer(solok("en"))
    outboxes: list[Outbox] = []

    def turned(outbox: Outbox, turn: Turn) -> None:
        if turn is Turn.FAILS:
            told = failing.begins(outbox.name, outbox.condition.trouble, BEGAN_MS)
        else:
            told = failing.ends(outbox.name, BEGAN_MS + 60_000)
        said = writer(told)
        status = Status.RESOLVED if turn is Turn.WORKS else Status.FIRING
        for each in outboxes:
            each.put(Message(status, told, said.summary, said.description))

    async with httpx.AsyncClient() as client:
        outboxes += [
            Outbox("telegram", webhook(bad.url, client), turned=turned),
            Outbox("siren", webhook(good.url, client), turned=turned),
        ]
        running = [asyncio.create_task(outbox.run()) for outbox in outboxes]
        try:
            yield outboxes
        finally:
            for task in running:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


@pytest.mark.usefixtures("soon")
async def test_the_other_channel_tells_that_one_fails_and_works_again(
    good: Sink, bad: Sink
) -> None:
    async with _two(good, bad) as (telegram, _):
        telegram.put(SAID)
        await until(lambda: len(good.heard) == 1, 15.0)
        warning = good.heard[0]
        assert (warning["alertname"], warning["status"]) == ("TabuahChannelFailing", "firing")
        assert warning["summary"].startswith("The alert channel telegram fails since 13:00 WIB")
        assert "Cause: answered 503" in warning["description"]
        assert telegram.condition.trouble == "answered 503"
        await asyncio.sleep(0.5)
        assert len(good.heard) == 1  # told once, however often it is tried
        bad.refusing = False
        await until(lambda: len(good.heard) == 2, 15.0)
        assert good.heard[1]["status"] == "resolved"
        # What it was to say comes late and is not lost; of its own failure it says nothing.
        assert bad.told() == [("firing", "down-a-1")]
        assert (telegram.waiting, telegram.counts[Outcome.TAKEN]) == (0, 1)


@pytest.mark.usefixtures("soon")
async def test_a_message_that_is_bad_keeps_no_other_waiting(good: Sink, bad: Sink) -> None:
    bad.refusal = 400
    given_up: list[str] = []
    async with httpx.AsyncClient() as client:
        outbox = Outbox(
            "hook",
            webhook(bad.url, client),
            taken=lambda _, message: given_up.append(message.incident.id),
        )
        running = asyncio.create_task(outbox.run())
        outbox.put(SAID)
        await until(lambda: outbox.counts[Outcome.REFUSED] == 1, 15.0)
        assert given_up == ["down-a-1"]
        bad.refusing = False
        outbox.put(replace(SAID, status=Status.RESOLVED))
        await until(lambda: bad.told() == [("resolved", "down-a-1")], 15.0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.mark.usefixtures("soon")
async def test_alertmanagers_that_stop_listening_while_something_lasts_are_noticed(
    bad: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.alertmanager.AGAIN_S", 0.05)
    turns: list[Turn] = []
    bad.refusing = False
    base = bad.url.removesuffix("/hook")
    async with httpx.AsyncClient() as client:
        cluster = Alertmanagers("am", [base], client, lambda _: {}, lambda: BEGAN_MS)
        outbox = Outbox("am", cluster.deliver, turned=lambda _, turn: turns.append(turn))
        cluster.tried = outbox.tried
        telling = asyncio.create_task(cluster.run())
        await cluster.deliver(SAID)
        bad.refusing = True
        await until(lambda: turns == [Turn.FAILS], 15.0)
        with pytest.raises(ChannelError):
            await cluster.deliver(SAID)
        bad.refusing = False
        await until(lambda: turns == [Turn.FAILS, Turn.WORKS], 15.0)
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


def test_a_channel_that_failed_before_a_start_is_told_of_only_when_it_works_again() -> None:
    one, failing = Condition(), Failing()
    told = failing.begins("telegram", "answered 503", BEGAN_MS)
    anew = Failing()
    anew.resume(told)
    one.resume("failed before the start", 0.0)
    assert [one.tried("x", now) for now in (1.0, 60.0, 600.0)] == [None, None, None]
    assert one.tried("", 601.0) is Turn.WORKS
    assert anew.ends("telegram", BEGAN_MS + 1).ended_ms == BEGAN_MS + 1
