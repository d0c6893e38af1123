"""Late reports wait in bounded memory: all are read, in order of arrival, however many came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector import arrears
from collector.arrears import Arrears
from collector.schema import DAY_MS
from collector.store import Row, Store
from tests.support.reports import BEGIN_MS

MOST = 40
STEP = 25
MIDNIGHT_MS = BEGIN_MS // DAY_MS * DAY_MS + DAY_MS


@pytest.fixture
def store(place: Path | str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(arrears, "MOST", MOST)
    monkeypatch.setattr(arrears, "STEP", STEP)
    with Store.open(place) as opened:
        yield opened


def _rows(first: int, count: int, received_ms: int = BEGIN_MS) -> list[Row]:
    """Return reports of many offices, two of three late, as they arrive."""
    return [
        Row(
            f"office-{seq % 7}",
            1,
            seq,
            received_ms + seq - 600_000,
            received_ms + seq,
            seq % 3 > 0,
            False,
            b"x",
        )
        for seq in range(first, first + count)
    ]


def _arrive(waiting: Arrears, store: Store, rows: list[Row]) -> None:
    store.append(rows)
    for row in rows:
        if row.late:
            waiting.add(row)


async def _drain(waiting: Arrears, store: Store) -> list[int]:
    read: list[int] = []
    while len(waiting) or waiting.more:
        await waiting.refill(store)
        assert len(waiting) <= MOST + STEP
        read += [row.seq for row in waiting.take(7)]
    return read


async def test_few_wait_in_memory_and_the_store_is_not_asked(store: Store) -> None:
    waiting = Arrears()
    _arrive(waiting, store, _rows(1, 50))
    assert not waiting.more
    store.close()
    assert await _drain(waiting, store) == [seq for seq in range(1, 51) if seq % 3]


async def test_what_memory_does_not_hold_is_read_back_in_order_of_arrival(store: Store) -> None:
    waiting = Arrears()
    _arrive(waiting, store, _rows(1, 1000))
    assert (len(waiting), waiting.more) == (MOST, True)
    assert await _drain(waiting, store) == [seq for seq in range(1, 1001) if seq % 3]


async def test_none_is_given_twice_though_many_came_at_once_and_the_clock_was_set_back(
    store: Store,
) -> None:
    waiting = Arrears()
    _arrive(waiting, store, _rows(1, 30, BEGIN_MS + 50_000))
    at_once = [row._replace(received_ms=BEGIN_MS) for row in _rows(31, 300)]
    _arrive(waiting, store, at_once)
    assert await _drain(waiting, store) == [seq for seq in range(1, 331) if seq % 3]


async def test_what_is_stored_and_not_yet_told_of_is_given_when_it_is(store: Store) -> None:
    """The answer to a commit is the loop's, and the store is read beside it."""
    waiting = Arrears()
    _arrive(waiting, store, _rows(1, 90))
    pending = _rows(91, 9)
    store.append(pending)
    read = await _drain(waiting, store)
    for row in pending:
        if row.late:
            waiting.add(row)
    assert read + await _drain(waiting, store) == [seq for seq in range(1, 100) if seq % 3]


async def test_what_comes_while_the_store_is_read_is_read_too_over_midnight(store: Store) -> None:
    waiting = Arrears()
    _arrive(waiting, store, _rows(1, 300, MIDNIGHT_MS - 301))
    read = []
    for first in range(301, 1500, 50):
        await waiting.refill(store)
        read += [row.seq for row in waiting.take(30)]
        _arrive(waiting, store, _rows(first, 50, MIDNIGHT_MS - 301))
    read += await _drain(waiting, store)
    assert read == [seq for seq in range(1, 1501) if seq % 3]
    _arrive(waiting, store, _rows(2000, 9))
    assert (len(waiting), waiting.more) == (6, False), "it is over: memory is enough again"
