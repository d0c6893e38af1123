"""`tabuah simulate`: many offices that are not there, over the real protocol."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from pathlib import Path

import click

from collector import drill as drills
from collector.cli import EndpointType
from collector.simulation.plan import ClockFault, Cut, Plan
from collector.simulation.tally import Tally
from inventory.model import Endpoint
from tabuah.options import output_option
from tabuah.units import duration_seconds

_CUT = re.compile(r"([^@:]+)@([^@:]+)(?::(\d+))?", re.ASCII)
_CLOCK = re.compile(r"(?:(1970)|([+-])([^:]+))(?::(\d+))?", re.ASCII)


class DurationType(click.ParamType[float]):
    """A number of seconds, or a duration with its unit."""

    name = "DURATION"

    def __init__(self, least: float = 0.0) -> None:
        """Refuse what is shorter than `least` seconds."""
        self._least = least

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return its seconds."""
        try:
            seconds = _seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds < self._least:
            self.fail(f"'{value}' is shorter than {self._least:g} s", param, ctx)
        return seconds


class CutType(click.ParamType[Cut]):
    """DURATION@AFTER[:SITES]."""

    name = "DURATION@AFTER[:SITES]"

    def convert(
        self, value: str | Cut, param: click.Parameter | None, ctx: click.Context | None
    ) -> Cut:
        """Return the cut that `value` is."""
        if isinstance(value, Cut):
            return value
        with contextlib.suppress(ValueError):
            if (match := _CUT.fullmatch(value)) is not None:
                return Cut(_seconds(match[1]), _seconds(match[2]), _sites(match[3]))
        return self.fail(
            f"'{value}' is no cut; 30s@1m is one of 30 s that begins after a minute, "
            "30s@1m:5 one of the first five offices",
            param,
            ctx,
        )


class ClockType(click.ParamType[ClockFault]):
    """1970, +DURATION or -DURATION, and [:SITES]."""

    name = "1970|+DURATION|-DURATION[:SITES]"

    def convert(
        self, value: str | ClockFault, param: click.Parameter | None, ctx: click.Context | None
    ) -> ClockFault:
        """Return the fault that `value` is."""
        if isinstance(value, ClockFault):
            return value
        with contextlib.suppress(ValueError):
            if (match := _CLOCK.fullmatch(value)) is not None:
                sign = -1 if match[2] == "-" else 1
                ahead_s = None if match[1] else sign * _seconds(match[3])
                return ClockFault(ahead_s, _sites(match[4]))
        return self.fail(
            f"'{value}' is no wrong clock; +1h is one that is an hour ahead, 1970:3 are three "
            "that were never set",
            param,
            ctx,
        )


