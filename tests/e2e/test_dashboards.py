"""Every panel of every dashboard has data from a real Prometheus that scraped the demo.

The demo has an office that is cut, a lossy and a slow one in its history, as a panel of incidents
needs. The rules beside the dashboards are the exported ones.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from alerts.grafana.boards import all_of_them
from tests.e2e.test_demo import KUBUNG, Demo
from tests.support.dashboards import emptiness, filled, read
from tests.support.programs import seconds_until
from tests.support.timeseries import Database, prometheus_of

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]

SCRAPE = "2s"
VARIABLES = {
    "kabupaten": ".*",
    "site": KUBUNG,
    "job": ".*",
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo") / "data")
    try:
        yield running
    finally:
        assert running.stop() == 0, running.said()


@pytest.fixture(scope="module")
def database(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    seconds_until(lambda: demo.get("metrics").text.count(',state="up"} 1') == 14, 60)
    folder = tmp_path_factory.mktemp("prometheus")
    where = urlsplit(demo.url()).netloc
    _export(demo.data / "inventory", folder, where)
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}
    config.pop("alerting")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with prometheus_of(folder) as running:
        demo.command("loss", "singkarak", "30")
        demo.command("delay", "lurah", "400")
        demo.command("cut", "13.02.12")
        seconds_until(lambda: "tabuah_incident_active{" in demo.get("metrics").text, 40)
        seconds_until(lambda: "tabuah_circuit_month_seconds{" in demo.get("metrics").text, 40)
        seconds_until(lambda: bool(_ask(running)("tabuah_incident_active")), 20)
        seconds_until(lambda: bool(_ask(running)("tabuah:circuit_bad:avg30m")), 20)
        seconds_until(lambda: bool(_ask(running)("rate(tabuah_reports_total[1m]) > 0")), 20)
        yield running


def _export(inventory: Path, out: Path, collector: str) -> None:
    words = ("monitoring", "export", "--inventory", str(inventory), "--out", str(out))
    subprocess.run(
        [sys.executable, "-m", "tabuah", *words, "--collector", collector],
        check=True,
        capture_output=True,
        timeout=60,
    )


class _Ask:
    """A query's series, by their labels."""

    def __init__(self, database: Database) -> None:
        self._url = f"http://127.0.0.1:{database.port}/api/v1/query"

    def __call__(self, query: str) -> Sequence[Mapping[str, str]]:
        reply = httpx.get(self._url, params={"query": query}, timeout=10)
        assert reply.status_code == 200, f"{query}: {reply.text}"
        result = reply.json()["data"]["result"]
        return [series["metric"] for series in result if series["value"][1] != "NaN"]


_ask = _Ask


@pytest.mark.parametrize("name", [name for name, _ in all_of_them() if name.startswith("id/")])
def test_every_panel_has_data(database: Database, name: str) -> None:
    board = read(dict(all_of_them())[name])
    assert "\n".join(emptiness(board, _Ask(database), VARIABLES)) == ""


def test_every_variable_has_values_and_every_annotation_can_be_asked(database: Database) -> None:
    ask = _Ask(database)
    for name, text in all_of_them():
        board = read(text)
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                assert ask(_metric(variable["query"])), (name, variable["name"])
        for one in board["annotations"].get("list", ()):
            if "expr" in one:
                ask(filled(one["expr"], VARIABLES))


def _metric(query: str) -> str:
    """Return the expression in `label_values(expression, label)` or `query_result(expression)`."""
    inner = query.partition("(")[2].removesuffix(")")
    return inner.rpartition(", ")[0] or inner


def test_a_panel_of_what_is_not_there_is_seen(database: Database) -> None:
    board = read(dict(all_of_them())["id/office.json"])
    shown = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    shown["targets"][0]["expr"] = "tabuah_no_such_metric"
    assert any("empty" in fault for fault in emptiness(board, _Ask(database), VARIABLES))
    shown["targets"][0]["expr"] = "tabuah_site_up"
    shown["targets"][0]["legendFormat"] = "{{nobody}}"
    assert any("nobody" in fault for fault in emptiness(board, _Ask(database), VARIABLES))
