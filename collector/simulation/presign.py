"""Encodes and signs a run's reports before its start, for the collector's time when they leave.

Sending them costs little more than copying. Each rests on the one before, as it will if that is
acknowledged by then; where it is not, and for retries, `drive` signs anew.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.simulation import fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector.simulation.office import Flight, Office
    from collector.simulation.plan import Plan
    from collector.simulation.voice import Sealed, Voice

_SAMPLE: Final = 200
_SPARE_S: Final = 0.2


class Presigned(NamedTuple):
    """A report that is ready to leave."""

    office: Office
    flight: Flight
    sealed: Sealed


def presigned(
    plan: Plan, offices: Sequence[Office], voice: Voice, stopping: Callable[[], bool]
) -> list[Presigned]:
    """Return all live reports of the run in the order of leaving, when it is time to begin.

    Fewer if it was told to stop. The offices must know the collector's time.
    """
    count = plan.due_in_all(len(offices))
    start = time.monotonic() + count * _seconds_each(offices[0], plan, voice) + _SPARE_S
    ready = []
    for number in range(count):
        if stopping():
            break
        office = offices[number % len(offices)]
        due = start + plan.due_s(number, len(offices))
        made = office.cycle(due)
        flight = office.flight(made)
        sealed = voice.seal(office.user, office.pdu(flight), due, knows_time=True)
        office.presume(made)
        ready.append(Presigned(office, flight, sealed))
    for office in offices:
        office.presume(None)
    # Whether that took less or more than estimated: the time window is 150 s each way.
    while not stopping() and (left_s := start - time.monotonic()) > 0:
        time.sleep(min(left_s, 0.1))
    return ready


def _seconds_each(like: Office, plan: Plan, voice: Voice) -> float:
    """Return about how long one report takes to make, by making some that are not used."""
    office = fleet.another(like, plan)
    began = time.monotonic()
    for _ in range(_SAMPLE):
        made = office.cycle(began)
        voice.seal(office.user, office.pdu(office.flight(made)), began, knows_time=True)
        office.presume(made)
    return (time.monotonic() - began) / _SAMPLE
