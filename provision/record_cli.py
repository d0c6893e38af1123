"""`tabuah config status`, `history` and `show`: what is in doubt, what was done, and its proof."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from provision.diff import as_json, as_text, compare
from provision.journal import Journal, Transaction
from provision.options import colour, common, echo_json
from provision.queue import Queue, Queued
from provision.workshop import Workshop
from tabuah.errors import TabuahError
from tabuah.options import output_option
from tabuah.speech import rfc3339
from tabuah.wall import wall_ms


@click.command()
@common
@output_option()
def status(directory: Path, data: Path, output: str) -> None:
    """List what is in doubt, and the pushes that wait for their office. No device is asked.

    \b
    Example:
      tabuah config status --inventory inv --data data -o json
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    with closing(Journal(workshop.folder)) as journal:
        known, waiting = journal.unsettled(), Queue(journal).all()
    now_ms = wall_ms()
    if output == "json":
        echo_json([*map(transaction_json, known), *(_queued_json(one, now_ms) for one in waiting)])
        return
    _list(known)
    for one in waiting:
        if one.expired(now_ms):
            said = f"expired  {rfc3339(one.expires_ms)}  not pushed; plan again"
        else:
            said = f"queued  until {rfc3339(one.expires_ms)}  {one.why}"
        click.echo(f"{one.site} {one.device}  {said}")


@click.command()
@click.argument("site", required=False)
@common
@output_option()
def history(site: str | None, directory: Path, data: Path, output: str) -> None:
    """List the transactions, of one office if it is named, the newest first.

    \b
    Example:
      tabuah config history 13.02.10 --inventory inv --data data
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    with closing(Journal(workshop.folder)) as journal:
        known = journal.history(site)
    if output == "json":
        echo_json([transaction_json(tx) for tx in known])
    else:
        _list(known)


@click.command()
@click.argument("tx")
@common
@output_option()
def show(tx: str, directory: Path, data: Path, output: str) -> None:
    """Show what a transaction changed, and every step of it by the audit.

    Fails when the audit's chain does not hold: something in it was changed afterwards.

    \b
    Example:
      tabuah config show 20261124070509-a1b2c3 --inventory inv --data data
    """  # noqa: D301 - click needs the backspace itself
    workshop = Workshop.open(directory, data)
    with closing(Journal(workshop.folder)) as journal:
        known = journal.get(tx)
        rows = [link for link in journal.audit() if json.loads(link.body).get("tx") == tx]
        fault = journal.verify()
    facts: Any = known.facts  # the journal's JSON
    changes = compare(facts["before"], facts["want"])
    if output == "json":
        audit = [
            {
                "number": link.number,
                "time": rfc3339(link.written_ms),
                "subject": link.subject.value,
                "said": json.loads(link.body),
                "hash": link.hash,
            }
            for link in rows
        ]
        echo_json({**transaction_json(known), "diff": as_json(changes), "audit": audit})
    else:
        click.echo(f"{known.id}  {known.site} {known.device}: {known.state.value}")
        click.echo(as_text(changes, colour=colour()), nl=False)
        for link in rows:
            said = json.loads(link.body)
            words = " ".join(
                str(said[key]) for key in ("event", "to", "reason", "words") if said.get(key)
            )
            click.echo(f"{rfc3339(link.written_ms)}  {link.subject.value}: {words}")
    if fault is not None:
        raise TabuahError(f"the audit is broken at row {fault.number}: {fault.why}")


def _list(known: list[Transaction]) -> None:
    for tx in known:
        reason = tx.facts.get("reason") or ""
        click.echo(
            f"{tx.id}  {tx.site} {tx.device}  {tx.state.value}  {rfc3339(tx.changed_ms)}  {reason}"
        )


def transaction_json(tx: Transaction) -> dict[str, object]:
    """Return a transaction for programs."""
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


def _queued_json(one: Queued, now_ms: int) -> dict[str, object]:
    said: Any = one.entry["said"]  # the journal's JSON
    return {
        "id": None,
        "site": one.site,
        "device": one.device,
        "state": "expired" if one.expired(now_ms) else "queued",
        "settled": True,
        "opened": rfc3339(one.queued_ms),
        "changed": rfc3339(one.queued_ms),
        "author": said.get("author"),
        "reason": one.why,
        "expires": rfc3339(one.expires_ms),
    }
