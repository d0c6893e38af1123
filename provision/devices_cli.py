"""`tabuah config trust`, `backup` and `drift`: the gateways as they are, whatever was pushed."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from provision import driving, planfile, ssh
from provision.backup import Repository
from provision.diff import as_json, as_text
from provision.drifts import Drifts
from provision.driving import Found
from provision.journal import Journal
from provision.options import colour, common, echo_json
from provision.workshop import Prepared, Workshop, judged_by
from tabuah.errors import NothingMatchedError, TabuahError
from tabuah.options import output_option
from tabuah.speech import rfc3339
from tabuah.wall import wall_ms

_KEY_WORDS = {
    "new": "",
    "trusted already": ": trusted already",
    "changed": ", ANOTHER KEY THAN WAS TRUSTED",
}


@click.command()
@click.argument("sites", metavar="SITE...", nargs=-1, required=True)
@common
@click.option("--yes", is_flag=True, help="Pin what answers now without asking.")
@output_option()
def trust(sites: tuple[str, ...], directory: Path, data: Path, yes: bool, output: str) -> None:
    """Show the host keys of offices' gateways, and pin them.

    Compare the fingerprint with the device's own console before you say yes: from then on only
    that key is spoken to.

    \b
    Examples:
      tabuah config trust 13.02.10 --inventory inv --data data
      tabuah config trust 13.02.10 13.02.11 --yes -o json --inventory inv --data data
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    said = []
    for office, device in workshop.chosen(sites):
        place = workshop.place(office, device)
        for where in (place.jump, place) if place.jump is not None else (place,):
            key = ssh.offered_key(where, workshop.known_hosts)
            pinned = ssh.pinned_key(where, workshop.known_hosts)
            state = "trusted already" if key in pinned else "changed" if pinned else "new"
            said.append(
                {
                    "site": office.code,
                    "device": device.name,
                    "place": str(where),
                    "key": f"{key.kind} {key.fingerprint}",
                    "was": state,
                }
            )
            words = {"changed": ", ANOTHER KEY THAN WAS TRUSTED", "new": ""}.get(
                state, f": {state}"
            )
            click.echo(f"{where}: {key.kind} {key.fingerprint}{words}", err=output == "json")
            if key in pinned:
                continue
            if not yes:
                click.confirm("is that the fingerprint on its console?", abort=True, err=True)
            ssh.pin(where, key, workshop.known_hosts)
    if output == "json":
        echo_json(said)


@click.command()
@click.argument("sites", metavar="[SITE]...", nargs=-1)
@common
@output_option()
@click.pass_context
def backup(
    context: click.Context, sites: tuple[str, ...], directory: Path, data: Path, output: str
) -> None:
    """Keep what gateways run in a git repository, DATA/provision/backup; for a nightly timer.

    Prints what changed since the last time. Secrets are masked: their names change when they do.

    \b
    Example:
      tabuah config backup --inventory inv --data data

    \b
    Exit code: 0 every gateway was read; 1 one was not; 3 no such office.
    """  # noqa: D301 - see above
    workshop = Workshop.open(directory, data)
    repository = Repository(workshop.folder / "backup")
    failed = []
    chosen = workshop.chosen(sites)
    for (site, device), one in zip(chosen, driving.read_each(workshop, chosen), strict=True):
        if isinstance(one, TabuahError):
            click.echo(str(one), err=True)
            failed.append(str(one))
        else:
            repository.write(site.code, device.name, one)
    changed = repository.commit(f"backup {rfc3339(wall_ms())}")
    if output == "json":
        echo_json({"changed": changed, "failed": failed})
    else:
        for name in changed:
            click.echo(name)
    if failed:
        context.exit(1)