@click.command(short_help="Simulate many offices, to load a collector or to rehearse.")
@click.option(
    "--sites", metavar="N", required=True, type=click.IntRange(1, drills.MOST), help="How many."
)
@click.option(
    "--interval",
    default="10s",
    show_default=True,
    type=DurationType(0.1),
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
@click.option("--seconds", type=DurationType(), default="0", help="How long; until Ctrl-C without.")
@click.option(
    "--loss",
    metavar="PERCENT",
    type=click.FloatRange(0, 95),
    default=0.0,
    help="Of the datagrams, each way.",
)
@click.option(
    "--cut",
    "cuts",
    type=CutType(),
    multiple=True,
    help="No line for so long, so long after the start; of all offices, or of the first SITES.",
)
@click.option(
    "--power-cut",
    "power_cuts",
    type=CutType(),
    multiple=True,
    help="No power: they say nothing, boot when it returns, and all report in that moment.",
)
@click.option(
    "--backlog", metavar="N", type=click.IntRange(0), default=0, help="Reports in each spool."
)
@click.option(
    "--clock",
    "clocks",
    type=ClockType(),
    multiple=True,
    help="A wrong clock, of all offices or of the next SITES; 1970 began when they booted.",
)
@click.option(
    "--return",
    "all_at_once",
    is_flag=True,
    help="Begin with the return of power: all boot, and report in the same moment.",
)
@click.option(
    "--presign",
    is_flag=True,
    help="Encode and sign all reports before the start; takes --seconds. For the highest rates.",
)
@click.option(
    "--drill",
    is_flag=True,
    help="Let the collector watch the offices meanwhile: metrics, incidents, alerts and all.",
)
@output_option()
def simulate(
    *,
    sites: int,
    interval: float,
    address: Endpoint,
    data: Path,
    seconds: float,
    loss: float,
    cuts: tuple[Cut, ...],
    power_cuts: tuple[Cut, ...],
    backlog: int,
    clocks: tuple[ClockFault, ...],
    all_at_once: bool,
    presign: bool,
    drill: bool,
    output: str,
) -> None:
    """Let N offices, sim-00001 and on, report to a running collector, and say what came of it.

    They speak the real protocol with real keys, and send again what is not acknowledged, as an
    agent does: the collector takes their reports, stores and acknowledges them. They are not in its
    inventory: without --drill they show on no page and in no metric, and make no incident and no
    alert. With it they do, under the name "Latihan" or "Drill", until this ends.

    Progress goes to stderr. Ctrl-C ends the run and prints the figures so far, after the last
    answers; a second one does not wait for those.

    Exit code: 0 when every report was acknowledged, else 1.

    \b
    Examples:
        tabuah simulate --sites 500 --collector 127.0.0.1:10162 --data /var/lib/tabuah-collector
        tabuah simulate --sites 1000 --seconds 5m --loss 30 --cut 1m@30s --backlog 360 ...
        tabuah simulate --sites 10000 --seconds 2m --return --backlog 60 ...
        tabuah simulate --sites 40 --drill --power-cut 3m@1m:12 --clock 1970:1 --clock +1h:1 ...
    """  # noqa: D301 - \b keeps click from joining the lines
    from collector.identity import Identity  # noqa: PLC0415 - slow to load, and only running needs it
    from collector.simulation import fleet  # noqa: PLC0415
    from collector.simulation.drive import Drive  # noqa: PLC0415

    if presign and not seconds:
        raise click.UsageError("--presign takes --seconds: it must know how many reports there are")
    if presign and power_cuts:
        raise click.UsageError("--presign and --power-cut: nobody signs what a dead machine sends")
    plan = Plan(
        interval, seconds, loss / 100, cuts, power_cuts, backlog, all_at_once=all_at_once,
        clocks=clocks,
    )  # fmt: skip
    identity = Identity.open(data)
    made = fleet.offices(data, identity, sites, plan)
    drive = Drive(
        *(plan, made, identity.engine_id, (address.host, address.port)),
        say=lambda line: click.echo(line, err=True),
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: drive.stop())
    watched = drills.held(data, drills.Drill(sites, interval)) if drill else None
    with contextlib.closing(drive), watched or contextlib.nullcontext():
        if presign:
            click.echo("signing the reports of the whole run", err=True)
            drive.presign()
        click.echo(f"{sites} offices report to {address}", err=True)
        tally = drive.run()
    _print(sites, interval, tally, output)
    if tally.missing:
        raise SystemExit(1)


def _print(sites: int, interval_s: float, tally: Tally, output: str) -> None:
    figures = {"sites": sites, "interval_s": interval_s, **tally.figures()}
    if output == "json":
        click.echo(json.dumps(figures, indent=2))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        click.echo(f"{name.replace('_', ' '):{width}}  {'-' if value is None else value}")


def _seconds(word: str) -> float:
    """Return the seconds of a duration; a bare number is of seconds.

    Raises:
        ValueError: it is none.
    """
    return float(word) if re.fullmatch(r"\d+(\.\d+)?", word, re.ASCII) else duration_seconds(word)


def _sites(word: str | None) -> int | None:
    return None if word is None else int(word)
