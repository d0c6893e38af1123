"""`tabuah inventory`: reads as the collector would, and says what is wrong or lacking."""

from __future__ import annotations

import json
import re
from importlib.metadata import entry_points
from operator import attrgetter
from pathlib import Path

import click

from inventory.check import Gap, gaps
from inventory.importing import plan, write
from inventory.load import load
from inventory.model import HEAD, Inventory
from tabuah.errors import ConfigError, Problem
from tabuah.options import inventory_option, output_option

CHECKS = "tabuah.inventory_checks"
"""The entry points of functions from an inventory to problems."""
_PLACE = re.compile(r"(.*):([0-9]+)", re.DOTALL)
_EACH = 5
"""A gap that more sites share is one line that names them."""
_NAMED = 20


@click.group(no_args_is_help=True)
def inventory() -> None:
    """What exists and what was promised: the directory of YAML that describes the offices."""


@inventory.command()
@click.argument("directory", type=click.Path(path_type=Path))
@output_option(says="json: one object with 'sites' (their number), 'errors' and 'warnings'.")
@click.pass_context
def check(context: click.Context, directory: Path, output: str) -> None:
    """Validate DIRECTORY/inventory.yaml and DIRECTORY/sites/*.yaml, and say what offices lack.

    Errors keep the collector from starting, but for those in texts of your own, in whose place the
    shipped ones would be sent. Warnings do not: each says what cannot be diagnosed or claimed for
    want of it. No secret is read.

    \b
    Exit code: 0 valid, perhaps with warnings; 2 errors.

    \b
    Examples:
      tabuah inventory check /etc/tabuah
      tabuah inventory check . -o json | jq '.warnings[] | select(.site == "13.02.10")'

    \b
    The smallest inventory is DIRECTORY/inventory.yaml with:
      organisation: Dinas Kominfo Kabupaten Solok
      sites:
        - {code: "13.02.10", name: Kantor Camat Kubung}
    """  # noqa: D301 - click needs the backspace itself
    errors: tuple[Problem, ...] = ()
    found: tuple[Gap, ...] = ()
    sites = 0
    try:
        loaded = load(directory)
    except ConfigError as error:
        errors = error.problems
    else:
        errors = _found_by_others(loaded)
        found = (*_missing_files(loaded), *gaps(loaded))
        sites = len(loaded.sites)
    if output == "json":
        click.echo(json.dumps(_as_json(sites, errors, found), ensure_ascii=False, indent=2))
    else:
        for line in _as_text(sites, errors, found):
            click.echo(line)
    if errors:
        context.exit(ConfigError.exit_code)


@inventory.command("import")
@click.argument("table", metavar="FILE.csv", type=click.Path(path_type=Path))
@inventory_option(says="The inventory; its inventory.yaml must be there.")
@click.option(
    "--group-by",
    type=click.Choice(["kabupaten", "kecamatan"]),
    default="kabupaten",
    show_default=True,
    help="What each file of DIR/sites holds.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option(
    "--overwrite", is_flag=True, help="Replace files of a group's name that are written by hand."
)
def import_(*, table: Path, directory: Path, group_by: str, dry_run: bool, overwrite: bool) -> None:
    """Take the sites of a table into DIR/sites, one file for each kabupaten.

    The first line names the columns, in any order; code and name are needed. Comma, semicolon
    or tab separates; save it as UTF-8. Every row is checked as YAML is, and nothing is written
    when one is wrong. Done again, it changes only what is different in the table. Sites that
    the table lacks stay, and so does whatever was written by hand.

    \b
    Columns:
      code name kind kecamatan kabupaten lat lon precision upstream power_group ups hours
      address interval services            several services with spaces between them
      contact phone email                  better as env:NAME
      circuit provider product technology sid interface down up
      availability monthly_fee formula min_outage mttr
      gateway first_hop public             a host to ping, probes of these roles
      centre                               HOST:PORT, the collector's reflector

    \b
    Examples:
      tabuah inventory import desa.csv --inventory /etc/tabuah --dry-run
      tabuah inventory import desa.csv --inventory /etc/tabuah --group-by kecamatan

    \b
    The smallest table:
      code,name,kecamatan,kabupaten
      13.02.10.2001,Kantor Wali Nagari Koto Baru,Kubung,Kabupaten Solok
    """  # noqa: D301 - click needs the backspace itself
    todo = plan(table, directory, attrgetter(group_by), overwrite=overwrite)
    if not dry_run:
        write(todo)
    for path in todo.files:
        click.echo(f"{'would write' if dry_run else 'wrote'} {path}", err=True)
    click.echo(f"{todo.new} new, {todo.changed} changed, {todo.unchanged} unchanged")


def _found_by_others(loaded: Inventory) -> tuple[Problem, ...]:
    """Return what is wrong with that which the inventory names and other packages read."""
    checks = [point.load() for point in entry_points(group=CHECKS)]
    return tuple(problem for check in checks for problem in check(loaded))


def _missing_files(loaded: Inventory) -> tuple[Gap, ...]:
    """Return what is lacking on disk; the map is not worth a collector that refuses to start."""
    path = loaded.boundaries
    if path is None:
        return ()
    try:
        there = path.is_file()
    except OSError:
        there = False
    what = f"boundaries: no such file {path}: the map shows points only"
    return () if there else (Gap(str(loaded.directory / HEAD), what),)


def _as_json(
    sites: int, errors: tuple[Problem, ...], found: tuple[Gap, ...]
) -> dict[str, int | list[dict[str, str | int | None]]]:
    return {
        "sites": sites,
        "errors": [{**_place(error.where), "message": error.what} for error in errors],
        "warnings": [{**_place(gap.where), "site": gap.site, "message": gap.what} for gap in found],
    }


def _place(where: str) -> dict[str, str | int | None]:
    match = _PLACE.fullmatch(where)
    return {"file": match[1], "line": int(match[2])} if match else {"file": where, "line": None}


def _as_text(sites: int, errors: tuple[Problem, ...], found: tuple[Gap, ...]) -> list[str]:
    lines = [f"{error.where}: error: {error.what}" for error in errors]
    shared: dict[str, list[Gap]] = {}
    for gap in found:
        shared.setdefault(gap.what, []).append(gap)
    for alike in shared.values():
        lines += _warning_lines(alike)
    if errors:
        return [*lines, f"{_count(len(errors), 'error')}; not usable"]
    return [*lines, f"{_count(sites, 'site')}, {_count(len(found), 'warning')}: usable"]


def _warning_lines(alike: list[Gap]) -> list[str]:
    """Return a line for each of a few, one for all of many."""
    if len(alike) <= _EACH:
        return [f"{gap.where}: warning: {gap.problem().what}" for gap in alike]
    codes = [gap.site or "" for gap in alike]
    named = ", ".join(codes[:_NAMED])
    more = f" and {len(codes) - _NAMED} more (-o json names all)" if len(codes) > _NAMED else ""
    return [f"{alike[0].where}: warning: {len(alike)} sites: {alike[0].what}: {named}{more}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
