"""`tabuah outages`: the ledger as a list, as a table, and as the chain that proves it whole."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Final

import click

from collector.options import data_given, record_data_option
from collector.sla_cli import MonthType
from tabuah.options import output_option

_COLUMNS: Final = (
    "id",
    "site",
    "circuit",
    "began",
    "ended",
    "kind",
    "cause",
    "countable",
    "confidence",
    "liability",
    "version",
    "reason",
)


@click.group(invoke_without_command=True, short_help="The ledger of outages; its proof; exports.")
@record_data_option()
@click.option("--site", metavar="CODE", help="One office; all without it.")
@click.option("--month", type=MonthType(), help="In the organisation's time zone; all without it.")
@output_option("csv", says="csv: the newest version of each, for a spreadsheet.")
@click.pass_context
def outages(
    ctx: click.Context, *, data: Path | None, site: str | None, month: str | None, output: str
) -> None:
    """List outages, the newest version of each, the oldest first.

    Asks the running collector, or reads its store when none runs.

    \b
    Example:
        tabuah outages --month 2026-11 --site 13.02.10 --data /var/lib/tabuah-collector
        tabuah outages --month 2026-11 -o csv --data /var/lib/tabuah-collector > outages.csv
        tabuah outages verify --data /var/lib/tabuah-collector
    """  # noqa: D301 - \b keeps click from joining the lines
    ctx.obj = data
    if ctx.invoked_subcommand is not None:
        return
    from collector import record_access  # noqa: PLC0415 - SQLAlchemy and httpx are slow to load

    found = record_access.outages(data_given(ctx, data), site, month)
    if output == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif output == "csv":
        click.echo(_table(found), nl=False)
    else:
        for one in found:
            counts = "countable" if one["countable"] else one["kind"]
            click.echo(
                f"{one['site']:10} {one['circuit']:8} {one['began']} {one['ended'] or 'open':24} "
                f"{one['cause']:13} {counts:11} {one['confidence']:11} "
                f"v{one['version']} {one['id']}"
            )
        if not found:
            click.echo("no outages", err=True)


@outages.command(short_help="Was the ledger touched after it was written?")
@record_data_option()
@output_option()
@click.pass_context
def verify(ctx: click.Context, *, data: Path | None, output: str) -> None:
    """Check the chain of the ledger; exits with 1 and names the first entry that does not hold.

    The last hash that is printed proves all entries up to it: keep it with a signed report.

    \b
    Example:
        tabuah outages verify --data /var/lib/tabuah-collector
    """  # noqa: D301
    from collector import record_access  # noqa: PLC0415
    from collector.ledger_file import read_export  # noqa: PLC0415
    from tabuah.chain import verify as verify_chain  # noqa: PLC0415

    entries = read_export(record_access.ledger(data_given(ctx, data)))
    fault = verify_chain(entries)
    last = entries[-1].hash if entries else None
    if output == "json":
        said = None if fault is None else {"number": fault.number, "why": fault.why}
        click.echo(json.dumps({"entries": len(entries), "last": last, "fault": said}, indent=2))
    elif fault is None:
        click.echo(f"{len(entries)} entries hold; the last is {last or '-'}")
    else:
        click.echo(f"entry {fault.number}: {fault.why}")
    if fault is not None:
        ctx.exit(1)


@outages.command(short_help="The whole ledger, every version.")
@record_data_option()
@click.option(
    *("-o", "--output"),
    type=click.Choice(["json", "csv"]),
    default="json",
    show_default=True,
    help="json: one entry a line, enough to verify it anywhere; csv: the outages' versions.",
)
@click.pass_context
def export(ctx: click.Context, *, data: Path | None, output: str) -> None:
    """Print the whole ledger: every version of every verdict, and what people said.

    \b
    Example:
        tabuah outages export --data /var/lib/tabuah-collector > ledger.jsonl
    """  # noqa: D301
    from collector import record_access  # noqa: PLC0415
    from collector.judgement.ledger import export_csv  # noqa: PLC0415
    from collector.ledger_file import read_export  # noqa: PLC0415

    text = record_access.ledger(data_given(ctx, data))
    click.echo(text if output == "json" else export_csv(read_export(text)), nl=False)


@outages.command(short_help="Say whose an outage is.")
@click.argument("outage", metavar="ID")
@click.argument("whose", metavar="provider|ours|CAUSE")
@record_data_option()
@click.pass_context
def liability(ctx: click.Context, *, outage: str, whose: str, data: Path | None) -> None:
    """Say whose fault one outage was; it decides what was open in the contract.

    \b
    Example:
        tabuah outages liability 13.02.10/telkom/1795500017000 provider --data ...
    """  # noqa: D301
    from collector import record_access  # noqa: PLC0415

    record_access.say(data_given(ctx, data), "liability", outage, text=whose)
    click.echo(f"{outage}: noted", err=True)


def _table(found: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    table = csv.DictWriter(out, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows({**one, "countable": "yes" if one["countable"] else "no"} for one in found)
    return out.getvalue()
