"""`tabuah top` beside a real collector and agent, its keys pressed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from collector.top.cli import office_of, sites_of
from collector.top.screens import Offices, OneOffice, Top
from collector.top.view import Reader
from inventory.model import DEFAULT_ZONE, Language
from tabuah.wall import wall_ms
from tests.support.programs import Centre, seconds_until

OTHER = "13.02.11"


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    made = Centre(tmp_path)
    made.add_sites([OTHER])
    try:
        made.start_collector()
        made.start_agent(made.enrol())
        yield made
    finally:
        made.stop()


def _top(centre: Centre) -> Top:
    data = centre.data
    reader = Reader(Language.ENGLISH, DEFAULT_ZONE)
    return Top(lambda: sites_of(data), lambda code: office_of(data, code), wall_ms, reader)


async def _soon(pilot: Pilot[None], so: Callable[[], bool]) -> None:
    for _ in range(200):
        if so():
            return
        await pilot.pause(0.1)
    raise AssertionError(f"not so within 20 s; the screen says:\n{_text(pilot)}")


def _text(pilot: Pilot[None]) -> str:
    """Return what the screen says: its texts, and the cells of its table."""
    screen = pilot.app.screen
    parts = [str(widget.render()) for widget in screen.query(Static)]
    for table in screen.query(DataTable):
        parts += [
            " ".join(str(cell) for cell in table.get_row_at(i)) for i in range(len(table.rows))
        ]
    return "\n".join(parts)


async def _press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def test_the_table_lives_and_an_office_opens_in_depth(centre: Centre) -> None:
    seconds_until(lambda: len(centre.said()) >= 2, 30)
    async with _top(centre).run_test(size=(140, 40)) as pilot:
        await _soon(pilot, lambda: "Connected Kantor Camat Kubung" in _text(pilot))
        assert "1 Unknown" in _text(pilot)
        table = pilot.app.screen.query_one(DataTable)
        assert table.get_row_at(0)[-1].plain == OTHER, "trouble stands first"

        await _press(pilot, "slash", *"kubung", "enter")
        assert len(table.rows) == 1
        await _press(pilot, "enter")
        await _soon(pilot, lambda: isinstance(pilot.app.screen, OneOffice) and "dc" in _text(pilot))
        assert "centre     good" in _text(pilot)
        assert "backlog 0" in _text(pilot)

        await _press(pilot, "escape")
        assert isinstance(pilot.app.screen, Offices)
        await _press(pilot, "escape", "t")
        assert [row.value for row in table.rows] == [OTHER], "only trouble"


# httpcore leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_collector_that_is_gone_is_named_and_what_was_known_stays(centre: Centre) -> None:
    seconds_until(lambda: len(centre.said()) >= 2, 30)
    async with _top(centre).run_test(size=(140, 40)) as pilot:
        await _soon(pilot, lambda: "Connected Kantor Camat Kubung" in _text(pilot))
        centre.collector.send_signal(signal.SIGKILL)
        centre.collector.wait(10)
        await _soon(pilot, lambda: "has not answered for" in _text(pilot))
        assert "Kantor Camat Kubung" in _text(pilot)
        centre.start_collector()
        await _soon(pilot, lambda: not pilot.app.screen.query_one("#trouble").display)


def test_without_a_terminal_it_says_what_to_use_instead(centre: Centre) -> None:
    told = centre.tabuah("top", "--data", str(centre.data))
    assert told.returncode == 2
    assert "tabuah sites -o json" in told.stderr
