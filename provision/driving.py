"""How the commands drive pushes: who owns a transaction, what stops it, what is said meanwhile."""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar

import click

from inventory.model import Device, Site
from provision import masking, plan
from provision.backup import Repository
from provision.console import Console
from provision.journal import Journal, Transaction
from provision.means import Means
from provision.pusher import Pusher
from provision.render import Risk
from provision.session import OutOfReachError, RefusedError
from provision.states import State
from provision.workshop import Prepared, Workshop, scope_facts, scope_of
from tabuah.errors import TabuahError
from tabuah.wall import wall_ms

T = TypeVar("T")

AT_ONCE = 8
"""Connections; more of them time out on a small machine."""


def look_at(workshop: Workshop, site: Site, device: Device) -> Prepared:
    """Return a device as it is and as it is to be, over a connection of its own.

    Raises:
        ConfigError, RefusedError, OutOfReachError: see `Workshop.prepare`.
    """
    with closing(workshop.enter(site, device)) as session:
        return workshop.prepare(site, device, session)


def look_at_each(
    workshop: Workshop, chosen: Sequence[tuple[Site, Device]]
) -> list[Prepared | TabuahError]:
    """Return each device as it is and as it is to be, or why it cannot be said; in their order."""
    return _each(chosen, lambda site, device: look_at(workshop, site, device))


def read_each(
    workshop: Workshop, chosen: Sequence[tuple[Site, Device]]
) -> list[Mapping[str, str] | TabuahError]:
    """Return what each device runs, masked, or why it cannot be read; in their order."""

    def one(site: Site, device: Device) -> Mapping[str, str]:
        with closing(workshop.enter(site, device)) as session:
            return workshop.running(site, device, session)

    return _each(chosen, one)


def kept(
    workshop: Workshop, chosen: Sequence[tuple[Site, Device]]
) -> list[tuple[Site, Device, Mapping[str, str]]]:
    """Return the devices that are never pushed to, each with its last backup."""
    read_only = [(s, d) for s, d in chosen if isinstance(workshop.reader(s, d), Console)]
    if not read_only:
        return []
    repository = Repository(workshop.folder / "backup")
    found = [(s, d, repository.read(s.code, d.name)) for s, d in read_only]
    return [one for one in found if one[2]]


def _each(
    chosen: Sequence[tuple[Site, Device]], act: Callable[[Site, Device], T]
) -> list[T | TabuahError]:
    def one(pair: tuple[Site, Device]) -> T | TabuahError:
        site, device = pair
        try:
            return act(site, device)
        except (RefusedError, OutOfReachError) as error:
            return type(error)(f"{site.code}: {device.name}: {error}")
        except TabuahError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, chosen))


def push_one(
    workshop: Workshop,
    entry: plan.Entry,
    facts: dict[str, str],
    stop: threading.Event,
    *,
    at_site: bool,
) -> State:
    """Return how the push of one device ended.

    Raises:
        TabuahError: it was refused before there was a transaction.
    """
    site, device = workshop.device(entry.site, entry.device)
    if entry.risk is Risk.A and not at_site and _open_now(workshop, site):
        hours = site.hours.text if site.hours is not None else ""
        raise RefusedError(
            f"this can cut the office off, and it serves now ({hours}); push later, or with "
            "--at-site when someone stands there"
        )
    prepared = look_at(workshop, site, device)
    if prepared.before_digest != entry.before_digest:
        raise RefusedError("it runs something else than when it was planned; plan again")
    if prepared.want_digest != entry.want_digest:
        raise RefusedError("templates or variables have changed since; plan again")
    if prepared.errors:
        raise RefusedError("; ".join(prepared.errors))
    if prepared.lacks and entry.risk is Risk.A and not at_site:
        raise RefusedError(
            f"this can cut the office off, and its gateway cannot undo it for sure: "
            f"{prepared.lacks}; push it with --at-site when someone stands there"
        )
    tx = f"{datetime.now(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(3)}"
    hidden = prepared.rendered.secrets
    with closing(Journal(workshop.folder)) as journal, workshop.owning(tx):
        journal.open(
            tx,
            site.code,
            device.name,
            {
                **facts,
                "before": prepared.before_masked,
                "want": prepared.want_masked,
                "before_digest": prepared.before_digest,
                "want_digest": prepared.want_digest,
                "scope": scope_facts(prepared.rendered.scope),
                "risk": entry.risk.value if entry.risk else "",
            },
            wall_ms(),
        )
        pusher = Pusher(means(workshop, journal, hidden, stop))
        target = workshop.target(site, device, tx, hidden)
        with suppress(KeyboardInterrupt):
            return pusher.push(tx, target, prepared.order).state
        return journal.get(tx).state


def resume(workshop: Workshop, txs: tuple[str, ...]) -> list[State]:
    """Return how the transactions ended, or where they stand, that nobody else drives."""
    ends = []
    with closing(Journal(workshop.folder)) as journal:
        known = [journal.get(tx) for tx in txs] if txs else journal.unsettled()
        for one in known:
            with workshop.owning(one.id) as ours:
                if not ours:
                    click.echo(f"{one.id}: another process is at it", err=True)
                    continue
                site, device = workshop.device(one.site, one.device)
                try:
                    target = workshop.target(site, device, one.id)
                    pusher = Pusher(means(workshop, journal))
                    ends.append(
                        pusher.resume(
                            one.id, target, scope_of(one.facts), workshop.slow(site)
                        ).state
                    )
                except RefusedError as error:
                    click.echo(f"{one.id}: {error}", err=True)
                    ends.append(one.state)
    return ends


@contextmanager
def owned(workshop: Workshop, tx: str) -> Iterator[tuple[Journal, Transaction]]:
    """Yield a transaction that is ours to drive.

    Raises:
        TabuahError: another process is at it.
    """
    with closing(Journal(workshop.folder)) as journal, workshop.owning(tx) as ours:
        known = journal.get(tx)
        if not ours:
            raise TabuahError(f"{tx}: another process is at it; stop that one with Ctrl-C")
        yield journal, known


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Have Ctrl-C, a closed terminal and SIGTERM undo what is under way, once; then they kill."""

    def told(number: int, _frame: object) -> None:
        click.echo("stopping: what is not confirmed is being undone", err=True)
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, told) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def means(
    workshop: Workshop,
    journal: Journal,
    hidden: frozenset[str] = frozenset(),
    stop: threading.Event | None = None,
) -> Means:
    """Return what a push works with; `hidden` are secrets, `stop` as in `Means`."""
    return Means(
        journal,
        workshop.collector,
        workshop.key,
        say=say,
        stop=stop,
        hide=lambda text: masking.mask(text, hidden, workshop.key),
    )


def say(tx: Transaction, words: str) -> None:
    """Show a step, or what is waited for, on stderr."""
    click.echo(
        f"{tx.site} {tx.device} {tx.id}: {tx.state.value}{': ' if words else ''}{words}", err=True
    )


def _open_now(workshop: Workshop, site: Site) -> bool:
    now = datetime.now(workshop.inventory.timezone)
    return site.hours is not None and site.hours.covers(now)
