"""What the terminal shows: from the centre's own words to a table, a line, a list."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from demo.line import Condition
from demo.offices import Office
from demo.view import News, Row, age, changes, message_text, picture, status
from demo.watch import Seen, read_sites, with_metrics

NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
KUBUNG = Office("13.02.10", "Kantor Camat Kubung", "Kubung")
SITES: list[dict[str, object]] = [
    {
        "code": "13.02.10",
        "name": "Kantor Camat Kubung",
        "state": "up",
        "since": "2026-11-24T06:50:00.000Z",
        "last_report": None,
    },
    {"code": "13.02.11", "name": "", "state": "unknown", "since": None, "last_report": None},
]
METRICS = """\
# TYPE tabuah_probe_rtt_seconds gauge
tabuah_probe_rtt_seconds{site="13.02.10",probe="dc",role="centre",stat="max"} 0.9
tabuah_probe_rtt_seconds{site="13.02.10",probe="dc",role="centre",stat="mean"} 0.0125
tabuah_probe_rtt_seconds{site="13.02.10",probe="resolver",role="public",stat="mean"} 0.5
tabuah_probe_rtt_seconds{site="99",probe="dc",role="centre",stat="mean"} 1
tabuah_probe_loss_ratio{site="13.02.10",probe="dc",role="centre"} 0.2
tabuah_probe_loss_ratio{site="13.02.10",probe="resolver",role="public"} 1
"""


def test_the_centres_words_become_what_is_seen() -> None:
    seen = with_metrics(read_sites(SITES), METRICS)
    since = datetime(2026, 11, 24, 6, 50, tzinfo=UTC)
    assert seen == {
        "13.02.10": Seen("up", since, None, rtt_s=0.0125, loss_ratio=0.2),
        "13.02.11": Seen("unknown"),
    }


def test_a_change_of_state_is_told_once() -> None:
    unknown, up = (
        Row(KUBUNG, Seen(), Condition()),
        Row(KUBUNG, Seen("up", rtt_s=0.001), Condition()),
    )
    silent = Row(KUBUNG, Seen("silent"), Condition(cut=True))
    assert changes([], [unknown]) == []
    assert changes([], [up]) == ["Kantor Camat Kubung: up, rtt 1.0 ms"]
    assert changes([up], [up]) == []
    assert changes([up], [silent]) == ["Kantor Camat Kubung: silent"]


def test_the_picture_shows_office_state_line_and_news() -> None:
    row = Row(
        KUBUNG,
        Seen("silent", NOW - timedelta(minutes=3, seconds=5), rtt_s=0.0125, loss_ratio=0.4),
        Condition(cut=True),
        pid=None,
        restarts=2,
    )
    news = [News(NOW, f"news {number}") for number in range(10)]
    console = Console(file=io.StringIO(), width=120)
    console.print(picture("http://127.0.0.1:8080/", [row], news, NOW))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for text in ("Kubung", "silent", "3 m 05 s", "12.5 ms", "40%", "cut", "stopped", "news 9"):
        assert text in shown
    assert "news 0" not in shown


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=61), "1 m 01 s"),
        (timedelta(hours=2, minutes=5), "2 h 05 m"),
        (None, ""),
    ],
)
def test_an_age_is_said_in_its_largest_units(passed: timedelta | None, text: str) -> None:
    assert age(NOW - passed if passed is not None else None, NOW) == text


def test_a_message_is_shown_in_one_line() -> None:
    message: dict[str, object] = {
        "status": "firing",
        "alertname": "TabuahLinkDown",
        "summary": "Kubung diam",
    }
    assert message_text(message) == "webhook: firing TabuahLinkDown: Kubung diam"


def test_the_status_names_state_line_and_agent() -> None:
    (listed,) = status([Row(KUBUNG, Seen("up", NOW), Condition(delay_s=0.6), pid=7)])
    assert listed["since"] == "2026-11-24T07:00:00+00:00"
    assert listed["agent"] == {"pid": 7, "restarts": 0}
    assert listed["line"] == {
        "condition": "+600 ms",
        "cut": False,
        "loss_ratio": 0.0,
        "delay_seconds": 0.6,
    }