@click.command()
@click.argument("sites", metavar="[SITE]...", nargs=-1)
@common
@click.option("--accept", is_flag=True, help="What the named offices' gateways run now is right.")
@click.option("--because", metavar="TEXT", default="", help="Why; goes with --accept.")
@click.option(
    "--restore",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a plan that puts back what was confirmed, for `config push`.",
)
@output_option()
@click.pass_context
def drift(
    context: click.Context,
    *,
    sites: tuple[str, ...],
    directory: Path,
    data: Path,
    accept: bool,
    because: str,
    restore: Path | None,
    output: str,
) -> None:
    """Show in what gateways differ from what was last confirmed on them, or accepted since.

    Those of platforms that are never pushed to are compared with their last backup. What differs
    bars a plan until it is settled: accepted, put back, or gone over (`config plan --over-drift`).
    The collector shows what was found last as tabuah_config_drift.

    \b
    Examples:
      tabuah config drift --inventory inv --data data
      tabuah config drift 13.02.10 --accept --because "Budi opened 8443" --inventory inv --data data
      tabuah config drift 13.02.10 --restore plan.json --inventory inv --data data

    \b
    Exit code: 0 none differs, or it was accepted, or a plan was written; 1 one does, or could not
    be read; 2 usage; 3 nothing was ever confirmed.
    """  # noqa: D301 - see above
    if accept and (restore is not None or not sites or not because):
        raise click.UsageError("--accept names the offices, says --because, and goes alone")
    workshop = Workshop.open(directory, data)
    looked = driving.drift_of(workshop, workshop.chosen(sites))
    if not looked:
        raise NothingMatchedError("nothing was ever confirmed on these gateways")
    failed = [str(one) for one in looked if isinstance(one, TabuahError)]
    seen = [one for one in looked if isinstance(one, Found)]
    found = [one for one in seen if one.changes]
    with closing(Journal(workshop.folder)) as journal:
        for one in seen:
            Drifts(journal).saw(
                (one.site.code, one.device.name), wall_ms(), drifted=bool(one.changes)
            )
        if accept:
            _accept(Drifts(journal), found, because)
    if output == "json":
        echo_json(
            [
                {"site": one.site.code, "device": one.device.name, "diff": as_json(one.changes)}
                for one in found
            ]
        )
    else:
        for one in found:
            click.echo(f"{one.site.code} {one.device.name}: differs from what was confirmed")
            click.echo(as_text(one.changes, colour=colour()), nl=False)
    for line in failed:
        click.echo(line, err=True)
    if restore is not None and found:
        _write_restoring(workshop, found, restore)
    settled = accept or restore is not None
    if failed or (found and not settled):
        context.exit(1)


def _accept(drifts: Drifts, found: Sequence[Found], because: str) -> None:
    said = {"by": getpass.getuser(), "because": because}
    for one in found:
        if not one.digest:
            raise TabuahError(
                f"{one.site.code}: {one.device.name}: is never pushed to; what it runs is accepted "
                "by 'tabuah config backup'"
            )
        drifts.accept(
            (one.site.code, one.device.name),
            one.running,
            one.digest,
            one.scope,
            {**said, "at_ms": wall_ms()},
        )


def _write_restoring(workshop: Workshop, found: Sequence[Found], path: Path) -> None:
    """Write a plan for the devices that differ; templates must still say what was confirmed."""
    with closing(Journal(workshop.folder)) as journal:
        known = Drifts(journal).known()
    prepared = []
    for one in driving.look_at_each(workshop, [(one.site, one.device) for one in found]):
        if not isinstance(one, Prepared):
            raise one
        right = known.get((one.site.code, one.device.name))
        if right is None or one.want_digest != right.digest:
            raise TabuahError(
                f"{one.site.code}: {one.device.name}: its templates or variables have changed "
                "since it was confirmed; plan what they say now: tabuah config plan --over-drift"
            )
        prepared.append(judged_by(one, right, accept=True))
    window_s = round(workshop.settings.window_s)
    made = planfile.write(path, prepared, getpass.getuser(), wall_ms(), window_s)
    click.echo(f"{path}: plan {made[:12]}", err=True)
