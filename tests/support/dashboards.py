"""What is wrong with a dashboard of Grafana: by its JSON alone, and by what its queries come to."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import promql_parser

Json = dict[str, Any]
Labels = Mapping[str, str]
Ask = Callable[[str], Sequence[Labels]]
"""A query to the labels of its series."""

UNITS = frozenset({"none", "s", "bytes", "bps", "pps", "reqps", "percentunit", "currencyIDR"})
"""Those of Grafana's that our metrics have."""
COLUMNS = 24

SOMETIMES = frozenset({"upstream"})
"""Labels that are empty, and so absent, where an incident has none."""

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_INTERVAL = {"__rate_interval": "1m", "__interval": "15s", "__range": "6h"}


def panels(board: Json) -> list[Json]:
    """Return the panels that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def filled(expression: str, variables: Mapping[str, str]) -> str:
    """Return an expression with its variables replaced."""
    known = {**_INTERVAL, **variables}
    return _VARIABLE.sub(lambda found: known.get(found[1], found[0]), expression)


def faults(board: Json) -> Iterator[str]:
    """Yield what the JSON itself has wrong."""
    ids = [panel["id"] for panel in board["panels"]]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    if not re.fullmatch(r"tabuah-[a-z]+", board.get("uid", "")):
        yield "no stable uid"
    names = {variable["name"] for variable in board["templating"]["list"]}
    if "datasource" not in names:
        yield "no variable for the data source"
    for one, other in itertools.combinations(board["panels"], 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"'{one['title']}' lies on '{other['title']}'"
    for panel in panels(board):
        yield from (f"'{panel['title']}': {fault}" for fault in _of_panel(panel, names))


def _of_panel(panel: Json, names: set[str]) -> Iterator[str]:
    place = panel["gridPos"]
    if place["x"] + place["w"] > COLUMNS:
        yield "reaches over the edge"
    if not panel.get("description"):
        yield "no description"
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] not in {"table", "state-timeline", "geomap"} and (
        defaults.get("unit") not in UNITS
    ):
        yield f"unit {defaults.get('unit')!r}"
    if panel["type"] == "table" and not any(
        each["id"] == "organize" for each in panel.get("transformations", ())
    ):
        yield "a table without order shows Time, instance and job"
    for target in panel["targets"]:
        if target["datasource"]["uid"] != "${datasource}":
            yield "asks a data source of its own"
        table = target.get("format") == "table"
        if not table and not target.get("legendFormat"):
            yield "no legend"
        if table != (panel["type"] in {"table", "geomap"}):
            yield "the query's format is not the panel's"
        used = {found[1] for found in _VARIABLE.finditer(target["expr"])}
        if unknown := used - names - _INTERVAL.keys():
            yield f"unknown variable {sorted(unknown)}"
        try:
            promql_parser.parse(filled(target["expr"], dict.fromkeys(names, "x")))
        except ValueError as error:
            yield f"{target['expr']}: {error}"


def emptiness(board: Json, ask: Ask, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield which queries find nothing, and which legends and columns name what is not there."""
    for panel in panels(board):
        columns: set[str] = {"Time"}
        for target in panel["targets"]:
            series = ask(filled(target["expr"], variables))
            if not series:
                yield f"'{panel['title']}' is empty: {target['expr']}"
            for labels in series:
                columns |= labels.keys() | {"Value", f"Value #{target['refId']}"}
                named = _LEGEND.findall(target.get("legendFormat", ""))
                if missing := [label for label in named if label not in labels]:
                    yield f"'{panel['title']}': no label {missing} in {dict(labels)}"
                    break
        if panel["type"] == "table":
            for wanted in _wanted(panel):
                if wanted not in columns | SOMETIMES:
                    yield f"'{panel['title']}': no column {wanted}"


def _wanted(panel: Json) -> Iterator[str]:
    for change in panel["transformations"]:
        options = change["options"]
        if change["id"] == "organize":
            yield from options.get("includeByName", {})
        elif change["id"] == "groupingToMatrix":
            yield from (options["rowField"], options["columnField"])


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def read(text: str) -> Json:
    """Return a dashboard's JSON."""
    board: Json = json.loads(text)
    return board
