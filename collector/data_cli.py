"""`tabuah data`: check, back up and restore what a collector keeps."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tabuah.options import output_option

if TYPE_CHECKING:
    from collector.checking import Findings

_LISTED = 20

_data = click.option(
    "--data",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="The collector's data folder.",
)


@click.group(short_help="Check, back up and restore what the centre keeps.")
def data() -> None:
    """Check, back up and restore what the centre keeps."""


@data.command(short_help="Is the store whole, and is every report there once?")
@_data
@click.option(
    "--store",
    metavar="URL",
    help="The database, where the collector was started with --store.",
)
@output_option()
@click.pass_context
def check(ctx: click.Context, *, folder: Path, store: str | None, output: str) -> None:
    """Read the whole store: integrity, missing and double reports, days without an index.

    Works beside a running collector; a report that is still on its way is missing, too. Exits
    with 0 if nothing was found, with 1 if something was.

    \b
    Example:
        tabuah data check --data /var/lib/tabuah-collector
    """  # noqa: D301 - \b keeps click from joining the lines
    from collector import checking  # noqa: PLC0415 - SQLAlchemy is slow to load
    from collector.cli import database_url  # noqa: PLC0415
    from collector.store import Store  # noqa: PLC0415

    place = folder if store is None else database_url(store)
    with Store.open(place, read_only=True) as opened:
        found = checking.check(opened, time.time_ns() // 1_000_000)
    if output == "json":
        click.echo(json.dumps(_as_json(found), indent=2))
    else:
        _tell(found)
    if not found.good:
        ctx.exit(1)


@data.command(short_help="Copy everything into one file, beside a running collector.")
@_data
@click.option("--out", metavar="FILE", required=True, type=click.Path(path_type=Path))
def backup(*, folder: Path, out: Path) -> None:
    """Write the store, the identity and the offices' keys into one archive of mode 0600.

    The collector goes on meanwhile. Whoever has the archive can pass for any office: keep it as
    you keep the keys. It takes twice the store's size beside FILE while it is made.

    \b
    Example:
        tabuah data backup --data /var/lib/tabuah-collector --out /backup/tabuah-1.tar
    """  # noqa: D301
    from collector.archive import back_up  # noqa: PLC0415

    stored = back_up(folder, out, _progress)
    if not stored:
        click.echo(
            f"{folder}: no store here; if the reports are in PostgreSQL, back that up with pg_dump",
            err=True,
        )
    click.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB", err=True)


@data.command(short_help="Unpack a backup into an empty folder.")
@_data
@click.option(
    *("--from", "source"),
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
def restore(*, folder: Path, source: Path) -> None:
    """Unpack a backup into a folder that is empty, or not there yet.

    The collector may be started with it at once: offices that reported since the backup go on
    by themselves. What they had acknowledged since then is gone, and shows in `tabuah data check`.

    \b
    Example:
        tabuah data restore --data /var/lib/tabuah-collector --from /backup/tabuah-1.tar
    """  # noqa: D301
    from collector import archive  # noqa: PLC0415

    for name in archive.restore(folder, source):
        click.echo(f"{folder / name}", err=True)


@data.command(short_help="Save what can be read of a damaged store.")
@_data
def salvage(*, folder: Path) -> None:
    """Move a damaged store aside and make a new one of what can be read in it.

    The collector must be stopped. A recent backup may hold more: `tabuah data check` says, for
    either, which reports are missing.

    \b
    Example:
        tabuah data salvage --data /var/lib/tabuah-collector
    """  # noqa: D301
    from collector.run import only_one  # noqa: PLC0415
    from collector.salvage import salvage as save  # noqa: PLC0415

    with only_one(folder):
        saved = save(folder)
    click.echo(
        f"{saved.reports} reports saved, {saved.lost} known to be lost; the damaged store lies in "
        f"{saved.aside}",
        err=True,
    )


def _progress(done: int, pages: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == pages else ""
        click.echo(f"\rstore: {100 * done // (pages or 1)} %{end}", nl=False, err=True)


def _as_json(found: Findings) -> dict[str, object]:
    return {
        "sites": found.sites,
        "reports": found.reports,
        "integrity": list(found.integrity),
        "missing": [
            {"site": site, "epoch": f"{epoch:016x}", "from": first, "to": last}
            for site, epoch, first, last in found.missing
        ],
        "duplicates": [
            {"site": site, "epoch": f"{epoch:016x}", "seq": seq}
            for site, epoch, seq in found.doubles
        ],
        "days_without_index": list(found.unindexed),
    }


def _tell(found: Findings) -> None:
    click.echo(f"{found.reports} reports of {found.sites} offices")
    _list("the database is damaged:", found.integrity)
    _list(
        "missing:",
        [
            f"{site} epoch {epoch:016x}: {first} to {last} ({last - first + 1})"
            for site, epoch, first, last in found.missing
        ],
    )
    _list(
        "more than once:",
        [f"{site} epoch {epoch:016x}: {seq}" for site, epoch, seq in found.doubles],
    )
    _list("days without an index:", [str(day) for day in found.unindexed])
    if found.good:
        click.echo("nothing is wrong")


def _list(head: str, lines: list[str] | tuple[str, ...]) -> None:
    if lines:
        click.echo(head)
    for line in lines[:_LISTED]:
        click.echo(f"  {line}")
    if len(lines) > _LISTED:
        click.echo(f"  and {len(lines) - _LISTED} more; all of them with -o json")
