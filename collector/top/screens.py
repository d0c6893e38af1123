"""The screens: a table of the offices, and one office. Both ask again every few seconds.

A collector that does not answer leaves what was known on the screen, and above it for how long.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar, Final

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import DataTable, Footer, Input, Static
from textual.worker import get_current_worker

from collector.formats import span
from collector.top import view
from collector.top.view import Depth, Json, Reader
from tabuah.errors import TabuahError

EVERY_S: Final = 2.0
SPARING: Final = 10.0
"""Rest between two questions, at least this multiple of what the answer took: fleets are large."""

Sites = Callable[[], list[Json]]
Office = Callable[[str], Depth]


class Top(App[None]):
    """The terminal program; `sites` and `office` ask the collector, and may block."""

    CSS: ClassVar[str] = """
    #heading { height: 1; padding: 0 1; }
    #trouble { height: auto; padding: 0 1; color: $text-error; display: none; }
    #filter { display: none; border: none; height: 1; }
    DataTable { height: 1fr; }
    #office { padding: 1 2; }
    """
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self, sites: Sites, office: Office, now_ms: Callable[[], int], reader: Reader
    ) -> None:
        super().__init__()
        self.sites, self.office, self.now_ms, self.reader = sites, office, now_ms, reader

    def on_mount(self) -> None:
        """Show the offices."""
        self.push_screen(Offices(self))


class _Asking(Screen[None]):
    """A screen whose content is asked for again and again, in a worker thread."""

    def __init__(self, top: Top) -> None:
        super().__init__()
        self.top = top
        self._answered_ms: int | None = None
        self._next = Timer(self, 0)

    def on_mount(self) -> None:
        """Ask at once, and then every few seconds."""
        self.ask()

    @work(thread=True, exclusive=True)
    def ask(self) -> None:
        """Ask the collector; what it says is shown by the screen's own thread."""
        worker, began = get_current_worker(), time.monotonic()
        try:
            show = self.answered()
        except TabuahError as error:
            why = str(error)
            show = lambda: self.unanswered(why)  # noqa: E731 - one of two things to do
        if not worker.is_cancelled:
            rest_s = max(EVERY_S, SPARING * (time.monotonic() - began))
            self.app.call_from_thread(self._shown, show, rest_s)

    def answered(self) -> Callable[[], None]:
        """Ask; return what shows the answer."""
        raise NotImplementedError

    def unanswered(self, why: str) -> None:
        """Say that what stands on the screen is old."""
        now_ms, reader = self.top.now_ms(), self.top.reader
        since = now_ms if self._answered_ms is None else self._answered_ms
        told = reader.word("stale", age=span(reader.language, now_ms - since), why=why)
        banner = self.query_one("#trouble", Static)
        banner.update(Text(told))
        banner.display = True

    def _shown(self, show: Callable[[], None], rest_s: float) -> None:
        if self.is_attached:
            show()
            self._next.stop()
            self._next = self.set_timer(rest_s, self.ask)

    def calm(self) -> None:
        """Note that the collector answers."""
        self._answered_ms = self.top.now_ms()
        self.query_one("#trouble", Static).display = False


class Offices(_Asking):
    """All offices, the worst first."""

    def __init__(self, top: Top) -> None:
        super().__init__(top)
        word = top.reader.word
        self._known: list[Json] = []
        self._sought, self._trouble = "", False
        for key, action, says in (
            ("slash", "find", word("key.filter")),
            ("t", "trouble", word("key.trouble")),
            ("r", "ask", word("key.now")),
            ("escape", "clear", ""),
            ("q", "app.quit", word("key.quit")),
        ):
            self._bindings.bind(key, action, says, show=bool(says))

    def compose(self) -> ComposeResult:
        """Lay out heading, banner, search and table."""
        yield Static(id="heading")
        yield Static(id="trouble")
        yield Input(placeholder=self.top.reader.word("filter"), id="filter")
        yield DataTable[Text](cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin with the table, so that its keys work."""
        self._table.add_columns(*view.columns(self.top.reader))
        self._table.focus()
        super().on_mount()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one(DataTable)

    def answered(self) -> Callable[[], None]:
        """Ask for all offices."""
        offices = view.ordered(self.top.sites())

        def show() -> None:
            self._known = offices
            self.calm()
            self._draw()

        return show

    def _draw(self) -> None:
        table, now_ms, reader = self._table, self.top.now_ms(), self.top.reader
        kept = self._chosen()
        table.clear()
        for office in view.found(self._known, self._sought, reader, trouble=self._trouble):
            table.add_row(*view.row(office, now_ms, reader), key=office["code"])
        if kept is not None and kept in table.rows:
            table.move_cursor(row=table.get_row_index(kept))
        self.query_one("#heading", Static).update(view.heading(self._known, now_ms, reader))

    def _chosen(self) -> str | None:
        if not self._table.row_count:
            return None
        return self._table.coordinate_to_cell_key(self._table.cursor_coordinate).row_key.value

    @on(DataTable.RowSelected)
    def _open(self, chosen: DataTable.RowSelected) -> None:
        code = chosen.row_key.value
        if code is not None:
            self.app.push_screen(OneOffice(self.top, code))

    @on(Input.Changed)
    def _seek(self, changed: Input.Changed) -> None:
        self._sought = changed.value
        self._draw()

    @on(Input.Submitted)
    def _sought_it(self) -> None:
        self._table.focus()

    def action_find(self) -> None:
        """Let the reader type what to look for."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_clear(self) -> None:
        """Show all offices again."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self._trouble = False
        self._draw()
        self._table.focus()

    def action_trouble(self) -> None:
        """Show all, or only those that are not up."""
        self._trouble = not self._trouble
        self._draw()

    def action_ask(self) -> None:
        """Ask now."""
        self.ask()


class OneOffice(_Asking):
    """One office: its probes, devices, agent, incidents and outages."""

    def __init__(self, top: Top, code: str) -> None:
        super().__init__(top)
        self._code = code
        back = top.reader.word("key.back")
        self._bindings.bind("escape,backspace,left", "app.pop_screen", back, show=False)
        self._bindings.bind("b", "app.pop_screen", back)
        self._bindings.bind("q", "app.quit", top.reader.word("key.quit"))

    def compose(self) -> ComposeResult:
        """Lay out the banner and the text."""
        yield Static(id="trouble")
        with VerticalScroll():
            yield Static(id="office")
        yield Footer()

    def answered(self) -> Callable[[], None]:
        """Ask for the office."""
        known = self.top.office(self._code)

        def show() -> None:
            self.calm()
            told = view.depth(known, self.top.now_ms(), self.top.reader)
            self.query_one("#office", Static).update(told)

        return show
