"""How one cycle of one circuit looks: good, or failing in one of a few ways.

A cycle fails when everything that was asked beyond the office stayed silent AND either the
gateway's port to the provider was down or the report itself stayed unanswered for 3 s. Without
the second half, heavy loss would now and then read as an outage of ten seconds. A report that
left by another circuit proves nothing of this one; then only a run of failing cycles counts
(`outages` sees to that).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from collector.judgement.evidence import Look, Observation

UNANSWERED_MS: Final = 3_000
"""A report that took longer was on its way in vain for a while; the agent spools at the same."""
RETRY_MS: Final = 500
"""A report that took as long was tried again: the first try was lost."""


class Face(Enum):
    """What a cycle shows of a circuit."""

    GOOD = "good"
    NOT_ASKED = "not asked"
    """No probe goes beyond the office: the cycle says nothing."""
    NO_POWER = "mains lost"
    """On battery, and the port or the gateway is dead."""
    NO_GATEWAY = "gateway lost"
    NO_PORT = "port down"
    """The gateway's port to the provider's terminal is down though agent and gateway run."""
    NO_SESSION = "session down"
    """The session fails while its port is up, and the provider answers to it."""
    NO_HOP = "first hop lost"
    NO_CORE = "beyond the first hop lost"
    DARK = "all lost"
    """Everything asked was lost, and no probe divides the way."""


FAILING: Final = frozenset(set(Face) - {Face.GOOD, Face.NOT_ASKED})


def face(seen: Observation, look: Look | None, redials_before: int | None = None) -> Face:
    """Return how the circuit looks in this cycle.

    Args:
        seen: the cycle.
        look: what it says of the circuit.
        redials_before: the session's redials when the fault began, to see it fail again and again.
    """
    if look is None:
        return Face.NOT_ASKED
    own_way = went_by(seen, look)
    if look.carried is None and look.port is not False:
        # Nothing was asked, but the report itself went through.
        return Face.GOOD if own_way and not unanswered(seen) else Face.NOT_ASKED
    if look.carried and not _core_lost(look):
        return Face.GOOD
    if look.port is not False and own_way and not unanswered(seen):
        return Face.GOOD
    dead = look.port is False or seen.gateway is False
    if look.carried:
        return Face.NO_CORE
    if seen.on_battery and dead:
        return Face.NO_POWER
    if seen.gateway is False:
        return Face.NO_GATEWAY
    if look.port is False:
        return Face.NO_PORT
    if look.session is False and _redialled(look, redials_before):
        return Face.NO_SESSION
    return Face.DARK if look.first_hop is None else Face.NO_HOP


def began_ms(seen: Observation, look: Look | None, found: Face) -> int:
    """Return since when the circuit has looked as it was found to.

    It is down from the first packet that was lost and good from the first that was answered, both
    before the report was made; or good from the report itself, where that came through and no
    probe did.
    """
    if look is None or found is Face.NOT_ASKED:
        return seen.at_ms
    if found is not Face.GOOD or (look.carried and not _core_lost(look)):
        return seen.at_ms - look.lead_ms
    took_ms = seen.received_ms - seen.at_ms
    return seen.at_ms if took_ms < RETRY_MS else seen.received_ms


def unanswered(seen: Observation) -> bool:
    """Return whether the report itself was not taken, or not answered, within 3 s."""
    return seen.late or seen.held or seen.received_ms - seen.at_ms >= UNANSWERED_MS


def proves_itself(seen: Observation, look: Look) -> bool:
    """Return whether one failing cycle is enough: its own report went unanswered, or no port."""
    return look.port is False or (went_by(seen, look) and unanswered(seen))


def went_by(seen: Observation, look: Look) -> bool:
    """Return whether the report left by this circuit."""
    return seen.path == look.circuit


def _core_lost(look: Look) -> bool:
    """Return whether the first hop alone answers, though a public address was asked too.

    The centre's absence alone is never the line's fault.
    """
    return look.first_hop is True and look.public is False and not look.centre


def _redialled(look: Look, before: int | None) -> bool:
    """Return whether the provider's end answers the dialling: then it is not the cable."""
    if look.first_hop:
        return True
    return look.redials is not None and before is not None and look.redials > before
