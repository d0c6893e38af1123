"""The log's lines are written together, in order, and none is kept back for long."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from collector.log_lines import MOST, Together


class _Paper(io.StringIO):
    """Counts what is written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def write(self, text: str) -> int:
        self.writes.append(text.count("\n"))
        return super().write(text)


@pytest.fixture
def paper() -> _Paper:
    return _Paper()


@pytest.fixture
def log(paper: _Paper) -> Iterator[logging.Logger]:
    logger, handler = logging.getLogger("lines"), Together(paper)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    handler.close()


async def test_what_one_turn_of_the_loop_says_is_one_write(
    log: logging.Logger, paper: _Paper
) -> None:
    for number in range(50):
        log.info("office %d", number)
    assert paper.writes == []
    await asyncio.sleep(0)
    assert paper.writes == [50]
    assert paper.getvalue().splitlines() == [f"office {number}" for number in range(50)]
    log.info("later")
    await asyncio.sleep(0)
    assert paper.writes == [50, 1]


async def test_a_warning_waits_for_nothing_and_keeps_its_place(
    log: logging.Logger, paper: _Paper
) -> None:
    log.info("before")
    log.warning("look")
    assert paper.getvalue() == "before\nlook\n"


async def test_lines_that_wait_are_bounded(log: logging.Logger, paper: _Paper) -> None:
    for number in range(3 * MOST + 1):
        log.info("%d", number)
    assert paper.writes == [MOST] * 3
    await asyncio.sleep(0)
    assert paper.writes == [MOST] * 3 + [1]


async def test_other_threads_and_programs_without_a_loop_write_at_once(
    log: logging.Logger, paper: _Paper
) -> None:
    log.info("in the loop")
    await asyncio.to_thread(log.info, "in a thread")
    assert paper.getvalue() == "in the loop\nin a thread\n"


async def test_a_line_that_cannot_be_made_costs_nobody_his_work(
    log: logging.Logger, paper: _Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info("%d", "no number")
    log.info("good")
    await asyncio.sleep(0)
    assert paper.getvalue() == "good\n"
