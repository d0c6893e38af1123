"""What a verdict is asked for: one stretch of trouble of one line, and all that is known of it.

Whoever finds a stretch puts its case (`outages`, `troubles`); `diagnosis` answers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from inventory.model import Ups

if TYPE_CHECKING:
    from collector.judgement.evidence import CentreSeen, CollectorSeen, Observation, Window
    from collector.judgement.faces import Face


class Gap(Enum):
    """Why there is no record of a stretch, as the reports on both its sides tell."""

    OPEN = "nothing was heard since"
    OFF = "the host was shut down, and said so"
    STOPPED = "the agent was stopped, and said so"
    REBOOTED = "the host rebooted without a word"
    RESTARTED = "the agent began anew, its host did not"
    STOOD_STILL = "the agent made no report"
    MISSING = "the office's reports of that time have not come"


class Nature(Enum):
    """What sort of trouble is asked about."""

    DOWN = "down"
    GAP = "gap"
    DEGRADED = "degraded"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Group:
    """Offices that fell together, and the upstream that they share."""

    upstream: str
    sites: tuple[str, ...]
    total: int
    """Offices behind that upstream."""
    began_ms: int


@dataclass(frozen=True, slots=True)
class Slow:
    """What is worse than its bounds, and where it begins."""

    says: str
    from_first_hop: bool | None
    """Whether the first hop shows it too; None = no first hop is probed."""
    full: bool | None
    """Whether the line is full; None = its traffic is not known."""
    core: bool = False
    """Public addresses are lost from most offices while first hop and centre answer."""


@dataclass(frozen=True, slots=True)
class ServiceFault:
    """A service, or the resolvers, that fail while the line is good."""

    service: str
    """Its code; `dns` for the resolvers."""
    failing: tuple[str, ...]
    asking: int
    """How many offices ask for it over a good line."""
    stage: str
    core: bool = False
    """It fails with the provider's core."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one stretch of trouble of one circuit."""

    site: str
    circuit: str
    nature: Nature
    began_ms: int
    ended_ms: int | None
    face: Face | None = None
    """Of a recorded outage."""
    gap: Gap | None = None
    """Of an unrecorded stretch."""
    first: Observation | None = None
    """The first failing cycle."""
    before: Observation | None = None
    """The last report before it."""
    after: Observation | None = None
    """The first report after it."""
    pending: bool = False
    """The office holds reports back that may yet fill this gap."""
    ups: Ups = Ups.UNKNOWN
    group: Group | None = None
    centre: CentreSeen | None = None
    isolated: CollectorSeen | None = None
    window: Window | None = None
    slow: Slow | None = None
    service: ServiceFault | None = None
