"""Which kept reports go when there is no more room: pure.

An outage of weeks is told by its edges, the reports around each change, and by samples between
them; it is not told better by every sample. So when the spool is full every second sample of the
oldest stretch that was thinned least goes, then of the next, and when all were thinned once,
again: the whole outage stays, at half, a quarter, an eighth of its detail. Edges stay. Only a
spool that holds nothing but edges lets go of its oldest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from tabuah import notification
from tabuah.measurement import Role
from tabuah.report import Occasion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tabuah.report import Report

STRETCH: Final = 256
"""Samples that are thinned at one time: at 10 s, three quarters of an hour."""
RECENT: Final = 2048
"""A level that has no more samples than this is spared while another has: of the newest hours all
is kept, and the further back, the coarser."""
EDGES_AT_ONCE: Final = 16
EDGE: Final = -1
"""The level of an edge."""


class Signature(NamedTuple):
    """What a report says of the state of things: where it differs there is an edge."""

    boot_id: bytes
    epoch: int
    state: notification.LineState
    gateways: tuple[tuple[str, bool], ...]
    """Whether each probe of the office's own router was answered: the line, or the power?"""
    ports: tuple[tuple[str, str, int], ...]
    """Device, interface, ifOperStatus."""
    path: str
    """The circuit it left by."""


class Epoch(NamedTuple):
    """One start of the agent, as far as its age is asked for."""

    id: int
    boot_id: bytes
    uptime_ms: int
    """Of its newest report."""


class Key(NamedTuple):
    """A kept report's name in its spool; they sort oldest first."""

    epoch: int
    """The spool's own number of the epoch."""
    seq: int


@dataclass(frozen=True, slots=True)
class Thinning:
    """What to do with one stretch."""

    victims: tuple[Key, ...]
    survivors: tuple[Key, ...] = ()
    """Samples whose level rises by one."""


def signature(report: Report) -> Signature:
    """Return what the report says of the state of things."""
    return Signature(
        report.boot_id,
        report.id.epoch,
        notification.key_facts(report.measurements).state,
        tuple((m.probe, m.good) for m in report.measurements if m.role is Role.GATEWAY),
        tuple(
            (device.name, interface.name, interface.oper_status)
            for device in report.devices
            for interface in device.interfaces
        ),
        report.path,
    )


def is_edge(before: Signature | None, after: Signature, occasion: int, *, follows: bool) -> bool:
    """Whether there is an edge between two kept reports: then both of them are.

    Args:
        before: of the report that was kept before; None = there was none.
        after: of the newer one.
        occasion: why that one was made.
        follows: it was made next; else those between were acknowledged, and an outage begins.
    """
    return before != after or occasion != Occasion.CYCLE or not follows


def level_to_thin(samples: Mapping[int, int]) -> int:
    """Return the level whose oldest stretch goes next; `EDGE` when there are no samples.

    Args:
        samples: how many there are of each level; a level is how often a stretch was thinned.
    """
    some = {level: count for level, count in samples.items() if level != EDGE and count > 0}
    rich = [level for level, count in some.items() if count > RECENT]
    if rich:
        return min(rich)
    return max(some, key=lambda level: (some[level], -level), default=EDGE)


def thin(samples: Sequence[Key]) -> Thinning:
    """Return which of a stretch's samples go, oldest first: every second, from the first on."""
    return Thinning(tuple(samples[::2]), tuple(samples[1::2]))


def expired(epochs: Sequence[Epoch], age_ms: int) -> list[tuple[int, int]]:
    """Return, for each epoch of which something is too old, the uptime that is old enough to stay.

    How old a report is nobody's clock need say: within a boot it is the difference of uptimes, and
    a boot is over before the next begins. What the machine was off is not counted, so that nothing
    goes too early.

    Args:
        epochs: all that have reports, oldest first.
        age_ms: how old a sample may be.
    """
    found = []
    since = 0  # the least time from the end of the boot that is looked at until now
    later: Epoch | None = None
    newest_ms = 0
    for epoch in reversed(epochs):
        if later is None or epoch.boot_id != later.boot_id:
            since += newest_ms
            newest_ms = epoch.uptime_ms
        later = epoch
        cutoff = newest_ms + since - age_ms
        if cutoff > 0:
            found.append((epoch.id, cutoff))
    return found
