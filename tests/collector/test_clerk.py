"""The clerk: from rows to ledger, over a restart, and past a disk that refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from collector import arrears
from collector import clerk as clerks
from collector.clerk import Clerk
from collector.judgement.evidence import Cause, Confidence
from collector.judgement.ledger import Entry, Json, Subject
from collector.judgement.record import read_book
from collector.ledger_store import LedgerStore
from collector.mishaps import Mishaps
from collector.opened import Kept
from collector.store import Row, Store, StoreError
from inventory.model import Circuit, Inventory, Site
from tabuah import block
from tabuah.measurement import Status
from tabuah.report import Report
from tests.support.reports import BEGIN_MS, report

SITE = "13.02.10"
INVENTORY = Inventory("test", sites=(Site(SITE, "Kubung", circuits=(Circuit("telkom"),)),))


def _row(made: Report, received_ms: int, *, late: bool = False) -> Row:
    octets = block.pack(made).octets
    return Row(SITE, 1, made.id.seq, made.wall_ms, received_ms, late, False, octets)


def _live(seq: int) -> Row:
    made = report(seq)
    return _row(made, made.wall_ms + 40)


def _cut(seq: int, received_ms: int) -> Row:
    made = report(seq)
    lost = replace(made.measurements[0], status=Status.REQUEST_TIMED_OUT, received=0, rtt=None)
    return _row(replace(made, measurements=(lost,)), received_ms, late=True)


def _at(seq: int) -> int:
    return BEGIN_MS + seq * 10_000


async def _until_written(ledger: LedgerStore, clerk: Clerk) -> list[Entry]:
    task = asyncio.create_task(clerk.run())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return ledger.entries()


async def test_an_outage_goes_on_over_a_restart_and_is_final_once_its_record_came(
    place: Path | str,
) -> None:
    with Store.open(place) as store:
        ledger = LedgerStore(store)
        first = Clerk(INVENTORY, ledger)
        rows = [_live(seq) for seq in range(1, 7)]
        store.append(rows)
        for row in rows:
            first.live(Kept(row))
        first.silent(SITE, _at(6), _at(8))
        assert [one.open for one in first.tick(_at(8))] == [True]
        await _until_written(ledger, first)

        second = Clerk(INVENTORY, ledger)
        await second.restore(store, _at(20))
        assert [one.open for one in second.incidents()] == [True]
        # Nobody is said to be back, nor to have fallen, before anything was heard.
        assert second.tick(_at(20)) == ()
        second.live(Kept(_live(30)))
        for seq in range(7, 30):
            second.late(_cut(seq, _at(30) + 500))
        assert [one.open for one in second.tick(_at(30) + 1000)] == [False]

        (outage,) = second.outages()
        assert (outage.began_ms, outage.ended_ms) == (_at(7), _at(30))
        book = read_book(await _until_written(ledger, second))
        assert {one.id for one in book.outages} == {outage.id}
        assert book.outages[-1].cause is Cause.UNKNOWN  # no probe divides the way here
        assert ledger.verify() is None


async def test_a_disk_that_refuses_delays_the_ledger_and_loses_nothing(
    place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clerks, "RETRY_S", 0.01)
    with Store.open(place) as store:

        class Refusing(LedgerStore):
            refusals = 2

            def append(self, written_ms: int, said: Sequence[tuple[Subject, Json]]) -> list[Entry]:
                if self.refusals:
                    self.refusals -= 1
                    raise StoreError("the disk is full")
                return super().append(written_ms, said)

        ledger = Refusing(store)
        clerk = Clerk(INVENTORY, ledger)
        clerk.live(Kept(_live(1)))
        clerk.silent(SITE, _at(1), _at(3))
        clerk.tick(_at(3))
        subjects = [entry.subject for entry in await _until_written(ledger, clerk)]
        assert subjects == [Subject.WATCH, Subject.OUTAGE, Subject.INCIDENT]


async def test_more_late_reports_than_memory_holds_are_read_again_from_the_store(
    place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrears, "MOST", 6)
    monkeypatch.setattr(arrears, "STEP", 5)
    monkeypatch.setattr(clerks, "CATCH_UP_S", 0.01)
    with Store.open(place) as store:
        clerk = Clerk(INVENTORY, LedgerStore(store))
        rows = [_live(seq) for seq in range(1, 7)]
        late = [_cut(seq, _at(30) + 500) for seq in range(7, 30)]
        store.append([*rows, *late, _live(30)])
        for row in rows:
            clerk.live(Kept(row))
        clerk.silent(SITE, _at(6), _at(8))
        clerk.tick(_at(8))
        clerk.live(Kept(_live(30)))
        for row in late:
            clerk.late(row)
        catching_up = asyncio.create_task(clerk.catch_up(store, Mishaps(pytest.fail)))
        overflowed = clerk._late.more
        assert overflowed
        while len(clerk._late) or clerk._late.more:
            clerk.tick(_at(31))
            await asyncio.sleep(0.01)
        clerk.tick(_at(31))
        catching_up.cancel()
        await asyncio.gather(catching_up, return_exceptions=True)
        (outage,) = clerk.outages()
        assert (outage.began_ms, outage.ended_ms) == (_at(7), _at(30))
        assert outage.confidence is Confidence.FINAL
        assert len(clerk._court.judge.kept(SITE)) <= 30
