"""`tabuah config`: render, review, push, and let the office itself confirm."""

from __future__ import annotations

import getpass
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from provision import driving, masking, plan, ssh
from provision.backup import Repository
from provision.configuration import digest
from provision.diff import as_json, as_text, compare
from provision.journal import Journal, Transaction
from provision.pusher import Pusher
from provision.session import OutOfReachError, RefusedError
from provision.states import SETTLED, State
from provision.waves import Verdict, next_wave
from provision.workshop import Prepared, Workshop, judged_by, scope_of
from tabuah.errors import ConfigError, NothingMatchedError, Problem, TabuahError
from tabuah.options import F, inventory_option, output_option
from tabuah.speech import rfc3339
from tabuah.wall import wall_ms


def _common(function: F) -> F:
    """Give a command `--inventory` and `--data`."""
    for option in (
        click.option(
            "--data",
            metavar="DIR",
            required=True,
            type=click.Path(path_type=Path),
            help="The data folder of the running collector.",
        ),
        inventory_option(says="The inventory; what is to be pushed stands in DIR/provision."),
    ):
        function = option(function)
    return function


@click.group(no_args_is_help=True)
def config() -> None:
    """Push configuration to offices' gateways, so that no push can cut an office off.

    A push is confirmed only when the office's own agent reports that all is as well as before;
    otherwise the gateway undoes it alone. docs/provisioning.md tells how.
    """


