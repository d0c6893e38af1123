"""What the judge may see, and the words of its verdicts.

Absence is not evidence: whatever was not measured is None, and no rule may read None as 'well'.
Times are ms since 1970 UTC, of measuring unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from tabuah.measurement import Stage
from tabuah.report import Occasion


class Cause(Enum):
    """Why something is not as it should be. The value is the word of the contract."""

    UNKNOWN = "unknown"
    POWER = "power"
    GATEWAY = "gateway"
    LAST_MILE = "last_mile"
    AREA = "area"
    PROVIDER_CORE = "provider_core"
    SESSION = "session"
    CONGESTION = "congestion"
    CENTRE = "centre"
    SERVICE = "service"
    AGENT = "agent"
    MAINTENANCE = "maintenance"
    ISOLATED = "isolated"


COUNTABLE: Final = frozenset({Cause.LAST_MILE, Cause.AREA, Cause.PROVIDER_CORE})
"""What the provider answers for, until a contract takes more away or a person decides."""


class Confidence(Enum):
    """Whether a verdict may still change for want of evidence."""

    PROVISIONAL = "provisional"
    """Made from silence and what was known before it."""
    FINAL = "final"
    """Made from the office's own record, or its whole reach of spool has passed."""


class Source(Enum):
    """Who says so."""

    AGENT = "agent"
    """The office's reports: its probes, its clocks."""
    GATEWAY = "gateway"
    """The office's gateway, polled by the agent."""
    UPS = "ups"
    COLLECTOR = "collector"
    """What the collector itself heard, probed or missed."""
    PEERS = "peers"
    """The other offices of the same upstream or power group."""
    TRAP = "trap"
    """What a device said by itself."""
    INVENTORY = "inventory"
    """What people wrote down: maintenance, groups, what a UPS feeds."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that a verdict rests on."""

    source: Source
    at_ms: int
    says: str
    """In plain English, with the figures."""


@dataclass(frozen=True, slots=True)
class StuckSeen:
    """A push that its gateway could not take back, by the journal of provisioning."""

    site: str
    device: str
    push: str
    """Its id."""
    at_ms: int
    says: str
    """Why it was to be taken back."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cause, what it rests on, and how sure it is."""

    cause: Cause
    confidence: Confidence
    evidence: tuple[Evidence, ...]
    reason: str
    """One sentence: which rule matched, or what is missing."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one report says of one circuit. Each answer is True, False or, unmeasured, None."""

    circuit: str
    first_hop: bool | None = None
    centre: bool | None = None
    public: bool | None = None
    """Whether any public address answered; resolvers are not among them."""
    resolver: bool | None = None
    """Whether any resolver answered."""
    resolver_run: int = 0
    port: bool | None = None
    """Whether the gateway's port to the provider's terminal is up (ifOperStatus)."""
    session: bool | None = None
    """Whether the PPP interface over that port is up."""
    redials: int | None = None
    """How often the session came back under another ifIndex since the agent began."""
    no_light: bool | None = None
    """Whether the gateway's fibre module receives no light."""
    first_hop_sent: int = 0
    first_hop_lost: int = 0
    first_hop_rtt_us: int | None = None
    sent: int = 0
    """Packets to whatever lies beyond the first hop, of this cycle."""
    lost: int = 0
    rtt_us: int | None = None
    jitter_us: int | None = None
    lead_ms: int = 0
    """How long before the report the first packet of its probes left: what they show began then."""
    load: float | None = None
    """Share of the contracted bandwidth in use since the report before, of the fuller way."""

    @property
    def carried(self) -> bool | None:
        """Whether anything beyond the office answered; None = nothing was asked."""
        if self.first_hop or self.centre or self.public:
            return True
        asked = self.first_hop is not None or self.centre is not None or self.public is not None
        return False if asked else None

    @property
    def beyond(self) -> bool | None:
        """Whether anything beyond the first hop answered; None = nothing was asked."""
        if self.centre or self.public:
            return True
        return False if self.centre is not None or self.public is not None else None


@dataclass(frozen=True, slots=True)
class ServiceLook:
    """What one report says of one service."""

    service: str
    good: bool
    stage: Stage = Stage.ANSWER
    """Where it failed."""
    run: int = 0
    """Which run of its check: a slow check's last word stands in many reports."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One report, as the judge reads it."""

    site: str
    at_ms: int
    received_ms: int
    late: bool
    """It came out of the spool: it stayed unanswered for 3 s at the office."""
    interval_ms: int
    epoch: int
    seq: int
    boot_id: bytes
    uptime_ms: int
    occasion: Occasion = Occasion.CYCLE
    path: str = ""
    """The circuit that it left by; "" = not known."""
    srtt_ms: int = 0
    backlog: int = 0
    """Reports that its spool still held: older ones may yet come."""
    gateway: bool | None = None
    """Whether the gateway answered, by ping or poll."""
    gateway_uptime_ms: int | None = None
    skew_ms: int = 0
    """The office's clock minus the true time, as far as it is not believed."""
    on_battery: bool | None = None
    """Whether the UPS runs on its battery."""
    circuits: tuple[Look, ...] = ()
    services: tuple[ServiceLook, ...] = ()
    held: bool = False
    """It stayed unanswered at the office though the centre took it: the next one's backlog says so.
    A line that carries only outwards is no line."""
    left_out: int = 0
    """How many reports right before it, all like it, the judge did not keep."""

    @property
    def booted_ms(self) -> int:
        """When the agent's host was started."""
        return self.at_ms - self.uptime_ms

    @property
    def gateway_booted_ms(self) -> int | None:
        """When the gateway was started, if it says."""
        return None if self.gateway_uptime_ms is None else self.at_ms - self.gateway_uptime_ms

    def look(self, circuit: str) -> Look | None:
        """Return what it says of one circuit."""
        return next((look for look in self.circuits if look.circuit == circuit), None)


@dataclass(frozen=True, slots=True)
class CentreSeen:
    """What the centre itself saw of one office while it heard nothing from it."""

    at_ms: int
    address: bool | None = None
    """Whether the office's public address answered."""
    wrong_digests: int = 0
    """Reports in its name that failed authentication, since the last good one (usmStats): anyone
    can send those, so they are shown and decide nothing."""
    not_in_window: int = 0
    unknown_engine: int = 0
    """Meant for another collector, or for this one before its data folder was made anew."""
    unknown_user: int = 0
    """By a key that was replaced or revoked."""
    battery_ms: int | None = None
    """Since when its UPS runs on battery, by a trap that only this office could have signed."""
    traps: tuple[Evidence, ...] = ()
    """What its devices said by themselves, signed or not: shown."""


@dataclass(frozen=True, slots=True)
class CollectorSeen:
    """What the collector knows of its own line at one moment."""

    at_ms: int
    references: bool | None = None
    """Whether any reference answered; None = there are none."""
    hearing: bool = True
    """Whether a report from any office came within its threshold."""


@dataclass(frozen=True, slots=True)
class Window:
    """Announced work; `sites` are those it touches."""

    sites: frozenset[str]
    begins_ms: int
    ends_ms: int
    why: str = ""
    circuits: frozenset[str] = frozenset()
    """Of those sites, by id; empty = all of them."""

    def touches(self, site: str, circuit: str) -> bool:
        """Return whether the work is done on a circuit."""
        return site in self.sites and (not self.circuits or circuit in self.circuits)

    def covers(self, site: str, circuit: str, at_ms: int) -> bool:
        """Return whether a circuit is under this window at that time."""
        return self.touches(site, circuit) and self.begins_ms <= at_ms < self.ends_ms
