"""How the commands drive pushes: who owns a transaction, what stops it, what is said meanwhile."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import click

from inventory.model import Device, Site
from provision import masking
from provision.backup import Repository
from provision.configuration import digest
from provision.console import Console
from provision.diff import SectionDiff, compare
from provision.drifts import Drifts
from provision.facts import scope_of
from provision.journal import Journal, Transaction
from provision.means import Means
from provision.pusher import Pusher
from provision.session import RefusedError
from provision.workshop import NoWayInError, Prepared, Workshop
from tabuah.errors import ConfigError, NothingMatchedError, TabuahError

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
    return _each(workshop, chosen, lambda site, device: look_at(workshop, site, device))


def read_each(
    workshop: Workshop, chosen: Sequence[tuple[Site, Device]]
) -> list[Mapping[str, str] | TabuahError]:
    """Return what each device runs, masked, or why it cannot be read; in their order."""

    def one(site: Site, device: Device) -> Mapping[str, str]:
        with closing(workshop.enter(site, device)) as session:
            return workshop.running(site, device, session)

    return _each(workshop, chosen, one)


@dataclass(frozen=True, slots=True)
class Found:
    """A device beside what it runs by right."""

    site: Site
    device: Device
    changes: tuple[SectionDiff, ...]
    """Empty = it runs just that."""
    running: Mapping[str, str]
    """Masked."""
    digest: str = ""
    """Of what it runs; empty where it is known by its backup alone."""
    scope: object = None


def drift_of(
    workshop: Workshop, chosen: Sequence[tuple[Site, Device]]
) -> list[Found | TabuahError]:
    """Return those of the devices that anybody knows, each beside what it runs by right.

    That is what was confirmed on it or accepted since; where nothing is ever pushed to, its last
    backup.
    """
    with closing(Journal(workshop.folder)) as journal:
        known = Drifts(journal).known()
    pushed = [(s, d) for s, d in chosen if (s.code, d.name) in known]

    def one(site: Site, device: Device) -> Found:
        right = known[site.code, device.name]
        target = workshop.target(site, device)
        with closing(target.connect()) as session:
            running = target.dialect.read(session, scope_of(right.facts))
        masked = masking.mask_sections(running, workshop.secrets(site, device), workshop.key)
        now = digest(running, workshop.key)
        changes = () if now == right.digest else compare(right.want, masked)
        return Found(site, device, tuple(changes), masked, now, right.facts["scope"])

    return [*_each(workshop, pushed, one), *_drift_of_backups(workshop, chosen)]


def _drift_of_backups(
    workshop: Workshop, chosen: Sequence[tuple[Site, Device]]
) -> list[Found | TabuahError]:
    read_only = [(s, d) for s, d in chosen if isinstance(workshop.reader(s, d), Console)]
    if not read_only:
        return []
    repository = Repository(workshop.folder / "backup")
    before = {(s.code, d.name): repository.read(s.code, d.name) for s, d in read_only}
    kept = [(s, d) for s, d in read_only if before[s.code, d.name]]
    found: list[Found | TabuahError] = []
    for (site, device), now in zip(kept, read_each(workshop, kept), strict=True):
        if isinstance(now, TabuahError):
            found.append(now)
        else:
            changes = compare(before[site.code, device.name], now)
            found.append(Found(site, device, tuple(changes), now))
    return found


def _each(
    workshop: Workshop, chosen: Sequence[tuple[Site, Device]], act: Callable[[Site, Device], T]
) -> list[T | TabuahError]:
    def one(pair: tuple[Site, Device]) -> T | TabuahError:
        site, device = pair
        try:
            return act(site, device)
        except TabuahError as error:
            return named(workshop, site, device, error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, chosen))


def named(workshop: Workshop, site: Site, device: Device, error: TabuahError) -> TabuahError:
    """Return an error that names the device and gives none of its secrets away."""
    if isinstance(error, ConfigError | NoWayInError):
        return error
    words = masking.mask(str(error), workshop.secrets(site, device), workshop.key)
    return type(error)(f"{site.code}: {device.name}: {words}")


def settle(workshop: Workshop, txs: Sequence[str] = ()) -> list[Transaction]:
    """Return the transactions, all that are in doubt or those named, as their devices settle them.

    One that another process drives, or whose device refuses us, is returned as it stands.
    """
    ends = []
    with closing(Journal(workshop.folder)) as journal:
        known = [journal.get(tx) for tx in txs] if txs else journal.unsettled()
        for one in known:
            with workshop.owning(one.id) as ours:
                if not ours:
                    click.echo(f"{one.id}: another process is at it", err=True)
                    continue
                try:
                    site, device = workshop.device(one.site, one.device)
                    hidden = workshop.secrets(site, device)
                    target = workshop.target(site, device, one.id, hidden)
                    pusher = Pusher(means(workshop, journal, hidden))
                    ends.append(
                        pusher.resume(one.id, target, scope_of(one.facts), workshop.slow(site))
                    )
                except (RefusedError, NothingMatchedError) as error:
                    click.echo(f"{one.id}: {error}", err=True)
                    ends.append(one)
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
        now=workshop.collector.now,
        hide=lambda text: masking.mask(text, hidden, workshop.key),
    )


def say(tx: Transaction, words: str) -> None:
    """Show a step, or what is waited for, on stderr."""
    click.echo(
        f"{tx.site} {tx.device} {tx.id}: {tx.state.value}{': ' if words else ''}{words}", err=True
    )
