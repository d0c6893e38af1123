"""`tabuah demo` and what can be asked of a running one."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from demo.control import Reply, Request, Verb, ask
from demo.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.relay import Address

DEFAULT_DATA = Path(".tabuah-demo")
_data = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The demo's folder.  [default: ./{DEFAULT_DATA}]",
)
_site = click.argument("site")


@click.group(invoke_without_command=True)
@_data
@click.option("--fresh", is_flag=True, help="Forget what earlier runs left in the folder.")
@click.pass_context
def demo(ctx: click.Context, data: Path | None, fresh: bool) -> None:
    """Fourteen offices on this machine, over lines that can be cut.

    Without a subcommand: start the collector, its page and fourteen agents, and show them until
    Ctrl-C. The subcommands speak to a running demo. SITE is a code, a name, an unambiguous part
    of one, or 'all'.
    """
    ctx.obj = data
    if ctx.invoked_subcommand is None:
        _run(data or DEFAULT_DATA, fresh=fresh)


@demo.command()
@_site
@_data
@click.pass_context
def cut(ctx: click.Context, site: str, data: Path | None) -> None:
    """Let nothing pass the line of SITE."""
    _do(ctx, data, Request(Verb.CUT, site))


@demo.command()
@_site
@_data
@click.pass_context
def restore(ctx: click.Context, site: str, data: Path | None) -> None:
    """Make the line of SITE a good one again."""
    _do(ctx, data, Request(Verb.RESTORE, site))


@demo.command()
@_site
@click.argument("percent", type=click.FloatRange(0, 100))
@_data
@click.pass_context
def loss(ctx: click.Context, site: str, percent: float, data: Path | None) -> None:
    """Lose PERCENT of the packets of SITE, each way."""
    _do(ctx, data, Request(Verb.LOSS, site, percent))


@demo.command()
@_site
@click.argument("ms", type=click.FloatRange(0, 60_000))
@_data
@click.pass_context
def delay(ctx: click.Context, site: str, ms: float, data: Path | None) -> None:
    """Add MS milliseconds to the round trip of SITE."""
    _do(ctx, data, Request(Verb.DELAY, site, ms))


@demo.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@_data
@click.pass_context
def status(ctx: click.Context, output: str, data: Path | None) -> None:
    """List the offices of the running demo, and the conditions of their lines."""
    shown = _ask(ctx, data, Request(Verb.STATUS)).status or {}
    if output == "json":
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    sites = shown.get("sites")
    for site in sites if isinstance(sites, list) else ():
        condition = site["line"]["condition"]
        click.echo(f"{site['code']:<10}{site['state']:<10}{condition:<32}{site['name']}")


def _do(ctx: click.Context, data: Path | None, request: Request) -> None:
    for line in _ask(ctx, data, request).said:
        click.echo(line)


def _ask(ctx: click.Context, data: Path | None, request: Request) -> Reply:
    """Return the reply of the demo in `data`, given after the subcommand or before it."""
    return ask(Folder(data or ctx.obj or DEFAULT_DATA).socket, request)


def _run(data: Path, *, fresh: bool) -> None:
    # Here, because `tabuah demo cut` should not wait for rich, httpx and dnspython.
    from rich.console import Console  # noqa: PLC0415

    from demo.folder import claim  # noqa: PLC0415
    from demo.run import Demo, main_program, run_until_told  # noqa: PLC0415

    program = main_program(sys.argv[0], shutil.which("tabuah"))
    claimed = claim(data, fresh=fresh)
    try:
        asyncio.run(run_until_told(Demo(claimed.folder, Console(), _hints(program, data))))
    finally:
        claimed.release()


def _hints(program: str, data: Path) -> Callable[[Address], Sequence[str]]:
    """Return what to tell at the start, once the page's address is known."""
    where = "" if data == DEFAULT_DATA else f" --data {data}"

    def hints(http: Address) -> Sequence[str]:
        return (
            f"Page      http://{http}/",
            f"Metrics   http://{http}/metrics",
            f"API       http://{http}/api/v1/sites",
            f"Messages  {data}/webhook.jsonl",
            f"Logs      {data}/logs/",
            "Try in another terminal:",
            f"    {program} demo cut kubung{where}        silent within 20 s, and a message",
            f"    {program} demo restore kubung{where}    back, its missed reports too",
            f"    {program} demo loss kubung 30{where}    percent, each way",
            f"    {program} demo delay kubung 600{where}  ms of round trip, as by satellite",
            "Ctrl-C stops everything.",
        )

    return hints
