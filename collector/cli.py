"""The centre's commands, as people type them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from collector import enrolled
from collector.enrol import enrol as enrol_offices
from collector.enrol import file_name
from collector.log_lines import Together
from collector.options import data_option, running_option
from inventory.compiled import open_inventory
from inventory.load import load
from inventory.model import Endpoint
from inventory.secret import SecretRef
from inventory.values import endpoint
from tabuah.options import inventory_option, output_option


class EndpointType(click.ParamType[Endpoint]):
    """HOST:PORT; an IPv6 address stands in brackets."""

    name = "HOST:PORT"

    def convert(
        self, value: str | Endpoint, param: click.Parameter | None, ctx: click.Context | None
    ) -> Endpoint:
        """Return the address that `value` is."""
        if isinstance(value, Endpoint):
            return value
        try:
            return endpoint(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(short_help="Make an office's configuration, its key included; or revoke its keys.")
@click.argument("sites", metavar="SITE...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All offices of the inventory.")
@inventory_option(required=False)
@data_option()
@click.option(
    "--collector",
    "collectors",
    metavar="HOST:PORT",
    multiple=True,
    type=EndpointType(),
    help="Where offices reach this collector; give it again for a second address of the same one.",
)
@click.option(
    "--out",
    metavar="FILE|DIR",
    default=".",
    show_default=True,
    help="Where to write; in a folder the file is called agent-CODE.toml.",
)
@click.option(
    "--rotate", is_flag=True, help="A new key; the old one works until the new one is first used."
)
@click.option("--force", is_flag=True, help="Replace a file even if it is another office's.")
@click.option(
    "--revoke",
    is_flag=True,
    help="Make all keys of the offices void, and write no file; takes --data alone.",
)
def enrol(
    *,
    sites: tuple[str, ...],
    every: bool,
    directory: Path | None,
    data: Path,
    collectors: tuple[Endpoint, ...],
    out: str,
    rotate: bool,
    force: bool,
    revoke: bool,
) -> None:
    """Make the configuration of one or more offices' agents, their keys included.

    Each is written to a file of mode 0600, never to the terminal: carry it to the office's
    gateway over a channel that you trust. Works beside a running collector, which needs no
    restart. Done again, it writes the same key; --rotate makes a new one.

    An office that reports to two collectors is enrolled with each; copy the [[collectors]] part
    of the second file into the first.

    A gateway that was stolen or given away: --revoke. The collector refuses its keys within two
    seconds; enrol the office again for a new one.

    \b
    Example:
        tabuah enrol 13.02.10 --revoke --data /var/lib/tabuah-collector
    """  # noqa: D301 - \b keeps click from joining the lines
    if revoke:
        if every or rotate or force or collectors or not sites:
            raise click.UsageError("--revoke takes the offices' codes and --data, nothing else")
        _revoke(sites, data)
        return
    if directory is None:
        raise click.UsageError("Missing option '--inventory'.")
    if not collectors:
        raise click.UsageError("Missing option '--collector'.")
    if bool(sites) == every:
        raise click.UsageError("name the offices, or give --all")
    inventory = open_inventory(directory, data) if data.is_dir() else load(directory)
    codes = inventory.codes if every else list(dict.fromkeys(sites))
    for code in () if every else codes:
        inventory.site(code)  # before anything is made
    made = enrol_offices(
        inventory, _paths(codes, out), data, collectors, rotate=rotate, force=force
    )
    for office in made:
        click.echo(f"{office.path}: {office.user}", err=True)


def _revoke(sites: tuple[str, ...], data: Path) -> None:
    if not data.is_dir():
        raise click.UsageError(f"--data {data}: there is no such folder")
    for code, generation in enrolled.revoke(data, sites).items():
        click.echo(
            f"{code}: revoked, all keys up to {code}#{generation}; nothing of this "
            f"office is accepted until it has a new one: tabuah enrol {code}",
            err=True,
        )


def _paths(codes: Sequence[str], out: str) -> dict[str, Path]:
    """Return the file of each office, making the folder if `out` must be one."""
    target = Path(out)
    if len(codes) > 1 or out.endswith(os.sep) or target.is_dir():
        if target.exists() and not target.is_dir():
            raise click.UsageError(f"--out {out}: several offices need a folder, this is a file")
        try:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise click.UsageError(f"--out {out}: {error.strerror}") from error
        return {code: target / file_name(code) for code in codes}
    return dict.fromkeys(codes, target)


@click.group(short_help="The centre: receive, store, judge and show.")
def collector() -> None:
    """The centre: receives the offices' reports, keeps them, judges and shows."""


