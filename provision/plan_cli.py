"""`tabuah config plan`: what would change, and what speaks against it."""

from __future__ import annotations

import getpass
from contextlib import closing
from pathlib import Path

import click

from provision import driving, planfile
from provision.diff import as_json, as_text
from provision.drifts import Drifts
from provision.journal import Journal
from provision.options import colour, common, echo_json
from provision.workshop import Prepared, Workshop, judged_by
from tabuah.errors import ConfigError
from tabuah.options import output_option
from tabuah.wall import wall_ms


@click.command()
@click.argument("sites", metavar="[SITE]...", nargs=-1)
@common
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="The plan, for `config push`."
)
@click.option(
    "--over-drift", is_flag=True, help="Go over what another hand has changed on the gateway."
)
@output_option()
@click.pass_context
def plan(
    context: click.Context,
    *,
    sites: tuple[str, ...],
    directory: Path,
    data: Path,
    out: Path | None,
    over_drift: bool,
    output: str,
) -> None:
    """Show what would change on the gateways of the offices, or of all.

    Renders the templates, reads what each gateway runs, and judges the difference. Nothing is
    changed on any. Secrets are shown as ‹rahasia:...›, a name that changes when they do.

    \b
    Examples:
      tabuah config plan 13.02.10 --inventory inv --data data
      tabuah config plan --inventory inv --data data --out all.json -o json

    \b
    Exit code: 0 planned; 1 a gateway could not be read, or may not be pushed; 2 a template or
    variable is wrong; 3 no such office.
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    looked = driving.look_at_each(workshop, workshop.chosen(sites))
    wrong = [problem for one in looked if isinstance(one, ConfigError) for problem in one.problems]
    if wrong:
        raise ConfigError(wrong)
    with closing(Journal(workshop.folder)) as journal:
        known = Drifts(journal).known()
    prepared = [
        judged_by(one, known.get((one.site.code, one.device.name)), accept=over_drift)
        for one in looked
        if isinstance(one, Prepared)
    ]
    failed = [str(one) for one in looked if not isinstance(one, Prepared)]
    made = ""
    if out is not None and prepared:
        window_s = round(workshop.settings.window_s)
        made = planfile.write(out, prepared, getpass.getuser(), wall_ms(), window_s)
    if output == "json":
        devices = [_json(one) for one in prepared]
        echo_json({"devices": devices, "failed": failed, "digest": made})
    else:
        for one in prepared:
            _show(one)
        for line in failed:
            click.echo(line, err=True)
        if made:
            click.echo(f"{out}: plan {made[:12]}", err=True)
    if failed or any(one.errors for one in prepared):
        context.exit(1)


def _json(one: Prepared) -> dict[str, object]:
    return {
        "site": one.site.code,
        "device": one.device.name,
        "risk": None if one.risk is None else one.risk.value,
        "findings": [{"severity": f.severity.value, "what": f.what} for f in one.findings],
        "diff": as_json(one.diff),
    }


def _show(one: Prepared) -> None:
    risk = "nothing changes" if one.risk is None else f"risk {one.risk.value}"
    click.echo(f"{one.site.code} {one.device.name}: {risk}")
    click.echo(as_text(one.diff, colour=colour()), nl=False)
    for finding in one.findings:
        click.echo(f"{finding.severity.value}: {finding.what}")
