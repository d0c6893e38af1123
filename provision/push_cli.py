"""`tabuah config push` and what settles a push: `resume`, `confirm`, `rollback`."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from provision import driving, planfile
from provision.facts import scope_of
from provision.journal import Journal
from provision.options import common, echo_json
from provision.pusher import Pusher
from provision.queue import Queue, Queued
from provision.record_cli import transaction_json
from provision.rolling import Ended, Fate, Going
from provision.states import State
from provision.waves import Phase
from provision.workshop import Workshop
from tabuah.errors import ConfigError, Problem, TabuahError
from tabuah.options import output_option
from tabuah.wall import wall_ms


@click.command()
@common
@click.option(
    "--plan",
    "path",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="What was planned and reviewed.",
)
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(1), help="At most N offices now; more another time."
)
@click.option("--wave", metavar="N", type=click.IntRange(1), help="No wave is larger than N.")
@click.option(
    "--at-site",
    is_flag=True,
    help="Someone stands at the office: neither its service hours nor a weak dead-man bar.",
)
@output_option()
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
    output: str,
) -> None:
    """Push a plan in waves: one office, then three, ten and all others, each wave watched a while.

    Each gateway is armed to undo the change alone, then changes itself; it is told to keep the
    change when three new reports of the office are as good as before. The first office that takes
    its change back pauses the plan, and the same command goes on with the others; the second stops
    it for good. An office that is away waits, and so does one whose service hours bar a change that
    can cut it off. Ctrl-C undoes what is not confirmed yet.

    \b
    Examples:
      tabuah config push --inventory inv --data data --plan plan.json
      tabuah config push --inventory inv --data data --plan plan.json --yes --limit 1
      tabuah config push --inventory inv --data data --plan plan.json --wave 5 -o json

    \b
    Exit code: 0 every office confirmed, or nothing to change; 1 not every one; 2 no such plan.
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    planned = planfile.read(path)
    if planned.window_s != round(workshop.settings.window_s):
        raise ConfigError([Problem(str(path), "the window has changed since; plan again")])
    entries = [entry for entry in planned.entries if entry.risk is not None]
    for entry in entries:
        if entry.refused:
            raise TabuahError(f"{entry.site}: {entry.device}: {'; '.join(entry.refused)}")
    if entries and not yes:
        names = ", ".join(f"{entry.site} ({entry.risk.value})" for entry in entries if entry.risk)
        click.confirm(f"push to {names}?", abort=True, err=True)
    with closing(Journal(workshop.folder)) as journal:
        offices = {entry.site for entry in entries}
        left = [tx.id for tx in journal.unsettled() if tx.site in offices]
    if left:
        driving.settle(workshop, left)
    going = Going(
        workshop,
        planned.digest,
        {"author": getpass.getuser(), "planned_by": planned.author},
        at_site=at_site,
        most=wave,
        limit=limit,
    )
    with driving.stopping(going.stop):
        phase = going.push(entries)
    _say(going, phase)
    if output == "json":
        echo_json(_json(going, phase))
    if not entries:
        click.echo("nothing to change", err=True)
    if any(one.fate is not State.CONFIRMED for one in going.ends):
        context.exit(1)