@collector.command(short_help="Receive reports until stopped.")
@inventory_option()
@data_option("Where reports and keys are kept; made if it is not there.")
@click.option(
    "--listen",
    type=EndpointType(),
    default="0.0.0.0:10162",
    show_default=True,
    help="For reports, UDP.",
)
@click.option(
    "--reflect",
    type=EndpointType(),
    default="0.0.0.0:10862",
    show_default=True,
    help="For the STAMP reflector, UDP.",
)
@click.option(
    "--http",
    type=EndpointType(),
    default="127.0.0.1:8080",
    show_default=True,
    help="For the page, /metrics and the API. Beyond loopback it takes a token or TLS.",
)
@click.option(
    "--http-name",
    "http_names",
    metavar="NAME",
    multiple=True,
    help="A name by which a proxy asks for the page; without a token only loopback's are answered.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with the token that the page asks for.",
)
@click.option(
    "--tls-certificate",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PEM file with the certificate chain.",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PEM file with its key.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Keep the reports in PostgreSQL: postgresql+psycopg://..., or, with a password in it, "
    "env:NAME or file:PATH where the URL stands. Keys stay in --data.",
)
@click.option(
    "--public-status",
    is_flag=True,
    help="Show /status to everybody who reaches --http, without a token.",
)
@click.option("--verbose", is_flag=True, help="Log every decision.")
def run(
    *,
    directory: Path,
    data: Path,
    listen: Endpoint,
    reflect: Endpoint,
    http: Endpoint,
    http_names: tuple[str, ...],
    token_file: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    store: str | None,
    public_status: bool,
    verbose: bool,
) -> None:
    """Receive the offices' reports, keep and judge them, and show what is known, until stopped.

    SIGHUP reads the inventory anew and keeps the old one if it is invalid.

    \b
    Example:
        tabuah collector run --inventory /etc/tabuah/inventory --data /var/lib/tabuah-collector
    """  # noqa: D301 - \b keeps click from joining the lines
    from collector import run as program  # noqa: PLC0415 - slow to load, and only run needs it
    from collector.server import Tls  # noqa: PLC0415

    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key belong together")
    tls = None
    if tls_certificate is not None and tls_key is not None:
        tls = Tls(tls_certificate, tls_key)
    options = program.Options(
        inventory=directory,
        data=data,
        listen=(listen.host, listen.port),
        reflect=(reflect.host, reflect.port),
        http=(http.host, http.port),
        token=None if token_file is None else _token(token_file),
        tls=tls,
        store=None if store is None else database_url(store),
        http_names=http_names,
        public_status=public_status,
    )
    program.check(options)
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",  # the system's log adds the time
        handlers=[Together()],
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs URLs, and a URL may be secret
    asyncio.run(program.Program(options).run())


def database_url(text: str) -> str:
    """Return the URL that `text` is, or that stands where it says (env:NAME, file:PATH).

    Raises:
        UsageError: a password stands in it: other users of the machine see command lines.
    """
    if text.startswith(("env:", "file:")):
        return SecretRef.parse(text, "--store").resolve(Path.cwd())
    if urlsplit(text).password is not None:
        raise click.UsageError("--store: a password must not stand here; use env:NAME or file:PATH")
    return text


def _token(path: Path) -> str:
    token = path.read_text().strip()
    if len(token) < 16:
        raise click.UsageError(f"--token-file {path}: a token has at least 16 characters")
    return token


@click.command(short_help="What is known of each office now.")
@running_option()
@output_option()
def sites(*, data: Path, output: str) -> None:
    """Print the state of each office, as the running collector knows it.

    \b
    Example:
        tabuah sites --data /var/lib/tabuah-collector -o json
    """  # noqa: D301
    from collector.asking import ask  # noqa: PLC0415 - it loads an HTTP client

    offices = ask(data, "/api/v1/sites")
    if output == "json":
        click.echo(json.dumps(offices, indent=2, ensure_ascii=False))
        return
    width = max((len(office["name"]) for office in offices), default=0)
    for office in offices:
        click.echo(
            f"{office['code']:10} {office['name']:{width}} {office['state']:8} "
            f"since {office['since']}  last report {office['last_report'] or '-'}"
            + (f"  {office['cause']}, {office['incident']}" if office["incident"] else "")
        )
