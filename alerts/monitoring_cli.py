"""`tabuah monitoring`: what Prometheus, Alertmanager and Grafana need, written into a folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from alerts import monitoring as made
from alerts.monitoring import Places
from inventory.load import load
from inventory.model import Language
from tabuah.address import host_port
from tabuah.errors import ConfigError, TabuahError
from tabuah.options import inventory_option


@click.group(no_args_is_help=True)
def monitoring() -> None:
    """Prometheus, Alertmanager and Grafana beside tabuah."""


@monitoring.command()
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write; made if it is not there, files of an earlier export are replaced.",
)
@inventory_option(says="The inventory: its objectives are checked.")
@click.option(
    "--collector",
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="The collector's page, as Prometheus reaches it.",
)
@click.option("--https", is_flag=True, help="The page is behind TLS.")
@click.option(
    "--token-file",
    metavar="FILE",
    default="",
    help="On Prometheus' machine: holds the page's token.",
)
@click.option(
    "--alertmanager",
    "alertmanagers",
    metavar="HOST:PORT",
    multiple=True,
    default=("127.0.0.1:9093",),
    show_default=True,
    help="May be given several times: all members of one cluster.",
)
@click.option(
    "--lang",
    "language",
    type=click.Choice([each.value for each in Language]),
    help="Of the dashboards; the inventory's if not given.",
)
@click.option(
    "--runbooks",
    metavar="URL",
    default="",
    help="Where the runbooks are published: URL/NAME. They are written beside the rules anyway.",
)
def export(
    out: Path,
    directory: Path,
    collector: str,
    *,
    https: bool,
    token_file: str,
    alertmanagers: tuple[str, ...],
    language: str | None,
    runbooks: str,
) -> None:
    """Write rules, runbooks, dashboards, and configurations of Prometheus and Alertmanager.

    An objective in the inventory at which an alert could never fire is refused.

    \b
    Examples:
      tabuah monitoring export --inventory /etc/tabuah --out monitoring
      tabuah monitoring export --inventory . --out /etc/prometheus/tabuah \\
          --collector 10.0.0.5:8443 --https --token-file /etc/prometheus/tabuah-token \\
          --alertmanager am1:9093 --alertmanager am2:9093

    \b
    Then:
      promtool check config monitoring/prometheus.yml
      amtool check-config monitoring/alertmanager.yml
      cp -r monitoring/grafana/provisioning/* /etc/grafana/provisioning/
      cp -r monitoring/grafana/dashboards /var/lib/grafana/tabuah
    """  # noqa: D301 - \b keeps click from joining the lines
    for place in (collector, *alertmanagers):
        _check_place(place)
    if runbooks and not runbooks.startswith(("http://", "https://")):
        raise click.BadParameter("write a URL that begins with http:// or https://")
    inventory = load(directory)
    problems = made.unreachable(inventory)
    if problems:
        raise ConfigError(problems)
    places = Places(
        collector, "https" if https else "http", token_file, tuple(alertmanagers), runbooks
    )
    try:
        boards = _grafana(language or inventory.language.value)
        for name, text in itertools.chain(_texts(places), boards):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(path)
    except OSError as error:
        raise TabuahError(f"{error.filename}: cannot be written: {error.strerror}") from error


def _check_place(place: str) -> None:
    try:
        host_port(place)
    except ValueError as error:
        raise click.BadParameter(f"'{place}': {error}") from error


def _texts(places: Places) -> Iterator[tuple[str, str]]:
    package = files("alerts")
    examples = package / "examples"
    yield (
        "prometheus.yml",
        made.prometheus((examples / "prometheus.yml").read_text("utf-8"), places),
    )
    yield (
        "alertmanager.yml",
        made.alertmanager((examples / "alertmanager.yml").read_text("utf-8")),
    )
    for rule_file in _sorted(package / "rules", ".yml"):
        yield f"rules/{rule_file.name}", made.rules(rule_file.read_text("utf-8"), places)
    for runbook in _sorted(package / "runbooks", ".md"):
        yield f"rules/runbooks/{runbook.name}", runbook.read_text("utf-8")


def _grafana(language: str) -> Iterator[tuple[str, str]]:
    package = files("alerts")
    for board in _sorted(package / "grafana" / "dashboards" / language, ".json"):
        yield f"grafana/dashboards/{board.name}", board.read_text("utf-8")
    for kind in ("dashboards", "datasources"):
        name = f"provisioning/{kind}/tabuah.yml"
        text = (package / "examples" / "grafana" / f"{kind}.yml").read_text("utf-8")
        yield f"grafana/{name}", text


def _sorted(folder: Traversable, suffix: str) -> list[Traversable]:
    return sorted(
        (each for each in folder.iterdir() if each.name.endswith(suffix)),
        key=lambda each: each.name,
    )
