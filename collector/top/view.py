"""From the API's JSON to what stands in the terminal: rows, lines, words and colours. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from rich.text import Text

from alerts.words import cause_says
from collector.formats import ago, clock, milliseconds, moment, percent, span
from collector.top.words import WORDS
from collector.words import say
from inventory.model import Language
from tabuah.speech import instant_ms

Json = Mapping[str, Any]

ORDER: Final = ("down", "silent", "unknown", "degraded", "up")
"""Trouble first, as on the page."""
COLOURS: Final = {
    "down": "bold red",
    "silent": "bold dark_orange",
    "unknown": "dim",
    "degraded": "yellow",
    "up": "green",
    "open": "red",
}
LATEST_S: Final = 600
"""How far back an office's newest report is looked for."""
MOST_LISTED: Final = 8
"""Incidents and outages of one office that are shown, the newest."""


class Reader(NamedTuple):
    """For whom the words are."""

    language: Language
    zone: ZoneInfo

    def word(self, key: str, **values: object) -> str:
        """Return a text of the terminal's own."""
        return WORDS[self.language][key].format(**values)

    def state(self, state: str) -> Text:
        """Return a state's word in its colour."""
        return Text(say(self.language, f"state.{state}"), style=COLOURS[state])

    def cause(self, cause: str | None) -> str:
        """Return a cause's words, none for none."""
        return "" if cause is None else cause_says(self.language.value, cause)


def ordered(offices: Iterable[Json]) -> list[Json]:
    """Return the offices, the worst first; among equals who has been so for the shortest time."""

    def rank(office: Json) -> tuple[int, int, str]:
        since = office["since"]
        return ORDER.index(office["state"]), -(instant_ms(since) if since else 0), office["code"]

    return sorted(offices, key=rank)


def found(offices: Iterable[Json], sought: str, reader: Reader, *, trouble: bool) -> list[Json]:
    """Return the offices in which each word sought occurs; with `trouble` not those that are up."""
    words = sought.casefold().split()
    return [
        office
        for office in offices
        if not (trouble and office["state"] == "up")
        and all(word in _searched(office, reader) for word in words)
    ]


def _searched(office: Json, reader: Reader) -> str:
    state = office["state"]
    said = (office["code"], office["name"], state, reader.state(state).plain)
    return " ".join((*said, reader.cause(office["cause"]))).casefold()


def columns(reader: Reader) -> tuple[str, ...]:
    """Return the headings of `row`."""
    language = reader.language
    return (
        say(language, "column.state"),
        say(language, "column.office"),
        say(language, "column.since"),
        say(language, "column.last"),
        reader.word("cause"),
        reader.word("circuits"),
        reader.word("code"),
    )


def row(office: Json, now_ms: int, reader: Reader) -> tuple[Text, ...]:
    """Return an office's cells."""
    since, last = office["since"], office["last_report"]
    language = reader.language
    return (
        reader.state(office["state"]),
        Text(office["name"]),
        Text(moment(language, instant_ms(since), now_ms, reader.zone) if since else "-"),
        Text(ago(language, now_ms - instant_ms(last)) if last else say(language, "never")),
        Text(reader.cause(office["cause"])),
        _circuits(office, reader),
        Text(office["code"], style="dim"),
    )


def _circuits(office: Json, reader: Reader) -> Text:
    parts = [
        Text.assemble(f"{circuit['id']} ", reader.state(circuit["state"]))
        for circuit in office["circuits"]
    ]
    return Text(", ").join(parts)


def heading(offices: Sequence[Json], now_ms: int, reader: Reader) -> Text:
    """Return how many offices are in each state, and when that was."""
    counts = Counter(office["state"] for office in offices)
    parts = [
        Text.assemble((f"{counts[state]} ", COLOURS[state]), reader.state(state))
        for state in ORDER
        if counts[state]
    ]
    time = clock(reader.language, now_ms, reader.zone, seconds=True)
    asked = reader.word("asked", count=len(offices), time=time)
    return Text("   ").join([*parts, Text(asked, style="dim")])


class Depth(NamedTuple):
    """What was asked about one office."""

    office: Json
    report: Json | None
    """The newest, if there is one."""
    incidents: Sequence[Json]
    outages: Sequence[Json]


