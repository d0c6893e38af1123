"""What the person at the terminal sees: a live table, or a line for each change where none fits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from demo.line import Condition
from demo.offices import Office
from demo.watch import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLOURS = {"up": "green", "degraded": "yellow", "down": "red", "silent": "red", "unknown": "dim"}
GOOD = Condition()
NEWS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One office: what the centre sees of it, and what its line really is."""

    office: Office
    seen: Seen
    condition: Condition
    pid: int | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened, for the lines below the table."""

    at: datetime
    what: str

    def __str__(self) -> str:
        """Return it with the local time of day."""
        return f"{self.at.astimezone():%H:%M:%S}  {self.what}"


def picture(title: str, rows: Iterable[Row], news: Sequence[News], now: datetime) -> Group:
    """Return the table as it is at `now`, and the newest news below it."""
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for heading in ("code", "office", "state", "since"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rtt", "loss"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("line", "agent"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(
            row.office.code,
            row.office.kecamatan or row.office.name,
            Text(row.seen.state, style=COLOURS.get(row.seen.state, "")),
            age(row.seen.since, now),
            milliseconds(row.seen.rtt_s),
            percent(row.seen.loss_ratio),
            Text(str(row.condition), style="dim" if row.condition == GOOD else "red"),
            agent_text(row),
        )
    return Group(table, *(Text(str(item), no_wrap=True) for item in news[-NEWS_SHOWN:]))


def changes(before: Iterable[Row], after: Iterable[Row]) -> list[str]:
    """Return a line for each office whose state is another now."""
    was = {row.office.code: row.seen.state for row in before}
    return [
        f"{row.office.name}: {row.seen.state}"
        + (f", rtt {milliseconds(row.seen.rtt_s)}" if row.seen.rtt_s is not None else "")
        for row in after
        if was.get(row.office.code, "unknown") != row.seen.state
    ]


def message_text(message: dict[str, object]) -> str:
    """Return a webhook message as one line."""
    status, name = message.get("status", "?"), message.get("alertname", "?")
    return f"webhook: {status} {name}: {message.get('summary', '')}"


def status(rows: Iterable[Row]) -> list[dict[str, object]]:
    """Return the offices as `tabuah demo status -o json` lists them."""
    return [
        {
            "code": row.office.code,
            "name": row.office.name,
            "state": row.seen.state,
            "since": iso(row.seen.since),
            "last_report": iso(row.seen.last_report),
            "rtt_seconds": row.seen.rtt_s,
            "loss_ratio": row.seen.loss_ratio,
            "line": {
                "condition": str(row.condition),
                "cut": row.condition.cut,
                "loss_ratio": row.condition.loss_ratio,
                "delay_seconds": row.condition.delay_s,
            },
            "agent": {"pid": row.pid, "restarts": row.restarts},
        }
        for row in rows
    ]


def iso(moment: datetime | None) -> str | None:
    """Return a time as RFC 3339, or None."""
    return moment.isoformat() if moment is not None else None


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago `since` was, in its two largest units."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours} h {minutes:02} m"
    return f"{minutes} m {seconds:02} s" if minutes else f"{seconds} s"


def milliseconds(seconds: float | None) -> str:
    """Return a round trip in ms, or nothing."""
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"


def percent(ratio: float | None) -> str:
    """Return a share in percent, or nothing."""
    return "" if ratio is None else f"{ratio:.0%}"


def agent_text(row: Row) -> str:
    """Return how the office's program fares."""
    if row.pid is None:
        return "stopped" if row.restarts else ""
    return f"{row.pid}" + (f", restarted {row.restarts}x" if row.restarts else "")