@click.command()
@click.argument("txs", metavar="[TX]...", nargs=-1)
@common
@click.option("--drop-expired", is_flag=True, help="List no more what has waited too long.")
@output_option()
@click.pass_context
def resume(
    context: click.Context,
    txs: tuple[str, ...],
    *,
    directory: Path,
    data: Path,
    drop_expired: bool,
    output: str,
) -> None:
    """Settle what a killed push left, by asking the devices; then push to offices that wait.

    A change that is applied and waits is weighed on; no office is ever pushed to again. With a
    transaction named, that one is settled and nothing else is done. A push that has waited too
    long is told of, and not pushed: plan again.

    \b
    Examples:
      tabuah config resume --inventory inv --data data
      tabuah config resume 20261124070509-a1b2c3 --inventory inv --data data

    \b
    Exit code: 0 nothing is in doubt, whatever waits; 1 something is, or has waited too long, or a
    push was not confirmed; 3 no such transaction.
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    settled = driving.settle(workshop, txs)
    with closing(Journal(workshop.folder)) as journal:
        well = all(tx.settled for tx in (map(journal.get, txs) if txs else journal.unsettled()))
        waiting = [] if txs else Queue(journal).all()
        expired = [one for one in waiting if one.expired(wall_ms())]
        for one in expired:
            click.echo(f"{one.site} {one.device}: has waited too long; plan again", err=True)
            if drop_expired:
                Queue(journal).remove(one, wall_ms(), "it had waited too long")
    goings = _take(workshop, [one for one in waiting if one not in expired])
    ends = [end for going, _ in goings for end in going.ends]
    if output == "json":
        echo_json(
            {
                "settled": [
                    {"id": tx.id, "site": tx.site, "state": tx.state.value} for tx in settled
                ],
                "plans": [_json(going, phase) for going, phase in goings],
                "expired": [{"site": one.site, "device": one.device} for one in expired],
            }
        )
    if not well or expired or any(end.fate not in (State.CONFIRMED, Fate.QUEUED) for end in ends):
        context.exit(1)


@click.command()
@click.argument("tx")
@common
@output_option()
@click.pass_context
def rollback(context: click.Context, tx: str, directory: Path, data: Path, output: str) -> None:
    """Have a device undo now what is not confirmed; a device that is stuck tries once more.

    \b
    Example:
      tabuah config rollback 20261124070509-a1b2c3 --inventory inv --data data
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    who = getpass.getuser()
    with driving.owned(workshop, tx) as (journal, known):
        if known.settled:
            raise TabuahError(f"{tx} is {known.state.value}: there is nothing to undo")
        target = workshop.target(*workshop.device(known.site, known.device), tx)
        made = Pusher(driving.means(workshop, journal)).undo(tx, target, scope_of(known.facts), who)
    if output == "json":
        echo_json(transaction_json(made))
    if made.state not in (State.ROLLED_BACK, State.ABORTED):
        context.exit(1)


@click.command()
@click.argument("tx")
@click.option("--because", metavar="TEXT", required=True, help="Who saw what at the office.")
@common
@output_option()
@click.pass_context
def confirm(
    context: click.Context, tx: str, *, because: str, directory: Path, data: Path, output: str
) -> None:
    """Keep a change on a person's word, where the office's own reports cannot tell.

    The device must have applied it, run what was planned, and not have undone it yet. The word
    stands in the audit with your name.

    \b
    Example:
      tabuah config confirm 20261124070509-a1b2c3 --because "Ani at the office: SIAK works" \\
        --inventory inv --data data
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    who = getpass.getuser()
    with driving.owned(workshop, tx) as (journal, known):
        target = workshop.target(*workshop.device(known.site, known.device), tx)
        made = Pusher(driving.means(workshop, journal)).vouch(
            tx, target, scope_of(known.facts), who, because
        )
    if output == "json":
        echo_json(transaction_json(made))
    if made.state is not State.CONFIRMED:
        context.exit(1)


def _take(workshop: Workshop, waiting: Sequence[Queued]) -> list[tuple[Going, Phase]]:
    """Push to the offices that wait, plan by plan, by the rules of each plan's waves."""
    goings = []
    plans: dict[str, list[Queued]] = {}
    for one in waiting:
        plans.setdefault(one.plan, []).append(one)
    for digest, members in plans.items():
        said: Any = members[0].entry["said"]  # the journal's JSON
        going = Going(workshop, digest, said)
        with driving.stopping(going.stop):
            phase = going.push([planfile.entry_of(one.entry) for one in members])
        _say(going, phase)
        goings.append((going, phase))
        if going.stop.is_set():
            break
    return goings


def _say(going: Going, phase: Phase) -> None:
    """Say on stderr how a plan ended, unless it is done."""
    waiting = sum(1 for one in going.ends if one.fate is Fate.NOT_BEGUN)
    if going.stop.is_set():
        click.echo(f"stopped: {going.why or 'interrupted'}; {waiting} offices not begun", err=True)
    elif phase is Phase.PAUSED:
        click.echo(
            f"paused: {going.why}; {waiting} offices not begun: see why, then the same command "
            "goes on with them",
            err=True,
        )
    elif phase is Phase.STOPPED:
        click.echo(f"stopped: {going.why}; {waiting} offices not begun: plan again", err=True)


def _json(going: Going, phase: Phase) -> dict[str, object]:
    return {
        "plan": going.digest,
        "phase": "interrupted" if going.stop.is_set() else phase.value,
        "why": going.why,
        "offices": [_ended_json(one) for one in going.ends],
    }


def _ended_json(one: Ended) -> dict[str, object]:
    return {
        "site": one.entry.site,
        "device": one.entry.device,
        "state": one.fate.value,
        "id": one.tx,
        "reason": one.reason,
    }
