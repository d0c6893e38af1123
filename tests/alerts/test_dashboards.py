"""The dashboards as they are shipped: made from the code, whole, and mutations of them are seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

import alerts.grafana
from alerts.grafana.boards import all_of_them
from tests.support.dashboards import Json, faults, panels, read

SHIPPED = Path(alerts.grafana.__file__).parent / "dashboards"
MADE = dict(all_of_them())
OFFICE = "id/office.json"


def test_what_is_shipped_is_what_the_code_makes() -> None:
    shipped = {str(path.relative_to(SHIPPED)): path for path in SHIPPED.rglob("*.json")}
    assert shipped.keys() == MADE.keys(), "python -m alerts.grafana"
    for name, path in shipped.items():
        assert path.read_text("utf-8") == MADE[name], f"{name}: python -m alerts.grafana"


@pytest.mark.parametrize("name", MADE)
def test_a_dashboard_has_no_fault(name: str) -> None:
    assert list(faults(read(MADE[name]))) == []


def test_both_languages_have_the_same_panels_queries_and_addresses() -> None:
    for name, text in MADE.items():
        language, _, board = name.partition("/")
        if language == "id":
            here, there = read(text), read(MADE[f"en/{board}"])
            assert here["uid"] == there["uid"]
            for one, other in zip(panels(here), panels(there), strict=True):
                assert (one["id"], one["type"]) == (other["id"], other["type"])
                for asked, also in zip(one["targets"], other["targets"], strict=True):
                    assert asked["expr"] == also["expr"]


def _lines(board: Json) -> Json:
    return next(panel for panel in panels(board) if panel["type"] == "timeseries")


def _table(board: Json) -> Json:
    return next(panel for panel in panels(board) if panel["type"] == "table")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda b: b.update(uid=""), "uid"),
        (lambda b: _lines(b).update(id=panels(b)[-1]["id"]), "one id"),
        (lambda b: _lines(b).update(gridPos=panels(b)[0]["gridPos"]), "lies on"),
        (lambda b: _lines(b)["gridPos"].update(x=20), "edge"),
        (lambda b: _lines(b).update(description=""), "description"),
        (lambda b: _lines(b)["fieldConfig"]["defaults"].update(unit="seconds"), "unit"),
        (lambda b: _lines(b)["targets"][0].update(legendFormat=""), "legend"),
        (lambda b: _lines(b)["targets"][0].update(format="table"), "format"),
        (lambda b: _lines(b)["targets"][0]["datasource"].update(uid="abc"), "data source"),
        (lambda b: _lines(b)["targets"][0].update(expr="rate(x[5m]"), "rate(x[5m]"),
        (lambda b: _lines(b)["targets"][0].update(expr='x{site="$sites"}'), "variable"),
        (lambda b: _table(b).update(transformations=[]), "order"),
        (lambda b: b["templating"].update(list=[]), "variable for the data source"),
    ],
)
def test_a_broken_dashboard_is_seen(broken: Callable[[Json], None], said: str) -> None:
    board = copy.deepcopy(read(MADE[OFFICE]))
    broken(board)
    assert any(said in fault for fault in faults(board))