def depth(of: Depth, now_ms: int, reader: Reader) -> Text:
    """Return all that is known of one office, as lines."""
    return Text("\n").join(_lines(of, now_ms, reader))


def _lines(of: Depth, now_ms: int, reader: Reader) -> Iterator[Text]:
    office, report, language = of.office, of.report, reader.language
    yield Text.assemble((office["name"], "bold"), f"  {office['code']}")
    since = office["since"]
    lasted = f"  {span(language, now_ms - instant_ms(since))}" if since else ""
    yield Text.assemble(reader.state(office["state"]), lasted, f"  {reader.cause(office['cause'])}")
    yield Text.assemble((reader.word("circuits"), "bold"), "  ", _circuits(office, reader))
    yield Text()
    if report is None:
        yield Text(reader.word("no_report"), style="dim")
    else:
        age = ago(language, now_ms - instant_ms(report["received"]))
        yield Text.assemble(
            (reader.word("probes"), "bold"), (f"  {reader.word('received', age=age)}", "dim")
        )
        yield from (_probe(one, reader) for one in report["measurements"])
        yield from _report_rest(report, reader)
    yield Text()
    yield Text(reader.word("incidents"), style="bold")
    yield from _listed((_incident(one, now_ms, reader) for one in of.incidents), reader)
    yield Text()
    yield Text(reader.word("outages"), style="bold")
    yield from _listed((_outage(one, now_ms, reader) for one in of.outages), reader)


def _probe(one: Json, reader: Reader) -> Text:
    good = one["good"]
    verdict = (reader.word("good"), "green") if good else (one["status"], "bold red")
    line = Text.assemble(f"  {one['probe']:14} {one['role']:10} ", verdict)
    line.pad_right(max(0, 42 - len(line)))
    if one["rtt"] is not None:
        line.append(f" {milliseconds(reader.language, one['rtt']['mean_us'])}")
    if one["sent"] and one["received"] < one["sent"]:
        lost = (one["sent"] - one["received"]) / one["sent"]
        line.append(
            f"  {say(reader.language, 'column.loss').lower()} {percent(reader.language, lost)}",
            style="yellow",
        )
    return line


def _report_rest(report: Json, reader: Reader) -> Iterator[Text]:
    if report["devices"]:
        yield Text(reader.word("devices"), style="bold")
    for device in report["devices"]:
        up = [one["name"] for one in device["interfaces"] if one["oper_status"] == 1]
        down = [one["name"] for one in device["interfaces"] if one["oper_status"] == 2]
        yield Text.assemble(
            f"  {device['name']:14} {device['role']:10} {device['status']:8} ",
            (" ".join(up), "green"),
            " ",
            (" ".join(down), "red"),
        )
    agent = report["agent"]
    mib = round(agent["resident_kib"] / 1024)
    yield Text.assemble(
        (reader.word("agent"), "bold"),
        f"  {agent['version']}  {reader.word('backlog', count=agent['backlog'])}  "
        f"{reader.word('memory', mib=mib)}",
    )


def _incident(one: Json, now_ms: int, reader: Reader) -> Text:
    return Text.assemble(
        _when(one, now_ms, reader), f"  {reader.cause(one['cause'])}", (f"  {one['id']}", "dim")
    )


def _outage(one: Json, now_ms: int, reader: Reader) -> Text:
    return Text.assemble(
        _when(one, now_ms, reader), f"  {one['circuit']}  {reader.cause(one['cause'])}"
    )


def _when(one: Json, now_ms: int, reader: Reader) -> Text:
    began = instant_ms(one["began"])
    ended = instant_ms(one["ended"]) if one["ended"] else None
    lasted = span(reader.language, (now_ms if ended is None else ended) - began)
    text = Text(f"  {moment(reader.language, began, now_ms, reader.zone)}  {lasted}")
    if ended is None:
        text.append(f"  {reader.word('open')}", style=COLOURS["open"])
    return text


def _listed(lines: Iterable[Text], reader: Reader) -> list[Text]:
    """Return the last lines, the newest first."""
    newest = list(lines)[: -MOST_LISTED - 1 : -1]
    return newest or [Text(f"  {reader.word('none')}", style="dim")]
