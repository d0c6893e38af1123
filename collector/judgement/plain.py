"""Reports as on any good day: most are, so they must cost little. Also: many alike, kept as two.

A report is plain if everything that it asked answered, within bounds, right after another of the
same run of agent and host. It changes nothing but the time up to which all is known to be well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from collector.judgement.faces import unanswered
from tabuah.report import Occasion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector.judgement.evidence import Look, Observation

MISSED: Final = 2.5
"""Intervals without a record that make a gap; one late or dropped report does not."""


def follows(before: Observation, seen: Observation) -> bool:
    """Return whether a report comes right after another, of the same start of agent and host."""
    return (
        seen.epoch == before.epoch
        and seen.boot_id == before.boot_id
        and (before.occasion is Occasion.CYCLE or before.occasion is Occasion.RETURN)
        and 0 <= seen.at_ms - before.at_ms <= MISSED * before.interval_ms
    )


def sound(look: Look) -> bool:
    """Return whether all that was asked of a circuit answered, and something beyond it did."""
    return (
        not look.lost
        and (look.centre or look.public) is True
        and look.public is not False
        and look.centre is not False
        and look.first_hop is not False
        and look.port is not False
        and look.session is not False
        and look.resolver is not False
        and not look.first_hop_lost
    )


def grown(before: Observation, seen: Observation) -> bool:
    """Return whether a report of a line that carried nothing tells that the one before was held."""
    return (
        _next(before, seen)
        and seen.backlog > before.backlog
        and any(look.carried is False for look in before.circuits)
    )


def with_answers(line: Iterable[Observation]) -> list[Observation]:
    """Return reports in order of measuring, each with what the next tells of its answer.

    It stayed unanswered (`held`); or, where the next one leaves by another circuit, nobody knows by
    which this one was answered (`path`), since the agent tries them in turn.
    """
    marked: list[Observation] = []
    for seen in line:
        if marked:
            before = marked[-1]
            if not before.late and not before.held and grown(before, seen):
                before = replace(before, held=True)
            if before.path and seen.path != before.path and _next(before, seen):
                before = replace(before, path="")
            marked[-1] = before
        marked.append(seen)
    return marked


def with_last_held(line: list[Observation]) -> list[Observation]:
    """Return reports whose last is taken for held like the one before: nothing follows it yet."""
    if len(line) < 2 or not line[-2].held or line[-1].late:
        return line
    if all(look.carried is not False for look in line[-1].circuits):
        return line
    return [*line[:-1], replace(line[-1], held=True)]


def _next(before: Observation, seen: Observation) -> bool:
    """Return whether no report of the same start lies between the two."""
    return seen.epoch == before.epoch and seen.seq - 1 - seen.left_out == before.seq


def condensed(line: Iterable[Observation]) -> list[Observation]:
    """Return reports in order of measuring with the midst of long stretches alike left out.

    A line may fail for months while another carries the reports: the first and the last of a
    stretch say all that its verdict rests on. The last counts those that are left out before it.
    """
    kept: list[Observation] = []
    for seen in line:
        if len(kept) > 1 and alike(kept[-1], seen) and alike(kept[-2], kept[-1]):
            left_out = kept[-1].left_out + 1 + seen.left_out
            kept[-1] = replace(seen, left_out=left_out)
        else:
            kept.append(seen)
    return kept


def alike(earlier: Observation, later: Observation) -> bool:
    """Return whether a report repeats the one right before it, but for its figures."""
    return (
        _next(earlier, later)
        and later.occasion is Occasion.CYCLE
        and (later.left_out > 0 or follows(earlier, later))
        and later.late is earlier.late
        and unanswered(later) is unanswered(earlier)
        and goes_on(earlier, later)
    )


def goes_on(earlier: Observation, later: Observation) -> bool:
    """Return whether a report says of office and lines what another said, but for its figures."""
    if (
        later.gateway is not earlier.gateway
        or later.on_battery is not earlier.on_battery
        or later.path != earlier.path
        or len(later.circuits) != len(earlier.circuits)
    ):
        return False
    for one, other in zip(later.circuits, earlier.circuits, strict=True):
        if (
            one.first_hop is not other.first_hop
            or one.centre is not other.centre
            or one.public is not other.public
            or one.port is not other.port
            or one.session is not other.session
            or one.no_light is not other.no_light
            or one.redials != other.redials
            or one.circuit != other.circuit
        ):
            return False
    return True