@config.command("plan")
@click.argument("sites", metavar="[SITE]...", nargs=-1)
@_common
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="The plan, for `config push`."
)
@click.option(
    "--over-drift", is_flag=True, help="Go over what another hand has changed on the gateway."
)
@output_option()
@click.pass_context
def plan_(
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
    Exit code: 0 planned; 1 a gateway could not be read, or may not be pushed; 2 a template or
    variable is wrong; 3 no such office.
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    looked = driving.look_at_each(workshop, workshop.chosen(sites))
    wrong = [problem for one in looked if isinstance(one, ConfigError) for problem in one.problems]
    if wrong:
        raise ConfigError(wrong)
    with closing(Journal(workshop.folder)) as journal:
        known: dict[tuple[str, str], Any] = {  # the journal's JSON
            pair: tx.facts["want"] for pair, tx in journal.confirmed().items()
        }
    prepared = [
        judged_by(one, known.get((one.site.code, one.device.name)), accept=over_drift)
        for one in looked
        if isinstance(one, Prepared)
    ]
    failed = [str(one) for one in looked if not isinstance(one, Prepared)]
    made = ""
    if out is not None and prepared:
        made = plan.write(
            out, prepared, getpass.getuser(), wall_ms(), round(workshop.settings.window_s)
        )
    if output == "json":
        said = [
            {
                "site": one.site.code,
                "device": one.device.name,
                "risk": None if one.risk is None else one.risk.value,
                "findings": [{"severity": f.severity.value, "what": f.what} for f in one.findings],
                "diff": as_json(one.diff),
            }
            for one in prepared
        ]
        whole = {"devices": said, "failed": failed, "digest": made}
        click.echo(json.dumps(whole, indent=2, ensure_ascii=False))
    else:
        for one in prepared:
            _show(one)
        for line in failed:
            click.echo(line, err=True)
        if made:
            click.echo(f"{out}: plan {made[:12]}", err=True)
    if failed or any(one.errors for one in prepared):
        context.exit(1)


@config.command()
@_common
@click.option(
    "--plan",
    "path",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="What was planned and reviewed.",
)
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Push to the first N only.")
@click.option("--wave", metavar="N", type=click.IntRange(1), help="At most N at once.")
@click.option(
    "--at-site", is_flag=True, help="Someone stands at the office: its service hours do not bar."
)
@click.pass_context
def push(
    context: click.Context,
    *,
    directory: Path,
    data: Path,
    path: Path,
    yes: bool,
    limit: int | None,
    wave: int | None,
    at_site: bool,
) -> None:
    """Push a plan: one office first, then more and more of them at once.

    Each gateway is armed to undo the change alone, then changes itself; it is told to keep the
    change when three new reports of the office are as good as before. Ctrl-C undoes what is not
    confirmed yet. It stops at the first office that undid its change.

    \b
    Exit code: 0 every office confirmed, or nothing to change; 1 not every one; 2 no such plan.
    """  # noqa: D301 - see above
    workshop = Workshop.open(directory, data)
    planned = plan.read(path)
    if planned.window_s != round(workshop.settings.window_s):
        raise ConfigError([Problem(str(path), "the window has changed since; plan again")])
    entries = [entry for entry in planned.entries if entry.risk is not None][:limit]
    if not entries:
        click.echo("nothing to change", err=True)
        return
    for entry in entries:
        if entry.refused:
            raise TabuahError(f"{entry.site}: {entry.device}: {'; '.join(entry.refused)}")
    if not yes:
        names = ", ".join(f"{entry.site} ({entry.risk.value})" for entry in entries if entry.risk)
        click.confirm(f"push to {names}?", abort=True, err=True)
    with closing(Journal(workshop.folder)) as journal:
        offices = {entry.site for entry in entries}
        left = tuple(tx.id for tx in journal.unsettled() if tx.site in offices)
    if left:
        driving.resume(workshop, left)
    stop = threading.Event()
    author = getpass.getuser()
    facts = {"plan": planned.digest, "author": author, "planned_by": planned.author}

    def one(entry: plan.Entry) -> State:
        try:
            return driving.push_one(workshop, entry, facts, stop, at_site=at_site)
        except TabuahError as error:
            click.echo(f"{entry.site}: {entry.device}: {error}", err=True)
            return State.ABORTED

    waiting, ends = list(entries), list[State]()
    with driving.stopping(stop), ThreadPoolExecutor(driving.AT_ONCE) as pool:
        while waiting and not stop.is_set():
            verdict, size = next_wave(ends, len(waiting), wave or driving.AT_ONCE)
            if verdict is not Verdict.GO:
                click.echo(f"stopped: {verdict.value}; {len(waiting)} not pushed", err=True)
                break
            now, waiting = waiting[:size], waiting[size:]
            ends += pool.map(one, now)
    if any(end is not State.CONFIRMED for end in ends) or waiting:
        context.exit(1)


@config.command()
@_common
@output_option()
def status(directory: Path, data: Path, output: str) -> None:
    """List the transactions in which something is in doubt. No device is asked."""
    workshop = Workshop.open(directory, data)
    with closing(Journal(workshop.folder)) as journal:
        _list(journal.unsettled(), output)


@config.command()
@click.argument("site", required=False)
@_common
@output_option()
def history(site: str | None, directory: Path, data: Path, output: str) -> None:
    """List the transactions, of one office if it is named, the newest first."""
    workshop = Workshop.open(directory, data)
    with closing(Journal(workshop.folder)) as journal:
        _list(journal.history(site), output)


@config.command()
@click.argument("tx")
@_common
@output_option()
def show(tx: str, directory: Path, data: Path, output: str) -> None:
    """Show what a transaction changed, and every step of it by the audit.

    Fails when the audit's chain does not hold: something in it was changed afterwards.
    """
    workshop = Workshop.open(directory, data)
    with closing(Journal(workshop.folder)) as journal:
        known = journal.get(tx)
        rows = [link for link in journal.audit() if json.loads(link.body).get("tx") == tx]
        fault = journal.verify()
    facts: Any = known.facts  # the journal's JSON
    changes = compare(facts["before"], facts["want"])
    if output == "json":
        whole = {
            **_transaction_json(known),
            "diff": as_json(changes),
            "audit": [
                {
                    "number": link.number,
                    "time": rfc3339(link.written_ms),
                    "subject": link.subject.value,
                    "said": json.loads(link.body),
                    "hash": link.hash,
                }
                for link in rows
            ],
        }
        click.echo(json.dumps(whole, indent=2, ensure_ascii=False))
    else:
        click.echo(f"{known.id}  {known.site} {known.device}: {known.state.value}")
        click.echo(as_text(changes, colour=_colour()), nl=False)
        for link in rows:
            said = json.loads(link.body)
            words = " ".join(
                str(said[key]) for key in ("event", "to", "reason", "words") if said.get(key)
            )
            click.echo(f"{rfc3339(link.written_ms)}  {link.subject.value}: {words}")
    if fault is not None:
        raise TabuahError(f"the audit is broken at row {fault.number}: {fault.why}")


@config.command()
@click.argument("txs", metavar="[TX]...", nargs=-1)
@_common
@click.pass_context
def resume(context: click.Context, txs: tuple[str, ...], directory: Path, data: Path) -> None:
    """Settle transactions whose pusher is gone, all or those named, by asking their devices.

    A change that is applied and waits is weighed on; nothing is ever pushed again.
    """
    workshop = Workshop.open(directory, data)
    if not all(state in SETTLED for state in driving.resume(workshop, txs)):
        context.exit(1)


@config.command()
@click.argument("tx")
@_common
@click.pass_context
def rollback(context: click.Context, tx: str, directory: Path, data: Path) -> None:
    """Have a device undo now what is not confirmed; a device that is stuck tries once more."""
    workshop = Workshop.open(directory, data)
    who = getpass.getuser()
    with driving.owned(workshop, tx) as (journal, known):
        if known.settled:
            raise TabuahError(f"{tx} is {known.state.value}: there is nothing to undo")
        target = workshop.target(*workshop.device(known.site, known.device), tx)
        made = Pusher(driving.means(workshop, journal)).undo(tx, target, scope_of(known.facts), who)
    if made.state not in (State.ROLLED_BACK, State.ABORTED):
        context.exit(1)


@config.command()
@click.argument("tx")
@click.option("--because", metavar="TEXT", required=True, help="Who saw what at the office.")
@_common
@click.pass_context
def confirm(context: click.Context, tx: str, because: str, directory: Path, data: Path) -> None:
    """Keep a change on a person's word, where the office's own reports cannot tell.

    The device must have applied it, run what was planned, and not have undone it yet. The word
    stands in the audit with your name.
    """
    workshop = Workshop.open(directory, data)
    who = getpass.getuser()
    with driving.owned(workshop, tx) as (journal, known):
        target = workshop.target(*workshop.device(known.site, known.device), tx)
        made = Pusher(driving.means(workshop, journal)).vouch(
            tx, target, scope_of(known.facts), who, because
        )
    if made.state is not State.CONFIRMED:
        context.exit(1)


@config.command()
@click.argument("site")
@_common
@click.option("--yes", is_flag=True, help="Pin what answers now without asking.")
def trust(site: str, directory: Path, data: Path, yes: bool) -> None:
    """Show the host keys of an office's gateways, and pin them.

    Compare the fingerprint with the device's own console before you say yes: from then on only
    that key is spoken to.
    """
    workshop = Workshop.open(directory, data)
    for office, device in workshop.chosen((site,)):
        place = workshop.place(office, device)
        for where in (place.jump, place) if place.jump is not None else (place,):
            key = ssh.offered_key(where, workshop.known_hosts)
            pinned = ssh.pinned_key(where, workshop.known_hosts)
            if key in pinned:
                click.echo(f"{where}: {key.kind} {key.fingerprint}: trusted already")
                continue
            changed = ", ANOTHER KEY THAN WAS TRUSTED" if pinned else ""
            click.echo(f"{where}: {key.kind} {key.fingerprint}{changed}")
            if not yes:
                click.confirm("is that the fingerprint on its console?", abort=True)
            ssh.pin(where, key, workshop.known_hosts)


@config.command()
@click.argument("sites", metavar="[SITE]...", nargs=-1)
@_common
@output_option()
@click.pass_context
def drift(
    context: click.Context, sites: tuple[str, ...], directory: Path, data: Path, output: str
) -> None:
    """Show in what gateways differ from what was last confirmed on them.

    Those of platforms that are never pushed to are compared with their last backup.

    \b
    Exit code: 0 none differs; 1 one does, or could not be read; 3 nothing was ever confirmed.
    """  # noqa: D301 - see above
    workshop = Workshop.open(directory, data)
    found, failed = [], False
    with closing(Journal(workshop.folder)) as journal:
        last = journal.confirmed()
    chosen = workshop.chosen(sites)
    known = [pair for pair in chosen if (pair[0].code, pair[1].name) in last]
    kept = driving.kept(workshop, chosen)
    if not known and not kept:
        raise NothingMatchedError("nothing was ever confirmed on these gateways")
    compared = driving.read_each(workshop, [(site, device) for site, device, _ in kept])
    for (site, device, before), now in zip(kept, compared, strict=True):
        if isinstance(now, TabuahError):
            click.echo(str(now), err=True)
            failed = True
        elif changes := compare(before, now):
            found.append((site.code, device.name, changes))
    for site, device in known:
        facts: Any = last[site.code, device.name].facts
        try:
            target = workshop.target(site, device)
            with closing(target.connect()) as session:
                running = target.dialect.read(session, scope_of(facts))
        except (RefusedError, OutOfReachError) as error:
            click.echo(f"{site.code}: {device.name}: {error}", err=True)
            failed = True
            continue
        if digest(running, workshop.key) != facts["want_digest"]:
            masked = masking.mask_sections(running, workshop.secrets(site, device), workshop.key)
            found.append((site.code, device.name, compare(facts["want"], masked)))
    if output == "json":
        said = [{"site": s, "device": d, "diff": as_json(changes)} for s, d, changes in found]
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        for code, name, changes in found:
            click.echo(f"{code} {name}: differs from what was confirmed")
            click.echo(as_text(changes, colour=_colour()), nl=False)
    if found or failed:
        context.exit(1)


@config.command()
@click.argument("sites", metavar="[SITE]...", nargs=-1)
@_common
@click.pass_context
def backup(context: click.Context, sites: tuple[str, ...], directory: Path, data: Path) -> None:
    """Keep what gateways run in a git repository, DATA/provision/backup; for a nightly timer.

    Prints what changed since the last time. Secrets are masked: their names change when they do.

    \b
    Exit code: 0 every gateway was read; 1 one was not; 3 no such office.
    """  # noqa: D301 - see above
    workshop = Workshop.open(directory, data)
    repository = Repository(workshop.folder / "backup")
    failed = False
    chosen = workshop.chosen(sites)
    for (site, device), one in zip(chosen, driving.read_each(workshop, chosen), strict=True):
        if isinstance(one, TabuahError):
            click.echo(str(one), err=True)
            failed = True
        else:
            repository.write(site.code, device.name, one)
    for name in repository.commit(f"backup {rfc3339(wall_ms())}"):
        click.echo(name)
    if failed:
        context.exit(1)


# ---- what commands share ------------------------------------------------------------------------


def _show(one: Prepared) -> None:
    risk = "nothing changes" if one.risk is None else f"risk {one.risk.value}"
    click.echo(f"{one.site.code} {one.device.name}: {risk}")
    click.echo(as_text(one.diff, colour=_colour()), nl=False)
    for finding in one.findings:
        click.echo(f"{finding.severity.value}: {finding.what}")


def _colour() -> bool:
    return sys.stdout.isatty()


def _transaction_json(tx: Transaction) -> dict[str, object]:
    return {
        "id": tx.id,
        "site": tx.site,
        "device": tx.device,
        "state": tx.state.value,
        "settled": tx.settled,
        "opened": rfc3339(tx.opened_ms),
        "changed": rfc3339(tx.changed_ms),
        "author": tx.facts.get("author"),
        "reason": tx.facts.get("reason"),
    }


def _list(known: list[Transaction], output: str) -> None:
    if output == "json":
        said = [_transaction_json(tx) for tx in known]
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    for tx in known:
        reason = tx.facts.get("reason") or ""
        click.echo(
            f"{tx.id}  {tx.site} {tx.device}  {tx.state.value}  {rfc3339(tx.changed_ms)}  {reason}"
        )
