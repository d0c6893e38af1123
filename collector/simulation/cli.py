"""`tabuah simulate`: many offices that are not there, over the real protocol."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import click

from collector.cli import EndpointType
from collector.simulation import fleet
from collector.simulation.drive import Cut, Drive, Plan
from collector.simulation.tally import Tally
from inventory.model import Endpoint

_CUT = re.compile(r"(\d+(?:\.\d+)?)@(\d+(?:\.\d+)?)", re.ASCII)


class CutType(click.ParamType[Cut]):
    """SECONDS@SECOND."""

    name = "SECONDS@SECOND"

    def convert(
        self, value: str | Cut, param: click.Parameter | None, ctx: click.Context | None
    ) -> Cut:
        """Return the cut that `value` is."""
        if isinstance(value, Cut):
            return value
        match = _CUT.fullmatch(value)
        if match is None:
            self.fail(f"'{value}' is no cut; 30@60 is one of 30 s that begins after 60", param, ctx)
        return Cut(float(match[1]), float(match[2]))


@click.command(short_help="Simulate many offices, to load a collector or to rehearse.")
@click.option(
    "--sites", metavar="N", required=True, type=click.IntRange(1, fleet.MOST), help="How many."
)
@click.option(
    "--interval",
    metavar="SECONDS",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Between one office's reports.",
)
@click.option(
    "--collector",
    "address",
    metavar="HOST:PORT",
    required=True,
    type=EndpointType(),
    help="Where the collector listens for reports.",
)
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The collector's data folder: the offices are enrolled there.",
)
@click.option(
    "--seconds", type=click.FloatRange(0), default=0.0, help="How long; 0 = until Ctrl-C."
)
@click.option("--loss", metavar="PERCENT", type=click.FloatRange(0, 95), default=0.0, help="Lost.")
@click.option(
    "--cut",
    "cuts",
    type=CutType(),
    multiple=True,
    help="No line for so long, so long after the start; may be repeated.",
)
@click.option(
    "--backlog", metavar="N", type=click.IntRange(0), default=0, help="Reports in each spool."
)
@click.option(
    "--skew", metavar="SECONDS", type=float, default=0.0, help="How far the clocks are ahead."
)
@click.option("--return", "all_at_once", is_flag=True, help="All begin in the same moment.")
@click.option(
    "--presign",
    is_flag=True,
    help="Encode and sign all reports before the start; takes --seconds. For the highest rates.",
)
@click.option(
    *("-o", "--output"),
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
)
def simulate(
    *,
    sites: int,
    interval: float,
    address: Endpoint,
    data: Path,
    seconds: float,
    loss: float,
    cuts: tuple[Cut, ...],
    backlog: int,
    skew: float,
    all_at_once: bool,
    presign: bool,
    output: str,
) -> None:
    """Let N offices, sim-00001 and on, report to a running collector, and say what came of it.

    They speak the real protocol with real keys: the collector takes their reports, stores and
    acknowledges them. They are not in its inventory, so that they show on no page and make no
    alert.

    Exit code: 0 when every report was acknowledged, else 1.

    \b
    Examples:
        tabuah simulate --sites 500 --collector 127.0.0.1:10162 --data /var/lib/tabuah-collector
        tabuah simulate --sites 1000 --seconds 300 --loss 30 --cut 60@30 --backlog 360 ...
    """  # noqa: D301 - \b keeps click from joining the lines
    if presign and not seconds:
        raise click.UsageError("--presign takes --seconds: it must know how many reports there are")
    plan = Plan(interval, seconds, loss / 100, cuts, backlog, all_at_once)
    made = fleet.offices(data, sites, interval_s=interval, backlog=backlog, skew_s=skew)
    drive = Drive(plan, made, (address.host, address.port))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: setattr(drive, "stopping", True))
    try:
        if presign:
            click.echo("signing the reports of the whole run", err=True)
            drive.introduce()
            drive.presign()
        tally = drive.run()
    finally:
        drive.close()
    _print(sites, interval, tally, output)
    if tally.acknowledged < tally.reports:
        raise SystemExit(1)


def _print(sites: int, interval_s: float, tally: Tally, output: str) -> None:
    figures = {"sites": sites, "interval_s": interval_s, **tally.figures()}
    if output == "json":
        click.echo(json.dumps(figures, indent=2))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        click.echo(f"{name.replace('_', ' '):{width}}  {value}")
